"""Times as suppliers write them, to microseconds UTC: patterns, epochs, steps, zones whose clocks change."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from events.importing.amounts import minor_of_text
from events.importing.maps import TimeForm

UTC_TIME: Final = pl.Datetime("us", "UTC")

MOST_STEPS: Final = 10**9
"""Steps beyond this many seconds, minutes, hours or days are no time at all."""


@dataclass(frozen=True, slots=True)
class ReadTime:
    """The expressions a time form gives: the time, whether local clocks skip it, and whether they show it twice."""

    value: pl.Expr
    skipped: pl.Expr | None = None
    twice: pl.Expr | None = None


def read_time(form: TimeForm, text: pl.Expr, raw: pl.Expr, dtype: pl.DataType) -> ReadTime:
    """How to read a column as times; `text` is the column as text, `raw` as it stands in the file."""
    found = _read(form, text, raw, dtype)
    if not form.plus_us:
        return found
    later = found.value + pl.duration(microseconds=form.plus_us)
    return ReadTime(later, found.skipped, found.twice)


def _read(form: TimeForm, text: pl.Expr, raw: pl.Expr, dtype: pl.DataType) -> ReadTime:
    if form.epoch is not None:
        return ReadTime(_since_1970(form.epoch, text))
    if form.step_seconds:
        return _steps(form, text)
    if form.native:
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            return ReadTime(raw.dt.convert_time_zone("UTC").cast(UTC_TIME))
        return _in_zone(form, raw.cast(pl.Datetime("us")))
    if form.pattern == "%+":
        return ReadTime(_rfc3339(text))
    if form.pattern == "iso":
        local = _in_zone(
            form, _with_t(text).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
        )
        return ReadTime(pl.coalesce(_rfc3339(text), local.value), local.skipped, local.twice)
    if any(offset in form.pattern for offset in ("%z", "%:z", "%#z")):
        return ReadTime(text.str.to_datetime(form.pattern, time_unit="us", strict=False).cast(UTC_TIME))
    if not any(part in form.pattern for part in ("%H", "%I", "%T", "%X", "%R", "%c", "%r")):
        day = text.str.to_date(form.pattern, strict=False)
        return _in_zone(form, day.cast(pl.Datetime("us")))
    return _in_zone(form, text.str.to_datetime(form.pattern, time_unit="us", strict=False))


def _with_t(text: pl.Expr) -> pl.Expr:
    """A blank is allowed for the T, and small letters (RFC 3339, section 5.6)."""
    return text.str.replace(r"^(\d{4}-\d{2}-\d{2})[ t]", "${1}T").str.replace("z$", "Z")


def _rfc3339(text: pl.Expr) -> pl.Expr:
    return _with_t(text).str.to_datetime("%+", time_unit="us", strict=False).cast(UTC_TIME)


def _since_1970(power: int, text: pl.Expr) -> pl.Expr:
    """An epoch number, with decimals or not, as a time; digits finer than a microsecond are dropped."""
    if power < 0:
        whole = text.cast(pl.Int64, strict=False) // 10**-power
    else:
        whole = minor_of_text(text, power, "down")
    # beyond the year 9999 a number is not an epoch of this unit
    return pl.when(whole.abs() < 253_402_300_800_000_000).then(whole).cast(pl.Datetime("us")).cast(UTC_TIME)


def _steps(form: TimeForm, text: pl.Expr) -> ReadTime:
    """Step N since an origin. Days are calendar days of the zone; shorter steps are elapsed time."""
    steps = minor_of_text(text, 0, "")
    steps = pl.when(steps.abs() <= MOST_STEPS).then(steps)
    origin = pl.lit(form.origin, dtype=pl.Datetime("us"))
    moved = steps * form.step_seconds
    if form.step_seconds == 86_400:
        return _in_zone(form, origin + pl.duration(seconds=moved))
    started = _in_zone(form, origin).value
    return ReadTime(started + pl.duration(seconds=moved))


def _in_zone(form: TimeForm, local: pl.Expr) -> ReadTime:
    """A local time to UTC. A time that clocks show twice is taken as the map says (the earlier, unless it says
    otherwise) and counted; one that they skip has no meaning and is refused."""
    if form.zone in ("", "UTC"):
        return ReadTime(local.dt.replace_time_zone("UTC").cast(UTC_TIME))

    def placed(ambiguous: str) -> pl.Expr:
        chosen = local.dt.replace_time_zone(form.zone, ambiguous=ambiguous, non_existent="null")  # type: ignore[arg-type]
        return chosen.dt.convert_time_zone("UTC").cast(UTC_TIME)

    earliest, latest = placed("earliest"), placed("latest")
    twice = earliest != latest
    skipped = earliest.is_null() & local.is_not_null()
    if form.ambiguous == "refuse":
        return ReadTime(pl.when(earliest == latest).then(earliest), skipped, twice)
    return ReadTime(earliest if form.ambiguous == "earliest" else latest, skipped, twice)

"""The inputs that the bench measures with: made once from a seed, kept in a folder, the same on every machine.

Half a million accounts, each with its own few payees and shops, paid and paying through the day; employers who pay
salaries; and a few mules. Numbers likewise, with a few deal lines. Lines are about as long as real ones. What is made
is meant to cost what real input costs, not to be a world: for that there is the simulator.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

VERSION: Final = 2
"""Part of the files' names: a change of what is made makes new files."""

_SELDOM: Final = 8
_START: Final = datetime(2026, 3, 2, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_START_DAY: Final = int(_START.timestamp()) // 86_400
_HOUR_US: Final = 3_600_000_000
_MINUTE_US: Final = 60_000_000
_BLOCK: Final = 250_000
_A_DAY: Final = 1.5
"""Events a day for each account or number: what a person's account sees of payments."""
_ORGANISATIONS: Final = 0.04
_PER_MULE: Final = 20_000
"""One account in so many is a mule: UK banks report about as many in half a year."""
_PER_LINE: Final = 50_000
_FORCES: Final = ("E23000001", "E23000005", "E23000007", "E23000009", "E23000013", "W15000003")
_BY_HOUR: Final = (1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 12, 11, 9, 7, 5, 3, 2)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Made:
    """A stream's input on disk."""

    stream: str
    ndjson: Path
    parquet: Path
    events: int

    def head(self, events: int) -> Path:
        """A file of its first lines; the file itself when it has no more."""
        if events >= self.events:
            return self.ndjson
        path = self.ndjson.with_name(f"{self.ndjson.stem}-first-{events}.ndjson")
        if not path.exists():
            part = path.with_suffix(".part")
            with self.ndjson.open("rb") as source, part.open("wb") as target:
                for _, line in zip(range(events), source, strict=False):
                    target.write(line)
            part.replace(path)
        return path

    @property
    def line_bytes(self) -> float:
        """How long a line is."""
        return self.ndjson.stat().st_size / self.events


def make(stream: str, folder: Path, *, events: int, entities: int, seed: int) -> Made:
    """The input of a stream, made if it is not there yet."""
    name = f"{stream}-v{VERSION}-{events}-{entities}-{seed}"
    made = Made(stream, folder / f"{name}.ndjson", folder / f"{name}.parquet", events)
    if not (made.ndjson.exists() and made.parquet.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        frame = _MAKERS[stream](events, entities, np.random.default_rng(seed))
        _write(frame, made)
    return made


def _write(frame: pl.DataFrame, made: Made) -> None:
    part = made.parquet.with_suffix(".part")
    frame.write_parquet(part, row_group_size=65_536)
    part.replace(made.parquet)
    part = made.ndjson.with_suffix(".part")
    with part.open("wb") as file:
        for block in _blocks(frame):
            file.writelines(_lines(block))
    part.replace(made.ndjson)


def _blocks(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for start in range(0, frame.height, _BLOCK):
        yield frame.slice(start, _BLOCK)


def _lines(block: pl.DataFrame) -> Iterator[bytes]:
    """Lines as suppliers write them: what is not said is left out."""
    shown = block.with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    for row in shown.iter_rows(named=True):
        yield (
            json.dumps({k: v for k, v in row.items() if v is not None}, separators=(",", ":")).encode()
            + b"\n"
        )


def _times(events: int, entities: int, rng: np.random.Generator) -> Ints:
    """Sorted times over as long as so many events take, more by day than by night."""
    span = max(events / (entities * _A_DAY), 1 / 24)
    minutes = np.arange(int(span * 1440) + 1)
    weight = np.array(_BY_HOUR, dtype=np.float64)[(minutes // 60 + 9) % 24]
    reached = np.concatenate(([0.0], np.cumsum(weight)))
    at = np.interp(np.sort(rng.random(events)) * reached[-1], reached, np.arange(len(reached)))
    start = int(_START.timestamp()) * 1_000_000 + 9 * _HOUR_US  # a Monday at nine
    times: Ints = (at * _MINUTE_US).astype(np.int64) + start
    return times


def _of_own(who: Ints, k: Ints, among: int, spread: float) -> Ints:
    """Each one's own k-th of so many, always the same; the higher the spread, the more the first are everybody's."""
    mixed = (who.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + k.astype(np.uint64)) * np.uint64(
        0xBF58476D1CE4E5B9
    )
    share = (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
    return (share**spread * among).astype(np.int64)


def _someone(count: int, among: int, rng: np.random.Generator) -> Ints:
    """Half of what happens is everybody's, half is the more active ones'."""
    u = rng.random(count)
    return (np.where(rng.random(count) < 0.5, u, u**3) * among).astype(np.int64)


# ------------------------------------------------------------------------------------------------------- payments


def _payments(events: int, accounts: int, rng: np.random.Generator) -> pl.DataFrame:
    organisations = max(2, int(accounts * _ORGANISATIONS))
    people = accounts - organisations
    mules = _mules(people, organisations, events, rng)
    plain = events - len(mules["ts"])
    ts = _times(plain, accounts, rng)
    person, k = _someone(plain, people, rng), rng.geometric(0.35, plain).astype(np.int64)
    # shops are paid, employers pay: money that goes through an account within the hour is a mule's mark
    shops = organisations // 2
    friend, shop = _of_own(person, k, people, 1.0), people + _of_own(person, k + 64, shops, 3.0)
    employer = people + shops + _of_own(person, person * 0, organisations - shops, 2.0)
    what = rng.random(plain)
    spends, salaried = what < 0.60, what >= 0.88
    payer = np.where(salaried, employer, person)
    payee = np.where(salaried, person, np.where(spends, shop, friend))
    pounds = np.where(spends, rng.lognormal(2.9, 1.0, plain), rng.lognormal(3.5, 1.1, plain))
    pounds = np.where(salaried, rng.lognormal(7.3, 0.5, plain), pounds)
    rounded = ~spends & ~salaried & (rng.random(plain) < 0.4)
    pounds = np.where(rounded, np.maximum(5.0, np.round(pounds / 5.0) * 5.0), pounds)
    rail = np.where(
        spends, np.where(what < 0.36, "card", np.where(what < 0.45, "direct_debit", "fps")), "fps"
    )
    rail = np.where(salaried, "bacs", rail)
    columns = {
        "ts": np.concatenate((ts, np.clip(mules["ts"] + ts[0], ts[0], ts[-1]))),
        "payer": np.concatenate((payer, mules["payer"])),
        "payee": np.concatenate((payee, mules["payee"])),
        "pence": np.concatenate((np.maximum(1, pounds * 100).astype(np.int64), mules["pence"])),
        "rail": np.concatenate((rail, np.full(len(mules["ts"]), "fps"))),
        # what the payer's bank says: strangers' payments, and ordinary ones to whom one seldom pays
        "new_payee": np.concatenate(
            (~spends & ~salaried & (k > _SELDOM), np.full(len(mules["ts"]), fill_value=True))
        ),
    }
    order = np.argsort(columns["ts"], kind="stable")
    return _payment_frame({name: column[order] for name, column in columns.items()})


def _mules(people: int, organisations: int, events: int, rng: np.random.Generator) -> dict[str, Ints]:
    """Strangers' money in, most of it out within the half hour, several times."""
    count = max(1, min((people + organisations) // _PER_MULE, events // 200))
    rounds = 5
    span = int(max(events / ((people + organisations) * _A_DAY), 1 / 24) * _DAY_US)
    mule = np.repeat(rng.choice(people, count, replace=False), rounds)
    start = np.repeat(rng.integers(0, max(1, span * 2 // 3), count), rounds)
    into = start + np.tile(np.arange(rounds), count) * min(20 * _MINUTE_US, span // (3 * rounds))
    out = into + rng.integers(2, 15, len(into)) * min(_MINUTE_US, span // (60 * rounds))
    pence = rng.integers(40_000, 250_000, len(into))
    victims, onward = rng.integers(0, people, len(into)), rng.integers(0, people, len(into))
    return {
        "ts": np.concatenate((into, out)),
        "payer": np.concatenate((victims, mule)),
        "payee": np.concatenate((mule, onward)),
        "pence": np.concatenate((pence, pence * 95 // 100)),
    }


def _payment_frame(c: dict[str, Any]) -> pl.DataFrame:
    payer, payee = pl.Series(c["payer"]), pl.Series(c["payee"])
    number = pl.Series(np.arange(len(c["ts"])))
    card = pl.col("rail") == "card"
    return pl.DataFrame(
        {
            "event_id": _named("p", number, 9),
            "ts": pl.Series(c["ts"]).cast(pl.Datetime("us", "UTC")),
            "rail": pl.Series(c["rail"]),
            "amount_minor": pl.Series(c["pence"]),
            "payer_account": _account(payer),
            "payee_account": _account(payee),
            "device_id": _named("d", payer, 7),
            "payer_force": _force(payer),
            "payee_opened": _date(payee),
            "new_payee": pl.Series(c["new_payee"]),
        }
    ).with_columns(
        new_payee=pl.when("new_payee").then(pl.lit(value=True)),
        channel=pl.when(card).then(pl.lit("pos")).otherwise(pl.lit("mobile_app")),
        mcc=pl.when(card).then(pl.lit("5411")),
    )


def _named(letter: str, number: pl.Series, digits: int) -> pl.Series:
    made: pl.Series = letter + number.cast(pl.String).str.zfill(digits)
    return made


def _account(number: pl.Series) -> pl.Series:
    """Reserved sort codes: no bank has them."""
    made: pl.Series = (
        "00-00-" + (number % 90 + 10).cast(pl.String) + " " + number.cast(pl.String).str.zfill(8)
    )
    return made


def _force(number: pl.Series) -> pl.Series:
    forces = pl.Series(_FORCES)
    made: pl.Series = forces.gather((number % len(_FORCES)).cast(pl.UInt32))
    return made


def _date(number: pl.Series) -> pl.Series:
    days = (number * 7919 % 4000).cast(pl.Int32)
    made: pl.Series = (_START_DAY - days).cast(pl.Date).cast(pl.String)
    return made


# ------------------------------------------------------------------------------------------------------- telecoms


def _telecoms(events: int, numbers: int, rng: np.random.Generator) -> pl.DataFrame:
    lines = _lines_of_dealers(numbers, events, rng)
    plain = events - len(lines["ts"])
    ts = _times(plain, numbers, rng)
    number, k = _someone(plain, numbers, rng), rng.geometric(0.3, plain).astype(np.int64)
    what = rng.random(plain)
    kind = np.where(what < 0.25, "sms", np.where(what < 0.60, "call", "data"))
    columns = {
        "ts": np.concatenate((ts, np.clip(lines["ts"] + ts[0], ts[0], ts[-1]))),
        "number": np.concatenate((number, lines["number"])),
        "other": np.concatenate((_of_own(number, k, numbers, 1.0), lines["other"])),
        "kind": np.concatenate((kind, np.where(lines["call"] == 1, "call", "sms"))),
        "out": np.concatenate((rng.random(plain) < 0.5, lines["call"] == 0)),
        "seconds": np.concatenate(
            (rng.lognormal(4.3, 1.0, plain).astype(np.int64), np.full(len(lines["ts"]), 24))
        ),
        "burner": np.concatenate((np.zeros(plain, dtype=bool), np.ones(len(lines["ts"]), dtype=bool))),
    }
    order = np.argsort(columns["ts"], kind="stable")
    return _telecom_frame({name: column[order] for name, column in columns.items()})


def _lines_of_dealers(numbers: int, events: int, rng: np.random.Generator) -> dict[str, Ints]:
    """Texts to a list of forty, three times, and every fourth rings back within minutes."""
    count, customers = max(1, min(numbers // _PER_LINE, events // 1_000)), min(40, numbers // 2)
    span = int(max(events / (numbers * _A_DAY), 1 / 24) * _DAY_US)
    found: dict[str, list[Ints]] = {"ts": [], "number": [], "other": [], "call": []}
    for line in rng.choice(numbers, count, replace=False):
        others = rng.choice(numbers, customers, replace=False)
        for flare in range(3):
            start = (span // 4) * flare + int(rng.integers(0, max(1, span // 8)))
            called = others[::4]
            found["ts"] += [
                start + np.arange(customers) * min(4_000_000, span // 2_000),
                start + span // 50 + np.arange(len(called)) * min(2 * _MINUTE_US, span // 500),
            ]
            found["number"].append(np.full(customers + len(called), line))
            found["other"] += [others, called]
            found["call"].append(np.repeat((0, 1), (customers, len(called))))
    return {name: np.concatenate(parts).astype(np.int64) for name, parts in found.items()}


def _telecom_frame(c: dict[str, Any]) -> pl.DataFrame:
    number, other = pl.Series(c["number"]), pl.Series(c["other"])
    speaks = pl.col("kind") != "data"
    calls = pl.col("kind") == "call"
    return pl.DataFrame(
        {
            "event_id": _named("t", pl.Series(np.arange(len(c["ts"]))), 9),
            "ts": pl.Series(c["ts"]).cast(pl.Datetime("us", "UTC")),
            "kind": pl.Series(c["kind"]),
            "number": _named("+99900", number, 8),
            "direction": pl.Series(np.where(c["out"], "mo", "mt")),
            "other_number": _named("+99900", other, 8),
            "duration_s": pl.Series(c["seconds"]),
            "imsi": _named("00101", number, 10),
            "imei": _named("00", number, 12) + "0",
            "cell": _named("234-15-", number % 20_000, 6),
            "force": _force(number),
            "prepaid": pl.Series(c["burner"]),
        }
    ).with_columns(
        direction=pl.when(speaks).then("direction"),
        other_number=pl.when(speaks).then("other_number"),
        duration_s=pl.when(calls).then("duration_s"),
        phase=pl.when(calls).then(pl.lit("complete")),
        answered=pl.when(calls).then(pl.lit(value=True)),
        bytes_down=pl.when(~speaks).then(pl.lit(4_000_000)),
    )


# ------------------------------------------------------------------------------- every account once, for the restart


def make_everyone(folder: Path, *, entities: int, seed: int) -> Made:
    """Payments in which every account has a part: a memory of so many, in as few lines as that takes."""
    events = entities // 2 + entities // 20
    name = f"everyone-v{VERSION}-{entities}-{seed}"
    made = Made("payments", folder / f"{name}.ndjson", folder / f"{name}.parquet", events)
    if not (made.ndjson.exists() and made.parquet.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        once = rng.permutation(entities // 2 * 2).astype(np.int64).reshape(2, -1)
        again = rng.integers(0, entities, (2, events - once.shape[1]))
        payer, payee = np.concatenate((once, again), axis=1)
        columns = {
            "ts": _times(events, entities, rng),
            "payer": payer,
            "payee": payee,
            "pence": np.maximum(1, rng.lognormal(8.0, 1.0, events)).astype(np.int64),
            "rail": np.full(events, "fps"),
            "new_payee": np.full(events, fill_value=False),
        }
        _write(_payment_frame(columns), made)
    return made


_MAKERS: Final = {"payments": _payments, "telecoms": _telecoms}

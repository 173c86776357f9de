"""The door: raw chunks come in, frames of tokens and codes go out, and what cannot be taken is said and counted.

A chunk is read whole (`events.decode`), judged whole (`events.judge`), and its identifiers become tokens
(`events.tokens`). Rows that any of this sets aside are read one by one; those refused become dead letters, the rest
rejoin the others at their place. The door keeps nothing between chunks, so a row's fate does not depend on its
neighbours or on where the chunk was cut.

While a token key is being rotated, the tokens of entities (accounts, parties, numbers, SIMs, handsets, cells, devices,
terminals, merchants, cards, and what labels, links and watch lists name) also come under the previous key, in columns
`NAME_prev_hi` and `NAME_prev_lo`. Tokens of payments, calls, agents, addresses on the internet and prefixes do not:
nothing is remembered under them for longer than a rotation's first day.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from events import classes, contract, decode, judge, tokens
from events.bases import EXPIRED, NO_BASIS, Bases
from events.codes import STATUSES, STREAMS, TELECOM_KINDS, TOKEN_KINDS, code_of
from events.decode import RawColumns, Refusal, Spans
from events.errors import EventError
from events.frames import ABSENT_OF, COMMON, FRAMES, NO_TIME
from events.rejected import Rejected, Where, digest_of
from events.tokens import Hasher, KeyRing

Mask = NDArray[np.bool_]
Columns = dict[str, Any]

EARLIEST: Final = 631_152_000_000_000
"""1990-01-01: before it there was no such record to send."""
LATEST: Final = 4_102_444_800_000_000
"""2100-01-01, for a caller that knows no better bound; give the door today's date and a little where possible."""
TOLERANCE_US: Final = 86_400_000_000
"""How long after `recorded_ts` an event may claim to have happened: a day covers clocks and time zones set wrongly."""
MAX_LINE: Final = 1 << 20

INTERNAL: Final = ("repeat_hi", "repeat_lo", "place")
"""Columns of a decoded frame that go no further than the sequencer."""

_ROTATED: Final = frozenset(
    (
        "account",
        "party",
        "number",
        "sim",
        "card_sim",
        "handset",
        "cell",
        "device",
        "terminal",
        "merchant",
        "card",
    )
    + ("address",)
)
_ONE_BY_ONE: Final = frozenset(("labels", "links", "watch", "control"))
"""Streams of so few records that reading them line by line costs nothing."""
_UNKEPT: Final = frozenset(("content", "pan"))
"""Reasons for which the raw bytes are never kept, whatever the basis allows."""
_ACCEPTED: Final = code_of(STATUSES, "accepted")
_CALL: Final = code_of(TELECOM_KINDS, "call")
_KIND_OF: Final = {"imei": "handset"}
"""Words of labels, links and watch lists that name another kind of token."""
_DESCRIBED: Final = {"number": "number", "other": "other", "network": "network"}


class Source(msgspec.Struct, frozen=True):
    """What we know of a supplier's feed: which legs it reports, and the basis its records are held under."""

    name: str
    legs: Literal["own", "both"] = "own"
    basis: str | None = None


class Decoded(msgspec.Struct, frozen=True):
    """What one chunk gave.

    `frame` is a frame of `events.frames` (seq = -1, wholly absent columns left out) with three columns more:
    `repeat_hi`, `repeat_lo` (UInt64, the digest for `Repeats.fresh`) and `place` (Int64, the line's byte offset or
    the row's number within the chunk). Take them off with `frame.drop(INTERNAL)`. `counts` has `accepted`, the
    reasons of `events.rejected` and what the lawful-basis gate dropped; what is 0 is left out.
    """

    frame: pl.DataFrame
    rejected: list[Rejected]
    counts: dict[str, int]


class Door:
    """Turns chunks into frames; holds no state, so that a chunk's rows do not depend on where it was cut."""

    def __init__(
        self,
        keys: KeyRing,
        bases: Bases,
        sources: Sequence[Source] = (),
        *,
        forces: Mapping[str, int] | None = None,
        default_basis: str | None = None,
        earliest: int = EARLIEST,
        latest: int = LATEST,
        tolerance_us: int = TOLERANCE_US,
        max_line: int = MAX_LINE,
    ) -> None:
        """`forces` gives each police force's row in the table of forces, from 1, by its ONS code.

        `default_basis` is the basis of records that name none and whose source declares none.
        """
        if not 0 < max_line < decode.MAX_LENGTH:
            raise EventError(
                f"A longest line of {max_line} bytes is not usable: choose 1 to {decode.MAX_LENGTH - 1}."
            )
        self._keys = keys
        self._bases = bases
        self._sources = {source.name: source for source in sources}
        self._default_basis = default_basis
        self._force_rows = dict(forces or {})
        self._forces = judge.Forces(self._force_rows)
        self._earliest, self._latest, self._tolerance = earliest, latest, tolerance_us
        self._max_line = max_line
        self._hasher = Hasher(keys.current.secret)
        self._previous = None if keys.previous is None else Hasher(keys.previous.secret)
        self._plain = Hasher(b"")

    def take_until(self, latest: int) -> None:
        """From now on refuse what lies after this instant: a flow that runs for days moves its bound along."""
        self._latest = latest

    def decode(self, stream: str, chunk: bytes | pl.DataFrame, *, source: str, where: Where) -> Decoded:
        """The frame of a chunk: whole lines of NDJSON, or rows of a Parquet file; never raises for bad data.

        Raises:
            EventError: there is no such stream.
        """
        if stream not in FRAMES:
            raise EventError(f"There is no stream called {stream!r}: use one of {', '.join(STREAMS)}.")
        if isinstance(chunk, pl.DataFrame):
            reading: _Lines | _Rows = _Rows(stream, decode.conform(stream, chunk))
        else:
            reading = _Lines(stream, chunk, self._max_line, stream in _ONE_BY_ONE)
        return self._decode(stream, reading, source, where)

    def decode_by_line(self, stream: str, chunk: bytes, *, source: str, where: Where) -> Decoded:
        """The same as `decode`, with every line read alone: slow, exact, and what `decode` is tested against."""
        return self._decode(stream, _Lines(stream, chunk, self._max_line, True), source, where)

    def _decode(self, stream: str, reading: "_Lines | _Rows", source: str, where: Where) -> Decoded:
        raw = reading.columns
        judged = self._judge(raw)
        records, places, rejected = self._read_odd(stream, reading, source, where)
        keep = ~raw.odd
        counts: dict[str, int] = {}
        parts = [self._frame(raw, judged, keep, reading.places, source, counts)] if keep.any() else []
        if records:
            odd = decode.columns_of(stream, records)
            judged = self._judge(odd)
            parts.append(self._frame(odd, judged, ~odd.odd, np.array(places, np.int64), source, counts))
        frame = _joined(stream, parts)
        for refused in rejected:
            counts[refused.reason] = counts.get(refused.reason, 0) + 1
        if frame.height:
            counts["accepted"] = frame.height
        return Decoded(frame, rejected, counts)

    def _read_odd(
        self, stream: str, reading: "_Lines | _Rows", source: str, where: Where
    ) -> tuple[list[dict[str, Any]], list[int], list[Rejected]]:
        """Reads the rows set aside one by one: their records and places, and those refused."""
        records, places, rejected = [], [], []
        for row in np.flatnonzero(reading.columns.odd):
            place = int(reading.places[row])
            found = reading.read(int(row))
            if not isinstance(found, Refusal):
                found = self._refuse_times(stream, found) or found
            if isinstance(found, Refusal):
                rejected.append(self._refused(stream, reading, int(row), found, source, where.at(place)))
            else:
                records.append(found)
                places.append(place)
        return records, places, rejected

    def _refused(
        self, stream: str, reading: "_Lines | _Rows", row: int, refusal: Refusal, source: str, where: Where
    ) -> Rejected:
        raw = reading.raw(row)
        unread = stream == "telecoms" and refusal.detail == "$"  # it may hold content, nobody has looked
        keep = self._bases.keeps_refused(self._basis_of(source) or None)
        kept = raw if keep and not unread and refusal.reason not in _UNKEPT else None
        return Rejected(source, stream, refusal.reason, refusal.detail, digest_of(raw), where, kept)

    def _refuse_times(self, stream: str, record: dict[str, Any]) -> Refusal | None:
        """Whether a record's instants lie outside the bounds, or it happened after it was recorded."""
        for name in ("ts", "recorded_ts"):
            if name in record:
                if record[name] < self._earliest:
                    return Refusal("too_early", f"$.{name}")
                if record[name] > self._latest:
                    return Refusal("too_late", f"$.{name}")
        if "recorded_ts" in record and record["ts"] > record["recorded_ts"] + self._tolerance:
            return Refusal("after_recorded", "$.ts")
        return None

    # --- judging: columns out of raw columns, rows the rules do not pass set aside ---

    def _judge(self, raw: RawColumns) -> Columns:
        out: Columns = {}
        for field in contract.fields(raw.stream):
            if raw.has(field.name):
                found = self._judge_column(raw, field)
                if found is not None:
                    out[field.name] = found
            if field.required:
                np.logical_or(raw.odd, ~raw.here(field.name), out=raw.odd)
        if raw.stream == "payments":
            self._judge_payment(raw, out)
        if "ts" in out:
            self._judge_times(raw, out)
        return out

    def _judge_column(self, raw: RawColumns, field: contract.Field) -> Any:
        rule, name, here, odd = field.rule, field.name, raw.here(field.name), raw.odd
        if name in raw.numbers:
            values = raw.numbers[name]
            if isinstance(rule, contract.Whole | contract.Number):
                inside = (values >= rule.low) & (values <= rule.high)
                np.logical_or(odd, here & ~inside, out=odd)
            return values
        spans = raw.texts[name]
        match rule:
            case contract.Word():
                return judge.words(spans, here, rule.words, odd)
            case contract.Time():
                return judge.times(spans, here, odd)
            case contract.Date():
                return judge.dates(spans, here, odd)
            case contract.Force():
                return self._forces.rows(spans, here, odd)
            case contract.Currency():
                return judge.currencies(spans, here, odd)
            case contract.Mcc():
                return judge.mccs(spans, here, odd)
            case contract.Plmn():
                return judge.plmns(spans, here, odd)
            case contract.Reference():
                return judge.references(spans, here)
            case contract.Text():
                judge.too_long(spans, here, rule.longest, odd)
                if isinstance(rule, contract.Card):
                    judge.card_numbers(spans, here, odd)
        return None

    def _judge_payment(self, raw: RawColumns, out: Columns) -> None:
        """A payment needs a rail, an amount and an account; the notice of a refusal needs the payment's id."""
        whole = raw.here("rail") & raw.here("amount_minor")
        whole &= raw.here("payer_account") | raw.here("payee_account")
        if "status" in out:
            notice = out["status"] > _ACCEPTED
            whole = np.where(notice, raw.here("payment_id"), whole)
        np.logical_or(raw.odd, ~whole, out=raw.odd)

    def _judge_times(self, raw: RawColumns, out: Columns) -> None:
        ts = out["ts"]
        fine = (ts >= self._earliest) & (ts <= self._latest)
        if "recorded_ts" in out:
            recorded, here = out["recorded_ts"], raw.here("recorded_ts")
            inside = (recorded >= self._earliest) & (recorded <= self._latest)
            fine &= ~here | (inside & (ts <= recorded + self._tolerance))
        np.logical_or(raw.odd, ~fine, out=raw.odd)

    # --- the frame ---

    def _frame(
        self, raw: RawColumns, judged: Columns, keep: Mask, places: NDArray[np.int64], source: str,
        counts: dict[str, int],
    ) -> pl.DataFrame:  # fmt: skip
        """The frame of the rows to keep: the gate first, so that nothing is made of what may not be held."""
        recorded = _recorded(raw, judged)
        sources = _Groups.of(raw, "source", source)
        basis = _Groups.of(raw, "basis", "", self._basis_of, sources)
        keep = self._gate(raw, judged, keep, recorded, sources, basis, counts)
        out: Columns = {
            "ts": judged["ts"],
            "recorded_ts": recorded,
            "event_id": judge.texts(raw.texts["event_id"], raw.here("event_id") & keep),
            "source": sources.series(),
            "basis": basis.series(),
            **self._repeat(raw, keep, sources),
            "place": places,
        }
        self._add_columns(raw, judged, keep, out)
        self._add_derived(raw, judged, keep, sources, out)
        return _finished(raw.stream, out, keep)

    def _basis_of(self, source: str) -> str:
        declared = self._sources.get(source)
        return (declared.basis if declared else None) or self._default_basis or ""

    def _gate(
        self, raw: RawColumns, judged: Columns, keep: Mask, recorded: NDArray[np.int64], sources: "_Groups",
        basis: "_Groups", counts: dict[str, int],
    ) -> Mask:  # fmt: skip
        if raw.stream == "control":
            return keep
        forces = [judged[name] for name in ("force", "payer_force", "payee_force") if name in judged]
        verdict = np.zeros(raw.height, np.uint8)
        for source, from_source in sources.groups():
            for reference, under in basis.groups():
                rows = _both(from_source, under)
                found = self._bases.gate(
                    reference, raw.stream, source, judged["ts"], recorded, forces, self._force_rows
                )
                verdict = found if rows is None else np.where(rows, found, verdict)
        for reason, code in (("no_lawful_basis", NO_BASIS), ("expired", EXPIRED)):
            dropped = int(np.count_nonzero(keep & (verdict == code)))
            if dropped:
                counts[reason] = counts.get(reason, 0) + dropped
        return keep & (verdict == 0) if verdict.any() else keep

    def _repeat(self, raw: RawColumns, keep: Mask, sources: "_Groups") -> Columns:
        """The digests by which repeats are known: of stream, source and event id, under no key."""
        spans = raw.texts["event_id"]
        hi, lo = np.zeros(raw.height, np.uint64), np.zeros(raw.height, np.uint64)
        for source, rows in sources.groups():
            prefix = f"{raw.stream}:{len(source)}:{source}"
            found = self._plain.column(
                spans.buffer, spans.places, keep if rows is None else keep & rows, prefix, shape=tokens.PLAIN
            )
            hi |= found.hi
            lo |= found.lo
        return {"repeat_hi": hi, "repeat_lo": lo}

    def _add_columns(self, raw: RawColumns, judged: Columns, keep: Mask, out: Columns) -> None:
        """The contract's own fields, each as the frame has it."""
        schema = FRAMES[raw.stream]
        for field in contract.fields(raw.stream):
            name, rule = field.name, field.rule
            if not raw.has(name) or name in out:
                continue
            here = raw.here(name)
            if isinstance(rule, contract.Identifier):
                self._add_tokens(raw, rule, raw.texts[name], here & keep, out)
            elif isinstance(rule, contract.Mentions):
                continue  # become tokens with what else the record names
            elif isinstance(rule, contract.Reference):
                if "reference_kind" in schema:
                    out["reference_kind"] = judged[name]
            elif isinstance(rule, contract.Time | contract.Date):
                column = {"from": "from_ts", "to": "to_ts"}.get(name, name)
                out[column] = np.where(here, judged[name], NO_TIME)
            elif name not in schema:
                continue
            elif isinstance(rule, contract.Text | contract.Ignored) or schema[name] == pl.String:
                out[name] = judge.texts(raw.texts[name], here & keep)
            elif isinstance(rule, contract.Whole | contract.Number):
                out[name] = np.where(here, judged[name], np.nan)
            elif name in judged:
                out[name] = judged[name]

    def _add_tokens(
        self, raw: RawColumns, rule: contract.Identifier, spans: Spans, here: Mask, out: Columns
    ) -> None:
        described = raw.stream == "telecoms" and rule.column in _DESCRIBED
        found = self._hasher.column(spans.buffer, spans.places, here, rule.kind, described=described)
        if found.count:
            out[f"{rule.column}_hi"], out[f"{rule.column}_lo"] = found.hi, found.lo
        if self._previous is not None and rule.kind in _ROTATED and found.count:
            before = self._previous.column(spans.buffer, spans.places, here, rule.kind)
            out[f"{rule.column}_prev_hi"], out[f"{rule.column}_prev_lo"] = before.hi, before.lo
        if described:
            _resolve_odd(spans, found.kinds)
            out[f"{rule.column}_class"], out[f"{rule.column}_country"] = found.kinds, found.countries

    def _add_derived(
        self, raw: RawColumns, judged: Columns, keep: Mask, sources: "_Groups", out: Columns
    ) -> None:
        """What the contract's fields say beside themselves."""
        if raw.stream == "payments":
            status = judged.get("status", np.zeros(raw.height, np.uint8))
            out["status"] = np.where(raw.here("status"), status, np.uint8(_ACCEPTED))
            currency = judged.get("currency")
            out["currency"] = pl.repeat("GBP", raw.height, eager=True) if currency is None else currency
            self._add_prefix(raw, "card", "card", "card_issuer", tokens.ISSUER, keep, out)
        if raw.stream in ("payments", "accounts"):
            self._add_prefix(raw, "ip", "ip", "ip_prefix", tokens.IPV4_NETWORK, keep, out)
            self._add_long_addresses(raw, keep, out)
        if raw.stream == "telecoms":
            self._add_prefix(raw, "other_number", "number", "other_prefix", tokens.NUMBER_BLOCK, keep, out)
            if raw.has("imsi"):
                out["imsi_plmn"] = judge.sim_networks(raw.texts["imsi"], raw.here("imsi"))
            if raw.has("imei"):
                out["tac"] = judge.handset_types(raw.texts["imei"], raw.here("imei"))
            self._add_informs(sources, raw.height, out)
        if raw.stream in _ONE_BY_ONE:
            self._add_mentions(raw, out)

    def _add_prefix(
        self, raw: RawColumns, name: str, kind: str, column: str, shape: int, keep: Mask, out: Columns
    ) -> None:
        if not raw.has(name):
            return
        spans = raw.texts[name]
        found = self._hasher.column(spans.buffer, spans.places, raw.here(name) & keep, kind, shape=shape)
        if found.count:
            out[f"{column}_hi"], out[f"{column}_lo"] = found.hi, found.lo

    def _add_long_addresses(self, raw: RawColumns, keep: Mask, out: Columns) -> None:
        """The networks of IPv6 addresses, which the loop leaves alone."""
        if not raw.has("ip"):
            return
        spans = raw.texts["ip"]
        rows = np.flatnonzero(raw.here("ip") & keep & (out.get("ip_prefix_hi", _ZERO) == 0))
        for row in rows:
            hi, lo = _network_token(self._keys, _text(spans, int(row)))
            if hi or lo:
                for half, value in (("hi", hi), ("lo", lo)):
                    column = f"ip_prefix_{half}"
                    if column not in out:
                        out[column] = np.zeros(raw.height, np.uint64)
                    out[column][row] = value

    def _add_informs(self, sources: "_Groups", height: int, out: Columns) -> None:
        informs = np.zeros(height, np.uint8)
        for source, rows in sources.groups():
            declared = self._sources.get(source)
            if declared is not None and declared.legs == "both":
                informs[slice(None) if rows is None else rows] = 1
        if informs.any():
            out["informs_other"] = informs

    def _add_mentions(self, raw: RawColumns, out: Columns) -> None:
        """What labels, links and watch lists name: kind and token, or the id of an alert or event."""
        if raw.stream == "labels":
            mentions = [_split(_text(raw.texts["about"], row)) for row in range(raw.height)]
            tokened = [kind in ("account", "number") for kind, _ in mentions]
            out["about_kind"] = pl.Series([kind for kind, _ in mentions], dtype=pl.String)
            ids = ["" if token else rest for token, (_, rest) in zip(tokened, mentions, strict=True)]
            out["about_id"] = pl.Series(ids, dtype=pl.String)
            self._add_named(
                "about", [m if t else ("", "") for t, m in zip(tokened, mentions, strict=True)], out
            )
            if raw.has("subjects"):
                named = [self._subjects(_text(raw.texts["subjects"], row)) for row in range(raw.height)]
                out["subjects"] = pl.Series(named, dtype=pl.String)
        elif raw.stream == "links":
            for side in ("a", "b"):
                mentions = [_split(_text(raw.texts[side], row)) for row in range(raw.height)]
                kinds = [code_of(TOKEN_KINDS, _KIND_OF.get(kind, kind)) for kind, _ in mentions]
                out[f"{side}_kind"] = np.array(kinds, np.uint8)
                self._add_named(side, mentions, out)
        elif raw.stream == "watch":
            whats, values = raw.texts["what"], raw.texts["value"]
            self._add_named(
                "value", [(_text(whats, row), _text(values, row)) for row in range(raw.height)], out
            )
            out.pop("value", None)

    def _subjects(self, text: str) -> str:
        """A list of mentions as tokens with their kinds, each once."""
        found = []
        for kind, value in map(_split, msgspec.json.decode(text) if text else ()):
            hi, lo, prev_hi, prev_lo = self._named(kind, value)
            kind = _KIND_OF.get(kind, kind)
            found += [f"{kind}:{h:016x}{low:016x}" for h, low in ((hi, lo), (prev_hi, prev_lo)) if h or low]
        return " ".join(dict.fromkeys(found))

    def _add_named(self, column: str, mentions: Iterable[tuple[str, str]], out: Columns) -> None:
        pairs = [self._named(kind, value) for kind, value in mentions]
        for half, place in (("hi", 0), ("lo", 1), ("prev_hi", 2), ("prev_lo", 3)):
            values = np.array([pair[place] for pair in pairs], np.uint64)
            if values.any():
                out[f"{column}_{half}"] = values

    def _named(self, kind: str, value: str) -> tuple[int, int, int, int]:
        """The token of a mention under the key in use and the one before it; a printed token is taken as it is."""
        if not kind:
            return 0, 0, 0, 0
        printed = tokens.parse_token(f"{kind}:{value}")
        previous = self._keys.previous
        if printed is not None:
            if previous is not None and printed.key_id == previous.id:
                return 0, 0, printed.hi, printed.lo
            return printed.hi, printed.lo, 0, 0
        kind = _KIND_OF.get(kind, kind)
        before = (0, 0) if previous is None else tokens.token_of(previous, kind, value)
        return (*tokens.token_of(self._keys.current, kind, value), *before)


_ZERO: Final = np.zeros(1, np.uint64)


class _Lines:
    """A chunk of NDJSON being read."""

    def __init__(self, stream: str, chunk: bytes, longest: int, one_by_one: bool) -> None:
        self._stream, self._longest = stream, longest
        read = decode.lines_of(stream, chunk) if one_by_one else decode.scan_lines(stream, chunk, longest)
        self._lines = read
        self.columns, self.places = read.columns, read.starts

    def raw(self, row: int) -> bytes:
        """A line's bytes."""
        return self._lines.line(row)

    def read(self, row: int) -> dict[str, Any] | Refusal:
        """A line read exactly."""
        return decode.read_line(self._stream, self.raw(row), self._longest)


class _Rows:
    """A Parquet file's rows being read."""

    def __init__(self, stream: str, frame: pl.DataFrame) -> None:
        self._stream, self._frame = stream, frame
        self.columns = decode.scan_rows(stream, frame)
        if stream in _ONE_BY_ONE:
            self.columns.odd[:] = True
        self.places = np.arange(frame.height, dtype=np.int64)
        self._plain_rows: dict[int, dict[str, Any]] = {}

    def raw(self, row: int) -> bytes:
        """A row as JSON: what stands for the bytes of a record that came as columns."""
        return msgspec.json.encode(self._plain(row), enc_hook=str)

    def read(self, row: int) -> dict[str, Any] | Refusal:
        """A row read exactly."""
        return decode.read_row(self._stream, dict(self._plain(row)))

    def _plain(self, row: int) -> dict[str, Any]:
        """A row as plain values; all that are set aside are taken out together, for one by one is slow."""
        if row not in self._plain_rows:
            rows = np.flatnonzero(self.columns.odd)
            self._plain_rows = dict(zip(rows.tolist(), decode.plain_rows(self._frame[rows]), strict=True))
        if row not in self._plain_rows:
            (self._plain_rows[row],) = decode.plain_rows(self._frame[row : row + 1])
        return self._plain_rows[row]


class _Groups:
    """A column of texts of which there are few, as row masks; one text throughout needs no mask."""

    def __init__(self, height: int, only: str | None, column: pl.Series | None) -> None:
        self._height, self.only, self._column = height, only, column
        self._found: list[tuple[str, Mask | None]] | None = None

    @classmethod
    def of(
        cls, raw: RawColumns, name: str, default: str, lookup: Any = None, over: "_Groups | None" = None
    ) -> "_Groups":
        """The texts of a field, and where it is absent `default`, or what `lookup` says of the group in `over`."""
        if over is not None and over.only is not None:
            default = lookup(over.only)
        if not raw.has(name):
            if over is None or over.only is not None:
                return cls(raw.height, default, None)
            return cls(
                raw.height, None, over.series().replace({text: lookup(text) for text, _ in over.groups()})
            )
        given = judge.texts(raw.texts[name], raw.here(name))
        other = pl.repeat(default, raw.height, eager=True)
        if over is not None and over.only is None:
            other = over.series().replace({text: lookup(text) for text, _ in over.groups()})
        column = given.zip_with(given != "", other)
        if raw.height and column.n_unique() == 1:
            return cls(raw.height, column[0], None)
        return cls(raw.height, None, column)

    def groups(self) -> list[tuple[str, Mask | None]]:
        """Each text with its rows (nothing for all of them)."""
        if self.only is not None or self._column is None:
            return [(self.only or "", None)]
        if self._found is None:
            texts = self._column.unique(maintain_order=True).to_list()
            self._found = [(text, (self._column == text).to_numpy()) for text in texts]
        return self._found

    def series(self) -> pl.Series:
        """The whole column."""
        if self._column is not None:
            return self._column
        return pl.repeat(self.only or "", self._height, eager=True, dtype=pl.String)


def _both(one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None:
        return other
    return one if other is None else one & other


def _recorded(raw: RawColumns, judged: Columns) -> NDArray[np.int64]:
    """When the supplier had each record: as said, else when it happened, and for a complete call when it ended."""
    recorded: NDArray[np.int64] = judged["ts"]
    if raw.stream == "telecoms" and raw.has("duration_s"):
        ended = (judged["kind"] == _CALL) & raw.here("duration_s")
        if "phase" in judged:
            ended &= (judged["phase"] == 0) | (judged["phase"] == 3)
        micros = np.where(ended, judged["duration_s"], 0.0) * 1e6
        recorded = recorded + np.rint(micros).astype(np.int64)
    if "recorded_ts" in judged:
        recorded = np.where(raw.here("recorded_ts"), judged["recorded_ts"], recorded)
    return recorded


def _resolve_odd(spans: Spans, kinds: NDArray[np.uint8]) -> None:
    """Asks `phonenumbers` about the UK numbers of unusual length."""
    for row in np.flatnonzero(kinds == classes.ODD):
        kinds[row] = _odd_class(_text(spans, int(row)))


@lru_cache(maxsize=65_536)
def _odd_class(text: str) -> int:
    return classes.number_form(text)[1]


@lru_cache(maxsize=65_536)
def _network_token(keys: KeyRing, address: str) -> tuple[int, int]:
    network = classes.ip_network(address) if ":" in address else None
    return (0, 0) if network is None else tokens.hash_text(keys.current, "ip", network)


def _text(spans: Spans, row: int) -> str:
    place = int(spans.places[row])
    start = place >> tokens.LENGTH_BITS
    return spans.buffer[start : start + (place & tokens.LENGTH_MASK)].tobytes().decode()


def _split(mention: str) -> tuple[str, str]:
    kind, _, rest = mention.partition(":")
    return kind, rest.strip()


def _finished(stream: str, out: Columns, keep: Mask) -> pl.DataFrame:
    """The frame in the schema's order and types, without the rows dropped and the columns that say nothing."""
    schema = FRAMES[stream]
    height = keep.size
    extra = [name for name in out if name not in schema and name.removesuffix("_hi").endswith("_prev")]
    extra += [name for name in out if name not in schema and name.removesuffix("_lo").endswith("_prev")]
    series = [pl.repeat(-1, height, dtype=pl.Int64, eager=True).alias("seq")]
    for name in [*schema, *extra, *INTERNAL]:
        if name in out:
            values = out[name]
            column = values.alias(name) if isinstance(values, pl.Series) else pl.Series(name, values)
            dtype = schema.get(name, column.dtype)
            series.append(column if column.dtype == dtype else column.cast(dtype))
    frame = pl.DataFrame(series)
    return _lean(stream, frame if keep.all() else frame.filter(pl.Series(keep)))


def _lean(stream: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without the columns, beyond those of every frame, in which every value is absent."""
    silent = []
    for column in frame:
        if column.name in COMMON or column.name in INTERNAL:
            continue
        absent = ABSENT_OF[type(column.dtype)]
        is_float = column.dtype == pl.Float64
        if column.len() and (column[0] == column[0] if is_float else column[0] != absent):
            continue  # as nearly always: the first row says so
        said = column.is_not_nan() if is_float else column != absent
        if not said.any():
            silent.append(column.name)
    for name in list(silent):  # halves of tokens stay together
        half = name[:-3] + ("_lo" if name.endswith("_hi") else "_hi")
        if name.endswith(("_hi", "_lo")) and half not in silent:
            silent.remove(name)
    return frame.drop(silent) if silent else frame


def _joined(stream: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The rows read whole and those read alone, in the order of the chunk."""
    if not parts:
        return pl.DataFrame(
            schema=COMMON | {"repeat_hi": pl.UInt64, "repeat_lo": pl.UInt64, "place": pl.Int64}
        )
    if len(parts) == 1:
        return parts[0]
    both = pl.concat(parts, how="diagonal")
    filled = []
    for column in both:
        if column.null_count():
            absent: Any = ABSENT_OF[type(column.dtype)]
            filled.append(column.fill_null(absent))
    both = both.with_columns(filled).sort("place")
    order = [name for name in [*FRAMES[stream]] if name in both.columns]
    rest = sorted(name for name in both.columns if name not in FRAMES[stream] and name not in INTERNAL)
    return both.select([*order, *rest, *INTERNAL])

"""The lawful bases records are held under, and the gate that drops what none of them covers.

A basis says under which instrument and reference, for what purpose, for which records (its scope) and until when
records may be held. An event whose basis is not in the table, or whose basis does not cover it, has no lawful basis;
one recorded after its basis ended is expired. Both are dropped and counted, never kept as dead letters.
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from events.codes import STREAMS
from events.contract import EPOCH, MICROSECOND
from events.errors import EventError

HELD, NO_BASIS, EXPIRED = range(3)
"""What the gate says of a row."""

SYNTHETIC: Final = "synthetic-demo"


class Scope(msgspec.Struct, frozen=True):
    """Which records a basis covers; an empty selector leaves that side open."""

    streams: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    forces: tuple[str, ...] = ()
    from_ts: int | None = None
    to_ts: int | None = None


class LawfulBasis(msgspec.Struct, frozen=True):
    """One authorisation to hold and work on records."""

    reference: str
    instrument: str
    purpose: str
    scope: Scope = Scope()
    expires_at: int | None = None
    keep_refused: bool = False
    """Whether the raw bytes of a refused record may be kept with its dead letter."""


class Bases(msgspec.Struct, frozen=True):
    """The table of lawful bases, by reference."""

    table: Mapping[str, LawfulBasis]

    @classmethod
    def of(cls, bases: Sequence[LawfulBasis]) -> "Bases":
        """A table of these bases.

        Raises:
            EventError: two of them have the same reference.
        """
        table = {basis.reference: basis for basis in bases}
        if len(table) < len(bases):
            raise EventError("Two lawful bases have the same reference: give each its own.")
        return cls(table)

    @classmethod
    def from_toml(cls, text: str) -> "Bases":
        """The table written as `[[basis]]` entries.

        Raises:
            EventError: the text is not TOML, or an entry lacks a field or names a stream there is not.
        """
        try:
            entries = tomllib.loads(text).get("basis", [])
        except tomllib.TOMLDecodeError as error:
            raise EventError(f"The table of lawful bases is not TOML: {error}. Correct the file.") from error
        if not isinstance(entries, list):
            raise EventError("Write each lawful basis as an entry of its own, headed [[basis]].")
        return cls.of([_basis_of(entry) for entry in entries])

    @classmethod
    def demo(cls) -> "Bases":
        """One permissive basis, `synthetic-demo`, for made-up data."""
        return cls.of(
            [LawfulBasis(SYNTHETIC, "none: synthetic data", "demonstration and tests", keep_refused=True)]
        )

    def gate(
        self, reference: str, stream: str, source: str, ts: NDArray[np.int64], recorded_ts: NDArray[np.int64],
        forces: Sequence[NDArray[np.uint8]], rows: Mapping[str, int],
    ) -> NDArray[np.uint8]:  # fmt: skip
        """HELD, NO_BASIS or EXPIRED for each row of one source under one reference.

        `forces` are the rows' forces of every role, as rows of the table of forces, whose codes `rows` gives.
        """
        basis = self.table.get(reference)
        if basis is None:
            return np.full(ts.size, NO_BASIS, np.uint8)
        scope = basis.scope
        if (scope.streams and stream not in scope.streams) or (scope.sources and source not in scope.sources):
            return np.full(ts.size, NO_BASIS, np.uint8)
        out = np.zeros(ts.size, np.uint8)
        if basis.expires_at is not None:
            out[recorded_ts >= basis.expires_at] = EXPIRED
        if scope.from_ts is not None:
            out[ts < scope.from_ts] = NO_BASIS
        if scope.to_ts is not None:
            out[ts >= scope.to_ts] = NO_BASIS
        if scope.forces:
            inside = np.zeros(ts.size, np.bool_)
            wanted = np.array([rows[code] for code in scope.forces if code in rows], np.uint8)
            for force in forces:
                inside |= np.isin(force, wanted) & (force > 0)
            out[~inside] = NO_BASIS
        return out

    def keeps_refused(self, reference: str | None) -> bool:
        """Whether the raw bytes of a record refused under this reference may be kept."""
        basis = self.table.get(reference) if reference else None
        return basis is not None and basis.keep_refused


def _basis_of(entry: Any) -> LawfulBasis:
    if not isinstance(entry, dict):
        raise EventError("Write each lawful basis as an entry of its own, headed [[basis]].")
    name = entry.get("reference", "without a reference")
    unknown = set(entry) - {"reference", "instrument", "purpose", "scope", "expires_at", "keep_refused"}
    scope = entry.get("scope", {})
    unknown |= (
        set(scope) - {"streams", "sources", "forces", "from", "to"} if isinstance(scope, dict) else {"scope"}
    )
    if unknown:
        raise EventError(f"The lawful basis {name} has what no basis has: {', '.join(sorted(unknown))}.")
    strange = set(scope.get("streams", ())) - set(STREAMS)
    if strange:
        raise EventError(f"The lawful basis {name} names no stream with {', '.join(sorted(strange))}.")
    try:
        return LawfulBasis(
            reference=str(entry["reference"]),
            instrument=str(entry["instrument"]),
            purpose=str(entry["purpose"]),
            scope=Scope(
                tuple(scope.get("streams", ())),
                tuple(scope.get("sources", ())),
                tuple(scope.get("forces", ())),
                _instant(name, scope.get("from")),
                _instant(name, scope.get("to")),
            ),
            expires_at=_instant(name, entry.get("expires_at")),
            keep_refused=entry.get("keep_refused", False) is True,
        )
    except KeyError as missing:
        raise EventError(f"The lawful basis {name} has no {missing.args[0]}: add it.") from missing


def _instant(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return (value - EPOCH) // MICROSECOND
    if isinstance(value, date) and not isinstance(value, datetime):
        return (datetime(value.year, value.month, value.day, tzinfo=UTC) - EPOCH) // MICROSECOND
    raise EventError(
        f"The lawful basis {name} has {value!r} for a time: write a date, or a time with an offset."
    )

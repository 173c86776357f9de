"""What really went on in a made-up world, in the tokens alerts speak in.

Truth holds identifiers, alerts hold tokens: with the key of the run, each identifier becomes the token a flow made of
it. This is the only place where the two meet, and it is far from any flow.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import msgspec

from alerts.record import when_us
from events.errors import EventError
from events.tokens import KeyRing, parse_token, token_for
from models.errors import ModelError

Name = tuple[str, str]
"""A subject as alerts name it: its kind and the 32 hexadecimal digits of its token."""

THREATS: Final[Mapping[str, str]] = {
    "line": "county_lines", "runner": "county_lines", "cuckoo": "county_lines",
    "app_case": "fraud", "mule_network": "fraud", "takeover": "fraud", "card_ring": "fraud",
    "wangiri": "telecoms_fraud", "smishing": "telecoms_fraud", "sim_box": "telecoms_fraud",
    "revenue_share": "telecoms_fraud", "subscription_fraud": "telecoms_fraud", "cli_spoofing": "telecoms_fraud",
}  # fmt: skip
"""The threat that each kind of crime belongs to, in the alerts' words."""
INNOCENT: Final = "innocent"
_NOTED: Final[Mapping[str, str]] = {
    "merchants": "merchant", "devices": "device", "cards": "card", "card": "card", "cell": "cell",
}  # fmt: skip
"""Subjects that truth names in its note only, and the kind of token each has."""
_VICTIMS: Final[Mapping[str, str]] = {
    "victim_account": "account", "victim_number": "number", "victims": "number",
}  # fmt: skip
DAY_US: Final = 86_400_000_000
NEVER: Final = 2**61


class World(msgspec.Struct, frozen=True):
    """How large the world was: what rates are divided by, and which days could be seen at all."""

    people: int
    days: float
    start: date | None = None
    subscriptions: int | None = None
    adults: int | None = None

    @property
    def opens(self) -> int | None:
        """The first moment, in microseconds."""
        return None if self.start is None else _midnight(self.start)

    @property
    def closes(self) -> int | None:
        """The moment after the last."""
        return None if self.start is None else _midnight(self.start) + int(self.days * DAY_US)

    @property
    def exposure(self) -> float:
        """How often 100,000 people lived for a day."""
        return self.people * self.days / 100_000

    def subjects(self, kind: str) -> int:
        """How many there are of what a detector looks at: numbers, accounts; else people."""
        known = {"number": self.subscriptions, "account": self.adults}.get(kind)
        return known or self.people


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of truth: a crime, or an innocent who looks like one."""

    id: str
    kind: str
    typology: str
    subjects: frozenset[Name]
    victims: frozenset[Name] = frozenset()
    start: int
    end: int | None
    events: int
    unseen: str = ""
    """The stream that cannot see it; `all` when none can."""
    predecessor: str = ""
    brand: str = ""
    """Which line a number belongs to, through all its numbers."""
    after: str = ""
    first_flare: int | None = None
    flares: bool = True

    @property
    def threat(self) -> str:
        """The threat it belongs to; empty for the innocent."""
        return THREATS.get(self.kind, "")


class Written(msgspec.Struct, frozen=True, kw_only=True, rename={"from_ts": "from", "to_ts": "to"}):
    """A row of truth as it is written, with identifiers."""

    kind: str
    id: str
    typology: str
    numbers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    from_ts: str
    to_ts: str | None = None
    note: str = ""

    @property
    def start(self) -> int:
        """When it began, in microseconds."""
        return when_us(self.from_ts)

    @property
    def finish(self) -> int:
        """When it ended; long after everything when it has not."""
        return NEVER if self.to_ts is None else when_us(self.to_ts)


_LINE: Final = msgspec.json.Decoder(Written)


def read_world(
    raw: bytes, people: int | None = None, days: float | None = None, start: date | None = None
) -> World:
    """The world's size from the file beside truth; what is said outright goes before it.

    Raises:
        ModelError: it is no such file.
    """
    try:
        world = msgspec.json.decode(raw, type=World)
    except msgspec.MsgspecError as wrong:
        raise ModelError(
            f"world.json cannot be read: {wrong}. Take it away and say the size with --people and --days."
        ) from wrong
    return msgspec.structs.replace(
        world, people=people or world.people, days=days or world.days, start=start or world.start
    )


def read_written(lines: Iterable[bytes]) -> tuple[Written, ...]:
    """The rows of truth as they are written, with identifiers; `read_truth` has found that they can be read."""
    return tuple(_LINE.decode(line) for line in lines if line.strip())


def read_truth(lines: Iterable[bytes], keys: KeyRing, world: World | None = None) -> tuple[Row, ...]:
    """The rows of truth in order of their ids, with tokens in the place of identifiers.

    Raises:
        ModelError: a line is no row of truth, or an id comes twice. Nothing is measured against half a truth.
    """
    rows: dict[str, Row] = {}
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = _row(_LINE.decode(line), keys, world)
        except (msgspec.MsgspecError, ValueError) as wrong:
            raise ModelError(
                f"Line {place} of truth cannot be read: {wrong}. Make the world again with `linewatch simulate`."
            ) from wrong
        if row.id in rows:
            raise ModelError(
                f"Line {place} of truth has the id {row.id!r} a second time: one row is one crime."
            )
        rows[row.id] = row
    return tuple(rows[each] for each in sorted(rows))


def _row(said: Written, keys: KeyRing, world: World | None) -> Row:
    if said.kind != INNOCENT and said.kind not in THREATS:
        raise ValueError(f"there is no crime of the kind {said.kind!r}")
    note = note_of(said.note)
    victims = names_of(
        keys, ((kind, each) for key, kind in _VICTIMS.items() for each in _listed(note.get(key)))
    )
    own = [("number", each) for each in said.numbers] + [("account", each) for each in said.accounts]
    noted = [(kind, each) for key, kind in _NOTED.items() for each in _listed(note.get(key))]
    unseen = note.get("unseen")
    return Row(
        id=said.id,
        kind=said.kind,
        typology=said.typology,
        subjects=names_of(keys, [*own, *noted]) | victims,
        victims=victims,
        start=when_us(said.from_ts),
        end=None if said.to_ts is None else when_us(said.to_ts),
        events=len(said.event_ids),
        unseen="all" if unseen is True else str(unseen or ""),
        predecessor=str(note.get("predecessor", "")),
        brand=str(note.get("line", "")) if said.kind == "line" else "",
        after=str(note.get("after", "")),
        first_flare=_flare(note, world),
        flares=bool(note.get("flares", True)),
    )


def note_of(text: str) -> dict[str, Any]:
    """A note that is a small JSON object, as one; anything else says nothing a program could use."""
    if not text.startswith("{"):
        return {}
    found: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    return found


def _listed(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    return [] if value is None else [str(value)]


def names_of(keys: KeyRing, identifiers: Iterable[tuple[str, str]]) -> frozenset[Name]:
    """The tokens of identifiers under every key of the ring, as alerts spell them."""
    names = set()
    for kind, value in identifiers:
        try:
            tokens = token_for(keys, kind, value)
        except EventError:
            continue  # a withheld number names nobody: no alert can be about it
        for printed in tokens:
            token = parse_token(printed)
            assert token is not None  # it was printed a line ago
            names.add((kind, f"{token.hi:016x}{token.lo:016x}"))
    return frozenset(names)


def _flare(note: Mapping[str, Any], world: World | None) -> int | None:
    """When a line first advertised, from the day of the world that the note gives."""
    day = note.get("first_flare_day")
    if day is None or not note.get("flares") or world is None or world.start is None:
        return None
    whole = int(day // 1)
    return _midnight(world.start + timedelta(days=whole)) + int((day - whole) * DAY_US)


def _midnight(day: date) -> int:
    """When a day begins in Britain, whose clocks go forward at 01:00 UTC on the last Sundays of March and October."""
    summer = _last_sunday(day.year, 3) < day <= _last_sunday(day.year, 10)
    begins = datetime.combine(day, time(), UTC) - timedelta(hours=int(summer))
    return int(begins.timestamp()) * 1_000_000


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)

"""Episodes: what one detector says of one subject is gathered into one alert, and amended, not raised again.

Pure and deterministic: the same firings in the same order give the same alerts, wherever batches were cut and
however often the state was written out and read back. Time is the running latest `recorded_ts`, never a clock.

An episode is amended when something material changed: the band rose, the number of firings reached the next power
of two, something new corroborates it, a new force came in, the place of the holder became known, someone may need
protection. Any other firing is remembered and goes out with the next amendment, or with the last revision when the
episode ends: quiet for the detector's window, seven days old, or decided. New evidence after that is a new alert
that names the old one.
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from alerts.errors import AlertError
from alerts.handling import handling
from alerts.ids import alert_id, case_key
from alerts.priority import STANDING, Rules, priority
from alerts.record import (
    BANDS,
    NO_TIME,
    Alert,
    Assessment,
    Counterfactual,
    Fact,
    Fire,
    Reason,
    Subject,
    agreeing,
    apart,
    finite,
    raised_band,
)
from alerts.routing import route
from places.organisations import Organisations, organisations

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
CLOSING: Final = ("confirmed", "innocent", "unclear")
"""Outcomes that end an episode."""
SNAPSHOT_VERSION: Final = 1


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much an episode may hold."""

    longest_us: int = 7 * DAY_US
    """An episode ends at this age, however busy it is."""
    memory_us: int = 90 * DAY_US
    """For how long a new alert about a subject still names the one before it."""
    event_ids: int = 100
    """So many event ids are kept, the first half and the latest; the rest are counted."""
    related: int = 50
    """So many related subjects are kept."""


class _Episode(msgspec.Struct, kw_only=True):
    """The state of one episode."""

    alert_id: str
    case_key: str
    peak: Fire
    """The firing with the highest score (of equal ones the first): the assessment shown is its own.

    It is explained when somebody asks: for an alert, or a snapshot.
    """
    first_ts: int
    last_ts: int
    first_clock: int
    last_clock: int
    quiet_us: int
    raised_ts: int
    first_seq: int
    last_seq: int
    first_event_id: str
    last_event_id: str
    count: int
    head: list[str]
    tail: list[str]
    forces: list[tuple[int, float]]
    home_force: int
    victim_force: int
    current_force: int
    near_forces: tuple[int, ...]
    minor: bool
    vulnerable: bool
    rail: bool
    related: list[Subject]
    corroborated_by: list[str]
    indicators: list[str]
    bases: list[str]
    sources: list[str]
    linked: list[str]
    """Alerts about the same subject: the one before, and those open when this one fired."""
    previous: str | None
    suppressed: int
    revision: int = 0
    sent_band: int = -1
    next_count: int = 1
    sent_corroborated: int = 0
    sent_forces: int = 0
    sent_home: int = 0
    sent_safeguarding: bool = False


class _Previous(msgspec.Struct, array_like=True):
    alert_id: str
    until: int


class _Held(msgspec.Struct, array_like=True):
    """Firings a snooze held back before there was an alert."""

    count: int
    until: int


_Key = str
_TYPES: Final[dict[str, Any]] = {
    "episodes": _Episode,
    "previous": _Previous,
    "snoozes": int,
    "held": _Held,
}
_ENCODER: Final = msgspec.msgpack.Encoder(order="sorted")


class Episodes:
    """Open episodes, and what must be remembered of those that ended."""

    def __init__(
        self,
        limits: Limits | None = None,
        places: Organisations | None = None,
        rules: Rules | None = None,
    ) -> None:
        """Start with nothing; `places` are the organisations, `rules` the priorities (by default Linewatch's own)."""
        self._rules = rules or STANDING
        self._limits = limits or Limits()
        self._organisations = places or organisations()
        self._clock = NO_TIME
        self._episodes: dict[_Key, _Episode] = {}
        self._previous: dict[_Key, _Previous] = {}
        self._snoozes: dict[_Key, int] = {}
        self._held: dict[_Key, _Held] = {}
        self._ended: list[Alert] = []
        self._by_subject: dict[str, list[_Key]] = {}
        self._by_alert: dict[str, _Key] = {}
        self._due: list[tuple[int, str, _Key]] = []
        self._touched: set[tuple[str, _Key]] = set()

    def __len__(self) -> int:
        """How many episodes are open."""
        return len(self._episodes)

    def fire(self, fire: Fire) -> Alert | None:
        """Take one firing; gives the new alert or the amended one, or nothing when nothing material changed."""
        self._clock = clock = max(self._clock, int(fire.recorded_ts), int(fire.clock_ts))
        key = _key(fire.detector, fire.subject)
        episode = self._episodes.get(key)
        if episode is not None and self._over(episode) <= clock:
            self._end_quiet(key, episode)
            episode = None
        if episode is None:
            if self._hold(key, fire):
                return None
            episode = self._open(key, fire)
        elif fire.seq <= episode.last_seq:
            return None  # taken already, before a restart
        else:
            self._remember(episode, fire)
        self._corroborate(key, episode, fire)
        self._touched.add(("episodes", key))
        why = _material(episode)
        if not why or self._silenced(key, episode):
            return None
        return self._amend(episode, why, clock)

    def advance(self, clock_ts: int) -> tuple[Alert, ...]:
        """Go on to a time; gives the last revision of every episode that has ended since, in the order of its end.

        Call it as often as convenient: when it is called changes no alert, only how soon an end is known.
        """
        self._clock = max(self._clock, clock_ts)
        while self._due and self._due[0][0] <= self._clock:
            _, table, key = heapq.heappop(self._due)
            self._expire(table, key)
        ended, self._ended = self._ended, []
        return tuple(sorted(ended, key=lambda alert: (alert.ended_ts, alert.alert_id)))

    def decide(self, decided: str, outcome: str, ts: int) -> Alert | None:
        """Take a person's decision about an alert; one that closes it ends the episode and gives its last revision.

        Nothing when no open episode has that alert: it had ended before.
        """
        self._clock = max(self._clock, ts)
        key = self._by_alert.get(decided)
        if key is None or outcome not in CLOSING:
            return None
        episode = self._episodes[key]
        if self._over(episode) <= self._clock:
            self._end_quiet(key, episode)
            return None
        return self._end(key, episode, ts, "decision", outcome)

    def snooze(self, detector: str, subject: Subject, until: int) -> None:
        """Hold back what a detector says of a subject until a time; a first call for safeguarding still goes out."""
        key = _key(detector, subject)
        self._snoozes[key] = until
        self._touched.add(("snoozes", key))
        heapq.heappush(self._due, (until, "snoozes", key))

    def snapshot(self) -> bytes:
        """The whole state as versioned plain data; equal states give equal bytes."""
        self._touched.clear()
        for episode in self._episodes.values():
            _explain(episode)
        tables = {name: dict(self._table(name)) for name in _TYPES}
        return _ENCODER.encode(self._frame("whole", tables))

    def changes(self) -> bytes:
        """What changed since the last `snapshot` or `changes`, for a delta file: `apply` takes it."""
        tables: dict[str, dict[_Key, Any]] = {name: {} for name in _TYPES}
        for name, key in self._touched:
            tables[name][key] = entry = self._table(name).get(key)
            if isinstance(entry, _Episode):
                _explain(entry)
        self._touched.clear()
        return _ENCODER.encode(self._frame("changes", tables))

    def let_go(self) -> None:
        """Nobody asks what changed: begin anew, as after `changes`."""
        self._touched.clear()

    @classmethod
    def restore(
        cls,
        snapshot: bytes,
        changes: Iterable[bytes] = (),
        limits: Limits | None = None,
        places: Organisations | None = None,
        rules: Rules | None = None,
    ) -> "Episodes":
        """The episodes a snapshot holds, with the changes written after it, oldest first.

        Raises:
            AlertError: the bytes are not a snapshot of a version this one can read.
        """
        episodes = cls(limits, places, rules)
        episodes._apply(snapshot, "whole")
        for delta in changes:
            episodes._apply(delta, "changes")
        episodes._index()
        return episodes

    # --- one firing -----------------------------------------------------------------------------------------------

    def _hold(self, key: _Key, fire: Fire) -> bool:
        """Whether a snooze holds back a firing that would open an episode; it is counted."""
        if self._snoozes.get(key, NO_TIME) <= self._clock or fire.minor or fire.vulnerable:
            return False
        until = self._clock + self._limits.memory_us
        held = self._held.get(key)
        count = held.count + 1 if held is not None and held.until > self._clock else 1
        self._held[key] = _Held(count, until)
        self._touched.add(("held", key))
        heapq.heappush(self._due, (until, "held", key))
        return True

    def _open(self, key: _Key, fire: Fire) -> _Episode:
        previous = self._previous.get(key)
        before = previous.alert_id if previous is not None and previous.until > self._clock else None
        held = self._held.pop(key, None)
        if held is not None:
            self._touched.add(("held", key))
        episode = _Episode(
            alert_id=alert_id(fire.detector, fire.subject, fire.event_id, fire.source),
            case_key=case_key(fire.subject),
            peak=_kept(fire),
            first_ts=min([fire.ts, *(event.ts for event in fire.earlier)]),
            last_ts=fire.ts,
            first_clock=self._clock,
            last_clock=self._clock,
            quiet_us=fire.quiet_after_us,
            raised_ts=fire.recorded_ts,
            first_seq=fire.seq,
            last_seq=fire.seq,
            first_event_id=fire.event_id,
            last_event_id=fire.event_id,
            count=1,
            head=[],
            tail=[],
            forces=[],
            home_force=0,
            victim_force=0,
            current_force=0,
            near_forces=(),
            minor=False,
            vulnerable=False,
            rail=False,
            related=[],
            corroborated_by=[],
            indicators=[],
            bases=[],
            sources=[],
            linked=[before] if before else [],
            previous=before,
            suppressed=held.count if held is not None and held.until > self._clock else 0,
        )
        self._name(episode, fire)
        self._gather(episode, fire)
        self._episodes[key] = episode
        self._by_alert[episode.alert_id] = key
        self._by_subject.setdefault(fire.subject.name, []).append(key)
        heapq.heappush(self._due, (self._over(episode), "episodes", key))
        return episode

    def _remember(self, episode: _Episode, fire: Fire) -> None:
        """Add a firing's evidence to an open episode."""
        episode.count += 1
        episode.first_ts = min([episode.first_ts, fire.ts, *(event.ts for event in fire.earlier)])
        episode.last_ts = max(episode.last_ts, fire.ts)
        episode.last_clock = self._clock
        episode.quiet_us = fire.quiet_after_us
        episode.last_seq = fire.seq
        episode.last_event_id = fire.event_id
        if fire.score > episode.peak.score:
            episode.peak = _kept(fire)
        self._name(episode, fire)
        self._gather(episode, fire)

    def _name(self, episode: _Episode, fire: Fire) -> None:
        """Add the ids of a firing's events: those before it that it rests on, each once, and its own."""
        half = self._limits.event_ids // 2
        before = [event.event_id for event in fire.earlier]
        named = {*episode.head, *episode.tail} if before else set()
        for event_id in [*(each for each in dict.fromkeys(before) if each not in named), fire.event_id]:
            if len(episode.head) < half:
                episode.head.append(event_id)
            else:
                episode.tail.append(event_id)
                if len(episode.tail) > self._limits.event_ids - half:
                    del episode.tail[0]

    def _gather(self, episode: _Episode, fire: Fire) -> None:
        """What only ever adds up over an episode: places, bases, feeds, people, signs."""
        episode.home_force = int(fire.home_force) or episode.home_force
        episode.victim_force = int(fire.victim_force) or episode.victim_force
        episode.current_force = int(fire.current_force) or episode.current_force
        if len(fire.near_forces) > len(episode.near_forces):
            episode.near_forces = tuple(int(code) for code in fire.near_forces)
        episode.minor |= bool(fire.minor)
        episode.vulnerable |= bool(fire.vulnerable)
        episode.rail |= bool(fire.rail)
        if fire.active_forces:
            weights = dict(episode.forces)
            for code, weight in fire.active_forces:
                if code and weight > 0:
                    weights[int(code)] = max(float(weight), weights.get(int(code), 0.0))
            episode.forces = sorted(weights.items())
        _add(episode.indicators, fire.indicators)
        _add(episode.bases, (fire.basis, *(event.basis for event in fire.earlier)))
        _add(episode.sources, (fire.source, *(event.source for event in fire.earlier)))
        if fire.related and len(episode.related) < self._limits.related:
            self._relate(episode, fire)

    def _relate(self, episode: _Episode, fire: Fire) -> None:
        """Add whom a firing names beside its subject, each once, while there is room."""
        known = {(subject.kind, subject.token) for subject in (*episode.related, fire.subject)}
        for subject in fire.related:
            who = (subject.kind, subject.token)
            if who not in known and len(episode.related) < self._limits.related:
                known.add(who)
                episode.related.append(subject)

    def _corroborate(self, key: _Key, episode: _Episode, fire: Fire) -> None:
        """What else says the same of this subject: what the firing names, and other detectors' open episodes."""
        others = self._others(key, fire.subject)
        _add(episode.linked, [other.alert_id for other in others])
        _add(episode.corroborated_by, fire.corroborated_by)
        same = [other.peak for other in others if not apart(other.peak.claim, fire.claim)]
        _add(episode.corroborated_by, [f"{peak.stream}:{peak.detector}" for peak in same])

    def _others(self, key: _Key, subject: Subject) -> list[_Episode]:
        """Other open episodes about a subject, in the order of their keys."""
        keys = sorted(self._by_subject.get(subject.name, ()))
        found = [self._episodes[other] for other in keys if other != key]
        return [other for other in found if self._over(other) > self._clock]

    def _silenced(self, key: _Key, episode: _Episode) -> bool:
        """Whether a snooze holds back an amendment."""
        if self._snoozes.get(key, NO_TIME) <= self._clock:
            return False
        return episode.sent_safeguarding or not (episode.minor or episode.vulnerable)

    def _amend(self, episode: _Episode, why: tuple[str, ...], clock: int) -> Alert:
        """The next revision, and what it said, so that the next change can be told."""
        episode.revision += 1
        episode.sent_band = max(episode.sent_band, BANDS.index(_band(episode)))
        episode.next_count = 1 << episode.count.bit_length()
        episode.sent_corroborated = len(episode.corroborated_by)
        episode.sent_forces = len(episode.forces)
        episode.sent_home = episode.home_force
        episode.sent_safeguarding = episode.minor or episode.vulnerable
        return self._alert(episode, why, clock)

    def _alert(self, episode: _Episode, why: tuple[str, ...], clock: int) -> Alert:
        _explain(episode)
        peak = _merged(episode)
        directory = self._organisations.at(clock)
        routing = route(peak, directory)
        return Alert(
            alert_id=episode.alert_id,
            case_key=episode.case_key,
            revision=episode.revision,
            revision_ts=clock,
            revision_why=why,
            detector=peak.detector,
            detector_version=peak.detector_version,
            model_version=peak.model_version,
            threat=peak.threat,
            typology=peak.typology,
            four_p=peak.four_p,
            stream=peak.stream,
            first_event_ts=episode.first_ts,
            last_event_ts=episode.last_ts,
            raised_ts=episode.raised_ts,
            subjects=(peak.subject, *peak.related),
            score=peak.score,
            band=_band(episode),
            claim=peak.claim,
            band_raised_by=_agreeing(episode),
            priority=priority(peak, episode.count, len(routing.regions), self._rules),
            facts=(*peak.facts, _firings(episode)),
            assessment=_assessment(peak),
            event_ids=(*episode.head, *episode.tail),
            event_count=episode.count,
            first_event_id=episode.first_event_id,
            last_event_id=episode.last_event_id,
            first_seq=episode.first_seq,
            last_seq=episode.last_seq,
            corroborated_by=peak.corroborated_by,
            indicators=peak.indicators,
            forces=_forces(peak),
            linked_alerts=tuple(episode.linked),
            previous=episode.previous,
            suppressed=episode.suppressed,
            owner=routing.owner,
            copies=routing.copies,
            escalation=routing.escalation,
            referrals_out=routing.referrals_out,
            victim_care=routing.victim_care,
            safeguarding=routing.safeguarding,
            handling=handling(peak),
            bases=tuple(sorted(episode.bases)),
            sources=tuple(sorted(episode.sources)),
            data_class=peak.data_class,
        )

    # --- the end --------------------------------------------------------------------------------------------------

    def _over(self, episode: _Episode) -> int:
        """When it ends if nothing more comes."""
        return min(episode.last_clock + episode.quiet_us, episode.first_clock + self._limits.longest_us)

    def _end_quiet(self, key: _Key, episode: _Episode) -> None:
        over = self._over(episode)
        why = "longest" if over == episode.first_clock + self._limits.longest_us else "quiet"
        self._ended.append(self._end(key, episode, over, why, None))

    def _end(self, key: _Key, episode: _Episode, ts: int, why: str, outcome: str | None) -> Alert:
        """The last revision; the subject's next alert will name this one."""
        episode.revision += 1
        last = self._alert(episode, (f"ended: {why}",), ts)
        last = msgspec.structs.replace(
            last, ended_ts=ts, ended_why=why, outcome=outcome, status="closed" if outcome else last.status
        )
        self._forget(key, episode)
        until = ts + self._limits.memory_us
        self._previous[key] = _Previous(episode.alert_id, until)
        self._touched.add(("previous", key))
        heapq.heappush(self._due, (until, "previous", key))
        return last

    def _forget(self, key: _Key, episode: _Episode) -> None:
        del self._episodes[key]
        self._by_alert.pop(episode.alert_id, None)
        name = episode.peak.subject.name
        self._by_subject[name].remove(key)
        if not self._by_subject[name]:
            del self._by_subject[name]
        self._touched.add(("episodes", key))

    def _expire(self, table: str, key: _Key) -> None:
        """Let go of what is due, or look again later when it has been renewed."""
        entry = self._table(table).get(key)
        if entry is None:
            return
        until = self._until(entry)
        if until > self._clock:
            heapq.heappush(self._due, (until, table, key))
        elif table == "episodes":
            self._end_quiet(key, entry)
        else:
            del self._table(table)[key]
            self._touched.add((table, key))

    def _until(self, entry: _Episode | _Previous | _Held | int) -> int:
        if isinstance(entry, int):
            return entry
        return self._over(entry) if isinstance(entry, _Episode) else entry.until

    # --- state as plain data --------------------------------------------------------------------------------------

    def _table(self, name: str) -> dict[_Key, Any]:
        tables: dict[str, dict[_Key, Any]] = {
            "episodes": self._episodes,
            "previous": self._previous,
            "snoozes": self._snoozes,
            "held": self._held,
        }
        return tables[name]

    def _frame(self, what: str, tables: dict[str, dict[_Key, Any]]) -> dict[str, Any]:
        return {
            "version": SNAPSHOT_VERSION,
            "what": what,
            "clock": self._clock,
            "ended": self._ended,
            "tables": tables,
        }

    def _apply(self, raw: bytes, what: str) -> None:
        try:
            frame = msgspec.msgpack.decode(raw)
            if (frame["version"], frame["what"]) != (SNAPSHOT_VERSION, what):
                raise AlertError(
                    f"episodes were written as {frame['what']} of version {frame['version']}; this Linewatch reads"
                    f" {what} of version {SNAPSHOT_VERSION}: start from a snapshot it wrote, or replay the ledger"
                )
            self._clock = frame["clock"]
            self._ended = [msgspec.convert(alert, Alert) for alert in frame["ended"]]
            for name, entries in frame["tables"].items():
                table = self._table(name)
                for key, entry in entries.items():
                    if entry is None:
                        table.pop(key, None)
                    else:
                        table[key] = msgspec.convert(entry, _TYPES[name])
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as error:
            raise AlertError(f"the episodes' snapshot cannot be read ({error}): replay the ledger") from error

    def _index(self) -> None:
        """Work out again what follows from the tables."""
        self._due = [
            (self._until(entry), name, key) for name in _TYPES for key, entry in self._table(name).items()
        ]
        heapq.heapify(self._due)
        self._by_subject.clear()
        self._by_alert.clear()
        for key, episode in sorted(self._episodes.items()):
            self._by_alert[episode.alert_id] = key
            self._by_subject.setdefault(episode.peak.subject.name, []).append(key)
        self._touched.clear()


def _key(detector: str, subject: Subject) -> _Key:
    return f"{detector}|{subject.name}"


def _agreeing(episode: _Episode) -> tuple[str, ...]:
    return agreeing(episode.peak.stream, tuple(episode.corroborated_by))


def _band(episode: _Episode) -> str:
    """The score's band, a step up when two streams agree."""
    band = episode.peak.band
    return raised_band(band) if _agreeing(episode) else band


def _add(kept: list[str], new: Iterable[str]) -> None:
    for item in new:
        if item and item not in kept:
            kept.append(item)


def _material(episode: _Episode) -> tuple[str, ...]:
    """What changed since the last revision that a reader must know; nothing when it can wait."""
    if episode.revision == 0:
        return ("new",)
    changed = (
        (BANDS.index(_band(episode)) > episode.sent_band, "band rose"),
        (episode.count >= episode.next_count, "evidence doubled"),
        (len(episode.corroborated_by) > episode.sent_corroborated, "corroborated"),
        (len(episode.forces) > episode.sent_forces, "new force"),
        (episode.home_force != episode.sent_home, "holder placed"),
        (not episode.sent_safeguarding and (episode.minor or episode.vulnerable), "safeguarding"),
    )
    return tuple(words for happened, words in changed if happened)


def _kept(fire: Fire) -> Fire:
    """A firing as an episode keeps it: one that waits to be explained as it is."""
    return _plain(fire) if fire.later is None else fire


def _explain(episode: _Episode) -> None:
    """Have the firing that an episode shows explained."""
    if episode.peak.later is not None:
        episode.peak = _plain(episode.peak.whole())


def _plain(fire: Fire) -> Fire:
    """A firing with plain Python numbers only (kernels give NumPy's), so that it is written and read back the same."""
    return msgspec.structs.replace(
        fire,
        seq=int(fire.seq),
        ts=int(fire.ts),
        recorded_ts=int(fire.recorded_ts),
        score=_sure(fire.score),
        threshold=_sure(fire.threshold),
        intercept=_sure(fire.intercept),
        bands=tuple(float(cut) for cut in fire.bands),
        facts=tuple(_plain_fact(fact) for fact in fire.facts),
        reasons=tuple(_plain_reason(reason) for reason in fire.reasons),
        contributions=_floats(fire.contributions),
        features=_floats(fire.features),
        usual=_floats(fire.usual),
        counterfactual=_plain_change(fire.counterfactual),
        harm={name: int(cell) for name, cell in fire.harm.items()},
        home_force=int(fire.home_force),
        active_forces=tuple((int(code), float(weight)) for code, weight in fire.active_forces),
        near_forces=tuple(int(code) for code in fire.near_forces),
        current_force=int(fire.current_force),
        victim_force=int(fire.victim_force),
        minor=bool(fire.minor),
        vulnerable=bool(fire.vulnerable),
        rail=bool(fire.rail),
        supplier_proven=bool(fire.supplier_proven),
        clock_ts=int(fire.clock_ts),
        quiet_after_us=int(fire.quiet_after_us),
    )


def _plain_fact(fact: Fact) -> Fact:
    value: Any = fact.value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        value = finite(value)
    from_ts = None if fact.from_ts is None else int(fact.from_ts)
    to_ts = None if fact.to_ts is None else int(fact.to_ts)
    return Fact(fact.name, value, fact.unit, from_ts, to_ts, fact.sources)


def _plain_reason(reason: Reason) -> Reason:
    return Reason(
        reason.feature,
        reason.words,
        _float(reason.value),
        _float(reason.usual),
        _float(reason.share),
        _sure(reason.contribution),
    )


def _plain_change(change: Counterfactual | None) -> Counterfactual | None:
    if change is None:
        return None
    return Counterfactual(change.feature, _float(change.value), _float(change.would_be), change.words)


def _sure(value: float) -> float:
    """A number JSON can hold, 0 for one it cannot: a model's slip must not stop the flow or the reading back."""
    return finite(float(value)) or 0.0


def _float(value: float | None) -> float | None:
    return None if value is None else finite(float(value))


def _floats(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Values as JSON can hold them: what is no number (NaN, infinity: v - v is not 0) is left open."""
    return {
        name: None if value is None or (number := float(value)) - number != 0.0 else number
        for name, value in values.items()
    }


def _merged(episode: _Episode) -> Fire:
    """The peak firing with what the whole episode has gathered, as routing and priority see it."""
    peak = episode.peak
    return msgspec.structs.replace(
        peak,
        subject=_categorised(peak.subject, episode.minor),
        related=tuple(episode.related),
        home_force=episode.home_force,
        active_forces=tuple(episode.forces),
        near_forces=episode.near_forces,
        victim_force=episode.victim_force,
        current_force=episode.current_force,
        minor=episode.minor,
        vulnerable=episode.vulnerable,
        rail=episode.rail,
        corroborated_by=tuple(episode.corroborated_by),
        indicators=tuple(episode.indicators),
    )


def _categorised(subject: Subject, minor: bool) -> Subject:
    """A child of whom nothing else is known is a possible victim first."""
    if minor and subject.category == "unknown":
        return Subject(subject.kind, subject.token, "possible_victim")
    return subject


def _forces(fire: Fire) -> tuple[int, ...]:
    codes = {fire.home_force, fire.victim_force, *fire.near_forces, *(code for code, _ in fire.active_forces)}
    return tuple(sorted(codes - {0}))


def _firings(episode: _Episode) -> Fact:
    return Fact(
        name="firings",
        value=episode.count,
        unit="events",
        from_ts=episode.first_ts,
        to_ts=episode.last_ts,
        sources=tuple(sorted(episode.sources)),
    )


def assessed(fire: Fire) -> Assessment:
    """What an alert keeps of the firing it was scored on, as it is written and read back."""
    return _assessment(_plain(fire.whole()))


def _assessment(fire: Fire) -> Assessment:
    return Assessment(
        reasons=fire.reasons,
        contributions=dict(fire.contributions),
        intercept=fire.intercept,
        threshold=fire.threshold,
        features=dict(fire.features),
        usual=dict(fire.usual),
        counterfactual=fire.counterfactual,
        nearest=fire.nearest,
        scored_event_id=fire.event_id,
        scored_seq=fire.seq,
        scored_ts=fire.ts,
    )

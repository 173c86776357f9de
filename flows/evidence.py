"""Evidence: what a detector says of one event, on its way to the national hop; said twice of one, it becomes one."""

from collections.abc import Iterable

import msgspec

from alerts.record import Fire, Happening, Subject


class Evidence(msgspec.Struct, frozen=True):
    """One scored row that another stream may need to know of."""

    seq: int
    ts: int
    detector: str
    score: float
    threshold: float
    subject: Subject
    number: tuple[int, int]  # under which number's token it is kept
    fire: Fire | None  # the alerting row itself, still without its event's id


def merged(evidence: Iterable[Evidence]) -> list[Evidence]:
    """One firing for each detector, subject and event: the strongest, with whatever else the others name."""
    found: dict[tuple[int, str, str], Evidence] = {}
    firing = [one for one in evidence if one.fire is not None]
    firing.sort(key=lambda e: (e.seq, e.detector, e.subject.name, -e.score, e.number))
    for one in firing:
        key = (one.seq, one.detector, one.subject.name)
        kept = found.get(key)
        found[key] = one if kept is None else msgspec.structs.replace(kept, fire=_as_one(kept.fire, one.fire))
    return list(found.values())


def _as_one(kept: Fire | None, more: Fire | None) -> Fire:
    """A firing with what a weaker one about the same names beside it."""
    assert kept is not None and more is not None, "only what fires is merged"
    return msgspec.structs.replace(
        kept,
        corroborated_by=tuple(sorted({*kept.corroborated_by, *more.corroborated_by})),
        earlier=tuple(dict.fromkeys((*kept.earlier, *more.earlier))),
        related=tuple(dict.fromkeys((*kept.related, *more.related))),
        indicators=tuple(dict.fromkeys((*kept.indicators, *more.indicators))),
    )


def naming(fire: Fire, events: tuple[Happening, ...]) -> Fire:
    """The firing, naming more events that came before."""
    earlier = dict.fromkeys((*fire.earlier, *(event for event in events if event.event_id != fire.event_id)))
    return msgspec.structs.replace(fire, earlier=tuple(earlier))


def with_corroboration(fire: Fire, by: tuple[str, ...], related: tuple[Subject, ...]) -> Fire:
    """The firing with what another stream says of the same subject."""
    indicators = tuple(dict.fromkeys((*fire.indicators, *(("multi_modal",) if by else ()))))
    return msgspec.structs.replace(
        fire,
        corroborated_by=by,
        related=tuple(dict.fromkeys((*fire.related, *related))),
        indicators=indicators,
    )

"""The measures: from alerts and crimes that have been held against each other to what is told of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from models.evaluating.intervals import HOURS_US, Share, rate_of, share_of, times_of
from models.evaluating.matching import Judged, Matched, Story, match
from models.evaluating.money import Money
from models.evaluating.published import PUBLISHED, AtPrevalence, Quiet, at_prevalence
from models.evaluating.raised import Declared, Raised, detectors_of, latest
from models.evaluating.result import (
    AtCapacity,
    FalseAlarms,
    Lead,
    Links,
    Method,
    Missed,
    OfAlertTypology,
    OfCampus,
    OfDetector,
    OfTypology,
    Refound,
    Result,
    Totals,
    Unseen,
    WorldSize,
)
from models.evaluating.scope import chosen, crimes_of
from models.evaluating.truth import DAY_US, Name, Row, World

GRACE_HOURS: Final = 24.0
CAPACITY: Final = 20
"""Alerts a campus works in a week, unless said otherwise."""
CAPACITIES: Final = (1, 2, 5, 10, 20, 50, 100, 200)
WEEK_US: Final = 7 * DAY_US
MONDAY_US: Final = 4 * DAY_US
"""The first Monday after 1 January 1970."""
SHORT_US: Final = 6 * HOURS_US
REEMERGENCE: Final = "line_reemergence"
FEW: Final = 10
"""Fewer records than this leave little to go by; truth names at most the first 40 of a crime."""


def evaluate(
    rows: Sequence[Row],
    alerts: Iterable[Raised],
    world: World,
    *,
    declared: Sequence[Declared] = (),
    grace_hours: float = GRACE_HOURS,
    capacity: int = CAPACITY,
    quiet: Quiet | None = None,
    money: Money | None = None,
) -> Result:
    """Everything that is measured, whatever order the alerts come in."""
    once = latest(alerts)
    matched = match(rows, once, int(grace_hours * HOURS_US), world)
    detectors = detectors_of(once, declared)
    return Result(
        world=WorldSize(
            people=world.people,
            days=world.days,
            subscriptions=world.subscriptions,
            adults=world.adults,
            start="" if world.start is None else world.start.isoformat(),
        ),
        method=Method(
            grace_hours=grace_hours,
            capacity=capacity,
            false_alarms_from="this world" if quiet is None else quiet.name,
        ),
        warnings=_warnings(matched, world, quiet),
        totals=_totals(matched, world),
        typologies=_typologies(matched, world),
        detectors=tuple(_detector(name, said, matched, world) for name, said in detectors.items()),
        alert_typologies=_alert_typologies(matched.judged),
        prevalence=(*_prevalence(matched, world, quiet), *_each_prevalence(matched, world, quiet, detectors)),
        capacity=_capacities(matched, world, capacity),
        campuses=_campuses(matched.judged, world, capacity),
        refound=_refound(matched, world),
        links=_links(matched, world),
        false_alarms=_false_alarms(matched, world),
        unseen=_unseen(matched.unseen),
        missed=_missed(matched, world, {said.threat for said in detectors.values()}),
        money=money,
    )


def _warnings(matched: Matched, world: World, quiet: Quiet | None) -> tuple[str, ...]:
    said = []
    if matched.unknown_tokens:
        said.append(
            "No alert speaks of anybody in truth. Were they raised on this world, and made with this token key? "
            "Name the data folder of that run with --data."
        )
    if world.opens is None:
        said.append(
            "The first day of the world is not known, so crimes over before it count as missed; see --start."
        )
    if quiet is None and matched.stories:
        said.append(
            "False alarms are this world's own; for precision at the published prevalence name a quiet world's "
            "result with --quiet."
        )
    elif quiet is not None and quiet.exposure == 0:
        said.append(f"{quiet.name} is of a world without people or days: no rate can be had from it.")
    return tuple(said)


# ------------------------------------------------------------------------------------------------------- how many found
def _totals(matched: Matched, world: World) -> Totals:
    found = sum(1 for story in matched.stories if story.alerts)
    true = sum(1 for each in matched.judged if each.true)
    cases: dict[str, bool] = {}
    for each in matched.judged:
        key = each.alert.case_key or each.alert.alert_id
        cases[key] = cases.get(key, False) or each.true
    return Totals(
        crimes=len(matched.stories),
        found=found,
        recall=share_of(found, len(matched.stories)),
        alerts=len(matched.judged),
        true=true,
        false=len(matched.judged) - true,
        precision=share_of(true, len(matched.judged)),
        cases=len(cases),
        true_cases=sum(cases.values()),
        case_precision=share_of(sum(cases.values()), len(cases)),
        rate=rate_of(len(matched.judged), world.exposure),
        outside_days=len(matched.outside),
        nameless=len(matched.nameless),
    )


def _typologies(matched: Matched, world: World) -> tuple[OfTypology, ...]:
    """A row for each typology, for each kind that has several, and for all together."""
    by_kind: defaultdict[str, defaultdict[str, list[Story]]] = defaultdict(lambda: defaultdict(list))
    for story in matched.stories:
        by_kind[story.crime.kind][story.crime.typology].append(story)
    rows = []
    for kind in sorted(by_kind):
        typologies = by_kind[kind]
        for typology in sorted(typologies):
            rows.append(_typology("typology", typology, kind, typologies[typology], world))
        if len(typologies) > 1:
            together = [story for stories in typologies.values() for story in stories]
            rows.append(_typology("kind", kind, kind, together, world))
    if len(rows) > 1:
        rows.append(_typology("all", "all crimes", "", matched.stories, world))
    return tuple(rows)


def _typology(level: str, name: str, kind: str, stories: Sequence[Story], world: World) -> OfTypology:
    found = [story for story in stories if story.alerts]
    by = Counter(detector for story in found for detector in {alert.detector for alert in story.alerts})
    return OfTypology(
        level=level,
        name=name,
        kind=kind,
        crimes=len(stories),
        found=len(found),
        recall=share_of(len(found), len(stories)),
        found_by=dict(sorted(by.items())),
        alerts=len({alert.alert_id for story in found for alert in story.alerts}),
        only_touched=sum(1 for story in stories if not story.alerts and story.touched),
        lead=_lead(stories, world),
    )


def _lead(stories: Sequence[Story], world: World) -> Lead:
    began = [s for s in stories if world.opens is None or s.crime.start >= world.opens]
    standing = [s for s in stories if world.opens is not None and s.crime.start < world.opens]
    waits = sorted(found - s.crime.start for s in began if (found := s.found()) is not None)
    opens = world.opens or 0
    return Lead(
        began=len(began),
        found=len(waits),
        already=sum(1 for s in began if any(alert.raised < s.crime.start for alert in s.alerts)),
        hours=times_of(waits),
        within_24h=_soon(began, world, 24),
        within_48h=_soon(began, world, 48),
        from_flare=times_of(_from_flare(began)),
        flare_within_24h=_soon_after_flare(stories, world, 24),
        flare_within_48h=_soon_after_flare(stories, world, 48),
        curve=tuple(round(wait / HOURS_US, 4) for wait in waits),
        standing=len(standing),
        standing_found=sum(1 for s in standing if s.alerts),
        standing_hours=times_of(
            max(found - opens, 0) for s in standing if (found := s.found()) is not None
        ),
    )  # fmt: skip


def _soon(stories: Iterable[Story], world: World, hours: int) -> Share:
    """The share found within so many hours, of those that began early enough to tell."""
    reach = hours * HOURS_US
    told = [s for s in stories if world.closes is None or s.crime.start + reach <= world.closes]
    soon = sum(1 for s in told if (found := s.found()) is not None and found - s.crime.start <= reach)
    return share_of(soon, len(told))


def _soon_after_flare(stories: Iterable[Story], world: World, hours: int) -> Share:
    """The share found within so many hours of their first advert, of lines that first advertised in these days."""
    reach = hours * HOURS_US
    told = [
        (s, flare)
        for s in stories
        if (flare := s.crime.first_flare) is not None
        and (world.opens is None or flare >= world.opens)
        and (world.closes is None or flare + reach <= world.closes)
    ]
    soon = sum(1 for s, flare in told if (found := s.found()) is not None and found - flare <= reach)
    return share_of(soon, len(told))


def _from_flare(stories: Iterable[Story]) -> list[int]:
    """From the first flare to the finding; nought for lines found before they advertised at all."""
    return [
        max(found - s.crime.first_flare, 0)
        for s in stories
        if s.crime.first_flare is not None and (found := s.found()) is not None
    ]


def _unseen(stories: Sequence[Story]) -> tuple[Unseen, ...]:
    groups: defaultdict[tuple[str, str], list[Story]] = defaultdict(list)
    for story in stories:
        groups[story.crime.typology, story.crime.unseen].append(story)
    return tuple(
        Unseen(
            typology=typology,
            stream=stream,
            crimes=len(group),
            found=share_of(sum(1 for story in group if story.alerts), len(group)),
        )
        for (typology, stream), group in sorted(groups.items())
    )


# ------------------------------------------------------------------------------------------- what the alerts were worth
def _detector(name: str, said: Declared | Raised, matched: Matched, world: World) -> OfDetector:
    own = [each for each in matched.judged if each.alert.detector == name]
    true = [each for each in own if each.true]
    scope, stories = crimes_of(said, matched.stories)
    found = [(story, when) for story in stories if (when := story.found_by(name)) is not None]
    kind = said.subject if isinstance(said, Declared) else said.about[0]
    subjects = world.subjects(kind)
    spent = rate_of(len(own), subjects * world.days / 100_000)
    budget = said.budget if isinstance(said, Declared) else None
    began = [(s, when) for s, when in found if world.opens is None or s.crime.start >= world.opens]
    return OfDetector(
        id=name,
        threat=said.threat,
        typology=said.typology,
        alerts=len(own),
        true=len(true),
        false=len(own) - len(true),
        precision=share_of(len(true), len(own)),
        same_threat=sum(1 for each in true if each.same_threat),
        about_victim=sum(1 for each in true if each.about_victim),
        scope=scope,
        crimes=len(stories),
        found=len(found),
        recall=share_of(len(found), len(stories)),
        hours=times_of(when - s.crime.start for s, when in began),
        rate=rate_of(len(own), world.exposure),
        false_rate=rate_of(len(own) - len(true), world.exposure),
        budget=budget,
        subjects=subjects,
        spent=spent,
        within_budget=None if budget is None or spent.rate is None else spent.rate <= budget,
    )


def _alert_typologies(judged: Sequence[Judged]) -> tuple[OfAlertTypology, ...]:
    alerts = Counter(each.alert.typology for each in judged)
    true = Counter(each.alert.typology for each in judged if each.true)
    return tuple(
        OfAlertTypology(
            name=name, alerts=alerts[name], true=true[name], precision=share_of(true[name], alerts[name])
        )
        for name in sorted(alerts)
    )


def _false_alarms(matched: Matched, world: World) -> tuple[FalseAlarms, ...]:
    """Every kind of innocent there is, also those nobody was alerted about; then the rest."""
    false = [each for each in matched.judged if not each.true]
    there = Counter(row.typology for row in matched.innocents)
    met = {each.alert.about for each in false}
    alerted = Counter(row.typology for row in matched.innocents if row.subjects & met)
    rows = []
    for kind in sorted({*there, *(each.kind for each in false)}):
        own = [each.alert for each in false if each.kind == kind]
        rows.append(
            FalseAlarms(
                kind=kind,
                alerts=len(own),
                by_detector=dict(sorted(Counter(alert.detector for alert in own).items())),
                rate=rate_of(len(own), world.exposure),
                alerted=share_of(alerted[kind], there[kind]) if kind in there else None,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.alerts, row.kind)))


def _prevalence(matched: Matched, world: World, quiet: Quiet | None) -> tuple[AtPrevalence, ...]:
    own = Counter(each.alert.threat for each in matched.judged if not each.true)
    counts = own if quiet is None else quiet.false_by_threat
    exposure = world.exposure if quiet is None else quiet.exposure
    rows = []
    for each in PUBLISHED:
        among = [story for story in matched.stories if chosen(each.kinds)(story.crime)]
        if among:
            found = sum(1 for story in among if story.found(each.threat) is not None)
            false = rate_of(counts.get(each.threat, 0), exposure)
            where = "this world" if quiet is None else quiet.name
            rows.append(at_prevalence(each, share_of(found, len(among)), false, where, world.days))
    return tuple(rows)


def _each_prevalence(
    matched: Matched, world: World, quiet: Quiet | None, detectors: Mapping[str, Declared | Raised]
) -> tuple[AtPrevalence, ...]:
    """The same for each detector alone, where it is there for a crime whose prevalence is published."""
    own = Counter(each.alert.detector for each in matched.judged if not each.true)
    counts = own if quiet is None else quiet.false_by_detector
    exposure = world.exposure if quiet is None else quiet.exposure
    where = "this world" if quiet is None else quiet.name
    rows = []
    for name, said in detectors.items():
        _, scope = crimes_of(said, matched.stories)
        for each in PUBLISHED:
            among = [story for story in scope if chosen(each.kinds)(story.crime)]
            if among and said.threat == each.threat:
                found = sum(1 for story in among if story.found_by(name) is not None)
                false = rate_of(counts.get(name, 0), exposure)
                recall = share_of(found, len(among))
                rows.append(at_prevalence(each, recall, false, where, world.days, name))
    return tuple(rows)


# ---------------------------------------------------------------------------------------------------------- at capacity
def _capacities(matched: Matched, world: World, capacity: int) -> tuple[AtCapacity, ...]:
    there = {story.crime.id for story in matched.stories}
    rows = []
    for n in sorted({*CAPACITIES, capacity}):
        taken = _taken(matched.judged, world, n)
        found = there & {crime for each in taken for crime in each.crimes}
        rows.append(
            AtCapacity(
                a_week=n,
                taken=len(taken),
                precision=share_of(sum(each.true for each in taken), len(taken)),
                found=share_of(len(found), len(there)),
            )
        )
    return tuple(rows)


def _campuses(judged: Sequence[Judged], world: World, capacity: int) -> tuple[OfCampus, ...]:
    taken = _taken(judged, world, capacity)
    every = Counter(each.alert.campus for each in judged)
    done = Counter(each.alert.campus for each in taken)
    true = Counter(each.alert.campus for each in taken if each.true)
    return tuple(
        OfCampus(
            campus=campus,
            alerts=every[campus],
            taken=done[campus],
            precision=share_of(true[campus], done[campus]),
        )
        for campus in sorted(every)
    )


def _taken(judged: Sequence[Judged], world: World, n: int) -> list[Judged]:
    """The first `n` of each campus in each week, as its queue has them: by priority, then the older one."""
    opens = MONDAY_US if world.opens is None else world.opens
    queues: defaultdict[tuple[str, int], list[Judged]] = defaultdict(list)
    for each in judged:
        queues[each.alert.campus, (each.alert.raised - opens) // WEEK_US].append(each)
    return [each for key in sorted(queues) for each in sorted(queues[key], key=_place)[:n]]


def _place(each: Judged) -> tuple[float, int, str]:
    return (-each.alert.order, each.alert.raised, each.alert.alert_id)


# ---------------------------------------------------------------------------------------------- new numbers, and misses
def _refound(matched: Matched, world: World) -> tuple[Refound, ...]:
    """New numbers of lines that had another before: by how the old one went, and all."""
    stories = {story.crime.id: story for story in (*matched.stories, *matched.unseen)}
    changed = [
        story
        for story in matched.stories
        if story.crime.predecessor and (world.opens is None or story.crime.start >= world.opens)
    ]
    if not changed:
        return ()

    by_ending = {
        after: [story for story in changed if story.crime.after == after]
        for after in sorted({story.crime.after for story in changed})
    }
    groups = {"any change": changed} | by_ending
    return tuple(_refound_row(after, own, stories) for after, own in groups.items())


def _refound_row(after: str, own: Sequence[Story], stories: Mapping[str, Story]) -> Refound:
    known = [s for s in own if s.crime.predecessor in stories and stories[s.crime.predecessor].alerts]
    return Refound(
        after=after,
        changes=len(own),
        refound=share_of(sum(1 for s in own if s.alerts), len(own)),
        known=len(known),
        known_refound=share_of(sum(1 for s in known if s.alerts), len(known)),
        hours=times_of(found - s.crime.start for s in own if (found := s.found()) is not None),
        from_flare=times_of(_from_flare(own)),
    )


def _links(matched: Matched, world: World) -> Links | None:
    """How often an alert that ties a new number to an old line has the right one."""
    told = [each for each in matched.judged if each.alert.typology == REEMERGENCE]
    if not told:
        return None
    stories = {story.crime.id: story for story in (*matched.stories, *matched.unseen)}
    lines = [story.crime for story in stories.values() if story.crime.brand]
    brands: defaultdict[Name, set[str]] = defaultdict(set)
    for line in lines:
        for name in line.subjects:
            brands[name].add(line.brand)
    right = {each.alert.alert_id for each in told if _ties_one_line(each.alert, brands)}
    new = [
        story
        for story in matched.stories
        if story.crime.predecessor
        and story.crime.first_flare is not None
        and (world.opens is None or story.crime.first_flare >= world.opens)
        and (world.closes is None or story.crime.first_flare + 24 * HOURS_US <= world.closes)
    ]
    known = [s for s in new if s.crime.predecessor in stories and stories[s.crime.predecessor].alerts]
    return Links(
        alerts=len(told),
        right=share_of(len(right), len(told)),
        soon=share_of(sum(_tied_soon(story, right) for story in new), len(new)),
        known_soon=share_of(sum(_tied_soon(story, right) for story in known), len(known)),
    )


def _ties_one_line(alert: Raised, brands: Mapping[Name, set[str]]) -> bool:
    """Whether the one it is about and one beside it are numbers of the same line."""
    own = brands.get(alert.about, set())
    return any(own & brands.get(name, set()) for name in alert.related)


def _tied_soon(story: Story, right: set[str]) -> bool:
    flare = story.crime.first_flare or story.crime.start
    times = [alert.raised for alert in story.alerts if alert.alert_id in right]
    return bool(times) and min(times) <= flare + 24 * HOURS_US


def _missed(matched: Matched, world: World, threats: set[str]) -> tuple[Missed, ...]:
    return tuple(
        Missed(
            id=story.crime.id,
            kind=story.crime.kind,
            typology=story.crime.typology,
            why=_why(story, world, threats),
        )
        for story in matched.stories
        if not story.alerts
    )


def _why(story: Story, world: World, threats: set[str]) -> tuple[str, ...]:
    """What is known of why it was missed; nothing where nothing is known."""
    crime, why = story.crime, []
    if crime.threat not in threats:
        why.append(f"no detector of this run looks for {crime.threat.replace('_', ' ')}")
    if story.outside:
        why.append(f"{_counted(story.outside, 'alert')} about it outside its dates")
    if story.touched:
        why.append(f"in {_counted(story.touched, 'alert')} about somebody else")
    if not crime.flares:
        why.append("never advertises")
    if world.closes is not None and world.closes - crime.start < 2 * DAY_US:
        why.append("began in the last two days")
    if world.opens is not None and crime.end is not None and crime.end - world.opens < DAY_US:
        why.append("over within a day of the start of the records")
    elif crime.end is not None and crime.end - crime.start < SHORT_US:
        why.append("over in less than six hours")
    if crime.events < FEW:
        why.append(
            "truth names no record of it" if crime.events == 0 else f"only {_counted(crime.events, 'record')}"
        )
    return tuple(why)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"

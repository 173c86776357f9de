"""One whole alert as a person reads it: what, who, why, where it goes, what else it could be, what to do next.

Order matters: safeguarding first, then the reasons in numbers, then the facts apart from them, then everything that
speaks against a hasty conclusion. Nothing is worked out anew here: all of it was frozen when the alert was scored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from alerts.record import Alert, NearestCase, Subject
from console import wording
from console.output import band, indented

CONFIDENCE: Final = {"L": "low", "M": "medium", "H": "high"}


@dataclass(frozen=True, slots=True)
class About:
    """What the detector's own file says, for the reader who does not know it."""

    title: str
    misses: tuple[str, ...] = ()
    innocent: tuple[str, ...] = ()
    runbook: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    """The unit of each feature, by its name."""

    def unit_of(self, feature: str) -> str:
        """The unit of a feature's values; nothing for one that is not known any more."""
        return self.units.get(feature, "")


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of an alert's history: when, and what was done by whom."""

    ts: int
    words: str


RELATED_SHOWN: Final = 8
"""Subjects on the page; an analyst has a minute, and a line's customers may be fifty."""


def show(console: Console, alert: Alert, about: About, history: Sequence[Happening]) -> None:
    """Print the alert from top to bottom."""
    for part in parts(alert, about, history):
        console.print(part)


def parts(alert: Alert, about: About, history: Sequence[Happening]) -> Iterator[RenderableType]:
    """The page's sections, in reading order; a section with nothing to say is left out."""
    yield _heading(alert, about)
    if alert.safeguarding.needed:
        yield _section("Safeguarding first", _safeguarding(alert))
    yield _section("Who", _who(alert))
    yield _section(
        f"Why (an assessment: score {alert.score:.2f}, alerts from {alert.assessment.threshold:.2f})",
        _why(alert, about),
    )
    yield _section("What would not have alerted", [_counterfactual(alert, about)])
    if alert.assessment.nearest is not None:
        yield _section("The nearest confirmed case", [_nearest(alert.assessment.nearest)])
    yield _section("What was seen (facts)", _facts(alert))
    yield _section("Where it goes", _where(alert))
    if about.innocent:
        yield _section("It could be innocent", about.innocent)
    if about.misses:
        yield _section("What this detector cannot see", about.misses)
    if about.runbook:
        yield _section(
            "What to do", [f"{number}. {step}" for number, step in enumerate(about.runbook, start=1)]
        )
    yield _section("Handling", _handling(alert))
    yield _section("Made by", _made_by(alert))
    yield _section("History", _history(alert, history))


def _section(title: str, content: Table | Text | Sequence[str]) -> RenderableType:
    inner = [content] if isinstance(content, (Table, Text)) else [Text(line) for line in content]
    return Group(Text(""), Text(title, style="bold"), indented(*inner))


def _heading(alert: Alert, about: About) -> RenderableType:
    first = Text.assemble((about.title, "bold"), "  ", band(alert.band), "  ", wording.spoken(alert.status))
    if alert.outcome:
        first.append(f" ({wording.spoken(alert.outcome)})")
    second = Text(f"alert {alert.alert_id}   case {alert.case_key}", style="dim")
    third = Text(
        f"{wording.spoken(alert.threat)}, {wording.spoken(alert.typology)}, {alert.four_p}; "
        f"priority {alert.priority.order:,.1f} ({alert.priority.level}, {CONFIDENCE.get(alert.priority.confidence, alert.priority.confidence)} confidence)"
    )
    fourth = Text(
        f"from {wording.when(alert.first_event_ts)} to {wording.when(alert.last_event_ts)}, "
        f"{wording.some(alert.event_count, 'event')}, raised {wording.when(alert.raised_ts)} (times in UTC)"
    )
    lines: list[RenderableType] = [first, second, third, fourth]
    if alert.previous:
        lines.append(Text(f"follows alert {alert.previous} about the same subject"))
    if alert.data_class != "live":
        lines.append(Text(f"{alert.data_class} data: nobody real", style="italic"))
    return Group(*lines)


def _safeguarding(alert: Alert) -> list[str]:
    lines = [wording.spoken(why) for why in alert.safeguarding.why]
    lines += [f"told whatever is decided: {copy.org_id} ({copy.why})" for copy in alert.safeguarding.copies]
    return ["Someone here may be a victim in need of protection.", *lines]


def _who(alert: Alert) -> list[str]:
    lines = [
        _subject(subject, first=place == 0) for place, subject in enumerate(alert.subjects[:RELATED_SHOWN])
    ]
    more = len(alert.subjects) - RELATED_SHOWN
    return lines if more <= 0 else [*lines, f"and {more} more related, in --json"]


def _subject(subject: Subject, *, first: bool) -> str:
    related = "" if first else "related: "
    return f"{related}{subject.kind} {subject.token} ({wording.spoken(subject.category)})"


def _columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    return table


def _why(alert: Alert, about: About) -> Table | Text:
    if not alert.assessment.reasons:
        return Text("no reasons were recorded")
    table = _columns("reason", "value", "usually", "share of score")
    for reason in alert.assessment.reasons:
        unit = about.unit_of(reason.feature)
        usual = "-" if reason.usual is None else wording.value(reason.usual, unit)
        table.add_row(reason.words, wording.value(reason.value, unit), usual, wording.share(reason.share))
    return table


def _counterfactual(alert: Alert, about: About) -> str:
    change = alert.assessment.counterfactual
    if change is None:
        return "no change of one value alone: it is several signals together"
    if change.words:
        return change.words
    unit = about.unit_of(change.feature)
    would_be, was = wording.value(change.would_be, unit), wording.value(change.value, unit)
    return f"{wording.spoken(change.feature)} at {would_be} instead of {was}"


def _nearest(case: NearestCase) -> str:
    return f"alert {case.alert_id}, alike by {wording.share(case.likeness)}; {case.words}"


def _facts(alert: Alert) -> Table | Text:
    if not alert.facts:
        return Text("none recorded")
    table = _columns("fact", "value", "from", "to", "source")
    for fact in alert.facts:
        table.add_row(
            wording.spoken(fact.name),
            wording.value(fact.value, fact.unit),
            wording.when(fact.from_ts),
            wording.when(fact.to_ts),
            ", ".join(fact.sources),
        )
    return table


def _where(alert: Alert) -> list[str]:
    owner = alert.owner
    doubt = " (provisional)" if owner.provisional else ""
    lines = [f"{owner.name}{doubt}: {owner.why}"]
    if owner.unplaced:
        lines.append("It could not be placed: the national desk has it until someone can.")
    lines += [f"copy to {copy.org_id}: {copy.why}" for copy in alert.copies]
    if alert.escalation:
        lines.append(f"escalated to {alert.escalation.org_id}: {alert.escalation.why}")
    if alert.victim_care:
        lines.append(f"victim care: {alert.victim_care.org_id}: {alert.victim_care.why}")
    lines += [f"referred to {out.org_id} ({', '.join(out.via)}): {out.why}" for out in alert.referrals_out]
    return lines


def _handling(alert: Alert) -> list[str]:
    handling = alert.handling
    lines = [f"{handling.marking}   graded {handling.grade}   {handling.instruction}".rstrip()]
    lines += list(handling.conditions)
    lines.append(f"held under: {', '.join(alert.bases) or 'no basis named'}")
    return lines


def _made_by(alert: Alert) -> list[str]:
    lines = [f"detector {alert.detector} {alert.detector_version}, model {alert.model_version}"]
    if alert.assessment.scored_event_id:
        lines.append(
            f"scored on event {alert.assessment.scored_event_id} (place {alert.assessment.scored_seq})"
        )
    lines.append(f"sources: {', '.join(alert.sources)}")
    if alert.corroborated_by:
        lines.append(f"the same is said by: {', '.join(alert.corroborated_by)}")
    if alert.linked_alerts:
        lines.append(f"linked alerts: {', '.join(alert.linked_alerts)}")
    return lines


def _history(alert: Alert, history: Sequence[Happening]) -> list[str]:
    lines = [f"{wording.when(each.ts)}  {each.words}" for each in history]
    return lines or [f"{wording.when(alert.raised_ts)}  raised"]

"""An evaluation on the screen: one table for each question, intervals beside every share."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.text import Text

from console.output import aside, say_table, screen
from console.wording import spoken
from models.evaluating.intervals import Rate, Share, Times
from models.evaluating.result import OfTypology, Result

MISSED_SHOWN: Final = 20


def say_result(result: Result) -> None:
    """Everything a person wants to know first; the rest is in result.json."""
    for words in result.warnings:
        aside().print(Text(words, style="yellow"))
    world, method, all_ = result.world, result.method, result.totals
    screen().print(
        Text(
            f"{world.people:,} people, {world.days:g} days; {all_.crimes} crimes that could be seen, {all_.found} found; "
            f"{all_.alerts} alerts in {all_.cases} cases, {all_.true} true. "
            f"A hit: {method.hit}, {method.grace_hours:g} hours either way. Intervals: {method.interval}."
        )
    )
    if all_.outside_days or all_.nameless:
        screen().print(
            f"Left out: {all_.outside_days} crimes outside the world's days, {all_.nameless} in which nobody is named."
        )
    _typologies(result)
    _first_adverts(result)
    _detectors(result)
    _prevalence(result)
    _capacity(result)
    _refound(result)
    _links(result)
    _money(result)
    _false_alarms(result)
    _apart(result)


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    screen().print()
    screen().print(Text(title, style="bold"))
    say_table(columns, rows)


def _typologies(result: Result) -> None:
    _section(
        "Crimes by typology (lead time in hours, of those that began in the world)",
        ("typology", "crimes", "found", "recall", "alerts", "median", "quartiles", "within 24 h", "within 48 h",
         "from first flare"),
        (
            (
                _named(row),
                row.crimes,
                row.found,
                share(row.recall),
                row.alerts,
                *times(row.lead.hours),
                share(row.lead.within_24h),
                share(row.lead.within_48h),
                hours(row.lead.from_flare.median),
            )
            for row in result.typologies
        ),
    )  # fmt: skip


def _first_adverts(result: Result) -> None:
    rows = [row for row in result.typologies if row.lead.flare_within_24h.of]
    if rows:
        _section(
            "Lines that first advertised in these days, by when they were found",
            (
                "typology",
                "lines",
                "within 24 h of the first advert",
                "lines",
                "within 48 h of the first advert",
            ),
            (
                (
                    _named(row),
                    row.lead.flare_within_24h.of,
                    share(row.lead.flare_within_24h),
                    row.lead.flare_within_48h.of,
                    share(row.lead.flare_within_48h),
                )
                for row in rows
            ),
        )


def _named(row: OfTypology) -> Text:
    """A typology, or all of a kind: some kinds have the name of one of their typologies."""
    words = f"{spoken(row.name)}, all" if row.level == "kind" else spoken(row.name)
    return Text(words, style="" if row.level == "typology" else "bold")


def _detectors(result: Result) -> None:
    _section(
        "Detectors",
        ("detector", "alerts", "true", "precision", "recall of", "crimes", "found", "recall", "a day per 100,000 people",
         "false", "budget", "spent"),
        (
            (
                row.id,
                row.alerts,
                row.true,
                share(row.precision),
                spoken(row.scope),
                row.crimes,
                row.found,
                share(row.recall),
                rate(row.rate),
                rate(row.false_rate),
                "" if row.budget is None else f"{row.budget:g}",
                _spent(row.spent, within=row.within_budget),
            )
            for row in result.detectors
        ),
    )  # fmt: skip


def _spent(spent: Rate, *, within: bool | None) -> Text:
    words = "" if spent.rate is None else f"{spent.rate:.3g}"
    if within is None:
        return Text(words)
    return Text(f"{words} {'within' if within else 'over'}", style="" if within else "bright_red")


def _prevalence(result: Result) -> None:
    if result.prevalence:
        _section(
            f"Precision at the published prevalence (false alarms from {result.method.false_alarms_from})",
            ("crime", "recall", "false a day per 100,000 people", "precision", "prevalence"),
            (
                (
                    f"{row.name}: {row.detector} alone" if row.detector else row.name,
                    share(row.recall),
                    rate(row.false),
                    _span(row.precision, row.low, row.high),
                    row.source,
                )
                for row in result.prevalence
            ),
        )


def _capacity(result: Result) -> None:
    _section(
        "Precision at capacity (the first so many alerts of each campus in each week, by priority)",
        ("a week", "taken", "precision", "crimes found"),
        (
            (
                Text(str(row.a_week), style="bold" if row.a_week == result.method.capacity else ""),
                row.taken,
                share(row.precision),
                share(row.found),
            )
            for row in result.capacity
        ),
    )
    if result.campuses:
        _section(
            f"Campuses at {result.method.capacity} a week",
            ("campus", "alerts", "taken", "precision"),
            ((row.campus, row.alerts, row.taken, share(row.precision)) for row in result.campuses),
        )


def _refound(result: Result) -> None:
    if result.refound:
        _section(
            "Lines that took a new number (hours from the new number's start)",
            ("after", "lines", "found again", "found before", "of those again", "median", "quartiles"),
            (
                (
                    spoken(row.after),
                    row.changes,
                    share(row.refound),
                    row.known,
                    share(row.known_refound),
                    *times(row.hours),
                )
                for row in result.refound
            ),
        )


def _links(result: Result) -> None:
    links = result.links
    if links is not None:
        _section(
            "New numbers tied to an old line",
            ("alerts", "the right line", "tied within 24 h of the first advert", "of those found before"),
            [(links.alerts, share(links.right), share(links.soon), share(links.known_soon))],
        )


def _money(result: Result) -> None:
    money = result.money
    if money is None:
        return
    if money.values:
        _section(
            "Payment fraud in money (saved: paid after the alert)",
            ("type", "cases", "found", "before the last payment", "median h", "quartiles", "paid", "saved"),
            (
                (
                    spoken(row.typology),
                    row.cases,
                    share(row.found),
                    share(row.before_last),
                    *times(row.hours),
                    f"£{row.paid_minor / 100:,.0f}",
                    "-" if row.saved is None else f"£{row.saved_minor / 100:,.0f} ({_percent(row.saved)})",
                )
                for row in money.values
            ),
        )
    if money.whole_calls:
        _section(
            "Payment fraud when calls are told as they begin, and when only once they are over (median minutes)",
            (
                "type",
                "cases",
                "found",
                "over",
                "before the last payment",
                "over",
                "median",
                "over",
                "saved",
                "over",
            ),
            (
                (
                    spoken(row.typology),
                    row.cases,
                    *(_percent(each.found.share or 0.0) for each in (row, over)),
                    *(_percent(each.before_last.share or 0.0) for each in (row, over)),
                    *(_minutes(each.hours.median) for each in (row, over)),
                    *("-" if each.saved is None else _percent(each.saved) for each in (row, over)),
                )
                for row, over in zip(money.values, money.whole_calls, strict=True)
            ),
        )
    if money.mules is not None:
        _section(
            "Mule accounts, each by itself",
            ("accounts", "found", "passed money on twice", "found before the second time"),
            [
                (
                    money.mules.accounts,
                    share(money.mules.found),
                    money.mules.passing,
                    share(money.mules.before_second),
                )
            ],
        )


def _false_alarms(result: Result) -> None:
    rows = [row for row in result.false_alarms if row.alerts]
    quiet = [row for row in result.false_alarms if not row.alerts]
    _section(
        "False alarms by kind of innocent",
        ("kind", "alerts", "a day per 100,000 people", "alerted about", "detectors"),
        (
            (
                spoken(row.kind),
                row.alerts,
                rate(row.rate),
                "" if row.alerted is None else share(row.alerted),
                ", ".join(f"{name} {count}" for name, count in row.by_detector.items()),
            )
            for row in rows
        ),
    )
    if quiet:
        named = ", ".join(
            f"{spoken(row.kind)} ({row.alerted.of})" for row in quiet if row.alerted is not None
        )
        screen().print(f"Nobody alerted about among: {named}.", markup=False)


def _apart(result: Result) -> None:
    if result.unseen:
        _section(
            "Apart: crimes that leave no trace in a stream",
            ("typology", "unseen by", "crimes", "found all the same"),
            ((spoken(row.typology), row.stream, row.crimes, share(row.found)) for row in result.unseen),
        )
    if result.missed:
        _section(
            f"Missed ({len(result.missed)})",
            ("crime", "typology", "what is known of why"),
            (
                (row.id, spoken(row.typology), "; ".join(row.why) or "not known")
                for row in result.missed[:MISSED_SHOWN]
            ),
        )
        if len(result.missed) > MISSED_SHOWN:
            screen().print(f"and {len(result.missed) - MISSED_SHOWN} more: --json or --out has all of them.")


def share(of: Share) -> str:
    """A share with its interval; a dash for a share of nothing."""
    return "-" if of.share is None else _span(of.share, of.low, of.high)


def _span(value: float | None, low: float | None, high: float | None) -> str:
    if value is None and low is None and high is None:
        return "-"
    middle, lowest, highest = ("?" if each is None else _percent(each) for each in (value, low, high))
    return f"{middle} ({lowest} to {highest})"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if value in (0, 1) or 0.1 <= value <= 0.9 else f"{100 * value:.1f} %"


def rate(of: Rate) -> str:
    """A rate with its interval."""
    if of.rate is None or of.high is None:
        return "-"
    return f"{of.rate:.3g} ({of.low:.2g} to {of.high:.2g})"


def times(of: Times) -> tuple[str, str]:
    """A median and its quartiles."""
    if of.median is None:
        return "-", "-"
    return hours(of.median), f"{hours(of.lower_quartile)} to {hours(of.upper_quartile)}"


def _minutes(value: float | None) -> str:
    """Hours as minutes."""
    return "-" if value is None else f"{60 * value:.1f}"


def hours(value: float | None) -> str:
    """Hours to the nearest that matters."""
    return "-" if value is None else f"{value:.1f}" if value < 48 else f"{value:.0f}"

"""`linewatch models`: the versions that score, challenge or stood before, and what is done with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from console.errors import ConsoleError
from console.options import (
    Accounts,
    AsOf,
    By,
    Data,
    Horizon,
    Json,
    Labels,
    Links,
    Payments,
    Telecoms,
    Watch,
    by_stream,
)
from console.output import aside, hint, say_json, say_table, screen
from console.people import named
from console.store import use_data
from console.teaching import Example

if TYPE_CHECKING:
    from models.card import Card, Measure
    from models.registry import Promotion, Registry

EXAMPLES: Final = (
    Example("linewatch models list", "every version: what scores, what challenges, what stood before"),
    Example("linewatch models show mule_account-1.r3f2a", "one card whole, by the beginning of its name"),
    Example(
        "linewatch models retrain mule_account --from 2026-03-01 --to 2026-04-30 --payments p.parquet --labels l.ndjson",
        "train challengers on history, validated on the last part of it",
    ),
    Example(
        "linewatch models compare mule_account-1.r3f2a --from 2026-05-01 --to 2026-05-15",
        "beside the champion on what came since: agreement, precision, alerts a day, cost",
    ),
    Example(
        "linewatch models compare mule_account",
        "what stands in shadow beside the champion on the live stream: agreement, precision, alerts a day, cost",
    ),
    Example(
        "linewatch models promote mule_account-1.r3f2a --agreed-by 'A. Second' --reason 'more found, as few alerts'",
        "two people make it the champion; running flows take it up",
    ),
    Example(
        "linewatch models promote mule_account-1.r3f2a --threshold 0.62 --agreed-by 'A. Second' --reason 'as many alerts'",
        "the same, alerting from another score than its card says",
    ),
    Example("linewatch models review mule_account", "rows drawn at random for a person to look at"),
    Example("linewatch models lessons mule_account", "what flows learnt, and what was corrected"),
    Example(
        "linewatch models measures mule_account",
        "right and wrong by campus, force and age band, as the truth came",
    ),
    Example(
        "linewatch models rollback mule_account --agreed-by 'A. Second' --reason 'precision fell'",
        "put the champion before it back",
    ),
)

Action = Literal[
    "list",
    "show",
    "retrain",
    "compare",
    "challenge",
    "retire",
    "promote",
    "rollback",
    "lessons",
    "measures",
    "review",
]


def models(
    action: Annotated[Action, typer.Argument(metavar="ACTION", help=", ".join(Action.__args__))] = "list",
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A version, or enough of its beginning; to retrain, roll back or compare in shadow a detector; "
            "to review a detector, or one row.",
        ),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Retrain, compare: from when.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DATE", help="Retrain, compare: up to when.")] = None,
    as_of: AsOf = None,
    horizon: Horizon = None,
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="VERSION", help="Compare with this. \\[default: the champion]"),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="WORDS", help="Why; audited.")] = "",
    agreed_by: Annotated[
        str, typer.Option(metavar="WHO", help="Promote, roll back: the second person, who agrees.")
    ] = "",
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="Promote: alert from this score. \\[default: the threshold on its card]"
        ),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Show: write the card's pictures here.")
    ] = None,
    twin: Annotated[
        bool,
        typer.Option(
            "--twin",
            help="Retrain: tell history by the offline twin, all at once, instead of walking through it "
            "(detectors of accounts and numbers).",
        ),
    ] = False,
    payments: Payments = None,
    telecoms: Telecoms = None,
    accounts: Accounts = None,
    labels: Labels = None,
    links: Links = None,
    watch: Watch = None,
    by: By = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Look after the models: list and show versions, retrain, compare, promote, roll back.

    A version is its weights and a card, signed; nothing unsigned or altered is loaded. A challenger is compared with
    the champion and raises nothing. Promoting and rolling back need a second person, are audited, and take effect in
    running flows at one place in the one order.
    """
    if threshold is not None and action != "promote":
        raise ConsoleError(
            f"--threshold says from where a version alerts that is promoted: it does not go with {action}."
        )
    folder = use_data(data)
    registry = _registry(folder, make=action == "retrain")
    inputs = by_stream(payments, telecoms, accounts, labels, links, watch)
    if action in ("lessons", "measures", "review"):
        from console.learnt import show_lessons, show_measures, show_review

        show = {"lessons": show_lessons, "measures": show_measures, "review": show_review}[action]
        show(folder, name, json=json)
    elif action == "list":
        _list(registry, name, json=json)
    elif action == "show":
        _show(_needed(registry), _asked(name), plots, json=json)
    elif action == "retrain":
        span = span_of(from_, to, as_of, horizon)
        _retrain(
            _needed(registry), folder, _asked(name), span, inputs, named(by), reason, twin=twin, json=json
        )
    elif action == "compare" and _is_detector(_asked(name)):
        from console.shadows import say_shadows

        say_shadows(_needed(registry), folder, _asked(name), (from_, to, as_of), json=json)
    elif action == "compare":
        _compare(
            _needed(registry),
            folder,
            _asked(name),
            with_,
            span_of(from_, to, as_of, horizon),
            inputs,
            json=json,
        )
    else:
        _decide(
            _needed(registry),
            folder,
            action,
            _asked(name),
            named(by),
            agreed_by,
            reason,
            threshold=threshold,
            json=json,
        )


def _registry(folder: Path, *, make: bool) -> "Registry | None":
    """The registry; none while nothing was ever trained."""
    from console.settings import settings
    from flows.promoting import registry_of
    from flows.shelf import KEY

    key = settings().model_key or folder / KEY
    return registry_of(folder, key, make=make) if make or key.exists() else None


def _needed(registry: "Registry | None") -> "Registry":
    if registry is None:
        raise ConsoleError(
            "There are no versions yet: every detector scores with its author's scorecard and what decisions taught it. "
            "Train one: linewatch models retrain DETECTOR --from DATE --to DATE"
        )
    return registry


def _asked(name: str | None) -> str:
    if name is None:
        raise ConsoleError(
            "Say which: a version (linewatch models list shows them), or a detector to retrain or roll back."
        )
    return name


def _is_detector(name: str) -> bool:
    from detectors.discovery import all_detectors

    return any(each.id == name for each in all_detectors())


def span_of(from_: str | None, to: str | None, as_of: str | None, horizon: int | None) -> Any:
    """The period that options name, and up to when labels count."""
    from console.retraining import Span, moment

    if from_ is None or to is None:
        raise ConsoleError("Say which time: --from DATE --to DATE.")
    span = Span(moment(from_), moment(to), moment(as_of) if as_of else 2**62, horizon)
    if span.from_ts >= span.to_ts:
        raise ConsoleError(f"--from {from_} is not before --to {to}.")
    return span


def _list(registry: "Registry | None", detector: str | None, *, json: bool) -> None:
    from detectors.discovery import all_detectors

    rows = []
    for about in all_detectors():
        if detector not in (None, about.id):
            continue
        champion = registry.champion(about.id) if registry else ""
        challengers = registry.challengers(about.id) if registry else ()
        cards = registry.versions(about.id) if registry else ()
        rows.append(_author(about, champions=not champion))
        for card in cards:
            stands = (
                "champion"
                if card.version == champion
                else "challenger"
                if card.version in challengers
                else ""
            )
            alerts_from = card.threshold
            if registry and stands == "champion":
                alerts_from = registry.alerts_from(card.version)
            rows.append(_line(card, stands, alerts_from))
    if json:
        for row in rows:
            say_json(row)
        return
    say_table(tuple(rows[0]) if rows else ("version",), [tuple(row.values()) for row in rows])
    for about in all_detectors():
        if registry and detector in (None, about.id):
            _say_rolled_back(registry, about.id)
    hint("One whole: linewatch models show VERSION")


def _say_rolled_back(registry: "Registry", detector: str) -> None:
    """What no person decided, until a person does."""
    from alerts.record import when_text

    done = registry.rolled_back(detector)
    if done is not None:
        aside().print(
            f"{detector}: {done.before} was rolled back automatically on {when_text(done.at)[:10]}: {done.why}. "
            "Look at it, then retrain, or promote again.",
            style="bold",
            markup=False,
        )


def _author(about: Any, *, champions: bool) -> dict[str, object]:
    version = about.scorecard().version.version
    return {
        "detector": about.id,
        "version": version,
        "kind": "scorecard",
        "stands": "champion" if champions else "author's own",
        "alerts from": f"{about.threshold:.4f}",
        "made": "",
        "labels": 0,
        "average precision": "",
        "precision": "",
    }


def _line(card: "Card", stands: str, alerts_from: float) -> dict[str, object]:
    from alerts.record import when_text

    told = {m.name: _share(m) for m in card.measures if m.where == "validation"}
    return {
        "detector": card.detector,
        "version": card.version,
        "kind": card.kind,
        "stands": stands,
        "alerts from": f"{alerts_from:.4f}",
        "made": when_text(card.made_at)[:10],
        "labels": sum(sum(each.values()) for each in card.labels.values()),
        "average precision": told.get("average precision", ""),
        "precision": told.get("precision", ""),
    }


def _share(measure: "Measure") -> str:
    if measure.value is None:
        return "-"
    if measure.low is None or measure.high is None:
        return f"{measure.value:.3f}"
    return f"{measure.value:.3f} ({measure.low:.3f} to {measure.high:.3f})"


def _show(registry: "Registry", name: str, plots: Path | None, *, json: bool) -> None:
    import msgspec

    from alerts.record import when_text

    card = registry.find(name)
    alerts_from = registry.alerts_from(card.version)
    history = [one for one in registry.promotions(card.detector) if card.version in (one.version, one.before)]
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        for file in card.plots:
            (plots / f"{card.version}.{file}").write_bytes(registry.file(card.version, file))
    if json:
        told = {"alerts_from": alerts_from, "history": [msgspec.to_builtins(one) for one in history]}
        say_json(msgspec.to_builtins(card) | told)
        return
    out = screen()
    out.print(f"{card.version}: {card.kind} of {card.detector} {card.detector_version}", markup=False)
    for words, value in (
        ("purpose", card.purpose),
        ("not for", card.not_for),
        (
            "made",
            f"{when_text(card.made_at)} by {card.made_by}, from {card.parent}, code {card.code_commit[:12]}",
        ),
        ("alerts from", _alerts_from(card, alerts_from)),
        ("learnt from", _labels(card)),
        ("digest of its examples", card.data_digest),
        ("note", card.note),
    ):
        if value:
            out.print(f"  {words}: {value}", markup=False)
    say_table(
        ("measure", "on", "value (95 %)", "of"), [(m.name, m.where, _share(m), m.of) for m in card.measures]
    )
    say_table(
        ("value", "moved since training"), [(each, f"{by:.3f}") for each, by in sorted(card.drift.items())]
    )
    for one in history:
        out.print(f"  {_told(one)}", markup=False)
    _say_rolled_back(registry, card.detector)


def _alerts_from(card: "Card", alerts_from: float) -> str:
    if alerts_from == card.threshold:
        return f"{alerts_from:.4f}"
    return f"{alerts_from:.4f}, as it was promoted (its card: {card.threshold:.4f})"


def _labels(card: "Card") -> str:
    parts = [
        f"{origin} {each.get('confirmed', 0)} confirmed, {each.get('innocent', 0)} innocent"
        for origin, each in sorted(card.labels.items())
    ]
    return "; ".join(parts)


def _told(one: "Promotion") -> str:
    from alerts.record import when_text

    second = f", agreed by {one.agreed_by}" if one.agreed_by else ""
    line = "" if one.threshold is None else f", to alert from {one.threshold}"
    what = one.version or "the author`s own"
    return f"{when_text(one.at)} {one.stage} {what} by {one.by}{second}{line}: {one.why}"


def _retrain(
    registry: "Registry",
    folder: Path,
    name: str,
    span: Any,
    inputs: dict[str, list[str] | None],
    by: str,
    note: str,
    *,
    twin: bool,
    json: bool,
) -> None:
    import msgspec

    from console.progress import Steps
    from console.retraining import material, retrain
    from detectors.discovery import detector

    about = detector(name)
    with Steps("Retraining") as steps:
        found = material(folder, about, span, inputs, steps.at, twin=twin)
        steps.at(found.examples.height, None, "Training and validating on gated rows")
        done = retrain(registry, about, found, span, by, note)
    if json:
        for card in done.cards:
            say_json(msgspec.to_builtins(card))
        return
    out = screen()
    out.print(f"Learnt from {found.examples.height:,} gated rows ({found.origin}).", markup=False)
    rows = [(f"{done.champion} (champion)", m) for m in done.champions]
    rows += [(card.version, m) for card in done.cards for m in card.measures]
    say_table(
        ("version", "measure", "value (95 %)", "of"),
        [(version, m.name, _share(m), m.of) for version, m in rows if m.where == "validation"],
    )
    hint(
        "Next: linewatch models challenge VERSION --reason …, or linewatch models promote VERSION --agreed-by … --reason …"
    )


def _compare(
    registry: "Registry",
    folder: Path,
    name: str,
    with_: str | None,
    span: Any,
    inputs: dict[str, list[str] | None],
    *,
    json: bool,
) -> None:
    from console.progress import Steps
    from console.retraining import compared, material
    from detectors.discovery import detector

    card = registry.find(name)
    about = detector(card.detector)
    other = registry.find(with_).version if with_ else registry.champion(card.detector)
    with Steps("Comparing") as steps:
        found = material(folder, about, span, inputs, steps.at)
        told = compared(registry, about, (other, card.version), found, span)
    if json:
        say_json(told)
        return
    rows = []
    for version, each in told["versions"].items():
        rows += [(version, m["name"], _plain(m["value"]), m["of"]) for m in each["measures"]]
        rows += [(version, "alerts a day", _plain(each["alerts_a_day"]), "")]
        rows += [(version, "microseconds a row", _plain(each["microseconds_a_row"]), "")]
    say_table(("version", "measure", "value", "of"), rows)
    say_table(
        ("raised by", "subjects", "confirmed"),
        [(who, n["subjects"], n["confirmed"]) for who, n in told["subjects"].items() if isinstance(n, dict)],
    )
    screen().print(f"They agree on {told['subjects']['agreement']:.1%} of the subjects.", markup=False)


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _decide(
    registry: "Registry",
    folder: Path,
    action: str,
    name: str,
    by: str,
    agreed_by: str,
    reason: str,
    *,
    threshold: float | None,
    json: bool,
) -> None:
    import msgspec

    from flows.promoting import check_fits, publish

    if action == "promote":
        card = registry.find(name)
        check_fits(registry, card.version)
        done = registry.promote(card.version, by=by, agreed_by=agreed_by, why=reason, threshold=threshold)
    elif action == "rollback":
        done = registry.rollback(name, by=by, agreed_by=agreed_by, why=reason)
    elif action == "challenge":
        version = registry.find(name).version
        check_fits(registry, version)
        done = registry.challenge(version, by=by, why=reason)
    else:
        done = registry.retire(registry.find(name).version, by=by, why=reason)
    publish(registry, folder)
    if json:
        say_json(msgspec.to_builtins(done))
        return
    screen().print(f"Recorded: {_told(done)}.", markup=False)
    hint("Running flows take it up at once; a replay of the same data folder takes it up at its time.")

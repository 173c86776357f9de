"""An alert scored anew: where the events and the weights are looked for, and how what comes out is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from alerts.record import Alert
from console.output import say_json, say_table, screen
from console.progress import Steps

if TYPE_CHECKING:
    from flows.rescoring import Look, Source

FAILED: Final = 1
_SAID: Final = {
    "agrees": "agrees to the last digit",
    "differs": "DIFFERS",
    "gone": "cannot be told any more",
}
_WAYS: Final = {"frozen": "from what was frozen", "events": "from the events"}
LEDGER: Final = "ledger"


def look_again(alert: Alert, data: Path, inputs: Mapping[str, list[str] | None], *, json: bool) -> None:
    """Score an alert anew in both ways and say how it came out; status 1 when numbers differ or nothing is left."""
    import msgspec

    from console.settings import settings
    from flows.promoting import registry_of
    from flows.rescoring import from_events, from_frozen
    from flows.shelf import KEY, Shelf

    key = settings().model_key or data / KEY
    looks = {"frozen": from_frozen(alert, data, registry_of(data, key) if key.exists() else None)}
    with Steps("Taking the events again", quiet=json) as steps:
        looks["events"] = from_events(
            alert,
            _source(data, inputs),
            Shelf(data, key),
            steps.at,
        )
    outcomes = {look.outcome for look in looks.values()}
    if json:
        ways = {way: msgspec.to_builtins(look) for way, look in looks.items()}
        say_json({"alert_id": alert.alert_id, "version": alert.model_version, "score": alert.score} | ways)
    else:
        _say(alert, looks)
    if "differs" in outcomes or outcomes == {"gone"}:
        raise typer.Exit(FAILED)


def _source(data: Path, inputs: Mapping[str, list[str] | None]) -> "Source":
    """The inputs that are named, else the ledger; none is there to be read when there is neither."""
    from events.ledger import stored_in
    from flows.rescoring import Source
    from flows.running import RunOptions, ticks_of

    given = {stream: tuple(where) for stream, where in inputs.items() if where}
    if given:
        options = RunOptions(inputs=given, store="", data=data, bound=False)
        return Source("the inputs named", ticks_of(options))
    folder = data / LEDGER
    words = (
        f"the ledger ({folder})"
        if folder.is_dir()
        else f"a ledger (none was kept in {data}: name the inputs)"
    )
    return Source(words, (stored.tick for stored in stored_in(folder)))


def _say(alert: Alert, looks: Mapping[str, "Look"]) -> None:
    out = screen()
    held = alert.assessment
    out.print(
        f"Alert {alert.alert_id}: score {alert.score!r} by {alert.model_version}, "
        f"on event {held.scored_event_id} (place {held.scored_seq})",
        markup=False,
    )
    for way, look in looks.items():
        numbers = f" ({look.compared} numbers)" if look.outcome == "agrees" else ""
        out.print(f"  {_WAYS[way]}: {_SAID[look.outcome]}{numbers}", markup=False)
        out.print(f"    {look.why}", markup=False)
        if look.differences:
            say_table(
                ("what", "in the alert", "again"),
                [(each.what, repr(each.frozen), repr(each.again)) for each in look.differences],
            )

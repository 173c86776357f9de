"""Stories told to the real flow: contract records to files, one process, and the alerts that come of them."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alerts.record import Alert
from alerts.store import AlertStore
from detectors.base import Story
from events.tokens import token_for
from flows.running import RunOptions, replay
from flows.settings import Settings, key_ring

KEY = "5a" * 32
NAMES = re.compile(r"account$|number$|imei|imsi|iccid|card|device_id|terminal_id|merchant_id|cell")

Told = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Ended:
    """How it ended: the alerts, what was refused, and digests of all that is known."""

    alerts: tuple[Alert, ...]
    written: bytes
    digests: dict[str, str]
    rejected: dict[str, int]

    def about(self, detector: str, names: Sequence[str]) -> list[Alert]:
        """The alerts of one detector about any of some identifiers (`account:…`, `number:…`)."""
        tokens = {tokens_of(name) for name in names}
        return [a for a in self.alerts if a.detector == detector and a.subject.name in tokens]


def tokens_of(name: str) -> str:
    """An identifier as alerts name it: kind and token."""
    kind, _, value = name.partition(":")
    (printed,) = token_for(key_ring(Settings()), kind, value)
    return f"{kind}:{printed.rpartition('-')[2]}"


KIND_OF = {
    "account": "account", "number": "number", "imei": "handset", "imsi": "sim", "cell": "cell",
    "card": "card", "device_id": "device", "terminal_id": "terminal", "merchant_id": "merchant",
}  # fmt: skip
"""What a field names, by the end of its name."""


def subjects_in(story: Story) -> list[str]:
    """Everybody and everything that a story names and an alert may be about."""
    found = []
    for _, record in story.events:
        found += [
            f"{kind}:{value}"
            for field, value in record.items()
            for end, kind in KIND_OF.items()
            if field.endswith(end) and value
        ]
    return list(dict.fromkeys(found))


def identifiers_in(story: Story) -> set[str]:
    """Everything by which two stories could get mixed up."""
    return {
        f"{field}:{value}" if not field.endswith(("account", "number")) else str(value)
        for _, record in story.events
        for field, value in record.items()
        if NAMES.search(field)
    }


def groups_of(stories: Sequence[Story]) -> list[list[Story]]:
    """The stories in as few groups as may be told together because nobody is in two of them."""
    groups: list[tuple[set[str], list[Story]]] = []
    for story in stories:
        names = identifiers_in(story)
        for taken, members in groups:
            if not taken & names:
                taken |= names
                members.append(story)
                break
        else:
            groups.append((set(names), [story]))
    return [members for _, members in groups]


def told_together(stories: Sequence[Story]) -> Told:
    """The records of several stories, in the order of their times, each story's ids its own."""
    return [
        (stream, dict(record) | {"event_id": f"s{n}-{record['event_id']}"})
        for n, story in enumerate(stories)
        for stream, record in story.events
    ]


def write_streams(events: Told, folder: Path) -> dict[str, tuple[str, ...]]:
    """The records as one file a stream."""
    inputs = {}
    for stream in sorted({stream for stream, _ in events}):
        records = sorted((r for s, r in events if s == stream), key=lambda r: str(r["ts"]))
        path = folder / f"{stream}.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        inputs[stream] = (str(path),)
    return inputs


def run_flow(events: Told, folder: Path, *, again: Callable[[], bool] | None = None) -> Ended:
    """Run records through the real flow; with `again`, keep snapshots and start again each time it falls."""
    folder.mkdir(parents=True, exist_ok=True)
    return run_files(write_streams(events, folder), folder, again=again)


def run_files(
    inputs: dict[str, tuple[str, ...]], folder: Path, *, again: Callable[[], bool] | None = None
) -> Ended:
    """The same for records that are in files already."""
    folder.mkdir(parents=True, exist_ok=True)
    options = RunOptions(
        inputs=inputs,
        store=f"sqlite:///{folder / 'alerts.sqlite'}",
        data=folder,
        recovery=folder / "recovery" if again else None,
        alerts_out=folder / "alerts.out",
        epoch_seconds=0.001 if again else None,
        digests=True,
        bound=False,
    )
    while True:
        try:
            summary = replay(options)
            break
        except Exception:
            if again is None or not again():
                raise
    run = (folder / "recovery" if again else folder) / "run" / "ends"
    store = AlertStore(options.store)
    try:
        return Ended(
            store.alerts(),
            (folder / "alerts.out").read_bytes(),
            {path.stem: json.loads(path.read_text())["digest"] for path in run.glob("*.json")},
            summary.rejected,
        )
    finally:
        store.close()


@pytest.fixture(scope="module")
def _module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module", autouse=True)
def _own_key(_module_patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tokens under a key of the tests', nothing kept outside their folders."""
    _module_patch.setenv("LINEWATCH_TOKEN_KEY", KEY)
    _module_patch.setenv("LINEWATCH_DATA", str(tmp_path_factory.mktemp("data")))


@pytest.fixture
def tell(tmp_path: Path) -> Callable[[Told], Ended]:
    """Tell records to the real flow."""
    return lambda events: run_flow(events, tmp_path / "told")


@pytest.fixture(scope="session")
def stage() -> Any:
    """This file's functions, for tests that need more than `tell`."""
    return sys.modules[__name__]

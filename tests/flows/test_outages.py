"""A disk that is full and a store that is down: the flow says so, waits, and goes on as if nothing had been."""

import contextlib
import errno
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

STREAMS = ("payments",)


@contextlib.contextmanager
def _small_disk(at: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own in memory; who may not mount one skips."""
    at.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


@contextlib.contextmanager
def _full(at: Path) -> Iterator[None]:
    """No room at all on the disk, for as long as this lasts."""
    ballast = at / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Somebody else writes to the store and does not come to an end."""
    other = sqlite3.connect(store, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@dataclass
class Story:
    """What was seen while one thing after another went wrong."""

    live: Any
    wanted: Any
    reasons: dict[str, list[str]] = field(default_factory=dict)
    gone_on: dict[str, bool] = field(default_factory=dict)
    status: int | None = None


def _parts(path: str) -> list[list[str]]:
    lines = Path(path).read_text().splitlines(keepends=True)
    return [lines[:1_200], lines[1_200:1_900], lines[1_900:2_200], lines[2_200:2_400], lines[2_400:]]


def _through(story: Story, name: str, trouble: Any, lines: list[str], among: tuple[str, ...]) -> None:
    """Feed while there is trouble: it says why it waits; when the trouble is over it goes on by itself."""
    live, before = story.live, story.live.taken()
    with trouble:
        live.feed("payments", lines)
        story.reasons[name] = live.until(
            lambda: [reason for reason in live.waits_for() if reason in among],
            f"it says that it waits: {name}",
        )
    live.until(lambda: live.taken() == before + len(lines), f"it has taken all after: {name}")
    story.gone_on[name] = bool(live.until(live.ready, f"it is ready again after: {name}"))


@pytest.fixture(scope="module")
def story(
    world: Any,
    make_flow: Callable[..., Any],
    make_live: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Story]:
    """One run, undisturbed and disturbed."""
    at = tmp_path_factory.mktemp("outages")
    desk = at / "desk"
    live = make_live(at, desk / "alerts.sqlite")
    parts = _parts(world["payments"][0])
    engine = at / "recovery" / "engine"
    with _small_disk(at / "recovery", 64), _small_disk(engine, 16), _small_disk(live.data / "ledger", 16):
        wanted = make_flow(at).run({"payments": world["payments"]}, name="undisturbed")
        told = Story(live, wanted)
        try:
            desk.write_text("a file where the store's folder should be")
            live.start(STREAMS)
            _through(told, "no folder for the store", _until_removed(desk), parts[0], ("store",))
            _through(told, "no room for the ledger", _full(live.data / "ledger"), parts[1], ("ledger",))
            _through(told, "a locked store", _locked(live.store), parts[2], ("store",))
            _through(
                told, "no room for snapshots", _full(at / "recovery"), parts[3],
                ("snapshots", "ledger", "output", "disk"),
            )  # fmt: skip
            _through(told, "no room for the engine", _full_and_fallen(live, engine), parts[4], ("disk",))
            told.status = live.stop()
            yield told
        finally:
            live.close()


@contextlib.contextmanager
def _until_removed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink()


@contextlib.contextmanager
def _full_and_fallen(live: Any, engine: Path) -> Iterator[None]:
    """No room where the engine keeps its database, which cannot wait: the process is gone."""
    with _full(engine):
        os.kill(live.children()[0], signal.SIGKILL)
        yield


TROUBLES = (
    "no folder for the store",
    "no room for the ledger",
    "a locked store",
    "no room for snapshots",
    "no room for the engine",
)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_it_says_why_it_waits_and_goes_on_by_itself(story: Story, trouble: str) -> None:
    assert story.reasons[trouble]
    assert story.gone_on[trouble]


def test_the_alerts_are_those_of_an_undisturbed_run(story: Story) -> None:
    assert story.wanted.summary["raised"] >= 1
    assert story.live.alerts() == story.wanted.alerts


def test_the_state_is_that_of_an_undisturbed_run(story: Story) -> None:
    wanted = {name: end["digest"] for name, end in story.wanted.ends.items()}
    assert len(wanted) > 10
    assert story.live.digests() == wanted


def test_the_store_has_every_alert_once(story: Story) -> None:
    with sqlite3.connect(story.live.store) as desk:
        ((alerts, distinct),) = desk.execute(
            "select count(*), count(distinct alert_id) from alerts"
        ).fetchall()
    assert alerts == distinct == story.wanted.summary["raised"]


def test_it_ended_well_when_told_to(story: Story) -> None:
    assert story.status == 0


def test_nobody_was_given_up(story: Story) -> None:
    assert "fell" not in story.live.said()

"""A supervised run: processes are killed, it is stopped and started again, and nothing is lost or doubled."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.ledger import Ledger
from events.rejected import Where
from flows import running
from flows.errors import FlowError
from flows.running import RunOptions, make_door, run
from flows.settings import Settings, shards_for
from flows.source import SequencerPart, Watch

STREAMS = ("payments", "telecoms")
KEY = "5a" * 32
MOVING = (
    "linewatch_events_total",
    "linewatch_refused_events_total",
    "linewatch_ticks_total",
    "linewatch_rows_total",
    "linewatch_epoch",
    "linewatch_ledger_bytes",
    "linewatch_state_entities",
    "linewatch_state_bytes",
    "linewatch_snapshot_bytes_total",
    "linewatch_alerts_total",
    "linewatch_model_info",
    "linewatch_scored_rows_total",
    "linewatch_event_time_seconds",
    "linewatch_snapshot_seconds_count",
    "linewatch_step_seconds_count",
    "linewatch_event_to_alert_seconds_count",
)
"""What must have moved in a run that has done something of everything."""


@dataclass
class Story:
    """What was seen."""

    live: Any
    lines: dict[str, list[str]]
    restarts: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    refused: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    ledger_run: Any = None
    replayed: bytes = b""
    replayed_ends: dict[str, str] = field(default_factory=dict)


def _third(lines: list[str], part: int) -> list[str]:
    size = len(lines) // 3 + 1
    return lines[part * size : (part + 1) * size]


def _feed(story: Story, part: int) -> None:
    for stream in STREAMS:
        story.live.feed(stream, _third(story.lines[stream], part))


def _all_taken(story: Story, parts: int) -> None:
    wanted = sum(len(_third(story.lines[stream], part)) for stream in STREAMS for part in range(parts))
    story.live.until(
        lambda: story.live.taken() == wanted, f"{wanted} events are taken, not {story.live.taken()}"
    )


@pytest.fixture(scope="module")
def story(
    world: Any, make_live: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """Two processes, one killed; stopped; one process, its supervisor killed; two again, to the end."""
    live = make_live(tmp_path_factory.mktemp("supervised"))
    lines = {stream: Path(world[stream][0]).read_text().splitlines(keepends=True) for stream in STREAMS}
    told = Story(live, lines)
    try:
        live.start(STREAMS, processes=2)
        _feed(told, 0)
        _all_taken(told, 1)
        told.refused = _second_run(live)
        live.feed("payments", ["all by itself in its tick\n"])
        live.until(lambda: _letters(live), "the bad line is told")
        live.feed("payments", _third(lines["payments"], 1)[:200])
        os.kill(live.children()[1], signal.SIGKILL)
        restarted = live.until(lambda: live.number("linewatch_restarts_total"), "all are started again")
        live.feed("payments", _third(lines["payments"], 1)[200:])
        live.feed("telecoms", _third(lines["telecoms"], 1))
        _all_taken(told, 2)
        told.restarts.append(restarted)
        # a process publishes its numbers as its own part of the epoch closes, a moment after or before the others
        told.numbers = {
            name: live.until(lambda name=name: live.number(name), f"{name} moves") for name in MOVING
        }
        told.statuses.append(live.stop())

        live.start(STREAMS, processes=1)
        last = _third(lines["payments"], 2)
        live.feed("payments", last[:-50])
        live.feed("telecoms", _third(lines["telecoms"], 2))
        live.until(lambda: live.taken() > 0 and live.children(), "it has started")
        orphans = live.children()
        live.kill()
        live.until(lambda: not any(_alive(each) for each in orphans), "processes end with their supervisor")
        told.orphans = [each for each in orphans if _alive(each)]

        live.start(STREAMS, processes=2)
        live.feed("payments", last[-50:])
        _all_taken(told, 3)
        told.statuses.append(live.stop())
        _replay_ledger(told)
        yield told
    finally:
        live.close()


def _letters(live: Any) -> list[bytes]:
    return list((live.data / "rejected.ndjson").read_bytes().splitlines())


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _second_run(live: Any) -> str:
    """What somebody is told who starts another flow in the same folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWATCH_DATA", str(live.data))
        patch.setenv("LINEWATCH_TOKEN_KEY", KEY)
        with pytest.raises(FlowError) as told:
            run(_options(live.data, recovery=live.folder / "recovery", follow=True))
    return str(told.value)


def _options(data: Path, **more: Any) -> RunOptions:
    return RunOptions(inputs={}, store=f"sqlite:///{data / 'alerts.sqlite'}", data=data, **more)


def _replay_ledger(told: Story) -> None:
    again = told.live.folder / "again"
    options = _options(again, alerts_out=again / "alerts.ndjson", digests=True)
    # its folder was begun by two processes, and keeps their number of shards whoever goes on with it
    told.ledger_run = told.live.replay_ledger(options, LINEWATCH_SHARDS=str(shards_for(2)))
    told.replayed = (again / "alerts.ndjson").read_bytes()
    ends = sorted((again / "run" / "ends").glob("*.json"))
    told.replayed_ends = {path.stem: msgspec.json.decode(path.read_bytes())["digest"] for path in ends}


def test_every_record_is_taken_once(story: Story) -> None:
    wanted = Counter(
        msgspec.json.decode(line)["event_id"] for stream in STREAMS for line in story.lines[stream]
    )
    found = Counter(
        event_id
        for stored in Ledger(story.live.data / "ledger", fsync="never").read()
        for frame in stored.tick.rows.values()
        for event_id in frame["event_id"].to_list()
    )
    assert found == wanted


def test_the_ledger_gives_the_same_alerts_again(story: Story) -> None:
    assert story.ledger_run.raised >= 2
    assert story.replayed == story.live.alerts()


def test_the_ledger_gives_the_same_state_again(story: Story) -> None:
    assert len(story.replayed_ends) > 10
    assert story.replayed_ends == story.live.digests()


def test_the_store_has_every_alert_once(story: Story) -> None:
    with sqlite3.connect(story.live.store) as desk:
        ((alerts,),) = desk.execute("select count(*) from alerts").fetchall()
    assert alerts == story.ledger_run.raised


def test_a_killed_process_is_started_again_and_counted(story: Story) -> None:
    assert story.restarts == [1.0]
    assert "starting all again" in story.live.said()


@pytest.mark.parametrize("name", MOVING)
def test_the_number_has_moved(story: Story, name: str) -> None:
    assert story.numbers[name] > 0


def test_told_to_stop_it_ends_well(story: Story) -> None:
    assert story.statuses == [0, 0]


def test_processes_end_with_their_supervisor(story: Story) -> None:
    assert story.orphans == []


def test_two_flows_in_one_folder_are_refused(story: Story) -> None:
    assert "another flow is at work" in story.refused


def test_a_bad_line_in_a_tick_of_its_own_is_one_letter(story: Story) -> None:
    assert [msgspec.json.decode(line)["reason"] for line in _letters(story.live)] == ["not_json"]


# ------------------------------------------------------------------------------------------------- one thing at a time


def test_five_quick_failures_are_given_up_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    started = []

    def start(*_: Any) -> list[subprocess.Popen[bytes]]:
        started.append(subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
        return started[-1:]

    monkeypatch.setenv("LINEWATCH_DATA", str(tmp_path))
    monkeypatch.setattr(running, "_start", start)
    monkeypatch.setattr(running, "_RESTART_S", 0.01)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with pytest.raises(FlowError, match="fell 5 times"):
            run(_options(tmp_path, follow=True))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(started) == 5
    assert capfd.readouterr().err.count("starting all again") == 4


def test_a_followed_run_without_a_ledger_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEWATCH_DATA", str(tmp_path))
    monkeypatch.setenv("LINEWATCH_LEDGER", "false")
    with pytest.raises(FlowError, match="ledger"):
        run(_options(tmp_path, follow=True))


class _None:
    """Ticks that never come."""

    finished = False

    def next_tick(self) -> None:
        return None

    def snapshot(self) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is open."""


def test_killed_while_its_database_is_made_it_makes_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / "engine"

    def killed(folder: Path, _parts: int) -> None:
        sqlite3.connect(folder / "part-0.sqlite3").execute(
            "CREATE TABLE parts (part_index)"
        ).connection.close()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running, "init_db_dir", killed)
        running._make_engine(engine)
    assert not list(engine.glob("*.sqlite3"))
    running._make_engine(engine)
    (made,) = engine.iterdir()
    with sqlite3.connect(made) as database:
        assert database.execute("SELECT part_index, part_count FROM parts").fetchall() == [(0, 1)]


def test_told_to_stop_the_source_is_at_its_end() -> None:
    watch = Watch()
    part = SequencerPart(_None(), None, keeps=False, watch=watch)  # type: ignore[arg-type]
    assert part.next_batch() == []
    watch.stop(signal.SIGTERM, None)
    with pytest.raises(StopIteration):
        part.next_batch()


def test_told_that_nothing_more_comes_the_source_takes_all_there_is_however_late_it_looks() -> None:
    watch, ticks = Watch(), _None()
    part = SequencerPart(ticks, None, keeps=False, watch=watch)  # type: ignore[arg-type]
    assert part.next_batch() == []

    def end_while_looking() -> None:
        watch.end()

    ticks.next_tick = end_while_looking  # type: ignore[method-assign]
    assert (
        part.next_batch() == []
    )  # it looked before it was told: what was written in between is still to come
    with pytest.raises(StopIteration):
        part.next_batch()


def test_what_is_to_be_done_before_each_tick_is_done() -> None:
    done: list[float] = []
    part = SequencerPart(
        _None(), None, keeps=False, watch=Watch(lambda: done.append(time.monotonic()))  # type: ignore[arg-type]
    )  # fmt: skip
    part.next_batch()
    part.next_batch()
    assert len(done) == 2


def test_the_bound_on_time_moves_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWATCH_TOKEN_KEY", KEY)
    door = make_door(Settings(data=tmp_path))
    in_two_days = datetime.now(UTC) + timedelta(days=2)
    line = msgspec.json.encode(
        {
            "event_id": "1",
            "ts": in_two_days,
            "rail": "fps",
            "amount_minor": 1,
            "payer_account": "00-00-01 00000001",
        }
    )

    def reasons() -> list[str]:
        decoded = door.decode("payments", line, source="bank", where=Where("x", 0))
        return [one.reason for one in decoded.rejected]

    assert reasons() == ["too_late"]
    door.take_until(int((in_two_days + timedelta(days=1)).timestamp() * 1e6))
    assert reasons() == []

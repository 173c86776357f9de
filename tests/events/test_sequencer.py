"""The one order: the same ticks however the input is cut up, polled, killed and resumed."""

import errno
import heapq
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.bases import Bases
from events.codes import STREAMS
from events.door import Decoded, Door, Source
from events.errors import EventError
from events.frames import COMMON, FRAMES, column
from events.ledger import Ledger, LedgerPaused, RecordFile
from events.readers import Input
from events.rejected import Rejected, Where, digest_of
from events.sequencer import Sequencer, SequencerError, Tick
from events.tokens import Key, KeyRing

DAY = 86_400_000_000
JUMP = 100
LINE_LIMIT = 200

modest = settings(deadline=None, derandomize=True, max_examples=25)


class PlainDoor:
    """A door for short test records: {"id": …, "t": …}, with an optional "cur" in payments and "drop" to drop it."""

    def decode(self, stream: str, chunk: bytes | pl.DataFrame, *, source: str, where: Where) -> Decoded:
        rows: list[dict[str, Any]] = []
        rejected, counts = [], {}
        for place, line in _lines(chunk):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                rows.append(
                    {"seq": -1, "ts": record["t"], "recorded_ts": record["t"], "event_id": record["id"]}
                    | {"source": source, "basis": "", "currency": record.get("cur", "")}
                    | {
                        "repeat_hi": zlib.crc32(source.encode()),
                        "repeat_lo": int(record["id"][1:]),
                        "place": place,
                    }
                )
            except (ValueError, KeyError, TypeError):
                rejected.append(
                    Rejected(source, stream, "not_json", "", digest_of(line), where.at(place), line)
                )
                continue
            if record.get("drop"):
                rows.pop()
                counts["expired"] = counts.get("expired", 0) + 1
        internal = {"repeat_hi": pl.UInt64, "repeat_lo": pl.UInt64, "place": pl.Int64}
        frame = pl.DataFrame(rows, schema={**COMMON, "currency": pl.String, **internal})
        if stream != "payments" or not (frame["currency"] != "").any():
            frame = frame.drop("currency")
        return Decoded(frame, rejected, counts)


def _lines(chunk: bytes | pl.DataFrame) -> Iterator[tuple[int, bytes]]:
    if isinstance(chunk, pl.DataFrame):
        for place, row in enumerate(chunk.iter_rows(named=True)):
            yield place, json.dumps(row).encode()
        return
    at = 0
    for line in chunk.splitlines(keepends=True):
        yield at, line.rstrip(b"\n")
        at += len(line)


class PlainRepeats:
    """Every digest ever seen, in a set."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, int]] = set()
        self.news: list[tuple[int, int]] = []

    def fresh(self, hi: Any, lo: Any, recorded_ts: Any) -> Any:
        mask = []
        for pair in zip(hi.tolist(), lo.tolist(), strict=True):
            mask.append(pair not in self.seen)
            if mask[-1]:
                self.seen.add(pair)
                self.news.append(pair)
        return np.array(mask, dtype=np.bool_)

    def changes(self) -> Any:
        news, self.news = self.news, []
        return np.array(news, dtype=[("hi", "<u8"), ("lo", "<u8")])

    def restore(self, changes: Any) -> None:
        for array in changes:
            self.seen.update((int(hi), int(lo)) for hi, lo in array.tolist())


class PlainLegs:
    """Takes the payer's leg of every payment at an even place of those it has seen, so that its memory matters."""

    def __init__(self) -> None:
        self.count = 0
        self.new = 0

    def take(self, frame: pl.DataFrame) -> Any:
        taken = [(self.count + index) % 2 for index in range(frame.height)]
        self.count += frame.height
        self.new += frame.height

        class Taken:
            unmatched_status = 0
            added = 0

        result = Taken()
        result.frame = frame.with_columns(take_payer=pl.Series(taken, dtype=pl.UInt8))  # type: ignore[attr-defined]
        return result

    def changes(self) -> Any:
        new, self.new = self.new, 0
        return np.array([(new,)] if new else [], dtype=[("count", "<i8")])

    def restore(self, changes: Any) -> None:
        for array in changes:
            self.count += int(array["count"].sum())


@dataclass(frozen=True)
class Feed:
    """One input as a test writes it: a stream, a name and its lines, file by file."""

    stream: str
    source: str
    files: tuple[tuple[bytes, ...], ...]

    def write(self, folder: Path) -> Input:
        place = folder / self.source
        place.mkdir(parents=True, exist_ok=True)
        for number, lines in enumerate(self.files):
            (place / f"{number}.ndjson").write_bytes(b"".join(lines))
        return Input(self.stream, str(place), self.source)


def row(number: int, t: int, **more: Any) -> bytes:
    return json.dumps({"id": f"e{number}", "t": t} | more).encode() + b"\n"


def opened(inputs: list[Input], **settings: Any) -> Sequencer:
    plain = {
        "repeats": PlainRepeats(),
        "legs": PlainLegs(),
        "jump_us": JUMP,
        "line_limit": LINE_LIMIT,
        "tick_rows": 5,
    }
    return Sequencer(inputs, PlainDoor(), **(plain | settings))


def ticks_of(sequencer: Sequencer) -> list[Tick]:
    found = []
    while not sequencer.finished:
        tick = sequencer.next_tick()
        if tick is not None:
            found.append(tick)
    return found


def told(tick: Tick, *, counts: bool = True) -> Any:
    """A tick as plain data, to the last value."""
    rows = {stream: (frame.columns, frame.rows()) for stream, frame in tick.rows.items()}
    rejected = [(one.source, one.reason, one.where, one.digest) for one in tick.rejected]
    # what the door drops without a trace is counted with the piece it was in; everything else has its place
    kept = {name: count for name, count in tick.counts.items() if name != "dropped.expired"}
    return tick.number, tick.first_seq, rows, rejected, kept if counts else None


def dropped(ticks: list[Tick]) -> int:
    return sum(tick.counts.get("dropped.expired", 0) for tick in ticks)


# ------------------------------------------------------------------------------------------------------ a slow reference
def _judged(items: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The items of one input with rows that jump turned into refusals; a row is (time, offset, record)."""
    rows = [index for index, item in enumerate(items) if item[0] is not None]
    bad = set()
    for place, index in enumerate(rows):
        t = items[index][0]
        if place == 0:
            around = [items[other][0] for other in rows[1:3]]
        else:
            around = [items[rows[other]][0] for other in (place - 1, place + 1) if other < len(rows)]
        if len(around) == 2 and all(t > other + JUMP for other in around):
            bad.add(index)
    return [(None, item[1], "time_jump") if index in bad else item for index, item in enumerate(items)]


def _items(feed: Feed) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, ...]] = []
    for number, lines in enumerate(feed.files):
        offset = 0
        for line in b"".join(lines).splitlines(keepends=True):
            place = (f"{number}.ndjson", offset)
            offset += len(line)
            if len(line.rstrip(b"\n")) > LINE_LIMIT:
                items.append((None, place, "too_long"))
            elif line.strip():
                try:
                    record = json.loads(line)
                    if not record.get("drop"):
                        items.append((record["t"], place, record))
                except ValueError:
                    items.append((None, place, "not_json"))
    return _judged(items)


def reference(feeds: list[Feed], tick_rows: int) -> list[Any]:
    """The ticks, by merging row after row."""
    keyed = []
    for index, feed in enumerate(sorted(feeds, key=lambda one: STREAMS.index(one.stream))):
        top, run = -(2**62), []
        for ordinal, (t, place, what) in enumerate(_items(feed)):
            top = top if t is None else max(top, t)
            run.append(((top, index, ordinal), feed, place, what))
        keyed.append(run)
    ticks: list[Any] = []
    rows: list[Any] = []
    rejected: list[Any] = []
    seen, seq, repeated = set(), 0, 0
    for _, feed, place, what in heapq.merge(*keyed, key=lambda item: item[0]):
        if isinstance(what, str):
            rejected.append((feed.source, what, place))
        elif (feed.source, what["id"]) in seen:
            repeated += 1
        else:
            seen.add((feed.source, what["id"]))
            rows.append((seq, feed.stream, feed.source, what["id"]))
            seq += 1
        if len(rows) == tick_rows:
            ticks.append((rows, rejected, repeated))
            rows, rejected, repeated = [], [], 0
    if rows or rejected or repeated:
        ticks.append((rows, rejected, repeated))
    return ticks


def plain(ticks: list[Tick]) -> list[Any]:
    """Ticks in the reference's words; one that holds nothing but the count of dropped records is left out."""
    found = []
    for tick in ticks:
        rows = [
            (seq, stream, source, event)
            for stream, frame in tick.rows.items()
            for seq, source, event in frame.select("seq", "source", "event_id").rows()
        ]
        rejected = [(one.source, one.reason, (one.where.input, one.where.offset)) for one in tick.rejected]
        repeated = sum(count for name, count in tick.counts.items() if name.startswith("repeated."))
        if rows or rejected or repeated:
            found.append((sorted(rows), rejected, repeated))
    return found


# ------------------------------------------------------------------------------------------------------ what may come in
lines = st.one_of(
    st.builds(row, st.integers(0, 25), st.integers(0, 60)),
    st.builds(row, st.integers(0, 25), st.sampled_from([0, 30, 5_000])),
    st.builds(row, st.integers(0, 25), st.integers(0, 60), cur=st.just("EUR")),
    st.builds(row, st.integers(0, 25), st.integers(0, 60), drop=st.just(True)),
    st.sampled_from([b"{not json\n", b"\n", b"x" * 250 + b"\n", b"   \n"]),
)
files = st.lists(st.lists(lines, max_size=14).map(tuple), min_size=1, max_size=2).map(tuple)
feeds = st.lists(
    st.tuples(st.sampled_from(["payments", "telecoms", "control"]), files), min_size=1, max_size=3
).map(lambda drawn: [Feed(stream, f"s{index}", parts) for index, (stream, parts) in enumerate(drawn)])


@pytest.fixture
def fresh_folder(tmp_path: Path) -> Callable[[], Path]:
    count = iter(range(10**9))
    return lambda: tmp_path / str(next(count))


@modest
@given(feeds=feeds, chunk=st.integers(1, 400), tick_rows=st.integers(1, 9))
def test_ticks_are_those_of_a_row_by_row_merge_for_any_chunk_size(
    tmp_path_factory: pytest.TempPathFactory, feeds: list[Feed], chunk: int, tick_rows: int
) -> None:
    folder = tmp_path_factory.mktemp("feeds")
    inputs = [feed.write(folder) for feed in feeds]

    ticks = ticks_of(opened(inputs, chunk_bytes=chunk, tick_rows=tick_rows))

    assert plain(ticks) == reference(feeds, tick_rows)
    assert [tick.number for tick in ticks] == list(range(len(ticks)))
    whole = ticks_of(opened(inputs, tick_rows=tick_rows))
    assert dropped(whole) == dropped(ticks)
    assert [told(tick) for tick in ticks if plain([tick])] == [told(tick) for tick in whole if plain([tick])]


@modest
@given(feeds=feeds, chunk=st.integers(1, 400), data=st.data())
def test_ticks_are_the_same_wherever_the_run_was_killed(
    tmp_path_factory: pytest.TempPathFactory, feeds: list[Feed], chunk: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("feeds")
    inputs = [feed.write(folder) for feed in feeds]
    undisturbed = ticks_of(opened(inputs, chunk_bytes=chunk))
    with_ledger = data.draw(st.booleans())
    kept: dict[int, Any] = {}
    snapshot = None
    drop_count: dict[int, int] = {}

    for _ in range(6):  # each life hands out some ticks, a snapshot among them, and is killed without a word
        ledger = Ledger(folder / "ledger", segment_bytes=500) if with_ledger else None
        life = opened(
            inputs,
            chunk_bytes=data.draw(st.integers(1, 400)),
            ledger=ledger,
            state_dir=folder / "state",
            snapshot=snapshot,
        )
        for _ in range(data.draw(st.integers(0, 3))):
            tick = life.next_tick()
            if tick is not None:
                assert kept.setdefault(tick.number, told(tick)) == told(tick)
                drop_count[tick.number] = dropped([tick])
            if data.draw(st.booleans()):
                snapshot = life.snapshot()
    ledger = Ledger(folder / "ledger") if with_ledger else None
    for tick in ticks_of(opened(inputs, ledger=ledger, state_dir=folder / "state", snapshot=snapshot)):
        assert kept.setdefault(tick.number, told(tick)) == told(tick)
        drop_count[tick.number] = dropped([tick])

    held = {tick.number: told(tick) for tick in undisturbed if plain([tick])}
    assert {number: kept[number] for number in held} == held


@modest
@given(feeds=feeds, data=st.data())
def test_followed_inputs_give_every_row_once_and_the_ledger_repeats_the_ticks(
    tmp_path_factory: pytest.TempPathFactory, feeds: list[Feed], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("live")
    inputs = [Input(feed.stream, str(folder / feed.source), feed.source, follow=True) for feed in feeds]
    for feed in feeds:
        (folder / feed.source).mkdir(exist_ok=True)
    written = [
        (feed, number, line) for feed in feeds for number, part in enumerate(feed.files) for line in part
    ]
    handed: dict[int, Any] = {}
    snapshot = None
    while written or data.draw(st.booleans()):
        ledger = Ledger(folder / "ledger", fsync="never")
        life = opened(inputs, ledger=ledger, state_dir=folder / "state", snapshot=snapshot)
        for _ in range(data.draw(st.integers(1, 4))):
            count = data.draw(st.integers(0, 12))
            for feed, number, line in written[:count]:
                with (folder / feed.source / f"{number}.ndjson").open("ab") as file:
                    file.write(line)
            written = written[count:]
            for _ in range(data.draw(st.integers(0, 3))):
                tick = life.next_tick()
                if tick is not None:
                    assert handed.setdefault(tick.number, told(tick)) == told(tick)
                    assert tick.height <= 5
            if data.draw(st.booleans()):
                snapshot = life.snapshot()

    life = opened(inputs, ledger=Ledger(folder / "ledger"), state_dir=folder / "state", snapshot=snapshot)
    while (tick := life.next_tick()) is not None:
        assert handed.setdefault(tick.number, told(tick)) == told(tick)

    assert sorted(handed) == list(range(len(handed)))
    seqs = sorted(line[0] for one in handed.values() for _, rows in one[2].values() for line in rows)
    assert seqs == list(range(len(seqs)))
    found = {(line[4], line[3]) for one in handed.values() for _, rows in one[2].values() for line in rows}
    sent = {
        (feed.source, json.loads(line)["id"])
        for feed in feeds
        for part in feed.files
        for line in part
        if line.startswith(b'{"id"') and b"drop" not in line
    }
    refused = sum(1 for one in handed.values() for refusal in one[3] if refusal[1] == "time_jump")
    assert found <= sent
    assert len(sent - found) <= refused + len(feeds)  # a live row far ahead waits for its neighbour


# ------------------------------------------------------------------------------------------------------ stories
def test_rows_of_one_instant_are_taken_in_the_order_of_the_streams(tmp_path: Path) -> None:
    feeds = [
        Feed("labels", "l", ((row(1, 7),),)),
        Feed("payments", "p", ((row(1, 7), row(2, 7)),)),
        Feed("control", "c", ((row(1, 7),),)),
    ]
    (tick,) = ticks_of(opened([feed.write(tmp_path) for feed in feeds]))

    places = {stream: frame["seq"].to_list() for stream, frame in tick.rows.items()}

    assert places == {"control": [0], "payments": [1, 2], "labels": [3]}


def test_a_tick_ends_at_exactly_the_rows_asked_for_and_the_last_one_is_shorter(tmp_path: Path) -> None:
    feed = Feed("payments", "p", (tuple(row(n, n) for n in range(12)),))

    ticks = ticks_of(opened([feed.write(tmp_path)]))

    assert [tick.height for tick in ticks] == [5, 5, 2]
    assert [tick.first_seq for tick in ticks] == [0, 5, 10]


def test_one_bad_clock_does_not_poison_the_order(tmp_path: Path) -> None:
    good = Feed("telecoms", "t", (tuple(row(n, n) for n in range(3)),))
    bad = Feed("payments", "p", ((row(0, 0), row(1, 10**9), row(2, 1), row(3, 2)),))
    (tick, _) = ticks_of(opened([good.write(tmp_path), bad.write(tmp_path)]))

    assert [(one.reason, one.where.offset) for one in tick.rejected] == [("time_jump", len(row(0, 0)))]
    assert tick.rejected[0].digest == digest_of(row(1, 10**9).rstrip(b"\n"))
    assert tick.rows["payments"]["event_id"].to_list()[:2] == ["e0", "e2"]
    assert tick.counts["rejected.time_jump"] == 1


def test_a_gap_of_months_between_records_is_no_broken_clock(tmp_path: Path) -> None:
    feed = Feed("watch", "w", ((row(0, 0), row(1, 10 * JUMP), row(2, 20 * JUMP), row(3, 30 * JUMP)),))

    (tick,) = ticks_of(opened([feed.write(tmp_path)]))

    assert tick.height == 4
    assert tick.rejected == ()


def test_a_live_row_after_a_long_pause_is_taken_when_the_other_inputs_bear_it_out(tmp_path: Path) -> None:
    quiet, busy = tmp_path / "l.ndjson", tmp_path / "p.ndjson"
    quiet.write_bytes(row(0, 0) + row(1, 1))
    busy.write_bytes(row(0, 0))
    inputs = [Input("links", str(quiet), "l", follow=True), Input("payments", str(busy), "p", follow=True)]
    sequencer = opened(inputs)
    first = sequencer.next_tick()
    with quiet.open("ab") as file:
        file.write(row(2, 10 * JUMP))
    waiting = sequencer.next_tick()
    with busy.open("ab") as file:
        file.write(b"".join(row(n, n * JUMP // 2) for n in range(1, 20)))
    rest = [sequencer.next_tick() for _ in range(6)]

    assert first is not None
    assert first.height == 3
    assert waiting is None
    taken = [
        tick.rows["links"]["event_id"].to_list() for tick in rest if tick is not None and "links" in tick.rows
    ]
    assert taken == [["e2"]]


def test_what_people_decide_long_after_the_records_is_taken_at_once(tmp_path: Path) -> None:
    control, busy = tmp_path / "c.ndjson", tmp_path / "p.ndjson"
    control.write_bytes(b"")
    busy.write_bytes(row(0, 0))
    inputs = [
        Input("control", str(control), "c", follow=True),
        Input("payments", str(busy), "p", follow=True),
    ]
    sequencer = opened(inputs)
    first = sequencer.next_tick()
    control.write_bytes(row(1, 10 * JUMP))
    second = sequencer.next_tick()

    assert first is not None
    assert second is not None
    assert second.rows["control"]["event_id"].to_list() == ["e1"]


def lives(inputs: list[Input], folder: Path) -> list[Tick]:
    """The ticks when the run is killed after every one of them."""
    snapshot, found = None, []
    while True:
        chunk = 100 + 170 * (len(found) % 2)
        life = opened(inputs, tick_rows=1, chunk_bytes=chunk, state_dir=folder / "state", snapshot=snapshot)
        tick = life.next_tick()
        if tick is None:
            return found
        found.append(tick)
        snapshot = life.snapshot()


def test_a_clock_is_judged_by_the_row_before_it_even_if_that_was_taken_before_a_restart(
    tmp_path: Path,
) -> None:
    times = [0, 4_950, 5_000, 1, 2]
    feed = Feed("payments", "p", (tuple(row(n, t) for n, t in enumerate(times)),))
    inputs = [feed.write(tmp_path)]

    undisturbed = ticks_of(opened(inputs, tick_rows=1))

    assert [told(tick) for tick in lives(inputs, tmp_path)] == [told(tick) for tick in undisturbed]
    assert len(undisturbed) == 5


def test_dropped_records_are_counted_once_whatever_the_restarts(tmp_path: Path) -> None:
    lines = [row(n, n, **({"drop": True} if n % 3 == 1 else {})) for n in range(12)]
    inputs = [Feed("payments", "p", (tuple(lines), tuple(lines[:2]))).write(tmp_path)]

    assert dropped(lives(inputs, tmp_path)) == dropped(ticks_of(opened(inputs))) == 5


def test_an_input_with_nothing_new_does_not_hold_up_the_others(tmp_path: Path) -> None:
    (tmp_path / "quiet").mkdir()
    (tmp_path / "p.ndjson").write_bytes(row(0, 5) + row(1, 6))
    inputs = [
        Input("telecoms", str(tmp_path / "quiet"), "t", follow=True),
        Input("payments", str(tmp_path / "p.ndjson"), "p", follow=True),
    ]

    tick = opened(inputs).next_tick()

    assert tick is not None
    assert tick.height == 2


def test_a_column_is_there_only_where_a_row_of_the_tick_has_it(tmp_path: Path) -> None:
    feed = Feed("payments", "p", ((*[row(n, n) for n in range(5)], row(5, 5, cur="EUR"), row(6, 6)),))

    first, second = ticks_of(opened([feed.write(tmp_path)], chunk_bytes=1))

    assert "currency" not in first.rows["payments"].columns
    assert second.rows["payments"]["currency"].to_list() == ["EUR", ""]
    assert column(first.rows["payments"], "payments", "currency").to_list() == [""] * 5


def test_frames_have_only_the_streams_columns_in_their_order(tmp_path: Path) -> None:
    feed = Feed("payments", "p", (tuple(row(n, n, cur="EUR") for n in range(3)),))

    (tick,) = ticks_of(opened([feed.write(tmp_path)]))

    columns = tick.rows["payments"].columns
    assert columns == [name for name in FRAMES["payments"] if name in columns]
    assert tick.rows["payments"].null_count().row(0) == (0,) * len(columns)


def test_refusals_behind_the_last_row_are_not_lost(tmp_path: Path) -> None:
    feed = Feed("payments", "p", ((*[row(n, n) for n in range(5)], b"bad\n", b"worse\n"),))

    ticks = ticks_of(opened([feed.write(tmp_path)]))

    assert [(tick.height, len(tick.rejected)) for tick in ticks] == [(5, 0), (0, 2)]


def test_a_full_disk_pauses_and_the_same_tick_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed("payments", "p", (tuple(row(n, n) for n in range(12)),))
    expected = [told(tick) for tick in ticks_of(opened([feed.write(tmp_path)]))]
    ledger = Ledger(tmp_path / "ledger")
    sequencer = opened([feed.write(tmp_path)], ledger=ledger, state_dir=tmp_path / "state")
    handed = [sequencer.next_tick()]
    write = RecordFile._write

    def full(self: RecordFile, part: Any) -> None:
        write(self, memoryview(part)[: len(part) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(RecordFile, "_write", full)
        for _ in range(3):
            with pytest.raises(LedgerPaused, match="No space left"):
                sequencer.next_tick()
            with pytest.raises(LedgerPaused):
                sequencer.snapshot()
    snapshot = sequencer.snapshot()
    handed += [sequencer.next_tick(), sequencer.next_tick()]
    again = opened(
        [feed.write(tmp_path)],
        ledger=Ledger(tmp_path / "ledger"),
        state_dir=tmp_path / "state",
        snapshot=snapshot,
    )

    assert [told(tick) for tick in handed if tick is not None] == expected
    assert [told(tick) for tick in ticks_of(again)] == expected[1:]
    assert [told(stored.tick) for stored in Ledger(tmp_path / "ledger").read()] == expected


def test_ticks_written_but_never_snapshotted_are_read_back(tmp_path: Path) -> None:
    feed = Feed("payments", "p", (tuple(row(n, n) for n in range(12)),))
    inputs = [feed.write(tmp_path)]
    life = opened(inputs, ledger=Ledger(tmp_path / "ledger"))
    first = [life.next_tick(), life.next_tick()]

    again = ticks_of(opened(inputs, ledger=Ledger(tmp_path / "ledger")))

    assert [told(tick) for tick in again[:2]] == [told(tick) for tick in first if tick is not None]
    assert [tick.height for tick in again] == [5, 5, 2]


def test_a_snapshot_of_other_inputs_is_refused(tmp_path: Path) -> None:
    one = Feed("payments", "p", ((row(0, 0),),)).write(tmp_path)
    other = Feed("payments", "q", ((row(0, 0),),)).write(tmp_path)
    sequencer = opened([one], state_dir=tmp_path / "state")
    sequencer.next_tick()

    with pytest.raises(SequencerError, match="inputs"):
        opened([other], state_dir=tmp_path / "state", snapshot=sequencer.snapshot())


def test_a_live_run_without_a_ledger_says_that_it_cannot_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "p.ndjson").write_bytes(row(0, 5))
    sequencer = opened(
        [Input("payments", str(tmp_path / "p.ndjson"), "p", follow=True)], state_dir=tmp_path / "state"
    )

    with pytest.raises(SequencerError, match="ledger"):
        sequencer.snapshot()


def test_a_missing_tick_in_the_ledger_is_said_and_not_skipped(tmp_path: Path) -> None:
    feed = Feed("payments", "p", (tuple(row(n, n) for n in range(20)),))
    inputs = [feed.write(tmp_path)]
    ticks_of(opened(inputs, ledger=Ledger(tmp_path / "ledger", segment_bytes=1)))
    (tmp_path / "ledger" / f"{1:012d}.ticks").unlink()
    sequencer = opened(inputs, ledger=Ledger(tmp_path / "ledger"))
    sequencer.next_tick()

    with pytest.raises(EventError, match="tick 1 is missing"):
        sequencer.next_tick()


def test_snapshots_stay_small_and_expired_memory_goes(tmp_path: Path) -> None:
    feed = Feed("payments", "p", (tuple(row(n, n * 10_000_000) for n in range(400)),))
    sequencer = opened(
        [feed.write(tmp_path)],
        state_dir=tmp_path / "state",
        horizon_us=80_000_000,
        jump_us=10**9,
        tick_rows=1,
    )
    while sequencer.next_tick() is not None:
        snapshot = sequencer.snapshot()

    assert len(snapshot) < 1_000
    assert len(list((tmp_path / "state").glob("*.memory"))) < 150


# ------------------------------------------------------------------------------------------------------ the real door
SECRETS = ("447700900", "00100000", "GB00-", "hunt@example.org", "192.0.2.")


def real_door() -> Door:
    return Door(KeyRing(Key("k1", b"0" * 32)), Bases.demo(), [Source("bank", basis="synthetic-demo")])


def moment(second: int) -> str:
    return f"2026-01-{1 + second // 86_400:02d}T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


def real_inputs(folder: Path) -> list[Input]:
    payments = [
        {
            "event_id": f"p{n % 90}",
            "ts": moment(n * 7),
            "rail": "fps",
            "amount_minor": n,
            "payment_id": f"pay{n // 2}",
            "payer_account": f"GB00-{n % 9}",
            "payee_account": f"GB00-{n % 7}",
            "payer_phone": f"+4477009000{n % 10:02d}",
            "ip": f"192.0.2.{n}",
            "reference": "hunt@example.org",
        }
        for n in range(100)
    ]
    calls = [
        {
            "event_id": f"c{n}",
            "ts": moment(n * 5),
            "kind": "call",
            "direction": "mo",
            "number": f"+4477009000{n % 10:02d}",
            "other_number": f"+4477009001{n % 10:02d}",
            "imsi": f"00100000000{n:04d}",
        }
        for n in range(100)
    ]
    calls[40]["ts"] = "2027-01-01T00:00:00Z"
    for name, records in (("p", payments), ("t", calls)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.ndjson").write_text(text + '{"event_id": "+447700900999"\n')
    return [
        Input("payments", str(folder / "p.ndjson"), "bank"),
        Input("telecoms", str(folder / "t.ndjson"), "bank"),
    ]


def test_with_the_real_door_ticks_do_not_depend_on_pieces_or_restarts(tmp_path: Path) -> None:
    inputs = real_inputs(tmp_path)
    whole = [told(tick) for tick in ticks_of(Sequencer(inputs, real_door(), tick_rows=16))]
    snapshot, resumed = None, []
    for number in range(len(whole)):
        life = Sequencer(
            inputs,
            real_door(),
            tick_rows=16,
            chunk_bytes=300 + number,
            state_dir=tmp_path / "state",
            snapshot=snapshot,
        )
        tick = life.next_tick()
        snapshot = life.snapshot()
        if tick is not None:
            resumed.append(told(tick))

    assert resumed == whole
    assert sum(len(rows) for one in whole for _, rows in one[2].values()) == 90 + 99
    assert sorted(refusal[1] for one in whole for refusal in one[3]) == ["not_json", "not_json", "time_jump"]


def test_a_broken_clock_in_a_parquet_file_is_refused_with_the_rows_digest(tmp_path: Path) -> None:
    times = ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-01-01T00:00:01Z"]
    rows = pl.DataFrame({"event_id": ["a", "b", "c"], "ts": times, "number": "+447700900001", "kind": "sms"})
    rows = rows.with_columns(direction=pl.lit("mo"))
    rows.write_parquet(tmp_path / "t.parquet")

    (tick,) = ticks_of(Sequencer([Input("telecoms", str(tmp_path / "t.parquet"), "bank")], real_door()))

    assert [(one.reason, one.where.offset) for one in tick.rejected] == [("time_jump", 1)]
    assert tick.rejected[0].digest == digest_of(
        json.dumps(rows.row(1, named=True), separators=(",", ":")).encode()
    )
    assert tick.rows["telecoms"]["event_id"].to_list() == ["a", "c"]


def test_nothing_in_the_clear_reaches_the_ledger_or_the_state(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    sequencer = Sequencer(
        real_inputs(tmp_path),
        real_door(),
        tick_rows=16,
        ledger=Ledger(kept / "ledger", compression="uncompressed"),
        state_dir=kept / "state",
    )
    ticks_of(sequencer)
    files = [path for path in kept.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files) + sequencer.snapshot()

    assert b"synthetic-demo" in written  # the search would find what is there
    assert [secret for secret in SECRETS if secret.encode() in written] == []

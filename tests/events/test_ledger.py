"""The ledger: what was written is read back, torn ends are cut, damage is said, nothing in the clear is kept."""

from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.frames import COMMON
from events.ledger import Ledger, LedgerError, LedgerPaused, Tick, together, trimmed
from events.rejected import Rejected, Where

modest = settings(deadline=None, derandomize=True, max_examples=40)


def tick(number: int, *, rows: int = 3, first_seq: int | None = None, at: int | None = None) -> Tick:
    start = number * rows if first_seq is None else first_seq
    when = number * 10 if at is None else at
    base = {"seq": range(start, start + rows), "ts": 0, "recorded_ts": [when + n for n in range(rows)]}
    frame = pl.DataFrame(base | {"event_id": "e", "source": "s", "basis": "b"}, schema=dict(COMMON))
    refused = Rejected("s", "payments", "not_json", "$", "00", Where("a", 7), b"raw +447700900001")
    return Tick(number, start, {"payments": frame} if rows else {}, (refused,), {"accepted.payments": rows})


def numbers(ledger: Ledger, from_tick: int = 0) -> list[int]:
    return [stored.tick.number for stored in ledger.read(from_tick)]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ticks"))


def written(folder: Path, count: int, *, segment_bytes: int = 10**9) -> Ledger:
    ledger = Ledger(folder, segment_bytes=segment_bytes, fsync="never")
    for number in range(count):
        ledger.append(tick(number), f"state {number}".encode())
    return ledger


def test_a_tick_is_read_back_as_it_was_but_for_the_raw_bytes_of_what_was_refused(tmp_path: Path) -> None:
    original = tick(0)
    Ledger(tmp_path).append(original, b"state")

    (stored,) = Ledger(tmp_path).read()

    assert stored.state == b"state"
    assert stored.tick.rows["payments"].equals(original.rows["payments"])
    assert stored.tick.counts == original.counts
    assert stored.tick.rejected == (msgspec.structs.replace(original.rejected[0], raw=None),)


@modest
@given(count=st.integers(1, 12), size=st.integers(1, 8_000), start=st.integers(0, 13))
def test_ticks_are_read_from_any_number_on_over_any_segments(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, start: int
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    open_one = written(folder, count, segment_bytes=size)

    again = Ledger(folder)

    assert numbers(open_one, start) == numbers(again, start) == list(range(min(start, count), count))
    assert again.next_tick == count


@modest
@given(cut=st.integers(1, 2_000), garbage=st.binary(max_size=40))
def test_a_torn_end_is_cut_off_and_writing_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int, garbage: bytes
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    written(folder, 3)
    (path,) = segments(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)] + garbage)

    ledger = Ledger(folder)
    kept = ledger.next_tick
    for number in range(kept, 4):
        ledger.append(tick(number))

    assert kept < 3
    assert numbers(Ledger(folder)) == [0, 1, 2, 3]


def test_damage_before_the_end_is_an_error_and_not_a_shorter_ledger(tmp_path: Path) -> None:
    written(tmp_path, 3)
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)

    with pytest.raises(LedgerError, match="damaged"):
        Ledger(tmp_path)


def test_damage_in_a_closed_segment_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    written(tmp_path, 3, segment_bytes=1)
    path = segments(tmp_path)[1]
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)

    with pytest.raises(LedgerError, match="checksum"):
        numbers(Ledger(tmp_path))


def test_an_index_that_is_lost_is_made_from_its_segment(tmp_path: Path) -> None:
    written(tmp_path, 4, segment_bytes=1)
    for index in tmp_path.glob("*.index"):
        index.write_bytes(b"\xc1")

    assert numbers(Ledger(tmp_path), 2) == [2, 3]


def test_a_tick_out_of_turn_is_refused(tmp_path: Path) -> None:
    ledger = written(tmp_path, 2)

    with pytest.raises(LedgerError, match="cannot follow"):
        ledger.append(tick(3))


@modest
@given(
    starts=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    low=st.integers(0, 50),
    length=st.integers(0, 30),
)
def test_a_range_gives_exactly_the_rows_recorded_in_it(
    tmp_path_factory: pytest.TempPathFactory, starts: list[int], low: int, length: int
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"), segment_bytes=1_500, fsync="never")
    for number, at in enumerate(starts):
        ledger.append(tick(number, at=at))

    found = list(ledger.read_range(low, low + length))

    expected = [at + n for at in starts for n in range(3) if low <= at + n < low + length]
    assert [when for one in found for when in one.rows["payments"]["recorded_ts"].to_list()] == expected


@modest
@given(wanted=st.lists(st.integers(-2, 30), max_size=8))
def test_rows_are_found_by_their_place_in_the_order(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[int]
) -> None:
    ledger = written(tmp_path_factory.mktemp("ledger"), 8, segment_bytes=2_000)

    found = ledger.events(wanted)

    seqs = found["payments"]["seq"].to_list() if found else []
    assert seqs == sorted({seq for seq in wanted if 0 <= seq < 24})


def test_retention_drops_whole_segments_that_are_old_and_the_rest_is_read_on(tmp_path: Path) -> None:
    ledger = written(tmp_path, 6, segment_bytes=1)

    dropped = ledger.drop_before(30)

    assert dropped == 3
    assert numbers(ledger) == numbers(Ledger(tmp_path)) == [3, 4, 5]
    assert ledger.first_tick == 3
    assert len(list(tmp_path.iterdir())) == 5  # three segments, the indexes of two


def test_an_empty_tick_is_kept_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(tick(0, rows=0))
    ledger.append(tick(1, rows=2, first_seq=0))

    assert numbers(Ledger(tmp_path)) == [0, 1]
    assert [one.number for one in Ledger(tmp_path).read_range(-(10**18), 10**18)] == [1]


def test_a_disk_that_fails_pauses_and_leaves_the_ledger_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path, segment_bytes=1)
    ledger.append(tick(0))

    def failing(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("events.ledger.os.fsync", failing)
        for _ in range(3):
            with pytest.raises(LedgerPaused, match="nothing is lost"):
                ledger.append(tick(1))
        assert numbers(ledger) == [0]
    ledger.append(tick(1))

    assert numbers(Ledger(tmp_path)) == [0, 1]


def test_the_raw_bytes_of_refused_records_do_not_reach_the_disk(tmp_path: Path) -> None:
    Ledger(tmp_path, compression="uncompressed").append(tick(0))

    assert not any(b"7700900001" in path.read_bytes() for path in tmp_path.iterdir())


def test_frames_with_other_columns_are_put_together_without_nulls() -> None:
    plain = tick(0).rows["payments"]
    more = plain.with_columns(
        amount_minor=1.0, payment_prev_hi=pl.lit(7, pl.UInt64), rail=pl.lit(1, pl.UInt8)
    )

    both = together("payments", [plain, more])

    assert both.columns == [*COMMON, "rail", "amount_minor", "payment_prev_hi"]
    assert both["rail"].to_list() == [0, 0, 0, 1, 1, 1]
    assert both["amount_minor"].is_nan().to_list() == [True] * 3 + [False] * 3
    assert trimmed("payments", both[:3]).columns == list(COMMON)
    assert trimmed("payments", both[2:4]).columns == both.columns

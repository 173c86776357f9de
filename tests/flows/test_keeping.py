"""Snapshots: whatever is added, saved and killed, what is resumed is what an undisturbed keeper has."""

import errno
import os
import random
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import bases, keeping, logs
from flows.bases import Beside
from flows.errors import FlowError
from flows.keeping import Keeper, name_in, patiently
from flows.plain import pack, unpack
from monitoring import metrics

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2_000)),
        st.tuples(st.just("write"), st.just(0)),
        st.tuples(st.just("begin"), st.just(0)),
        st.tuples(st.just("beside"), st.just(0)),  # what is done beside the flow gets its turn
        st.tuples(st.just("save"), st.just(0)),
        st.tuples(st.just("kill"), st.integers(0, 2)),  # so many saves are forgotten, as the engine may do
        st.tuples(st.just("tear"), st.integers(1, 40)),  # so many bytes more than the manifest knows
    ),
    max_size=60,
)


class _Sum:
    """The smallest state there is: everything it was told, in order."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def dump(self) -> dict[str, Any]:
        return {"told": np.array(self.told, dtype=np.int64), "count": len(self.told)}

    def take_up(self, base: Any, entries: list[Any]) -> None:
        self.told = base["told"].tolist() if base is not None else []
        assert base is None or base["count"] == len(self.told)
        for entry in entries:
            self.told.append(entry["n"])


class _ByHand(Executor):
    """Does what it is given when it is told to, and never when it is killed before."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Any]] = []

    def submit(self, work: Any, /, *given: Any, **_: Any) -> Any:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: work(*given)))
        return future

    def work(self) -> None:
        while self.waiting:
            future, work = self.waiting.pop(0)
            try:
                future.set_result(work())
            except OSError as trouble:
                future.set_exception(trouble)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bases are written often, so that generations come and go."""
    monkeypatch.setattr(keeping, "_LEAST_LOG", 200)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_what_is_resumed_is_what_was_saved(
    steps: list[tuple[str, int]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "_LEAST_LOG", 100)
        _work_through(steps, tmp_path_factory.mktemp("kept"), random.Random(seed))


def _work_through(steps: list[tuple[str, int]], folder: Path, rng: random.Random) -> None:
    hand, state = _ByHand(), _Sum()
    keeper = Keeper(folder, "one", Beside(hand), fsync=False)
    saved: list[tuple[bytes, list[int]]] = [(b"", [])]
    for what, number in steps:
        if what == "add":
            entry = {"n": number, "noise": rng.randbytes(rng.randrange(60))}
            state.told.append(number)
            keeper.add(entry)
        elif what == "write":
            keeper.write()
        elif what == "begin" and keeper.is_due:
            keeper.begin(state.dump)
        elif what == "beside":
            hand.work()
        elif what == "save":
            saved.append((keeper.save(), list(state.told)))
        elif what == "tear":
            for log in folder.glob("*.log"):
                with log.open("ab") as file:
                    file.write(rng.randbytes(number))
        elif what == "kill":
            del saved[max(1, len(saved) - number) :]
            manifest, told = saved[-1]
            hand, state = _ByHand(), _Sum()
            keeper = Keeper(folder, "one", Beside(hand), fsync=False)
            state.take_up(*keeper.resume(manifest))
            assert state.told == told
    manifest, told = saved[-1]
    last = _Sum()
    last.take_up(*Keeper(folder, "one", fsync=False).resume(manifest))
    assert last.told == told


def test_a_base_counts_once_it_lies_on_the_disk_and_an_epoch_has_closed(tmp_path: Path, small: None) -> None:
    hand, state = _ByHand(), _Sum()
    keeper = Keeper(tmp_path, "one", Beside(hand), fsync=False)

    def told_of(manifest: bytes) -> tuple[bool, list[int]]:
        resumed = _Sum()
        base, entries = Keeper(tmp_path, "one").resume(manifest)
        resumed.take_up(base, entries)
        return base is not None, resumed.told

    def tell(n: int) -> None:
        state.told.append(n)
        keeper.add({"n": n, "noise": random.Random(n).randbytes(250)})

    tell(1)
    keeper.save()
    keeper.begin(state.dump)  # asks for room
    hand.work()
    tell(2)
    keeper.begin(state.dump)
    tell(3)
    assert told_of(keeper.save()) == (False, [1, 2, 3])  # the log before it and the one after it
    hand.work()
    before = keeper.generation
    keeper.write()
    assert keeper.generation == before
    assert told_of(keeper.save()) == (True, [1, 2, 3])
    assert keeper.generation == before + 1


def test_a_base_for_which_there_is_no_room_is_tried_again(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand, state = _ByHand(), _Sum()
    keeper = Keeper(tmp_path, "one", Beside(hand), fsync=False)
    keeper.add({"n": 1, "noise": bytes(random.Random(1).randbytes(900))})
    state.told = [1]

    def full(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "no room")

    def save() -> bytes:
        manifest = keeper.save(state.dump)
        hand.work()
        return manifest

    save()
    with monkeypatch.context() as patch:
        patch.setattr(bases, "_write", full)
        save()
        save()
        assert not keeper.based
    save()
    last = save()
    assert keeper.based
    resumed = _Sum()
    resumed.take_up(*Keeper(tmp_path, "one").resume(last))
    assert resumed.told == [1]


def test_generations_that_nothing_names_are_gone(tmp_path: Path, small: None) -> None:
    hand = _ByHand()
    keeper = Keeper(tmp_path, "one", Beside(hand), fsync=False)
    for n in range(200):
        keeper.add({"n": n, "noise": random.Random(n).randbytes(150)})
        keeper.save(lambda: {"told": np.zeros(3)})
        hand.work()
    assert keeper.generation > 10
    assert len(list(tmp_path.glob("*.base"))) <= 4
    assert len(list(tmp_path.glob("*.log"))) <= 5


def test_a_state_is_written_as_it_was_when_it_was_copied(tmp_path: Path) -> None:
    hand = _ByHand()
    beside = Beside(hand)
    rows = np.arange(400_000, dtype=np.int64).reshape(1_000, 400)
    arrays = {
        "rows": rows,
        "none": np.zeros((0, 7)),
        "words": np.zeros(2, dtype=[("a", "<i8"), ("b", "<u4")]),
    }
    assert not beside.has_room(bases.size_of(arrays))
    hand.work()
    assert beside.has_room(bases.size_of(arrays))
    writing = beside.write(tmp_path / "x.base", {"now": 7}, arrays, fsync=True, gone=())
    assert not beside.is_free
    rows[:] = -1
    hand.work()
    rows[:] = np.arange(400_000).reshape(1_000, 400)
    base, size = bases.read_base(tmp_path / "x.base")
    assert beside.is_free
    assert size == writing.result() == (tmp_path / "x.base").stat().st_size
    assert _same(base, {"now": 7, **arrays})


def test_what_a_disk_did_not_take_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(tmp_path, "one")
    keeper.add({"n": 1})
    manifests = [keeper.save()]
    log = tmp_path / "one-000000.log"
    sync, failed = os.fdatasync, []

    def forgets(descriptor: int) -> None:
        if not failed:
            failed.append(True)
            whole = log.read_bytes()
            log.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
            raise OSError(errno.EIO, "the disk failed")
        sync(descriptor)

    monkeypatch.setattr(logs.os, "fdatasync", forgets)
    keeper.add({"n": 2, "noise": bytes(range(250))})
    keeper.write()
    keeper.add({"n": 3, "noise": bytes(range(250))})
    manifests.append(keeper.save())
    assert failed
    entries = Keeper(tmp_path, "one").resume(manifests[-1])[1]
    assert [entry["n"] for entry in entries] == [1, 2, 3]


def test_a_manifest_tells_whose_it_is(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, "two-003-7")
    keeper.add({"n": 1})
    assert name_in(keeper.save()) == "two-003-7"


def test_without_a_folder_nothing_is_kept() -> None:
    keeper = Keeper(None, "one")
    keeper.add({"n": 1})
    assert keeper.save() == b""
    assert keeper.resume(b"") == (None, [])


def test_a_missing_file_is_said_with_what_to_do(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, "one", fsync=False)
    keeper.add({"n": 1})
    manifest = keeper.save()
    (tmp_path / "one-000000.log").unlink()
    with pytest.raises(FlowError, match="restore the folder"):
        Keeper(tmp_path, "one").resume(manifest)


def test_what_other_detectors_kept_is_refused_with_a_sentence(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, "one", fsync=False, layout="these")
    keeper.add({"n": 1})
    manifest = keeper.save()
    assert Keeper(tmp_path, "one", layout="these").resume(manifest) == (None, [{"n": 1}])
    with pytest.raises(FlowError, match="other features or detectors"):
        Keeper(tmp_path, "one", layout="those").resume(manifest)


def test_what_another_version_kept_is_refused_with_a_sentence(tmp_path: Path) -> None:
    before = msgspec.msgpack.encode([3, "one", 0, False, 0])
    for read in (name_in, Keeper(tmp_path, "one").resume):
        with pytest.raises(FlowError, match="another version"):
            read(before)


@pytest.mark.parametrize("harm", [lambda data: data[:-4], lambda data: data[:12] + b"\0" * (len(data) - 12)])
def test_a_damaged_log_is_said_and_never_half_taken(tmp_path: Path, harm: Any) -> None:
    keeper = Keeper(tmp_path, "one", fsync=False)
    keeper.add({"n": 1, "noise": bytes(range(200))})
    manifest = keeper.save()
    log = tmp_path / "one-000000.log"
    log.write_bytes(harm(log.read_bytes()))
    with pytest.raises(FlowError, match="one"):
        Keeper(tmp_path, "one").resume(manifest)


# ------------------------------------------------------------------------------------------------- a full disk


def test_a_write_waits_for_room_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    left, seen = [errno.ENOSPC, errno.EDQUOT, errno.EIO], []

    def write() -> int:
        if left:
            raise OSError(left.pop(0), "no")
        return 7

    def sleep(_seconds: float) -> None:
        paused = metrics.PAUSED.labels(reason="this test")._value.get()
        seen.append((paused, metrics.READY._value.get()))

    monkeypatch.setattr(keeping.time, "sleep", sleep)
    assert patiently("this test", write) == 7
    assert seen == [(1.0, 0.0)] * 3
    assert metrics.PAUSED.labels(reason="this test")._value.get() == 0.0
    assert metrics.READY._value.get() == 1.0


def test_a_write_that_can_never_work_is_not_waited_for() -> None:
    def write() -> int:
        raise FileNotFoundError(errno.ENOENT, "no such folder")

    with pytest.raises(FileNotFoundError):
        patiently("this test", write)


# ------------------------------------------------------------------------------------------------- plain data

ROWS = np.dtype([("seq", "<i8"), ("value", "<f8"), ("flags", "<u4")])
ARRAYS = st.one_of(
    st.lists(st.floats(allow_nan=True, width=64), max_size=20).map(lambda v: np.array(v, dtype=np.float64)),
    st.lists(st.integers(0, 2**64 - 1), max_size=20).map(lambda v: np.array(v, dtype=np.uint64)),
    st.integers(0, 6).map(lambda n: np.arange(n * 3, dtype=np.int32).reshape(n, 3)),
    st.integers(0, 6).map(lambda n: np.array([(i, i / 3, i) for i in range(n)], dtype=ROWS)),
    st.integers(0, 9).map(lambda n: np.arange(2 * n, dtype=np.int64)[::2]),  # not contiguous
)
PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.text(max_size=8),
        st.binary(max_size=8),
        ARRAYS,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        )
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(plain=PLAIN)
def test_plain_data_comes_back_as_it_was(plain: Any) -> None:
    assert _same(unpack(pack(plain)), plain)


def test_an_array_that_comes_back_can_be_changed() -> None:
    back = unpack(pack({"a": np.zeros(3)}))
    back["a"][1] = 5.0
    assert back["a"].tolist() == [0.0, 5.0, 0.0]


def test_a_class_of_ours_is_never_stored() -> None:
    with pytest.raises(FlowError, match="cannot be written"):
        pack({"a": _Sum()})


@pytest.mark.parametrize(
    "data", [b"", b"LWSN", b"what is this, then?", pack([1])[:4] + b"\x63" + pack([1])[5:]]
)
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(FlowError, match="another version, or damaged"):
        unpack(data)

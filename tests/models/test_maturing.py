"""What is known of an event at a moment: reports at once, silence after the horizon, in one order, never too early."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import Kind, Role
from models.maturing import Maturing, Report, label_rows

HORIZON = 100


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def told(released: object) -> list[tuple[int, int, int, bool, bool]]:
    r = released
    return [
        (int(b), int(e), int(a), bool(c), bool(x))
        for b, e, a, c, x in zip(r.before, r.event, r.at, r.confirmed, r.corrects, strict=True)  # type: ignore[attr-defined]
    ]


def test_silence_counts_only_after_the_horizon() -> None:
    maturing = Maturing(HORIZON)
    assert told(maturing.take(["a"], ints(0), ints(1), [])) == []
    assert (
        told(maturing.take(["b"], ints(100), ints(2), [])) == []
    )  # the report might come at this very moment
    assert told(maturing.take(["c"], ints(101), ints(3), [])) == [(0, 0, 100, False, False)]


def test_a_report_is_known_from_its_own_place_in_the_order() -> None:
    maturing = Maturing(HORIZON)
    found = maturing.take(
        ["a", "b", "c"], ints(0, 10, 20), ints(1, 2, 4), [Report("a", 15, 3, confirmed=True)]
    )
    assert told(found) == [(2, 0, 15, True, False)]
    assert told(maturing.take(["d"], ints(500), ints(9), [])) == [
        (0, 1, 110, False, False),
        (0, 2, 120, False, False),
    ]


def test_a_late_report_corrects_and_the_same_again_says_nothing() -> None:
    maturing = Maturing(HORIZON)
    maturing.take(["a"], ints(0), ints(1), [])
    maturing.take(["b"], ints(200), ints(2), [])
    assert told(maturing.take(["c"], ints(210), ints(4), [Report("a", 205, 3, confirmed=False)])) == []
    late = Report("a", 215, 5, confirmed=True)
    assert told(maturing.take(["d"], ints(220), ints(6), [late])) == [(0, 0, 215, True, True)]
    assert told(maturing.take(["e"], ints(230), ints(8), [late])) == []


def test_a_report_of_an_unknown_event_is_counted() -> None:
    maturing = Maturing(HORIZON)
    assert told(maturing.take([], ints(), ints(), [Report("x", 5, 1, confirmed=True)])) == []
    assert maturing.unknown == 1


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 80), st.one_of(st.none(), st.integers(0, 150))), min_size=1, max_size=25
    ),
    st.lists(st.integers(0, 25), max_size=4),
)
def test_batches_change_nothing(script: list[tuple[int, int | None]], cuts: list[int]) -> None:
    clock = np.cumsum([gap for gap, _ in script]).astype(np.int64)
    rows = [(int(at), 0, f"e{i}", i) for i, at in enumerate(clock)]
    rows += [
        (int(clock[i]) + after, 1, f"e{i}", i) for i, (_, after) in enumerate(script) if after is not None
    ]
    rows.sort()

    def run(stops: list[int]) -> list[tuple[int, int, bool, bool]]:
        maturing, out, base = Maturing(HORIZON), [], 0
        for low, high in zip([0, *stops], [*stops, len(rows)], strict=True):
            part = list(enumerate(rows))[low:high]
            events = [(seq, row) for seq, row in part if row[1] == 0]
            reports = [
                Report(row[2], row[0], seq, confirmed=row[3] % 2 == 0) for seq, row in part if row[1] == 1
            ]
            found = maturing.take(
                [row[2] for _, row in events],
                ints(*(row[0] for _, row in events)),
                ints(*(s for s, _ in events)),
                reports,
            )
            out += [(e, a, c, x) for _, e, a, c, x in told(found)]
            # an outcome is never known before it was found out
            for before, _, at, _, _ in told(found):
                if before < len(events):
                    assert events[before][1][0] >= at
            base += len(events)
        return sorted(out)

    assert run([]) == run(sorted(min(cut, len(rows)) for cut in cuts))


def test_outcomes_become_rows_of_their_entities() -> None:
    maturing = Maturing(HORIZON)
    maturing.take(["a"], ints(0), ints(1), [])
    found = maturing.take(["b"], ints(300), ints(2), [])
    rows = label_rows(found, np.array([7], np.uint64), np.array([8], np.uint64))
    assert (rows["own_hi"][0], rows["own_lo"][0], rows["ts"][0], rows["value"][0]) == (7, 8, 100, 0.0)
    assert (rows["kind"][0], rows["role"][0]) == (Kind.LABEL, Role.LABELLED)

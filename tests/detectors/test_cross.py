"""What a cross-stream detector must say of itself, and what a half knows of its call."""

from typing import Any

import pytest

from detectors import base
from detectors.call_during_payment import CallDuringPayment
from detectors.cross import PAYMENT, SIDES, TELECOMS, CrossDetector, Happened
from detectors.discovery import all_detectors
from detectors.errors import DetectorError
from features.rows import Entity, Flag, Kind, Role
from models.scorecard import Signal

CROSSING = [each for each in all_detectors() if issubclass(each, CrossDetector)]
every = pytest.mark.parametrize("each", CROSSING, ids=lambda each: each.id)
SECOND = 1_000_000


def _wrong(**changes: Any) -> Any:
    named = (*base._REQUIRED, *CrossDetector.also_required)
    said = {name: getattr(CallDuringPayment, name) for name in named}
    said |= {"__doc__": "A crime.", "__module__": CallDuringPayment.__module__} | changes
    return type("Wrong", (CrossDetector,), {k: v for k, v in said.items() if v is not None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"telecoms": None}, "does not say its telecoms"),
        ({"within": None}, "does not say its within"),
        ({"signals": (Signal("between.weather", 0, 1, 1.0),)}, "what it says of between"),
        ({"signals": (Signal("payee_age", 0, 1, 1.0),)}, "none of payment"),
    ],
)
def test_one_that_leaves_something_out_is_told_what(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DetectorError, match=words):
        _wrong(**changes)


@every
def test_it_uses_both_streams(each: type[CrossDetector]) -> None:
    named = {s.feature.partition(".")[0] for s in each.signals}
    assert named >= {PAYMENT, "between"}
    assert {entity for entity, _ in each.joined()} == {Entity.ACCOUNT, Entity.NUMBER}
    assert each.stream == "both"
    assert all(each.part(side).roles and each.part(side).kinds for side in SIDES)


@every
def test_what_a_half_carries_is_brought_to_it(each: type[CrossDetector]) -> None:
    brought = set(each.joined())
    for side, entity in SIDES.items():
        assert {(entity, column) for column in each.carried(side)} <= brought


def _call(ts: int, recorded: int, seconds: float, flags: int) -> Happened:
    return Happened(
        1, ts, recorded, 0, 1, 0, 2, seconds, 0.0, flags, 0, 0, Kind.CALL, Role.IN, 0, 0, 0, 0
    )  # fmt: skip


def test_a_call_began_when_its_record_says_whichever_record_it_is() -> None:
    whole = _call(0, 605 * SECOND, 600.0, Flag.FINAL)  # time of the start, there when it is over
    ended = _call(600 * SECOND, 602 * SECOND, 600.0, Flag.FINAL)  # time of the end
    begun = _call(0, 0, float("nan"), Flag.STARTING)
    assert [c.began for c in (whole, ended, begun)] == [0, 0, 0]
    assert [c.lasted for c in (whole, ended, begun)] == [600 * SECOND, 600 * SECOND, 0]
    assert [c.is_open for c in (whole, ended, begun)] == [False, False, True]


def test_a_short_call_that_is_over_is_no_half_and_one_that_goes_on_may_be() -> None:
    part = CallDuringPayment.part(TELECOMS)
    assert not part.is_long_enough(_call(0, 50 * SECOND, 40.0, Flag.FINAL))
    assert part.is_long_enough(_call(0, 0, float("nan"), Flag.STARTING))
    assert part.is_long_enough(_call(0, 300 * SECOND, 300.0, Flag.FINAL))

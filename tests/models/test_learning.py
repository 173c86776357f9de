"""What is learnt from people's outcomes: bounded, replaceable, never worse than the expert for long."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.learning import ENOUGH, FRESH, Lesson, Lineage, begun, checked, loss, taught, untaught
from models.scorecard import Scorecard, Signal

SIGNALS = (
    Signal("count", 1, 8, 1.2, log=True),
    Signal("share", 0.2, 0.9, 1.6),
    Signal("dwell", 3_000, 300, 0.8),
)
BEGUN = begun("made_up", 1, Scorecard.expert(SIGNALS, -2.0, "made_up-1.0"))


def lesson(name: str, *, right: bool, count: float | None = 8.0, share: float | None = 0.9) -> Lesson:
    values = {"count": count, "share": share, "dwell": None}
    return Lesson(alert_id=name, at=1, right=right, scored_by="made_up-1.0", values=values)


lessons = st.lists(
    st.builds(
        lesson,
        st.sampled_from("abcde"),
        right=st.booleans(),
        count=st.one_of(st.none(), st.floats(0, 20)),
        share=st.one_of(st.none(), st.floats(0, 1)),
    ),
    max_size=12,
)


def learnt_from(given: list[Lesson]) -> Lineage:
    lineage = BEGUN
    for one in given:
        lineage = taught(lineage, SIGNALS, one)
    return lineage


@settings(deadline=None, derandomize=True, max_examples=60)
@given(lessons)
def test_what_is_known_is_what_the_latest_word_on_each_alert_teaches(said: list[Lesson]) -> None:
    latest: dict[str, Lesson] = {}
    for one in said:
        latest[one.alert_id] = one  # a corrected decision keeps its first place
    assert learnt_from(said) == learnt_from(list(latest.values()))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(lessons, st.sampled_from("abcde"))
def test_what_is_untaught_might_never_have_been(said: list[Lesson], name: str) -> None:
    left = untaught(learnt_from(said), SIGNALS, name)
    firsts: dict[str, Lesson] = {}
    for one in said:
        firsts[one.alert_id] = one
    firsts.pop(name, None)
    assert left == learnt_from(list(firsts.values()))


def test_teaching_the_same_twice_changes_nothing() -> None:
    once = taught(BEGUN, SIGNALS, lesson("a", right=False))
    assert taught(once, SIGNALS, lesson("a", right=False)) == once


def test_each_lesson_keeps_how_both_stood_before_it_and_what_came_of_it() -> None:
    two = learnt_from([lesson("a", right=False), lesson("b", right=False)])
    first, second = two.lessons
    assert first.learner == first.expert
    assert second.learner < second.expert
    assert second.expert == first.expert
    assert [one.version for one in two.lessons][-1] == two.learnt.version
    assert first.version != second.version


def test_the_expert_stays_as_it_was() -> None:
    assert learnt_from([lesson(str(n), right=False) for n in range(9)]).expert == BEGUN.expert


def test_a_learner_that_does_better_is_in_force() -> None:
    lineage = learnt_from([lesson(str(n), right=False) for n in range(60)])
    assert not lineage.is_held_back
    assert lineage.in_force == lineage.learnt


def test_a_learner_that_does_worse_than_the_expert_is_held_back_until_it_does_better_again() -> None:
    lineage = BEGUN
    for n in range(80):  # taught one world
        lineage = taught(lineage, SIGNALS, lesson(f"old{n}", right=False))
    held = []
    for n in range(160):  # and then the world is as the expert said
        lineage = taught(lineage, SIGNALS, lesson(f"new{n}", right=True))
        held.append(lineage.is_held_back)
        assert lineage.in_force == (lineage.expert if held[-1] else lineage.learnt)
    assert any(held)
    assert not held[-1]


def test_a_few_lessons_hold_nothing_back() -> None:
    lineage = BEGUN
    for n in range(ENOUGH - 1):
        lineage = taught(lineage, SIGNALS, lesson(str(n), right=n % 2 == 0))
        assert not lineage.is_held_back
    assert ENOUGH <= FRESH


def test_mixed_labels_keep_it_near_what_they_say() -> None:
    rng = random.Random(5)
    lineage = learnt_from([lesson(str(n), right=rng.random() < 0.3) for n in range(400)])
    score = Scorecard(SIGNALS, lineage.learnt).score_one({"count": 8.0, "share": 0.9, "dwell": math.nan})
    assert 0.2 < score < 0.4
    assert Scorecard(SIGNALS, BEGUN.learnt).score_one({"count": 8.0, "share": 0.9, "dwell": math.nan}) > 0.6


def test_a_lineage_survives_being_written_down() -> None:
    lineage = learnt_from([lesson("a", right=True), lesson("b", right=False, count=None)])
    again = msgspec.json.decode(msgspec.json.encode(lineage), type=Lineage)
    assert checked(again, SIGNALS) == lineage


def test_weights_changed_by_hand_are_noticed() -> None:
    lineage = learnt_from([lesson("a", right=True)])
    bent = msgspec.structs.replace(lineage.learnt, intercept=lineage.learnt.intercept + 1e-12)
    with pytest.raises(ModelError, match="are not those that were learnt"):
        checked(msgspec.structs.replace(lineage, learnt=bent), SIGNALS)


def test_a_lineage_of_another_format_is_refused() -> None:
    with pytest.raises(ModelError, match="format 2"):
        checked(msgspec.structs.replace(BEGUN, format=2), SIGNALS)


def test_loss_is_0_when_right_and_that_of_a_coin_at_a_half() -> None:
    assert loss([(1.0, True), (0.0, False)]) == 0.0
    assert math.isclose(loss([(0.5, True), (0.5, False)]), math.log(2))
    assert loss([(0.0, True)]) < 30
    assert loss([]) == 0.0

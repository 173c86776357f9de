"""The teacher: what is known at a lesson teaches, in one order; later words correct; people decide how many alerts."""

import random
from typing import Any

import msgspec
import pytest

from models.examples import ALERT, SAMPLE, Example
from models.labels import Claim, Label
from models.learning import Lesson, begun, order_of, taught, taught_all
from models.scorecard import Scorecard, Signal, Weights
from models.teaching import Taught, Teacher, held_back

DAY = 86_400_000_000
SIGNALS = (Signal("busy", 0.0, 1.0, 2.0), Signal("new", 0.0, 1.0, 1.0))
EXPERT = Weights("mule-1.0", -1.5, {"busy": 2.0, "new": 1.0})
ABOUT = Taught("mule", 1, SIGNALS, Claim("mule"), EXPERT, 0.5)
CARD = Scorecard(SIGNALS, EXPERT)


def row(name: str, day: float, busy: float, new: float, kept_as: str = ALERT, chance: float = 1.0) -> Example:
    return Example(
        event_id=name,
        detector="mule",
        detector_version=1,
        model_version="mule-1.0",
        subject=f"account:{name}",
        ts=int(day * DAY),
        seq=int(day * 1_000),
        score=CARD.score_one({"busy": busy, "new": new}),
        threshold=0.5,
        kept_as=kept_as,
        chance=chance,
        alert_id=f"a-{name}" if kept_as == ALERT else "",
        values={"busy": busy, "new": new},
    )


def said(name: str, about: str, right: bool | None, day: float) -> Label:
    word = {True: "confirmed", False: "innocent", None: "unclear"}[right]
    return Label(
        event_id=name, about=about, label=word, at=int(day * DAY), origin="bank", seq=int(day * 1_000)
    )


def stream(days: int, seed: int = 3) -> tuple[list[Example], list[Label]]:
    """Busy ones are innocent here and new ones are not: the opposite of what the author thought."""
    rng = random.Random(seed)
    rows, labels = [], []
    for number in range(days * 12):
        day, busy = number / 12, rng.random()
        guilty = rng.random() < 0.4
        one = row(f"e{number}", day, busy, rng.uniform(0.4, 1.0) if guilty else rng.uniform(0.0, 0.6))
        drawn = one.score < 0.5
        rows.append(row(f"e{number}", day, busy, one.values["new"] or 0.0, SAMPLE, 0.5) if drawn else one)
        if rng.random() < 0.8:
            labels.append(said(f"l{number}", f"account:e{number}", guilty, day + rng.uniform(0.5, 4)))
    return rows, sorted(labels, key=lambda label: label.seq)


def through(
    rows: list[Example], labels: list[Label], days: int, *, restart: int = -1
) -> tuple[Teacher, list[Any]]:
    """A lesson a day; after the day `restart` everything goes on from plain data."""
    teacher, told = Teacher([ABOUT]), []
    for day in range(1, days + 1):
        teacher.take([one for one in rows if (day - 1) * DAY <= one.ts < day * DAY])
        teacher.hear([one for one in labels if (day - 1) * DAY <= one.at < day * DAY])
        told.append(teacher.learn(day * DAY))
        if day == restart:
            plain = msgspec.msgpack.decode(msgspec.msgpack.encode(teacher.dump()))
            teacher = Teacher([ABOUT])
            teacher.load(plain)
    return teacher, told


def test_the_learner_finds_the_order_that_the_author_missed_and_raises_as_many_alerts() -> None:
    rows, labels = stream(40)
    teacher, told = through(rows, labels, 40)
    weights = teacher.in_force["mule"]
    assert weights.weights["new"] > EXPERT.weights["new"]
    assert weights.weights["busy"] < EXPERT.weights["busy"]
    assert any(lessons.activated for lessons in told)
    latest = [one for one in rows if one.ts > 26 * DAY]
    count = [
        sum(1.0 / r.chance for r in latest if Scorecard(SIGNALS, w).score_one(r.values) >= 0.5)  # type: ignore[arg-type]
        for w in (EXPERT, weights)
    ]
    assert count[1] == pytest.approx(count[0], abs=2.0)  # one drawn row stands for two
    guilty = {label.about for label in labels if label.label == "confirmed"}
    both = [
        order_of((Scorecard(SIGNALS, w).score_one(r.values), r.subject in guilty) for r in latest)  # type: ignore[arg-type]
        for w in (EXPERT, weights)
    ]
    assert both[0] is not None
    assert both[1] is not None
    assert both[1] > both[0]


def test_busy_subjects_count_once_when_the_number_of_alerts_is_held() -> None:
    """Ten firms that the author would raise with forty rows each are ten alerts, not four hundred."""
    suspects = [row(f"s{n}", 1 + n / 60, 0.2, 0.2 + n / 60) for n in range(40)]
    raised = [msgspec.structs.replace(one, kept_as=ALERT, chance=1.0) for one in suspects]
    firms = [
        msgspec.structs.replace(
            row(f"f{n}-{m}", 1.5 + n / 400, 0.9, 0.0, SAMPLE, 1.0), subject=f"account:f{n}"
        )
        for n in range(10)
        for m in range(40)
    ]
    labels = [said(f"l{n}", f"alert:a-s{n}", True, 2 + n / 60) for n in range(40)]
    labels += [said(f"i{n}", f"event:f{n}-0", False, 2.2) for n in range(10)]
    teacher, _ = through([*raised, *firms], labels, 4)
    learnt = Scorecard(SIGNALS, teacher.in_force["mule"])
    assert learnt.version.version != EXPERT.version
    held = {one.subject for one in [*raised, *firms] if learnt.score_one(one.values) >= 0.5}  # type: ignore[arg-type]
    wanted = {one.subject for one in [*raised, *firms] if CARD.score_one(one.values) >= 0.5}  # type: ignore[arg-type]
    assert len(wanted) == 10
    assert len(held) == pytest.approx(len(wanted), abs=1)


def test_a_restart_teaches_the_same() -> None:
    rows, labels = stream(12)
    whole, _ = through(rows, labels, 12)
    again, _ = through(rows, labels, 12, restart=5)
    assert again.in_force == whole.in_force
    assert again.lineages["mule"].learnt == whole.lineages["mule"].learnt


def test_many_lessons_at_once_give_the_weights_of_one_after_another() -> None:
    lessons = [
        Lesson(
            alert_id=str(n),
            at=n,
            right=n % 3 == 0,
            scored_by="",
            values={"busy": n % 5 / 5, "new": n % 7 / 7},
        )
        for n in range(60)
    ]
    one_by_one = begun("mule", 1, CARD)
    for lesson in lessons:
        one_by_one = taught(one_by_one, SIGNALS, lesson)
    together = taught_all(begun("mule", 1, CARD), SIGNALS, lessons)
    assert together.learnt == one_by_one.learnt
    assert [x.learner for x in together.lessons] == pytest.approx([x.learner for x in one_by_one.lessons])


def test_a_corrected_label_leaves_what_it_would_have_taught_at_once() -> None:
    rows = [row("a", 1, 0.9, 0.9), row("b", 1, 0.8, 0.1), row("c", 1, 0.7, 0.5)]
    labels = [
        said("1", "alert:a-a", True, 2),
        said("2", "alert:a-b", True, 2.1),
        said("3", "alert:a-c", True, 2.2),
    ]
    later = said("4", "alert:a-b", False, 5)
    corrected, told = through(rows, [*labels, later], 6)
    (outcome,) = told[-1].outcomes or told[-2].outcomes
    assert (outcome.before, outcome.right, outcome.label) == (True, False, "4")
    at_once, _ = through(rows, [labels[0], said("2", "alert:a-b", False, 2.1), labels[2]], 6)
    assert corrected.lineages["mule"].learnt.weights == at_once.lineages["mule"].learnt.weights
    unclear, _ = through(rows, [*labels, said("4", "alert:a-b", None, 5)], 6)
    without, _ = through(rows, [labels[0], labels[2]], 6)
    assert unclear.lineages["mule"].learnt == without.lineages["mule"].learnt


def test_a_word_that_changes_the_role_alone_is_told_and_teaches_nothing() -> None:
    rows = [row("a", 1, 0.9, 0.9), row("b", 1, 0.2, 0.9)]
    words = [
        msgspec.structs.replace(said(str(day), "alert:a-a", True, day), role=role)
        for day, role in ((2, "complicit"), (5, "coerced"), (6, "coerced"))
    ]
    teacher, told = through(rows, words, 7)
    outcomes = [one for each in told for one in each.outcomes]
    assert [(o.before, o.right, o.role_before, o.role) for o in outcomes] == [
        (None, True, "", "complicit"),
        (True, True, "complicit", "coerced"),
    ]
    assert [o.teaches for o in outcomes] == [True, False]
    once, _ = through(rows, words[:1], 7)
    assert teacher.in_force == once.in_force
    assert teacher.lineages["mule"] == once.lineages["mule"]


def test_silence_teaches_after_the_horizon_and_of_drawn_rows_only() -> None:
    rows = [row("a", 1, 0.9, 0.9), row("b", 1, 0.2, 0.1, SAMPLE, 0.01), row("c", 1, 0.2, 0.3, SAMPLE, 0.01)]
    labels = [said("1", "account:c", True, 40)]
    teacher, told = through(rows, labels, 41)
    known = [(one.event_id, one.right, one.before, one.origin) for each in told for one in each.outcomes]
    # a month after they were seen; the word that came later is about another month
    assert known == [("b", False, None, "matured"), ("c", False, None, "matured")]
    assert [one.weight for one in teacher.lineages["mule"].lessons] == [4.0, 4.0]
    assert told[29].outcomes == ()
    assert len(told[30].outcomes) == 2


def test_who_puts_the_latest_rows_into_a_worse_order_is_held_back() -> None:
    rng = random.Random(5)
    noise = [
        Lesson(
            alert_id=str(n),
            at=n,
            right=rng.random() < 0.5,
            scored_by="",
            values={"busy": rng.random(), "new": 0.0},
        )
        for n in range(40)
    ]
    fine = taught_all(begun("mule", 1, CARD), SIGNALS, noise)
    worse = msgspec.structs.replace(
        fine,
        lessons=tuple(
            msgspec.structs.replace(one, learner=0.2 if one.right else 0.8, expert=0.8 if one.right else 0.2)
            for one in fine.lessons
        ),
    )
    assert held_back(worse)
    better = msgspec.structs.replace(
        fine,
        lessons=tuple(
            msgspec.structs.replace(one, learner=one.expert, expert=one.learner) for one in worse.lessons
        ),
    )
    assert not held_back(better)


def test_weights_that_people_put_in_force_begin_a_lineage() -> None:
    teacher, _ = through(*stream(5), 5)
    champion = Weights("mule-1.r1", -1.0, {"busy": 0.5, "new": 3.0})
    teacher.begin("mule", champion)
    assert teacher.in_force["mule"] == champion
    assert teacher.lineages["mule"].lessons == ()


def test_a_watch_hears_of_one_subject_once_a_day() -> None:
    """Twenty rows of one busy account, found out together, are one account and not a change."""

    def moved(rows_each: int) -> int:
        rng, teacher, found = random.Random(5), Teacher([ABOUT]), 0
        for day in range(1, 121):
            for who in range(3):
                subject, right = f"account:{day}-{who}", rng.random() < 0.5
                some = [
                    msgspec.structs.replace(
                        row(f"{day}-{who}-{n}", day, 0.9, 0.9, chance=1.0), subject=subject
                    )
                    for n in range(rows_each)
                ]
                teacher.take(some)
                teacher.hear([said(f"l{day}-{who}", subject, right, day + 0.5)])
            told = teacher.learn((day + 1) * DAY)
            found += sum(each.what == "error" for _, each in told.moved)
        assert teacher.errors["mule"].labels == 120 * 3
        return found

    assert moved(20) == moved(1) == 0

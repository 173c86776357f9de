"""Episodes: one alert for one story, the same however the stream was cut and however often it was restarted."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.episodes import DAY_US, HOUR_US, Episodes, Limits
from alerts.errors import AlertError
from alerts.record import Alert, Fact, Fire, Subject, from_json, to_json

SECOND = 1_000_000
START = 1_767_225_600 * SECOND  # as in conftest
Step = tuple[str, Any]


def test_the_first_firing_raises_and_the_same_again_does_not(fire: Any) -> None:
    episodes = Episodes()
    first = episodes.fire(fire(1))
    assert first is not None
    assert (first.revision, first.revision_why, first.raised_ts) == (1, ("new",), fire(1).recorded_ts)
    second = episodes.fire(fire(2))
    assert second is not None
    assert (second.alert_id, second.revision, second.revision_why) == (
        first.alert_id,
        2,
        ("evidence doubled",),
    )
    assert episodes.fire(fire(3)) is None
    fourth = episodes.fire(fire(4))
    assert fourth is not None
    assert (fourth.event_count, fourth.event_ids) == (4, ("e1", "e2", "e3", "e4"))
    assert fourth.raised_ts == first.raised_ts


def test_a_row_taken_before_a_restart_is_not_counted_again(fire: Any) -> None:
    episodes = Episodes()
    episodes.fire(fire(1))
    assert episodes.fire(fire(1)) is None
    again = episodes.fire(fire(2))
    assert again is not None
    assert again.event_count == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"score": 0.8}, "band rose"),
        ({"corroborated_by": ("payments:app_scam",)}, "corroborated"),
        ({"active_forces": ((12, 0.5),)}, "new force"),
        ({"home_force": 9}, "holder placed"),
        ({"minor": True}, "safeguarding"),
        ({"vulnerable": True}, "safeguarding"),
    ],
)
def test_a_material_change_amends_at_once_and_only_once(fire: Any, change: dict[str, Any], why: str) -> None:
    episodes = Episodes()
    for n in (1, 2):
        episodes.fire(fire(n))
    amended = episodes.fire(fire(3, **change))
    assert amended is not None
    assert amended.revision_why == (why,)
    assert episodes.fire(fire(4, **change)) is not None  # the fourth firing doubles the evidence
    assert episodes.fire(fire(5, **change)) is None


def test_the_assessment_is_that_of_the_highest_score(fire: Any) -> None:
    episodes = Episodes()
    episodes.fire(fire(1, score=0.5))
    episodes.fire(fire(2, score=0.95, features={"senders_24h": 40.0}))
    episodes.fire(fire(3, score=0.6))
    last = episodes.fire(fire(4, score=0.7))
    assert last is not None
    assert (last.score, last.band) == (0.95, "critical")
    assert last.assessment.scored_event_id == "e2"
    assert last.assessment.features == {"senders_24h": 40.0}


def test_what_came_between_goes_out_with_the_next_revision(fire: Any) -> None:
    episodes = Episodes()
    for n in (1, 2):
        episodes.fire(fire(n))
    other = Subject.of("account", 9, 9)
    assert episodes.fire(fire(3, source="bank-b", basis="other", related=(other,))) is None
    last = episodes.fire(fire(4))
    assert last is not None
    assert last.sources == ("bank-a", "bank-b")
    assert last.bases == ("other", "synthetic")
    assert last.subjects == (fire(1).subject, other)


def test_a_child_is_a_possible_victim_first(fire: Any) -> None:
    alert = Episodes().fire(fire(minor=True))
    assert alert is not None
    assert alert.subject.category == "possible_victim"
    assert alert.safeguarding.needed
    assert alert.priority.child_first
    suspect = Episodes().fire(fire(minor=True, subject=Subject("account", "a" * 32, "convicted")))
    assert suspect is not None
    assert suspect.subject.category == "convicted"


def test_event_ids_are_capped_and_counted_in_full(fire: Any) -> None:
    episodes = Episodes()
    alerts = [alert for n in range(1, 513) if (alert := episodes.fire(fire(n))) is not None]
    last = alerts[-1]
    assert last.event_count == 512
    assert len(last.event_ids) == 100
    assert (last.event_ids[0], last.event_ids[49], last.event_ids[50], last.event_ids[-1]) == (
        "e1", "e50", "e463", "e512",
    )  # fmt: skip
    assert (last.first_event_id, last.last_event_id) == ("e1", "e512")
    assert [alert.event_count for alert in alerts] == [2**n for n in range(10)]


def test_quiet_ends_an_episode_and_new_evidence_names_the_old(fire: Any) -> None:
    episodes = Episodes()
    first = episodes.fire(fire(1, quiet_after_us=HOUR_US))
    assert first is not None
    assert episodes.advance(fire(1).ts + HOUR_US - 1) == ()
    (ended,) = episodes.advance(fire(1).ts + HOUR_US)
    assert (ended.alert_id, ended.revision, ended.ended_why) == (first.alert_id, 2, "quiet")
    assert ended.ended_ts == fire(1).ts + HOUR_US
    assert len(episodes) == 0
    second = episodes.fire(fire(4_000))
    assert second is not None
    assert second.alert_id != first.alert_id
    assert second.previous == first.alert_id
    assert second.linked_alerts == (first.alert_id,)
    assert second.case_key == first.case_key


def test_an_episode_never_lasts_longer_than_seven_days(fire: Any) -> None:
    episodes = Episodes()
    ids = []
    for n in range(0, 8 * 86_400, 3_600):
        alert = episodes.fire(fire(n + 1))
        if alert is not None and alert.revision == 1:
            ids.append(alert)
    assert len(ids) == 2
    (ended,) = episodes.advance(ids[1].raised_ts)
    assert (ended.ended_why, ended.ended_ts) == ("longest", ids[0].raised_ts + 7 * DAY_US)
    assert ended.event_count == 7 * 24


def test_a_decision_ends_an_episode_and_a_step_does_not(fire: Any) -> None:
    episodes = Episodes()
    first = episodes.fire(fire(1))
    assert first is not None
    assert episodes.decide(first.alert_id, "in_review", fire(2).ts) is None
    closed = episodes.decide(first.alert_id, "innocent", fire(2).ts)
    assert closed is not None
    assert (closed.ended_why, closed.outcome, closed.status) == ("decision", "innocent", "closed")
    assert episodes.decide(first.alert_id, "innocent", fire(2).ts) is None
    again = episodes.fire(fire(3))
    assert again is not None
    assert again.previous == first.alert_id


def test_a_snooze_holds_back_and_what_it_held_back_is_counted(fire: Any) -> None:
    episodes = Episodes()
    subject = fire().subject
    episodes.snooze("mule_account", subject, fire(10).ts)
    assert [episodes.fire(fire(n)) for n in range(1, 10)] == [None] * 9
    assert len(episodes) == 0
    other = episodes.fire(fire(9, who=2))
    assert other is not None
    alert = episodes.fire(fire(10))
    assert alert is not None
    assert (alert.suppressed, alert.event_count) == (9, 1)


def test_a_snooze_of_an_open_alert_holds_back_its_amendments(fire: Any) -> None:
    episodes = Episodes()
    episodes.fire(fire(1))
    episodes.snooze("mule_account", fire().subject, fire(9).ts)
    assert [episodes.fire(fire(n, score=0.99)) for n in range(2, 9)] == [None] * 7
    alert = episodes.fire(fire(9, score=0.99))
    assert alert is not None
    assert (alert.revision, alert.event_count, alert.band) == (2, 9, "critical")


@pytest.mark.parametrize("opened", [True, False])
def test_a_snooze_never_holds_back_the_first_call_for_safeguarding(fire: Any, opened: bool) -> None:
    episodes = Episodes()
    if opened:
        episodes.fire(fire(1))
    episodes.snooze("mule_account", fire().subject, fire(100).ts)
    assert episodes.fire(fire(2)) is None
    child = episodes.fire(fire(3, minor=True))
    assert child is not None
    assert child.safeguarding.needed
    assert episodes.fire(fire(4, minor=True)) is None


def test_two_detectors_about_one_subject_corroborate_and_link(fire: Any) -> None:
    episodes = Episodes()
    mule = episodes.fire(fire(1))
    line = episodes.fire(fire(2, detector="deal_line", stream="telecoms", threat="county_lines"))
    assert mule is not None
    assert line is not None
    assert line.corroborated_by == ("payments:mule_account",)
    assert line.linked_alerts == (mule.alert_id,)
    again = episodes.fire(fire(3))
    assert again is not None
    assert again.revision_why == ("band rose", "evidence doubled", "corroborated")
    assert again.linked_alerts == (line.alert_id,)
    assert again.case_key == line.case_key


def test_two_streams_that_agree_raise_the_band_by_one_and_say_so(fire: Any) -> None:
    episodes = Episodes()
    alone = episodes.fire(fire(1, score=0.6, corroborated_by=("payments:app_scam",)))
    assert alone is not None
    assert (alone.band, alone.band_raised_by) == ("medium", ())
    both = episodes.fire(fire(2, score=0.6, corroborated_by=("telecoms:sim_swap",)))
    assert both is not None
    assert (both.band, both.band_raised_by) == ("high", ("payments", "telecoms"))
    assert both.score == 0.6
    worst = Episodes().fire(fire(1, score=0.95, corroborated_by=("telecoms:sim_swap",)))
    assert worst is not None
    assert worst.band == "critical"
    joint = Episodes().fire(fire(1, stream="both", corroborated_by=("telecoms:sim_swap",)))
    assert joint is not None
    assert joint.band_raised_by == ()  # a detector of both streams has counted the other one already


def test_a_line_and_the_person_it_exploits_never_raise_each_other(fire: Any) -> None:
    episodes = Episodes()
    line = {"threat": "county_lines", "stream": "telecoms", "detector": "deal_line", "claim": "line"}
    child = {"threat": "county_lines", "stream": "payments", "detector": "courier", "claim": "exploited"}
    episodes.fire(fire(1, **line))
    carried = episodes.fire(fire(2, **child))
    assert carried is not None
    assert carried.corroborated_by == ()
    assert carried.band_raised_by == ()
    assert len(carried.linked_alerts) == 1  # but each says where the other is
    other = episodes.fire(fire(3, **(child | {"detector": "missing_child_contact"})))
    assert other is not None
    assert other.corroborated_by == ("payments:courier",)


def test_memory_goes_with_time(fire: Any) -> None:
    episodes = Episodes(Limits(memory_us=DAY_US))
    for n in range(1, 200):
        episodes.fire(fire(n, who=n))
    episodes.snooze("mule_account", fire(who=999).subject, fire(300).ts)
    episodes.fire(fire(201, who=999))
    assert len(episodes) == 199
    assert len(episodes.advance(fire(1).ts + 30 * DAY_US)) == 199
    empty = Episodes()
    empty.advance(fire(1).ts + 30 * DAY_US)
    assert episodes.snapshot() == empty.snapshot()


# --- the same result whatever the batching and the restarts --------------------------------------------------------


@st.composite
def stories(draw: st.DrawFn) -> list[Step]:
    """Steps of a stream: firings, decisions, snoozes, with gaps from seconds to days; times may go back a little."""
    steps: list[Step] = []
    at = 0
    for n in range(draw(st.integers(1, 40))):
        at += draw(st.sampled_from([0, 1, 30, 3_000, 50_000, 90_000, 400_000]))
        kind = draw(st.sampled_from(["fire"] * 8 + ["decide", "snooze"]))
        who = draw(st.integers(1, 2))
        if kind == "fire":
            said = {
                "score": draw(st.sampled_from([0.45, 0.55, 0.8, 0.95])),
                "detector": draw(st.sampled_from(["mule_account", "deal_line"])),
                "active_forces": draw(st.sampled_from([(), ((5, 1),), ((5, 0.5), (12, 0.5))])),
                "minor": draw(st.integers(0, 9)) == 0,
                "source": draw(st.sampled_from(["bank-a", "bank-b"])),
                "late": draw(st.sampled_from([0, 0, 0, 5, 100_000])),
            }
            steps.append(("fire", (n, at, who, said)))
        else:
            steps.append((kind, (n, at, who)))
    return steps


def tell(episodes: Episodes, step: Step, fire: Callable[..., Fire], seen: list[Alert]) -> None:
    """Do one step, gathering what comes out."""
    kind, said = step
    at = START + said[1] * SECOND
    if kind == "fire":
        n, _, who, changed = said
        changed = dict(changed)
        late = changed.pop("late") * SECOND
        # recorded_ts may go back (a live feed); the clock the flow gives never does
        made = fire(n, who, **changed, ts=at - late, recorded_ts=at - min(late, 5 * SECOND), clock_ts=at)
        out = episodes.fire(made)
    elif kind == "decide":
        about = [alert for alert in seen if alert.subject.token == fire(0, said[2]).subject.token]
        out = episodes.decide(about[-1].alert_id, "innocent", at) if about else None
    else:
        episodes.snooze("mule_account", fire(0, said[2]).subject, at + 60_000 * SECOND)
        out = None
    if out is not None:
        seen.append(out)


END = START + 400 * 86_400 * SECOND


def undisturbed(steps: list[Step], fire: Callable[..., Fire]) -> tuple[list[bytes], bytes]:
    """All revisions of one run that is told of the passing of time only at its end, and its last state."""
    episodes, seen = Episodes(), list[Alert]()
    for step in steps:
        tell(episodes, step, fire, seen)
    seen += episodes.advance(END)
    return sorted(to_json(alert) for alert in seen), episodes.snapshot()


@given(steps=stories(), cuts=st.sets(st.integers(0, 40)))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_results_do_not_depend_on_batching(fire: Any, steps: list[Step], cuts: set[int]) -> None:
    episodes, raised, ended = Episodes(), list[Alert](), list[Alert]()
    for place, step in enumerate(steps):
        tell(episodes, step, fire, raised)
        if place in cuts:
            ended += episodes.advance(START + step[1][1] * SECOND)
    ended += episodes.advance(END)
    outcome = sorted(to_json(alert) for alert in raised + ended), episodes.snapshot()
    assert outcome == undisturbed(steps, fire)


@given(steps=stories(), kills=st.sets(st.integers(0, 40)))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_restart_at_any_moment_changes_nothing(fire: Any, steps: list[Step], kills: set[int]) -> None:
    episodes, seen = Episodes(), list[Alert]()
    for place, step in enumerate(steps):
        if place in kills:
            episodes = Episodes.restore(episodes.snapshot())
        tell(episodes, step, fire, seen)
    seen += episodes.advance(END)
    assert (sorted(to_json(alert) for alert in seen), episodes.snapshot()) == undisturbed(steps, fire)


@given(steps=stories(), epochs=st.sets(st.integers(0, 40)))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_base_and_its_changes_are_the_whole(fire: Any, steps: list[Step], epochs: set[int]) -> None:
    episodes, seen = Episodes(), list[Alert]()
    base, deltas = episodes.snapshot(), list[bytes]()
    for place, step in enumerate(steps):
        tell(episodes, step, fire, seen)
        if place in epochs:
            episodes.advance(START + step[1][1] * SECOND)
            deltas.append(episodes.changes())
    deltas.append(episodes.changes())
    assert Episodes.restore(base, deltas).snapshot() == episodes.snapshot()


@given(steps=stories())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_revisions_count_up_and_every_firing_is_in_exactly_one_alert(fire: Any, steps: list[Step]) -> None:
    episodes, seen = Episodes(), list[Alert]()
    for step in steps:
        tell(episodes, step, fire, seen)
    seen += episodes.advance(END)
    by_alert: dict[str, list[Alert]] = {}
    for alert in sorted(seen, key=lambda alert: alert.revision):
        by_alert.setdefault(alert.alert_id, []).append(alert)
    for revisions in by_alert.values():
        assert [alert.revision for alert in revisions] == list(range(1, len(revisions) + 1))
        assert len({alert.raised_ts for alert in revisions}) == 1
        assert revisions[-1].ended_ts is not None
        counts = [alert.event_count for alert in revisions]
        assert counts == sorted(counts)
    gathered = sum(revisions[-1].event_count for revisions in by_alert.values())
    held = sum(revisions[0].suppressed for revisions in by_alert.values())
    fired = sum(kind == "fire" for kind, _ in steps)
    # What a snooze held back is in no alert yet when nothing came after it.
    assert gathered + held <= fired
    if not any(kind == "snooze" for kind, _ in steps):
        assert gathered == fired


def test_kernels_numbers_are_written_as_pythons(fire: Any) -> None:
    episodes = Episodes()
    made = fire(
        1,
        score=np.float64(0.7),
        features={"x": np.float32(1.5), "y": np.int64(3)},
        active_forces=((np.uint8(5), 1),),
        home_force=np.uint8(5),
        minor=np.bool_(False),
        facts=(Fact("senders", np.int32(4), "accounts", np.int64(5), None), Fact("share", np.float64("nan"))),
    )
    assert episodes.fire(made) is not None
    snapshot = episodes.snapshot()
    assert Episodes.restore(snapshot).snapshot() == snapshot
    plain = Episodes().fire(made)
    assert plain is not None
    assert [fact.value for fact in plain.facts] == [4, None, 1]
    assert from_json(to_json(plain)) == plain


@pytest.mark.parametrize(
    "raw", [b"", b"\xc1", b"\x90", msgspec.msgpack.encode({"version": 9, "what": "whole"})]
)
def test_a_snapshot_that_cannot_be_read_says_what_to_do(raw: bytes) -> None:
    with pytest.raises(AlertError, match="replay the ledger"):
        Episodes.restore(raw)


def test_a_delta_is_not_a_whole() -> None:
    with pytest.raises(AlertError, match="changes of version 1"):
        Episodes.restore(Episodes().changes())

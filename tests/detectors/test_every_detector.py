"""What every detector promises. A new file in detectors/ is held to all of it by being there."""

import ast
import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import base, discovery
from detectors.base import Detector, Story
from detectors.discovery import all_detectors, detector
from detectors.errors import DetectorError
from features.catalogue import all_features
from features.declare import AGE
from flows.national_hop import NationalHop

DETECTORS = all_detectors()
STORIES = [(each, story) for each in DETECTORS for story in each.examples()]
SKIPPED: dict[str, str] = {}
"""Detectors whose stories are not run, by id, each with the reason: a skip is a debt with a name."""

every = pytest.mark.parametrize("each", DETECTORS, ids=lambda each: each.id)
every_story = pytest.mark.parametrize(
    ("each", "story"), STORIES, ids=[f"{each.id}: {story.title}" for each, story in STORIES]
)
wild = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 1e308, -1e308, 5e-324]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0, 100),
    st.integers(0, 10**12).map(float),
)


@pytest.fixture(scope="module")
def together(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every story run through the real flow; nobody is in two stories that run together."""
    module = request.getfixturevalue("stage")
    folder = tmp_path_factory.mktemp("stories")
    ended = {}
    told = [story for each, story in STORIES if each.id not in SKIPPED]
    for n, group in enumerate(module.groups_of(told)):
        result = module.run_flow(module.told_together(group), folder / str(n))
        ended.update({id(story): result for story in group})
    return ended


# ------------------------------------------------------------------------------------------------ what it says


@every
def test_it_is_found_by_its_file_alone(each: type[Detector]) -> None:
    assert detector(each.id) is each
    module = inspect.getmodule(each)
    assert module is not None
    assert module.__file__ is not None
    assert Path(module.__file__).stem == each.id
    assert re.fullmatch(r"[a-z][a-z0-9_]*", each.id)


def test_no_file_in_the_folder_is_left_out() -> None:
    files = {path.stem for path in Path(base.__file__).parent.glob("*.py")}
    assert files - {"__init__", "base", "cross", "discovery", "errors", "network"} == {
        each.id for each in DETECTORS
    }


def test_a_skip_names_a_detector_and_a_reason() -> None:
    assert SKIPPED.keys() <= {each.id for each in DETECTORS}
    assert all(len(why) > 20 for why in SKIPPED.values())


@every
def test_nobody_is_scored_by_how_old_they_are(each: type[Detector]) -> None:
    """Of protected characteristics age alone is on record: people may see it as a fact, and no score takes it in."""
    asked = {signal.feature for signal in each.signals} | set(each.gate.meta.root_names())
    of_age = {feature.name for feature in all_features() if feature.value == AGE}
    assert of_age
    assert not {name for name in asked if name.rpartition(".")[2] in of_age}
    names = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(each) or each)))
        if isinstance(node, ast.Attribute)
    }
    assert not names & {"OLDER", "YOUNG"}, "an age band by another name"


@every
def test_its_metadata_is_whole(each: type[Detector]) -> None:
    assert isinstance(each.version, int)
    assert each.version >= 1
    assert each.budget > 0
    assert each.quiet_hours > 0
    low, middle, high = each.bands
    assert each.threshold <= low < middle < high < 1
    assert each.harm
    assert all(0 <= cell <= 4 for cell in each.harm.values())
    assert len({s.feature for s in each.signals}) == len(each.signals)
    assert all(s.low != s.high and s.weight > 0 for s in each.signals)
    assert each.needs()


@every
def test_its_blind_spots_innocent_look_alikes_and_steps_are_sentences(each: type[Detector]) -> None:
    assert len(each.innocent) >= 2
    assert 2 <= len(each.runbook) <= 3
    for words in (each.misses, *each.innocent, *each.runbook):
        assert len(words.split()) >= 5, words
        assert words[0].isupper(), words
        assert words[-1] in ".?", words
    assert not each.title.endswith(".")


@every
def test_its_docstring_explains_the_crime_to_a_newcomer(each: type[Detector]) -> None:
    said = inspect.getdoc(inspect.getmodule(each)) or ""
    first, _, rest = said.partition("\n\n")
    assert first.endswith(".")
    assert len(rest.split()) >= 25


@every
def test_nothing_it_says_looks_like_a_real_identifier(each: type[Detector]) -> None:
    said = inspect.getsource(inspect.getmodule(each) or each)
    for number in re.findall(r"\+44\d+", said):
        assert number.startswith("+447700900"[: len(number)]), number
    for sort_code in re.findall(r"\b\d{2}-\d{2}-\d{2} ", said):
        assert sort_code.startswith("00-00-"), sort_code


@every
def test_its_stories_carry_no_content_of_a_message(each: type[Detector]) -> None:
    for story in each.examples():
        for stream, record in story.events:
            if stream == "telecoms":
                assert not record.keys() & {"text", "body", "content", "message", "audio", "url"}


@every
def test_it_tells_a_story_that_fires_and_one_that_stays_quiet(each: type[Detector]) -> None:
    stories = each.examples()
    assert any(story.alerts_about for story in stories)
    assert any(not story.alerts_about for story in stories)
    assert len({story.title for story in stories}) == len(stories)


@every
def test_what_it_needs_is_declared_and_has_words(each: type[Detector]) -> None:
    for column in each.needs():
        assert each.meaning(column).words


# ------------------------------------------------------------------------------------------------ how stories end


@every_story
def test_the_story_ends_as_it_says(each: type[Detector], story: Story, together: Any, stage: Any) -> None:
    if each.id in SKIPPED:
        pytest.skip(SKIPPED[each.id])
    found = together[id(story)].about(each.id, stage.subjects_in(story))

    assert {a.subject.name for a in found} == {stage.tokens_of(name) for name in story.alerts_about}, (
        f"{inspect.getfile(each)}:{story.line}"
    )


def test_every_record_of_every_story_is_let_in(together: Any) -> None:
    for ended in together.values():
        assert sum(ended.rejected.values()) == 0


@every_story
def test_the_alert_says_why_in_numbers(each: type[Detector], story: Story, together: Any, stage: Any) -> None:
    signals = {s.feature for s in each.signals}
    for alert in together[id(story)].about(each.id, stage.subjects_in(story)):
        reasons = alert.assessment.reasons
        assert reasons
        assert {reason.feature for reason in reasons} <= set(each.needs())
        assert alert.assessment.contributions.keys() == signals
        assert alert.assessment.features.keys() == signals
        assert math.isclose(sum(reason.share or 0.0 for reason in reasons), 1.0, abs_tol=1e-9)
        assert [r.share for r in reasons] == sorted((r.share for r in reasons), reverse=True)
        assert all(reason.words and reason.value is not None for reason in reasons)
        assert {fact.name for fact in alert.facts} >= set(each.facts)
        total = alert.assessment.intercept + sum(c or 0.0 for c in alert.assessment.contributions.values())
        assert math.isclose(alert.score, 1 / (1 + math.exp(-total)), abs_tol=1e-12)


@every_story
def test_the_smallest_change_would_indeed_not_have_alerted(
    each: type[Detector], story: Story, together: Any, stage: Any
) -> None:
    card = each.scorecard()
    for alert in together[id(story)].about(each.id, stage.subjects_in(story)):
        change = alert.assessment.counterfactual
        if change is None:
            continue
        values = {k: math.nan if v is None else float(v) for k, v in alert.assessment.features.items()}
        assert card.score_one(values) >= each.threshold
        assert change.would_be is not None
        assert card.score_one(values | {change.feature: change.would_be}) < each.threshold


def test_falling_over_in_the_middle_of_the_stories_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: Any
) -> None:
    monkeypatch.setenv("LINEWATCH_TICK_ROWS", "25")
    stories = stage.groups_of([story for each, story in STORIES if each.id not in SKIPPED])[0]
    events = stage.told_together(stories)
    undisturbed = stage.run_flow(events, tmp_path / "undisturbed")
    falls, begun, work = [9, 6, 3], [0], NationalHop.work

    def falling(hop: NationalHop, ids: Any, parts: Any) -> Any:
        begun.append(ids.tick)
        if falls and ids.tick >= falls[-1]:
            falls.pop()
            raise RuntimeError("fell over")
        return work(hop, ids, parts)

    monkeypatch.setattr(NationalHop, "work", falling)
    resumed = stage.run_flow(events, tmp_path / "disturbed", again=lambda: True)

    assert not falls
    assert begun[-1] > 9
    assert resumed.written == undisturbed.written
    assert resumed.digests == undisturbed.digests


# ------------------------------------------------------------------------------------------------ how it scores


def _rows(each: type[Detector]) -> st.SearchStrategy[Any]:
    width = len(each.needs())
    return st.lists(st.lists(wild, min_size=width, max_size=width), min_size=1, max_size=12)


@every
def test_scores_lie_between_0_and_1_whatever_comes_in_and_the_input_stays_as_it_was(
    each: type[Detector],
) -> None:
    card, places = each.scorecard(), [each.needs().index(s.feature) for s in each.signals]

    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(_rows(each))
    def holds(rows: list[list[float]]) -> None:
        values = np.array(rows)[:, places].copy()
        before = values.tobytes()
        scores = card.score(values)
        assert values.tobytes() == before
        assert np.isfinite(scores).all()
        assert (scores >= 0).all()
        assert (scores <= 1).all()

    holds()


@every
def test_a_frame_scores_as_its_rows_do_alone_to_the_last_bit(each: type[Detector]) -> None:
    card, places = each.scorecard(), [each.needs().index(s.feature) for s in each.signals]

    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(_rows(each))
    def holds(rows: list[list[float]]) -> None:
        values = np.array(rows)
        whole = card.score(values[:, places].copy())
        alone = np.concatenate([card.score(values[i : i + 1][:, places].copy()) for i in range(len(values))])
        assert whole.tobytes() == alone.tobytes()
        assert _gated(each, values) == [_gated(each, values[i : i + 1])[0] for i in range(len(values))]

    holds()


def _gated(each: type[Detector], values: Any) -> list[bool]:
    frame = pl.DataFrame({name: values[:, i] for i, name in enumerate(each.needs())})
    return frame.select(each.gate.fill_null(value=False).alias("gate"))["gate"].to_list()


@every
def test_of_somebody_nothing_is_known_of_it_says_nothing(each: type[Detector]) -> None:
    card = each.scorecard()
    assert card.score_one({s.feature: math.nan for s in each.signals}) < each.threshold
    assert card.score_one({s.feature: s.low for s in each.signals}) < each.threshold
    assert card.score_one({s.feature: s.high for s in each.signals}) >= each.bands[2]


@every
def test_no_single_signal_is_enough(each: type[Detector]) -> None:
    card = each.scorecard()
    for strong in each.signals:
        values = {s.feature: s.high if s is strong else s.low for s in each.signals}
        assert card.score_one(values) < each.threshold, strong.feature


# ------------------------------------------------------------------------------------------------ a wrong file


def _wrong(**changes: Any) -> Callable[[], Any]:
    sound = next(each for each in DETECTORS if each.__base__ is Detector)
    said = {name: getattr(sound, name) for name in base._REQUIRED}
    said |= {"__doc__": "A crime.", "__module__": sound.__module__} | changes
    return lambda: type("Wrong", (Detector,), {k: v for k, v in said.items() if v is not None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"misses": None}, "does not say its misses"),
        ({"misses": " "}, "known gaps"),
        ({"threshold": 1.0}, "between 0 and 1"),
        ({"threat": "weather"}, "threat is one of"),
        ({"runbook": ("One step.",)}, "at least 2"),
        ({"innocent": ()}, "at least 1"),
        ({"id": "elsewhere"}, "must live in detectors/elsewhere.py"),
    ],
)
def test_a_detector_that_leaves_something_out_is_told_what(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DetectorError, match=words):
        _wrong(**changes)()


def test_a_name_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(DetectorError, match="mule_account"):
        detector("moon_phase")
    assert discovery.all_detectors() is DETECTORS

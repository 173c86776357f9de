"""Priority and handling: children first, parts shown, confidence apart, grades never raised by themselves."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.episodes import Episodes
from alerts.errors import AlertError
from alerts.handling import handling, reviewed
from alerts.priority import CELLS, CHILD_FIRST, priority, read_rules

WORST = dict.fromkeys(CELLS, 4)


def test_a_possible_child_victim_stands_first_whatever_the_score(fire: Any) -> None:
    child = priority(fire(minor=True, score=0.0, harm={}))
    worst = priority(fire(score=1.0, harm=WORST))
    assert child.order > worst.order
    assert child.level == "critical"
    assert child.child_first


def test_the_worst_there_is_has_the_highest_risk(fire: Any) -> None:
    worst = priority(fire(score=1.0, harm=WORST))
    assert (worst.harm, worst.likelihood, worst.risk, worst.organisational) == (40.0, 4.0, 160.0, 16.0)
    assert worst.level == "critical"
    assert worst.order < CHILD_FIRST


def test_harm_follows_the_written_formula(fire: Any) -> None:
    harm = {
        "physical": 3,
        "psychological": 2,
        "financial": 1,
        "community": 1,
        "environment": 0,
        "geographic": 2,
    }
    known = harm | {"frequency": 2, "trend": 3, "forecast": 1, "vulnerability": 2}
    shown = priority(fire(harm=known))
    assert shown.harm == pytest.approx(4 + (4 + 2 + 1) / 3 + 1 + 0 + 2)
    assert shown.likelihood == 2.0
    assert shown.risk == pytest.approx(shown.harm * 2)


def test_confidence_is_kept_apart(fire: Any) -> None:
    alone = priority(fire(score=0.6))
    backed = priority(fire(score=0.6, corroborated_by=("telecoms",)))
    sure = priority(fire(score=0.8, corroborated_by=("telecoms",)))
    assert [shown.confidence for shown in (alone, backed, sure)] == ["L", "M", "H"]
    assert alone.order == backed.order


@given(
    harm=st.dictionaries(st.sampled_from(CELLS), st.integers(-3, 9)),
    score=st.floats(0, 1),
    count=st.integers(1, 10**6),
    regions=st.integers(0, 12),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_cells_stay_in_range_and_more_harm_never_lowers_the_order(
    fire: Any, harm: dict[str, int], score: float, count: int, regions: int
) -> None:
    shown = priority(fire(harm=harm, score=score), count, regions)
    assert set(shown.cells) == set(CELLS)
    assert all(0 <= cell <= 4 for cell in shown.cells.values())
    assert 1 <= shown.likelihood <= 4
    worse = priority(fire(harm=harm | {"physical": 4}, score=score), count, regions)
    assert worse.order >= shown.order


def test_rules_are_data_and_every_priority_names_those_in_force(fire: Any, tmp_path: Path) -> None:
    path = tmp_path / "agreed.toml"
    path.write_text(
        "grades = [0, 1, 2, 4, 16]\nlevels = [10, 20, 30]\n"
        "[alignment]\nfraud = 4\n[harm.mule_account]\nphysical = 4\n"
    )
    rules = read_rules(path)
    before, now = priority(fire()), priority(fire(), rules=rules)
    assert (before.rules, now.rules) == ("", rules.name)
    assert rules.name.startswith("agreed-")
    assert now.cells["physical"] == 4
    assert now.cells["priority_alignment"] == 4
    assert now.risk > before.risk
    assert now.level == "critical"
    path.write_text("grades = [0, 1, 2, 4, 9999]\n[harm.mule_account]\nphysical = 4\n")
    assert priority(fire(), rules=read_rules(path)).order < priority(fire(minor=True, score=0.0)).order


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("grades = [0, 2, 1, 4, 8]", "never counts less"),
        ("levels = [3, 2, 1]", "must rise"),
        ("[harm.mule_account]\nphysical = 5", "0 to 4"),
        ("[harm.mule_account]\nfear = 2", "no such cell: fear"),
        ("colour = 'red'", "unknown field"),
        ("grades = [", "no set of priority rules"),
    ],
)
def test_rules_that_cannot_be_are_refused_with_why(tmp_path: Path, said: str, why: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(said)
    with pytest.raises(AlertError, match=why):
        read_rules(path)
    with pytest.raises(AlertError, match="cannot be read"):
        read_rules(tmp_path / "none.toml")


def test_made_up_data_is_official_and_live_data_is_sensitive(fire: Any) -> None:
    assert handling(fire()).marking == "OFFICIAL"
    live = handling(fire(data_class="live"))
    assert live.marking == "OFFICIAL-SENSITIVE"
    assert "named officer" in live.instruction
    assert handling(fire(data_class="no such class")).marking == "OFFICIAL-SENSITIVE"


def test_the_grade_rises_only_when_other_evidence_and_a_person_agree(fire: Any) -> None:
    assert handling(fire()).grade == "2 D C"
    assert handling(fire(supplier_proven=True)).grade == "1 D C"
    assert handling(fire(corroborated_by=("telecoms",))).inference_grade == "D"
    assert handling(fire()).record_grade == "A"
    assert handling(fire()).conditions == ("A1", "S2")
    for others, outcome, grade in (
        ((), "confirmed", "2 D C"),
        (("payments:app_scam",), "confirmed", "2 D C"),
        (("telecoms:deal_line",), None, "2 D C"),
        (("telecoms:deal_line",), "innocent", "2 D C"),
        (("telecoms:deal_line",), "confirmed", "2 B C"),
    ):
        alert = Episodes().fire(fire(corroborated_by=others))
        assert alert is not None
        assert reviewed(msgspec.structs.replace(alert, outcome=outcome)).grade == grade

"""Lawful bases: what none of them covers does not pass the gate."""

import numpy as np
import pytest

from events.bases import EXPIRED, HELD, NO_BASIS, Bases, LawfulBasis, Scope
from events.errors import EventError

TOML = """
[[basis]]
reference = "AUTH-7"
instrument = "IPA 2016 part 3"
purpose = "prevention of crime"
expires_at = 2026-06-01
keep_refused = true
[basis.scope]
streams = ["telecoms"]
sources = ["operator"]
forces = ["E23000001"]
from = 2026-01-01T00:00:00Z
to = 2026-05-01T00:00:00+01:00
"""

DAY = 86_400_000_000
NEW_YEAR = 1_767_225_600_000_000  # 2026-01-01


def gate(bases: Bases, reference: str, days: list[float], **changes: object) -> list[int]:
    ts = np.array([NEW_YEAR + int(day * DAY) for day in days], np.int64)
    asked: dict[str, object] = {
        "stream": "telecoms", "source": "operator", "recorded_ts": ts,
        "forces": [np.ones(ts.size, np.uint8)], "rows": {"E23000001": 1, "E23000002": 2},
    } | changes  # fmt: skip
    return bases.gate(reference, ts=ts, **asked).tolist()  # type: ignore[arg-type]


def test_a_record_within_its_basis_is_held() -> None:
    assert gate(Bases.from_toml(TOML), "AUTH-7", [0, 50]) == [HELD, HELD]


def test_a_record_under_no_known_basis_is_not_held() -> None:
    bases = Bases.from_toml(TOML)
    assert gate(bases, "AUTH-8", [0]) == gate(bases, "", [0]) == [NO_BASIS]


@pytest.mark.parametrize(
    "changes",
    [{"stream": "payments"}, {"source": "another"}, {"forces": [np.array([2], np.uint8)]}, {"forces": []}],
)
def test_a_record_outside_the_scope_is_not_held(changes: dict[str, object]) -> None:
    assert gate(Bases.from_toml(TOML), "AUTH-7", [0], **changes) == [NO_BASIS]


def test_a_record_before_or_after_the_period_is_not_held() -> None:
    assert gate(Bases.from_toml(TOML), "AUTH-7", [-0.1, 0, 119.9, 120]) == [NO_BASIS, HELD, HELD, NO_BASIS]


def test_a_record_recorded_after_the_basis_ended_is_expired() -> None:
    recorded = np.array([NEW_YEAR + 151 * DAY - 1, NEW_YEAR + 151 * DAY], np.int64)
    assert gate(Bases.from_toml(TOML), "AUTH-7", [9, 9], recorded_ts=recorded) == [HELD, EXPIRED]


def test_any_role_of_a_force_in_scope_is_enough() -> None:
    forces = [np.array([2, 2], np.uint8), np.array([1, 0], np.uint8)]
    assert gate(Bases.from_toml(TOML), "AUTH-7", [1, 1], forces=forces) == [HELD, NO_BASIS]


def test_the_demo_basis_holds_everything() -> None:
    assert gate(Bases.demo(), "synthetic-demo", [-9000, 9000], forces=[], stream="payments") == [HELD, HELD]


def test_raw_bytes_are_kept_only_under_a_basis_that_says_so() -> None:
    bases = Bases.of([LawfulBasis("a", "i", "p"), LawfulBasis("b", "i", "p", Scope(), None, True)])
    assert [bases.keeps_refused(name) for name in ("a", "b", "c", None)] == [False, True, False, False]


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[[basis]", "not TOML"),
        ("basis = 3", r"\[\[basis\]\]"),
        ("basis = [3]", r"\[\[basis\]\]"),
        ('[[basis]]\nreference = "a"\ninstrument = "i"', "has no purpose"),
        ('[[basis]]\nreference = "a"\ninstrument = "i"\npurpose = "p"\nexpire = 3', "expire"),
        ('[[basis]]\nreference = "a"\ninstrument = "i"\npurpose = "p"\nexpires_at = 3', "write a date"),
        (
            '[[basis]]\nreference = "a"\ninstrument = "i"\npurpose = "p"\nexpires_at = 2026-01-01T00:00:00',
            "offset",
        ),
        ('[[basis]]\nreference = "a"\ninstrument = "i"\npurpose = "p"\nscope = {streams = ["mail"]}', "mail"),
        ('[[basis]]\nreference = "a"\ninstrument = "i"\npurpose = "p"\nscope = 3', "scope"),
    ],
)
def test_a_table_that_cannot_be_used_says_what_to_do(toml: str, says: str) -> None:
    with pytest.raises(EventError, match=says):
        Bases.from_toml(toml)


def test_two_bases_with_one_reference_are_refused() -> None:
    with pytest.raises(EventError, match="same reference"):
        Bases.of([LawfulBasis("a", "i", "p"), LawfulBasis("a", "i", "q")])

"""The registry: what is unsigned or altered is never loaded, two people promote, and nothing is forgotten."""

import json
import pickle
import stat
from pathlib import Path

import msgspec
import numpy as np
import pytest

from alerts.errors import NotAllowed
from models.boosted import train_boosted
from models.card import Card, Measure, Window
from models.errors import ModelError
from models.registry import FIRST, PICKLE, PROMOTIONS, SIGNATURE, VERSIONS, WEIGHTS, Registry
from models.signing import Signer, signer_of

KEY = b"k" * 32


def card(version: str = "mule_account-1.r1", **more: object) -> Card:
    said = {
        "version": version,
        "lineage": "mule_account-1",
        "detector": "mule_account",
        "detector_version": 1,
        "kind": "scorecard",
        "purpose": "scores accounts on payments",
        "not_for": "deciding anything about a person without an officer",
        "inputs": ("a", "b"),
        "threshold": 0.5,
        "trained": Window(from_ts=0, to_ts=10),
        "labels": {"analyst": {"confirmed": 3, "innocent": 9}},
        "measures": (Measure(name="precision", value=0.25, low=0.1, high=0.5, of=12),),
        "made_at": 5,
        "made_by": "ann",
        "code_commit": "abc",
    }
    return Card(**(said | more))  # type: ignore[arg-type]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path, Signer(KEY), clock=lambda: 77)


def test_a_version_comes_back_as_it_was_registered(registry: Registry) -> None:
    kept = registry.register(card(), {"w": [1.5, 2.0]}, {"precision.png": b"png"})
    assert kept.plots == ("precision.png",)
    assert registry.card(kept.version) == kept
    assert registry.weights(kept.version) == {"w": [1.5, 2.0]}
    assert registry.file(kept.version, "precision.png") == b"png"
    assert registry.versions() == registry.versions("mule_account") == (kept,)
    assert registry.versions("deal_line") == ()
    assert registry.find("mule_account-1.r") == kept


def test_a_version_is_written_once(registry: Registry) -> None:
    registry.register(card(), {"w": 1})
    with pytest.raises(ModelError, match="written once"):
        registry.register(card(), {"w": 2})
    assert registry.weights("mule_account-1.r1") == {"w": 1}


@pytest.mark.parametrize("name", [WEIGHTS, "card.json", "precision.png"])
def test_an_altered_file_is_never_loaded(registry: Registry, name: str) -> None:
    registry.register(card(), {"w": 1}, {"precision.png": b"png"})
    path = registry.folder / VERSIONS / "mule_account-1.r1" / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2") + b" ")
    for load in (registry.weights, registry.card):
        with pytest.raises(ModelError, match="altered"):
            load("mule_account-1.r1")


def test_an_unsigned_version_is_never_loaded(registry: Registry) -> None:
    registry.register(card(), {"w": 1})
    (registry.folder / VERSIONS / "mule_account-1.r1" / SIGNATURE).unlink()
    with pytest.raises(ModelError, match="not signed"):
        registry.weights("mule_account-1.r1")


def test_a_version_signed_with_another_key_is_never_loaded(registry: Registry, tmp_path: Path) -> None:
    registry.register(card(), {"w": 1})
    with pytest.raises(ModelError, match="another key"):
        Registry(tmp_path, Signer(b"x" * 32)).weights("mule_account-1.r1")


def test_a_signature_does_not_travel_to_another_version(registry: Registry) -> None:
    registry.register(card(), {"w": 1})
    registry.register(card("mule_account-1.r2"), {"w": 2})
    one, two = (registry.folder / VERSIONS / f"mule_account-1.r{n}" for n in (1, 2))
    for path in one.iterdir():
        (two / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match="another version"):
        registry.weights("mule_account-1.r2")


OPENED: list[int] = []


class Trap:
    """A pickle that does something when it is opened."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return OPENED.append, (1,)


def test_a_pickle_is_not_opened_before_its_signature_holds(registry: Registry) -> None:
    values = np.random.default_rng(1).random((400, 2))
    model = train_boosted(["a", "b"], values, (values[:, 0] > 0.8).astype(float), trees=3)
    registry.register(card(kind="boosted"), model)
    again = registry.weights("mule_account-1.r1")
    assert again.log_odds(values).tobytes() == model.log_odds(values).tobytes()
    (registry.folder / VERSIONS / "mule_account-1.r1" / PICKLE).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match="altered"):
        registry.weights("mule_account-1.r1")
    assert OPENED == []


def test_a_pickle_of_another_library_version_is_not_opened(registry: Registry) -> None:
    registry.register(card(kind="boosted", libraries={"scikit-learn": "0.1"}), Trap())
    with pytest.raises(ModelError, match="retrain it"):
        registry.weights("mule_account-1.r1")
    assert OPENED == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "oracle"},
        {"purpose": " "},
        {"labels": {"rumour": {"confirmed": 1}}},
        {"threshold": 1.0},
        {"version": "../escape"},
        {"format": 2},
    ],
)
def test_a_card_that_says_too_little_is_refused(registry: Registry, wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        registry.register(card(**wrong) if "version" not in wrong else card(str(wrong["version"])), {})


def test_promotion_needs_two_people_and_a_reason(registry: Registry) -> None:
    registry.register(card(), {"w": 1})
    for by, agreed, why in (
        ("ann", "Ann ", "better"),
        ("ann", "", "better"),
        ("system", "bob", "better"),
        ("ann", "bob", " "),
    ):
        with pytest.raises(NotAllowed):
            registry.promote("mule_account-1.r1", by=by, agreed_by=agreed, why=why)
    assert registry.promotions() == ()
    done = registry.promote("mule_account-1.r1", by="ann", agreed_by="bob", why="better")
    assert (done.at, done.before, registry.champion("mule_account")) == (77, "", "mule_account-1.r1")


def test_rolling_back_goes_step_by_step_to_the_author(registry: Registry) -> None:
    for n in (1, 2):
        registry.register(card(f"mule_account-1.r{n}"), {"w": n})
        registry.promote(f"mule_account-1.r{n}", by="ann", agreed_by="bob", why="better")
    champions = []
    for _ in range(2):
        registry.rollback("mule_account", by="bob", agreed_by="cat", why="worse on fresh labels")
        champions.append(registry.champion("mule_account"))
    assert champions == ["mule_account-1.r1", ""]
    with pytest.raises(ModelError, match="nothing to roll back"):
        registry.rollback("mule_account", by="bob", agreed_by="cat", why="again")
    assert [one.stage for one in registry.promotions("mule_account")] == ["promote"] * 2 + ["rollback"] * 2


def test_what_is_put_back_alerts_from_where_it_was_promoted(registry: Registry) -> None:
    for n, threshold in ((1, 0.62), (2, None), (3, 0.3)):
        registry.register(card(f"mule_account-1.r{n}"), {"w": n})
        registry.promote(f"mule_account-1.r{n}", by="ann", agreed_by="bob", why="better", threshold=threshold)
    usual = registry.card("mule_account-1.r2").threshold
    assert registry.alerts_from("mule_account-1.r3") == 0.3
    assert registry.alerts_from("mule_account-1.r2") == usual
    registry.rollback("mule_account", by="bob", agreed_by="cat", why="worse")
    assert registry.alerts_from("mule_account-1.r2") == usual
    registry.fall_back("mule_account", "mule_account-1.r2", "worse")
    assert registry.alerts_from("mule_account-1.r1") == 0.62
    assert [one.threshold for one in registry.promotions()] == [0.62, None, 0.3, None, 0.62]


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.2, float("nan")])
def test_no_version_is_promoted_to_alert_from_a_score_that_none_can_have(
    registry: Registry, threshold: float
) -> None:
    registry.register(card(), {"w": 1})
    with pytest.raises(ModelError, match="between 0 and 1"):
        registry.promote("mule_account-1.r1", by="ann", agreed_by="bob", why="better", threshold=threshold)
    assert registry.promotions() == ()


def test_lines_from_before_there_were_thresholds_hold_and_none_can_be_given_one(registry: Registry) -> None:
    registry.register(card(), {"w": 1})
    line: dict[str, object] = {
        "number": 1, "stage": "promote", "detector": "mule_account", "version": "mule_account-1.r1", "before": "",
        "by": "ann", "agreed_by": "bob", "why": "better", "at": 77, "previous": FIRST, "signature": "",
    }  # fmt: skip
    line["signature"] = registry._signer.sign(msgspec.json.encode(line, order="sorted"))
    path = registry.folder / PROMOTIONS
    path.write_bytes(msgspec.json.encode(line) + b"\n")
    assert registry.champion("mule_account") == "mule_account-1.r1"
    assert registry.alerts_from("mule_account-1.r1") == registry.card("mule_account-1.r1").threshold
    path.write_bytes(msgspec.json.encode(line | {"threshold": 0.3}) + b"\n")
    with pytest.raises(ModelError, match="not as it was signed"):
        registry.champion("mule_account")


def test_challengers_score_until_they_are_promoted_or_retired(registry: Registry) -> None:
    for n in (1, 2):
        registry.register(card(f"mule_account-1.r{n}"), {"w": n})
        registry.challenge(f"mule_account-1.r{n}", by="ann", why="to be compared")
    assert registry.challengers("mule_account") == ("mule_account-1.r1", "mule_account-1.r2")
    registry.promote("mule_account-1.r2", by="ann", agreed_by="bob", why="better")
    registry.retire("mule_account-1.r1", by="ann", why="worse")
    assert registry.challengers("mule_account") == ()
    with pytest.raises(ModelError, match="already"):
        registry.challenge("mule_account-1.r2", by="ann", why="again")


@pytest.mark.parametrize("harm", ["change", "leave out", "swap"])
def test_a_changed_line_of_the_promotions_is_noticed(registry: Registry, harm: str) -> None:
    for n in (1, 2, 3):
        registry.register(card(f"mule_account-1.r{n}"), {"w": n})
        registry.promote(f"mule_account-1.r{n}", by="ann", agreed_by="bob", why="better")
    path = registry.folder / PROMOTIONS
    lines = path.read_bytes().splitlines(keepends=True)
    if harm == "change":
        lines[1] = msgspec.json.encode(json.loads(lines[1]) | {"agreed_by": "eve"}) + b"\n"
    elif harm == "leave out":
        del lines[1]
    else:
        lines[0], lines[1] = lines[1], lines[0]
    path.write_bytes(b"".join(lines))
    with pytest.raises(ModelError, match="not as it was signed"):
        registry.champion("mule_account")


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "models.key"
    with pytest.raises(ModelError, match="cannot be read"):
        signer_of(path)
    made = signer_of(path, make=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signer_of(path, make=True).key_id == made.key_id
    path.chmod(0o644)
    with pytest.raises(ModelError, match="others may read"):
        signer_of(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ModelError, match="no signing key"):
        signer_of(path)

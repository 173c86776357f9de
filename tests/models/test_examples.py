"""Examples and labels: found by what a label is about, corrected by later words, weighed for those nobody looked at."""

from pathlib import Path

import polars as pl
import pytest

from models.errors import ModelError
from models.examples import ALERT, REVIEW, SAMPLE, Example, ExampleStore, drawn, review_name
from models.labels import Claim, Label, LabelBook, decided, labelled
from models.typologies import TYPOLOGIES, horizon_us, speaks_of, typology_of

DAY = 86_400_000_000


def example(name: str, day: float, kept_as: str = ALERT, **more: object) -> Example:
    said = {
        "event_id": name,
        "detector": "mule_account",
        "detector_version": 1,
        "model_version": "mule_account-1.0",
        "subject": f"account:{name[0]}",
        "ts": int(day * DAY),
        "seq": int(day * 1_000),
        "score": 0.7,
        "threshold": 0.5,
        "kept_as": kept_as,
        "alert_id": f"alert-{name}" if kept_as == ALERT else "",
        "values": {"senders_24h": 3.0, "dwell_7d": None},
        "strata": {"age_band": "18-20"},
    }
    return Example(**(said | more))  # type: ignore[arg-type]


def label(name: str, about: str, word: str, day: float, origin: str = "analyst", **more: str) -> Label:
    return Label(event_id=name, about=about, label=word, at=int(day * DAY), origin=origin, **more)


@pytest.fixture
def store(tmp_path: Path) -> ExampleStore:
    kept = ExampleStore(tmp_path / "examples")
    kept.add("t1", [example("a1", 1), example("b1", 1.5, SAMPLE, chance=0.1)])
    kept.add("t2", [example("a2", 3), example("b2", 3, detector="deal_line")])
    return kept


def test_examples_come_back_with_values_as_they_were(store: ExampleStore) -> None:
    frame = store.examples("mule_account", 1, 0, 10 * DAY)
    assert frame["event_id"].to_list() == ["a1", "b1", "a2"]
    assert frame["v.senders_24h"].to_list() == [3.0] * 3
    assert frame["v.dwell_7d"].null_count() == 3
    assert frame["s.age_band"][0] == "18-20"
    assert frame["chance"].to_list() == [1.0, 0.1, 1.0]
    assert store.examples("mule_account", 1, 2 * DAY, 3 * DAY).is_empty()  # the end is not in it
    assert store.examples("mule_account", 2, 0, 10 * DAY).is_empty()


def test_writing_a_chunk_again_leaves_no_doubles(store: ExampleStore) -> None:
    store.add("t1", [example("a1", 1), example("b1", 1.5, SAMPLE, chance=0.1)])
    assert store.examples("mule_account", 1, 0, 10 * DAY).height == 3
    assert store.resolve("event:a1", 5 * DAY, 30 * DAY) == [("mule_account", "a1")]


def test_a_label_finds_examples_by_event_alert_and_subject(store: ExampleStore) -> None:
    assert store.resolve("alert:alert-a2", 5 * DAY, 30 * DAY) == [("mule_account", "a2")]
    assert store.resolve("account:a", 5 * DAY, 30 * DAY) == [("mule_account", "a1"), ("mule_account", "a2")]
    assert store.resolve("account:a", 2 * DAY, 30 * DAY) == [("mule_account", "a1")]  # not what came after
    assert store.resolve("account:a", 5 * DAY, 3 * DAY) == [
        ("mule_account", "a2")
    ]  # nor what was long before
    assert store.resolve("account:b", 5 * DAY, 30 * DAY) == [("mule_account", "b1"), ("deal_line", "b2")]
    assert store.resolve("account:nobody", 5 * DAY, 30 * DAY) == []


def test_whole_days_are_forgotten_when_retention_ends(store: ExampleStore) -> None:
    assert store.forget(int(403.5 * DAY), days=401) == 2  # the first day, and its index
    assert store.examples("mule_account", 1, 0, 10 * DAY)["event_id"].to_list() == ["a2"]
    assert store.resolve("event:a1", 5 * DAY, 30 * DAY) == []


def test_a_chance_is_never_nothing(store: ExampleStore) -> None:
    with pytest.raises(ModelError, match="chance"):
        store.add("t3", [example("c1", 1, chance=0.0)])


def test_the_same_share_is_drawn_every_time() -> None:
    names = [f"e{i}" for i in range(20_000)]
    one = [name for name in names if drawn(name, "mule_account", 50)]
    assert one == [name for name in names if drawn(name, "mule_account", 50)]
    assert 320 < len(one) < 480
    assert one != [name for name in names if drawn(name, "deal_line", 50)]
    assert all(drawn(name, "x", 1) for name in names[:100])


def test_a_later_word_takes_the_earlier_back(tmp_path: Path) -> None:
    book = LabelBook(tmp_path / "labels.ndjson")
    assert book.add([label("l1", "alert:x", "confirmed", 1)]) == ()
    assert book.add([label("l1", "alert:x", "innocent", 2)]) == ()  # the same id again is a repeat
    (told,) = book.add([label("l2", "alert:x", "innocent", 3)])
    assert (told.before.event_id, told.after.event_id) == ("l1", "l2")
    assert book.add([label("l3", "alert:x", "confirmed", 3, origin="bank")]) == ()  # another voice
    assert [one.event_id for one in LabelBook(book.path).known(int(2.5 * DAY))] == ["l1"]
    assert len(LabelBook(book.path)) == 3


def test_half_a_line_from_a_crash_is_no_label_and_takes_nothing_with_it(tmp_path: Path) -> None:
    book = LabelBook(tmp_path / "labels.ndjson")
    book.add([label("l1", "alert:x", "confirmed", 1)])
    with book.path.open("ab") as file:
        file.write(b'{"event_id": "l2", "ab')
    again = LabelBook(book.path)
    again.add([label("l3", "alert:y", "innocent", 2)])
    assert [one.event_id for one in LabelBook(book.path).known(9 * DAY)] == ["l1", "l3"]


def frame(*examples: Example) -> pl.DataFrame:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        kept = ExampleStore(Path(folder))
        kept.add("t", examples)
        return kept.examples("mule_account", 1, 0, 999 * DAY)


def test_the_nearest_word_counts_and_of_equals_the_latest() -> None:
    rows = frame(example("a1", 1), example("a2", 2))
    words = [
        label("1", "account:a", "innocent", 5),
        label("2", "alert:alert-a1", "confirmed", 4),
        label("3", "event:a1", "innocent", 3),
        label("4", "event:a1", "confirmed", 6),
    ]
    told = labelled(rows, words, 5 * DAY, 30 * DAY)
    assert dict(told.select("event_id", "right").rows()) == {"a1": 0.0, "a2": 0.0}
    told = labelled(rows, words, 6 * DAY, 30 * DAY)
    assert dict(told.select("event_id", "right").rows()) == {"a1": 1.0, "a2": 0.0}
    assert labelled(rows, words, 2 * DAY, 30 * DAY).is_empty()  # nothing was known then


def test_unclear_words_and_wrong_records_teach_nothing() -> None:
    rows = frame(example("a1", 1), example("b1", 1))
    words = [
        label("1", "event:a1", "unclear", 3),
        label("2", "event:b1", "innocent", 3, reason_code="supplier_error"),
    ]
    assert labelled(rows, words, 99 * DAY, 30 * DAY).is_empty()


def test_silence_counts_for_sampled_rows_only_and_only_after_the_horizon() -> None:
    rows = frame(example("a1", 1), example("b1", 1, SAMPLE, chance=0.1))
    assert labelled(rows, [], 30 * DAY, 30 * DAY).is_empty()
    told = labelled(rows, [], 31 * DAY, 30 * DAY)
    assert told.select("event_id", "right", "origin", "weight", "known_at").rows() == [
        ("b1", 0.0, "matured", pytest.approx(10.0), 31 * DAY)
    ]


def test_a_reviewed_alert_stands_for_those_of_its_score_that_nobody_reviewed() -> None:
    rows = frame(*(example(f"a{i}", 1, score=0.9 if i < 4 else 0.6) for i in range(8)))
    words = [
        label("1", "event:a0", "confirmed", 2),
        *(label(f"w{i}", f"event:a{i}", "innocent", 2) for i in (4, 5)),
    ]
    told = labelled(rows, words, 3 * DAY, 30 * DAY)
    assert dict(told.select("event_id", "weight").rows()) == {"a0": 4.0, "a4": 2.0, "a5": 2.0}


def test_every_typology_has_a_horizon() -> None:
    assert horizon_us("mule") == 30 * DAY
    assert horizon_us("county_line_deal") == 90 * DAY
    assert horizon_us("something new") == 180 * DAY


def test_every_detector_s_typology_has_a_horizon_by_its_own_name_and_so_has_what_banks_write() -> None:
    from detectors.discovery import all_detectors

    assert {about.typology for about in all_detectors()} <= set(TYPOLOGIES)
    for said in ("mule_account", "app_purchase", "app_investment", "external_line", "account_takeover"):
        assert typology_of(said) is not None
    assert speaks_of("app_purchase", "mule")  # whoever is paid in a scam collects stolen money
    assert not speaks_of("deal_line", "wangiri")
    assert speaks_of("", "wangiri")  # a word that names no typology


MULE, VICTIM = Claim("mule"), Claim("app_fraud", victim=True)


def test_a_label_about_a_payment_does_not_make_a_mule_of_the_victim() -> None:
    said = label("l", "event:e", "confirmed", 5, "customer", typology="app_purchase", category="suspect")
    named = Label(**{f: getattr(said, f) for f in said.__struct_fields__} | {"subjects": ("account:payee",)})
    assert named.says("account:payee", "payee", MULE) == (True,)
    assert named.says("account:payer", "payer", MULE) == (False,)
    assert named.says("account:payer", "payer", VICTIM) == (True,)
    assert named.says("account:payee", "payee", VICTIM) is None
    assert named.says("account:third", "", MULE) is None  # of whom it does not speak
    bare = label("l", "event:e", "confirmed", 5, "recall")  # a recall names nobody: sides tell
    assert bare.says("account:payee", "payee", MULE) == (True,)
    assert bare.says("account:payer", "payer", MULE) == (False,)
    assert bare.says("merchant:m", "", Claim("card_testing")) == (True,)


def test_a_label_that_names_the_victim_only_says_nothing_of_whom_they_paid() -> None:
    said = label("l", "event:e", "confirmed", 5, "customer", typology="account_takeover", role="victim")
    named = Label(**{f: getattr(said, f) for f in said.__struct_fields__} | {"subjects": ("account:holder",)})
    assert named.says("account:shop", "payee", MULE) is None
    assert named.says("account:holder", "payer", MULE) == (False,)
    assert named.says("account:holder", "payer", Claim("account_takeover", victim=True)) == (True,)
    deceived = label("l", "account:a", "confirmed", 5, "bank", typology="mule_account", role="deceived")
    assert deceived.says("account:a", "payee", MULE) == (True,)  # deceived, and a mule all the same
    assert deceived.says("account:a", "payer", Claim("wangiri")) is None
    cleared = label("l", "account:a", "innocent", 5, "random_review")
    assert cleared.says("account:a", "", Claim("wangiri")) == (False,)


def test_examples_of_one_event_are_labelled_by_whose_they_are() -> None:
    rows = pl.DataFrame(
        {
            "event_id": ["e", "e"],
            "alert_id": ["", ""],
            "subject": ["account:payer", "account:payee"],
            "side": ["payer", "payee"],
            "ts": [DAY, DAY],
            "kept_as": [SAMPLE] * 2,
            "chance": [1.0] * 2,
            "score": [0.4] * 2,
        }
    )
    told = labelled(rows, [label("l", "event:e", "confirmed", 3, "recall")], 5 * DAY, 30 * DAY, claim=MULE)
    assert dict(zip(told["subject"], told["right"], strict=True)) == {"account:payer": 0, "account:payee": 1}


MULE = Claim("mule")
SCAMMED = Claim("app_fraud", victim=True)
COURIER = Claim("courier", used=True)


@pytest.mark.parametrize(
    ("claim", "role", "right"),
    [
        (MULE, "complicit", True), (MULE, "deceived", True), (MULE, "coerced", True), (MULE, "victim", False),
        (MULE, "", True),
        (SCAMMED, "victim", True), (SCAMMED, "deceived", True), (SCAMMED, "complicit", False), (SCAMMED, "", True),
        (COURIER, "coerced", True), (COURIER, "victim", True), (COURIER, "complicit", True),
    ],
)  # fmt: skip
def test_what_a_confirmed_alert_teaches_depends_on_what_the_person_turned_out_to_be(
    claim: Claim, role: str, right: bool
) -> None:
    word = decided("a", "confirmed", DAY, reason="other_evidence", role=role)
    assert word.says("account:1", "", claim) == (right,)
    assert decided("a", "innocent", DAY, role=role).says("account:1", "", claim) == (False,)
    assert decided("a", None, DAY).says("account:1", "", claim) == (None,)


def test_a_row_s_answer_is_about_what_its_detector_would_have_said_and_a_guess_teaches_nothing() -> None:
    rows = frame(example("a1", 1, REVIEW, alert_id=""), example("b1", 1, REVIEW, alert_id=""))
    name = review_name("mule_account", "a1", "account:a")
    for confidence, told in (("high", [(1.0, 1.0)]), ("medium", [(1.0, 0.5)]), ("low", [])):
        word = Label(event_id="r", about=name, label="confirmed", at=2 * DAY, origin="random_review", role="deceived",
                     subjects=("account:a",), confidence=confidence)  # fmt: skip
        known = labelled(rows, [word], 3 * DAY, 30 * DAY, claim=MULE)
        assert list(known.select("right", "weight").iter_rows()) == told

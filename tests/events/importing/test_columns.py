"""Fields: words, numbers, yes and no, ages, templates, and one row that gives several records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from events.importing import MapError

Make = Callable[..., str]
Bench = Callable[..., Any]


def one(bench: Bench, made: str, value: str) -> Any:
    done = bench(made, f"v\n{value}\n")
    return done.payments[0] if done.payments else done.messages[0]


def test_words_are_mapped_and_unlisted_ones_refused(bench: Bench, payments_map: Make) -> None:
    made = payments_map(
        channel='{ column = "v", case = "upper", words = { APP = "mobile_app", OTHER = "" } }'
    )
    assert one(bench, made, "app")["channel"] == "mobile_app"
    assert "channel" not in one(bench, made, "other")
    assert one(bench, made, "fax") == "row 1, channel: 'FAX' is not among the map's words for this field"


def test_defaults_are_for_unlisted_words_and_missing_for_absent_ones(
    bench: Bench, payments_map: Make
) -> None:
    made = payments_map(
        rail='{ column = "v", words = { F = "fps" }, default = "card", missing = "bacs" }',
        reader='null = ["-"]',
    )
    assert [one(bench, made, value)["rail"] for value in ("F", "X", "-")] == ["fps", "card", "bacs"]


def test_a_word_outside_the_contract_is_refused(bench: Bench, payments_map: Make) -> None:
    assert "is not one of the contract's words: fps chaps" in one(
        bench, payments_map(rail='{ column = "v" }'), "swift"
    )


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("07700 900123", "+447700900123"),
        ("00447700900123", "+447700900123"),
        ("447700900123", "+447700900123"),
        ("+44 (7700) 900-123", "+447700900123"),
        ("+99900001234", "+99900001234"),
    ],
)
def test_numbers_are_brought_to_e164(bench: Bench, payments_map: Make, written: str, number: str) -> None:
    made = payments_map(payer_phone='{ column = "v", country = "44" }')
    assert one(bench, made, written)["payer_phone"] == number


def test_a_number_that_is_none_is_refused(bench: Bench, payments_map: Make) -> None:
    assert "is not a number in E.164" in one(
        bench, payments_map(payer_phone='{ column = "v" }'), "07700900123"
    )


def test_short_codes_and_names_stay_as_they_are(bench: Bench, payments_map: Make) -> None:
    made = payments_map(beneficiary_number='{ column = "v", country = "44" }')
    assert [one(bench, made, each)["beneficiary_number"] for each in ("60777", "BANK", "07700900123")] == [
        "60777", "BANK", "+447700900123",
    ]  # fmt: skip


def test_yes_and_no_are_the_maps_to_say(bench: Bench, payments_map: Make) -> None:
    made = payments_map(new_payee='{ column = "v", yes = [1], no = ["nein"] }')
    assert one(bench, made, "1")["new_payee"] is True
    assert one(bench, made, "NEIN")["new_payee"] is False
    assert "is neither yes nor no" in one(bench, made, "yes")


@pytest.mark.parametrize(
    ("years", "band"),
    [("0", "u16"), ("15", "u16"), ("16", "16-17"), ("20.5", "18-20"), ("64", "50-64"), ("80", "80+")],
)
def test_ages_fall_in_their_bands(bench: Bench, payments_map: Make, years: str, band: str) -> None:
    assert (
        one(bench, payments_map(payer_age_band='{ column = "v", unit = "years" }'), years)["payer_age_band"]
        == band
    )


@pytest.mark.parametrize("years", ["-1", "131", "old"])
def test_what_is_no_age_is_refused(bench: Bench, payments_map: Make, years: str) -> None:
    assert "is not an age" in one(
        bench, payments_map(payer_age_band='{ column = "v", unit = "years" }'), years
    )


@pytest.mark.parametrize(
    ("field", "rule", "value", "says"),
    [
        ("currency", '{ column = "v" }', "ZZZ", "is not an ISO 4217 code"),
        ("mcc", '{ column = "v" }', "12", "is not a merchant category"),
        ("force", '{ column = "v" }', "Kent", "is not the ONS code"),
        ("lat", '{ column = "v" }', "91", "is not between -90 and 90"),
        ("lat", '{ column = "v" }', "inf", "is not a number"),
        ("card", '{ column = "v" }', "4111 1111 1111 1111", "is a card number"),
        ("event_id", '{ column = "v" }', "x" * 65, "is longer than 64 characters"),
        ("payer_opened", '{ column = "v", time = "%Y-%m-%d" }', "2024-13-01", "is not a time of the form"),
        ("amount_minor", '{ column = "v", unit = "pounds" }', "9" * 15, "is not between 0 and 1e+15"),
    ],
)
def test_values_the_door_would_refuse_are_refused_here(
    bench: Bench, payments_map: Make, field: str, rule: str, value: str, says: str
) -> None:
    assert says in one(bench, payments_map(**{field: rule}), value)


def test_templates_pad_and_first_of_takes_the_first_that_is_whole(bench: Bench, payments_map: Make) -> None:
    made = payments_map(payer_account='{ first_of = ["{a:04}-{b}", "only-{b}", "none"] }')
    done = bench(made, "a,b\n7,x\n,y\n8,\n")
    assert [each["payer_account"] for each in done.payments] == ["0007-x", "only-y", "none"]


def test_a_digest_is_stable_and_tells_values_apart(bench: Bench, payments_map: Make) -> None:
    made = payments_map(event_id='{ digest = ["a", "b"], prefix = "d-" }')
    text = "a,b\nx,\n,x\nx,y\n"
    first = [each["event_id"] for each in bench(made, text).payments]
    assert len(set(first)) == 3
    assert all(each.startswith("d-") and len(each) == 34 for each in first)
    assert [each["event_id"] for each in bench(made, text).payments] == first


def test_extract_keeps_what_is_in_brackets(bench: Bench, payments_map: Make) -> None:
    made = payments_map(payer_account='{ column = "v", extract = "acc=([0-9]+)" }')
    assert one(bench, made, "x;acc=123;y")["payer_account"] == "123"


def test_ext_holds_the_suppliers_own_fields(bench: Bench, payments_map: Make) -> None:
    made = payments_map() + '[record.fields.ext]\nbranch = { column = "v" }\n'
    assert one(bench, made, "Kent")["ext"] == {"branch": "Kent"}


def test_units_of_time_and_volume(bench: Bench) -> None:
    made = """
source = "t"
format = "csv"
[[record]]
stream = "telecoms"
[record.fields]
event_id = { template = "e{#row}" }
ts = { constant = "2024-01-01T00:00:00Z" }
kind = { constant = "call" }
number = { constant = "+447700900123" }
duration_s = { column = "d", unit = "clock" }
bytes_up = { column = "k", unit = "kilobytes" }
"""
    done = bench(made, "d,k\n1:02:03,1.5\n02:03.5,\n61,0\n,1e300\n")
    assert [(each.get("duration_s"), each.get("bytes_up")) for each in done.streams["telecoms"]] == [
        (3723.0, 1500), (123.5, None),
    ]  # fmt: skip
    assert [each["row"] for each in done.rejected] == [3, 4]


SPLIT = """
source = "t"
format = "csv"

[[record]]
stream = "payments"
[record.fields]
event_id = { column = "id" }
ts = { column = "t", time = "rfc3339" }
rail = { constant = "fps" }
amount_minor = { column = "a", unit = "pence" }
payer_account = { column = "who" }

[[record]]
stream = "labels"
where = [{ column = "fraud", is = 1 }]
[record.fields]
event_id = { template = "l-{id}" }
ts = { column = "t", time = "rfc3339", plus = "7 days" }
about = { template = "event:{id}" }
label = { constant = "confirmed" }
subjects = { list = ["account:{who}"] }
"""
ROWS = "id,t,a,who,fraud\np,2024-01-01T00:00:00Z,1,A,0\nq,2024-01-02T00:00:00Z,x,B,1\nr,2024-01-03T00:00:00Z,3,C,1\n"


def test_one_row_may_give_records_of_several_streams(bench: Bench) -> None:
    done = bench(SPLIT, ROWS)
    assert [each["event_id"] for each in done.payments] == ["p", "r"]
    assert [(each["event_id"], each["ts"], each["subjects"]) for each in done.streams["labels"]] == [
        ("l-q", "2024-01-09T00:00:00Z", ["account:B"]),
        ("l-r", "2024-01-10T00:00:00Z", ["account:C"]),
    ]
    assert done.summary.records_out == {"payments": 2, "labels": 2}


def test_several_streams_need_a_folder(tmp_path: Path) -> None:
    from events.importing import import_file

    (tmp_path / "m.toml").write_text(SPLIT)
    (tmp_path / "in.csv").write_text(ROWS)
    with pytest.raises(MapError, match="yields payments, labels: name a folder"):
        import_file(tmp_path / "m.toml", tmp_path / "in.csv", tmp_path / "out.ndjson")
    with pytest.raises(MapError, match="does not say what to write"):
        import_file(tmp_path / "m.toml", tmp_path / "in.csv", tmp_path / "out.txt")


def test_a_stream_without_records_is_an_empty_file(bench: Bench) -> None:
    done = bench(SPLIT, "id,t,a,who,fraud\np,2024-01-01T00:00:00Z,1,A,0\n")
    assert done.streams["labels"] == []


def test_records_of_one_stream_come_in_the_order_of_rows(bench: Bench, payments_map: Make) -> None:
    made = payments_map(event_id='{ template = "{#row}-a" }')
    second = made[made.index("[[record]]") :].replace("{#row}-a", "{#row}-b")
    done = bench(made + second, "v\n1\n2\n")
    assert [each["event_id"] for each in done.payments] == ["1-a", "1-b", "2-a", "2-b"]


def test_values_in_messages_are_short_and_on_one_line(bench: Bench, payments_map: Make) -> None:
    made = payments_map(amount_minor='{ column = "v", unit = "pounds" }', reader="multiline = true")
    done = bench(made, 'v\n"a\nb"\n' + "y" * 99 + "\n")
    assert done.messages[0].startswith(r"row 1, amount_minor: 'a\\nb' is not")
    assert all("\n" not in message and len(message) < 120 for message in done.messages)

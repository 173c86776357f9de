"""Files as they come: columns missing, rows torn, text damaged, files cut short; no good row is lost to a bad one."""

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from events.importing import Progress, SourceError, import_file, tables

Make = Callable[..., str]
Bench = Callable[..., Any]

AMOUNT = '{ column = "amount", unit = "pounds" }'


def ids(done: Any) -> list[str]:
    return [each["event_id"] for each in done.payments]


def test_a_bad_value_is_named_by_row_and_field_and_the_rest_goes_on(bench: Bench, payments_map: Make) -> None:
    done = bench(payments_map(amount_minor=AMOUNT), "amount\n1.00\n12.3.4\n3.00\n")
    assert ids(done) == ["e1", "e3"]
    assert done.messages == ["row 2, amount_minor: '12.3.4' is not an amount in pounds"]
    assert done.rejected[0] | {"message": ""} == {
        "source": "t", "reason": "bad_amount", "detail": "amount_minor", "stream": "payments", "file": "in.csv",
        "row": 2, "message": "",
    }  # fmt: skip
    assert (done.summary.rows_in, done.summary.records_out, done.summary.refused) == (
        3, {"payments": 2}, {"bad_amount": 1},
    )  # fmt: skip


def test_a_missing_required_value_is_said(bench: Bench, payments_map: Make) -> None:
    done = bench(
        payments_map(payer_account='{ column = "a" }', event_id='{ column = "i" }'), "i,a\nx,\n,y\nz,w\n"
    )
    assert ids(done) == ["z"]
    assert sorted(done.messages) == [
        "row 1, payer_account or payee_account: is empty, and payments records need it",
        "row 2, event_id: is empty, and payments records need it",
    ]


def test_a_missing_column_is_named_with_those_there_are(bench: Bench, payments_map: Make) -> None:
    with pytest.raises(
        SourceError, match=r"no column 'amount' \(did you mean 'amounts'\?\).*'amounts', 'when'"
    ):
        bench(payments_map(amount_minor=AMOUNT), "amounts,when\n1,2\n")


def test_rows_with_fields_too_many_or_too_few_are_refused_and_numbers_stay_true(
    bench: Bench, payments_map: Make
) -> None:
    made = payments_map(amount_minor=AMOUNT, payer_account='{ column = "who" }')
    text = 'amount,who\n1,a\n2\n\n3,"b,b"\n4,c,d\n5,e\nx,f\n6,g,\n'
    done = bench(made, text)
    assert ids(done) == ["e1", "e3", "e5"]
    assert [each["row"] for each in done.rejected] == [2, 4, 7, 6]
    assert done.messages[0] == "row 2 has 1 fields where 2 were expected"
    assert done.summary.rows_in == 7
    assert done.summary.refused == {"bad_amount": 1, "bad_row": 3}


def test_row_numbers_hold_over_many_blocks(
    bench: Bench, payments_map: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 4096)
    torn = {7, 8, 1000, 3333, 4999, 5000}
    text = "amount\n" + "".join(f"{row}{',9' if row in torn else ''}\n" for row in range(1, 5001))
    done = bench(payments_map(amount_minor=AMOUNT), text)
    assert [(each["event_id"], each["amount_minor"]) for each in done.payments] == [
        (f"e{row}", row * 100) for row in range(1, 5001) if row not in torn
    ]
    assert {each["row"] for each in done.rejected} == torn


def test_invalid_utf8_costs_only_its_row(bench: Bench, payments_map: Make) -> None:
    done = bench(payments_map(payer_account='{ column = "who" }'), b"who\nJos\xc3\xa9\nJos\xe9\nAnn\n")
    assert [each["payer_account"] for each in done.payments] == ["José", "Ann"]
    assert done.summary.refused == {"bad_encoding": 1}
    assert done.rejected[0]["row"] == 2


def test_another_encoding_is_read_when_it_is_named(bench: Bench, payments_map: Make) -> None:
    made = payments_map(payer_account='{ column = "who" }', reader='encoding = "cp1252"')
    done = bench(made, "who\nJosé €\n".encode("cp1252"))
    assert done.payments[0]["payer_account"] == "José €"


def test_a_byte_order_mark_is_no_part_of_a_name(bench: Bench, payments_map: Make) -> None:
    done = bench(payments_map(payer_account='{ column = "who" }'), b"\xef\xbb\xbfwho\nAnn\n")
    assert done.payments[0]["payer_account"] == "Ann"


def test_an_overlong_line_costs_only_itself(bench: Bench, payments_map: Make) -> None:
    long = "x" * (3 * tables.LONGEST_LINE)
    made = payments_map(amount_minor=AMOUNT, payer_account='{ column = "who" }')
    done = bench(made, f"amount,who\n1,a\n2,{long}\n3,c\n")
    assert ids(done) == ["e1", "e3"]
    assert "is longer than" in done.messages[0]


def test_a_quote_that_never_ends_costs_only_its_line(bench: Bench, payments_map: Make) -> None:
    made = payments_map(amount_minor=AMOUNT, payer_account='{ column = "who" }')
    done = bench(made, 'amount,who\n1,"a\n2,b\n3,"c,""d"\n4,e "x" f\n5,6" x\n6,"g\n7,5" "h\n8,"i"\n')
    assert {each["event_id"]: each["payer_account"] for each in done.payments} == {
        "e2": "b", "e3": 'c,"d', "e4": 'e "x" f', "e5": '6" x', "e7": '5" "h', "e8": "i",
    }  # fmt: skip
    assert [each["row"] for each in done.rejected] == [1, 6]
    assert "row 1 has a quote that does not end in its line" in done.messages[0]


def test_values_may_hold_line_breaks_where_the_map_says_so(bench: Bench, payments_map: Make) -> None:
    made = payments_map(payer_account='{ column = "who" }', reader="multiline = true")
    done = bench(made, 'who,note\na,"x\ny"\nb,z\n')
    assert [each["payer_account"] for each in done.payments] == ["a", "b"]


def test_a_quote_that_never_ends_among_line_breaks_is_explained(
    bench: Bench, payments_map: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 4096)
    made = payments_map(payer_account='{ column = "who" }', reader="multiline = true")
    with pytest.raises(SourceError, match="quoted field never ends"):
        bench(made, 'who\n"a\n' + "b\n" * 5000)


def test_delimiter_quote_header_and_leading_lines_are_the_maps_to_say(
    bench: Bench, payments_map: Make
) -> None:
    made = payments_map(
        amount_minor=AMOUNT,
        payer_account='{ column = "who" }',
        reader='delimiter = "|"\nquote = ""\nheader = false\ncolumns = ["amount", "who"]\nskip_lines = 2',
    )
    done = bench(made, 'report\nof today\n1|"a\n2|b"\n')
    assert [each["payer_account"] for each in done.payments] == ['"a', 'b"']


def test_columns_of_one_name_are_told_apart_by_number(bench: Bench, payments_map: Make) -> None:
    made = payments_map(
        amount_minor=AMOUNT,
        payer_account='{ column = "who" }',
        payee_account='{ template = "{who.1}/{who.3}" }',
    )
    done = bench(made, "amount,who,who,who.2,who\n1,a,b,c,d\n")
    assert [(each["payer_account"], each["payee_account"]) for each in done.payments] == [("a", "b/d")]


@pytest.mark.parametrize("name", ["in.csv", "in.parquet", "in.ndjson", "in.csv.gz"])
def test_an_empty_file_is_said_to_be_empty(bench: Bench, payments_map: Make, name: str) -> None:
    form = {"in.csv.gz": "csv"}.get(name, name.removeprefix("in."))
    with pytest.raises(SourceError, match="is empty; ask its supplier"):
        bench(payments_map(form=form), b"", name)


def test_a_header_without_rows_is_said(bench: Bench, payments_map: Make) -> None:
    with pytest.raises(SourceError, match="has a header but no rows"):
        bench(payments_map(amount_minor=AMOUNT), "amount\n")


def test_a_file_that_is_not_there_is_said(tmp_path: Path, bench: Bench, payments_map: Make) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        bench(payments_map(), tmp_path / "nowhere.csv")


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_compressed_files_are_read(
    bench: Bench, payments_map: Make, pack: Callable[[bytes], bytes], suffix: str
) -> None:
    assert (
        len(bench(payments_map(amount_minor=AMOUNT), pack(b"amount\n1\n2\n"), "in.csv" + suffix).payments)
        == 2
    )


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_gzip_cut_short_leaves_nothing_behind(
    tmp_path: Path, bench: Bench, payments_map: Make, form: str
) -> None:
    rows = [
        f'{{"amount": {row * 7919 % 100_003}}}' if form == "ndjson" else str(row) for row in range(200_000)
    ]
    whole = gzip.compress(("amount\n" * (form == "csv") + "\n".join(rows)).encode())
    with pytest.raises(SourceError, match=r"is damaged or cut short .* nothing of it was kept"):
        bench(payments_map(form=form, amount_minor=AMOUNT), whole[: len(whole) // 2], f"in.{form}.gz")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_truncated_parquet_file_is_said(tmp_path: Path, bench: Bench, payments_map: Make) -> None:
    path = tmp_path / "in.parquet"
    pl.DataFrame({"amount": list(range(1000))}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match="is not a whole Parquet file"):
        bench(payments_map(form="parquet", amount_minor=AMOUNT), path)


def test_parquet_types_are_used_as_they_are(tmp_path: Path, bench: Bench, payments_map: Make) -> None:
    path = tmp_path / "in.parquet"
    pl.DataFrame(
        {
            "amount": [0.29, None, float("nan"), 1e300],
            "who": [596.0, 597.0, 598.0, 599.0],
            "when": pl.Series(["2024-06-01 12:00:00"] * 4)
            .str.to_datetime()
            .dt.replace_time_zone("Europe/London"),
            "new": [True, False, None, True],
        }
    ).write_parquet(path)
    made = payments_map(
        form="parquet",
        amount_minor=AMOUNT,
        payer_account='{ template = "C-{who:06}" }',
        ts='{ column = "when", time = "native" }',
        new_payee='{ column = "new" }',
    )
    done = bench(made, path)
    first = done.payments[0]
    assert first == {
        "event_id": "e1", "ts": "2024-06-01T11:00:00Z", "source": "t", "rail": "fps", "amount_minor": 29,
        "payer_account": "C-000596", "new_payee": True,
    }  # fmt: skip
    assert done.summary.refused == {"bad_amount": 1, "missing_field": 2}


def test_a_float_too_small_for_a_penny_rounds_to_nothing(
    tmp_path: Path, bench: Bench, payments_map: Make
) -> None:
    path = tmp_path / "in.parquet"
    pl.DataFrame({"amount": [3.4867e-7, float("inf"), 1e300]}).write_parquet(path)
    made = payments_map(
        form="parquet", amount_minor='{ column = "amount", unit = "pounds", round = "half_even" }'
    )
    done = bench(made, path)
    assert [each["amount_minor"] for each in done.payments] == [0]
    assert "row 2, amount_minor: 'inf' is not an amount in pounds" in done.messages
    assert "is too large" in done.messages[1]


def test_parquet_times_without_an_offset_need_a_zone(
    tmp_path: Path, bench: Bench, payments_map: Make
) -> None:
    path = tmp_path / "in.parquet"
    pl.DataFrame({"when": pl.Series(["2024-06-01 12:00:00"]).str.to_datetime()}).write_parquet(path)
    with pytest.raises(SourceError, match="have no offset; say zone"):
        bench(payments_map(form="parquet", ts='{ column = "when", time = "native" }'), path)


def test_ndjson_keeps_digits_and_reaches_into_objects(bench: Bench, payments_map: Make) -> None:
    rows = [
        '{"id": 12345678901234567890, "a": {"v": 0.29}, "p": [{"n": "x"}], "b": true}',
        "[1]",
        "{broken",
        "",
        '{"id": 2, "a": {"v": "1.10"}, "p": [{"n": "y"}]}',
        '{"id": 3, "a": {}, "p": []}',
        '"\\ud800"',
    ]
    made = payments_map(
        form="ndjson",
        event_id='{ column = "id" }',
        amount_minor='{ column = "a.v", unit = "pounds" }',
        payer_account='{ column = "p.0.n" }',
        new_payee='{ column = "b" }',
        device_id='{ column = "d" }',
    )
    done = bench(made, "\n".join(rows), "in.ndjson")
    assert [(each["event_id"], each["amount_minor"], each["payer_account"]) for each in done.payments] == [
        ("12345678901234567890", 29, "x"),
        ("2", 110, "y"),
    ]
    assert done.summary.refused == {"bad_json": 3, "missing_field": 1}
    assert {each["row"] for each in done.rejected} == {2, 3, 5, 6}
    assert "no row had 'd'" in done.summary.notes


def test_ndjson_with_invalid_utf8_costs_only_its_row(bench: Bench, payments_map: Make) -> None:
    made = payments_map(form="ndjson", payer_account='{ column = "w" }')
    done = bench(made, b'{"w": "a"}\n{"w": "\xff"}\n{"w": "b"}\n', "in.ndjson")
    assert ids(done) == ["e1", "e3"]
    assert done.summary.refused == {"bad_encoding": 1}


def test_rows_are_kept_or_skipped_by_conditions(bench: Bench, payments_map: Make) -> None:
    text = "k,n\na,1\nb,2\n,3\na,4\nc,5\n"

    def kept(condition: str) -> list[str]:
        return ids(bench(payments_map(top=f"where = [{condition}]"), text))

    assert kept('{ column = "k", is = "a" }') == ["e1", "e4"]
    assert kept('{ column = "k", is = ["a", "c"] }') == ["e1", "e4", "e5"]
    assert kept('{ column = "k", is_not = "a" }') == ["e2", "e3", "e5"]
    assert kept('{ column = "n", is = 4 }') == ["e4"]
    assert kept('{ column = "n", above = 2, below = 5 }') == ["e3", "e4"]
    assert kept('{ column = "n", at_least = 4 }, { column = "k", present = true }') == ["e4", "e5"]
    assert kept('{ column = "k", present = false }') == ["e3"]
    assert kept('{ column = "k", matches = "^[bc]$" }') == ["e2", "e5"]


def test_skipped_rows_are_counted_and_are_not_refused(bench: Bench, payments_map: Make) -> None:
    done = bench(payments_map(top='where = [{ column = "k", is = "a" }]'), "k\na\nb\n")
    assert (done.summary.rows_in, done.summary.rows_skipped, done.summary.refused) == (2, 1, {})


def test_a_folder_of_files_is_read_in_the_order_of_names(
    tmp_path: Path, bench: Bench, payments_map: Make
) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    (folder / "b.csv").write_text("id\n3\n")
    (folder / "a.csv").write_text("id\n1\n2\n")
    assert ids(bench(payments_map(event_id='{ template = "x{id}" }'), folder)) == ["x1", "x2", "x3"]


def test_progress_comes_to_its_end(tmp_path: Path, payments_map: Make) -> None:
    (tmp_path / "m.toml").write_text(payments_map(amount_minor=AMOUNT))
    (tmp_path / "in.csv").write_text("amount\n" + "1\n" * 1000)
    seen: list[Progress] = []
    import_file(tmp_path / "m.toml", tmp_path / "in.csv", tmp_path / "out.ndjson", on_progress=seen.append)
    assert seen[-1] == Progress(1000, 1.0)


def test_one_import_gives_the_same_bytes_in_every_format(tmp_path: Path, payments_map: Make) -> None:
    (tmp_path / "m.toml").write_text(payments_map(amount_minor=AMOUNT, new_payee='{ column = "n" }'))
    (tmp_path / "in.csv").write_text("amount,n\n1,y\n2,\n")

    def run(name: str) -> bytes:
        import_file(tmp_path / "m.toml", tmp_path / "in.csv", tmp_path / name)
        return (tmp_path / name).read_bytes()

    plain = run("a.ndjson")
    assert gzip.decompress(run("a.ndjson.gz")) == plain
    assert run("a.ndjson.gz") == run("b.ndjson.gz")
    run("a.parquet")
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame.schema["ts"] == pl.Datetime("us", "UTC")
    assert frame["amount_minor"].to_list() == [
        json.loads(line)["amount_minor"] for line in plain.splitlines()
    ]

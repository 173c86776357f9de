"""Bad input through the real flow: nothing stops it, no good record is lost, every refused one is told and counted."""

import gzip
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from events.ledger import Ledger
from flows.running import Progress, RunOptions, Summary, replay
from monitoring import metrics

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = "5a" * 32
CONTENT = "the parcel is behind the shed"
SECRETS = ("98765432", "77 98765432", "7700900987", "001010987654321", CONTENT, "behind the shed")
"""What must be nowhere on the disk: parts of the identifiers and of the message in the records below."""
LONG = 100 * 1024 * 1024


def _payment(n: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"p{n:05d}",
        "ts": (START + timedelta(seconds=n)).isoformat(),
        "source": "bank",
        "rail": "fps",
        "amount_minor": 1_000 + n,
        "payer_account": "00-00-77 98765432",
        "payee_account": f"00-00-78 {n % 7:08d}",
        "payer_phone": "+447700900987",
    } | more


def _sms(n: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"t{n:05d}",
        "ts": (START + timedelta(seconds=n)).isoformat(),
        "source": "operator",
        "kind": "sms",
        "number": "+447700900987",
        "other_number": f"+447700900{n % 9:03d}",
        "direction": "mo",
        "imsi": "001010987654321",
    } | more


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


_WHOLE = _line(_payment(9_000))
BAD_PAYMENTS: dict[str, tuple[bytes, str, str]] = {
    "cut short": (_WHOLE[:90], "not_json", "$"),
    "no JSON": (b"hello 98765432", "not_json", "$"),
    "no object": (b'["00-00-77 98765432"]', "not_an_object", "$"),
    "a number for a text": (_line(_payment(9_001, payer_account=98765432)), "wrong_type", "$.payer_account"),
    "a text for a number": (_line(_payment(9_002, amount_minor="12")), "wrong_type", "$.amount_minor"),
    "not a number": (_WHOLE.replace(b"10000", b"NaN"), "not_json", "$"),
    "infinite": (_WHOLE.replace(b"10000", b"1e999"), "out_of_bounds", "$.amount_minor"),
    "huge": (_line(_payment(9_003, amount_minor=10**40)), "out_of_bounds", "$.amount_minor"),
    "far future": (_line(_payment(9_004, ts="2999-01-01T00:00:00Z")), "too_late", "$.ts"),
    "far past": (_line(_payment(9_005, ts="1066-10-14T09:00:00Z")), "too_early", "$.ts"),
    "no offset": (_line(_payment(9_006, ts="2026-03-02T09:00:00")), "no_offset", "$.ts"),
    "no time": (_line(_payment(9_007, ts="yesterday")), "bad_time", "$.ts"),
    "invalid UTF-8": (_WHOLE.replace(b"bank", b"ba\xff\xfe"), "invalid_utf8", "$"),
    "unknown currency": (_line(_payment(9_008, currency="QQQ")), "unknown_currency", "$.currency"),
    "unknown rail": (_line(_payment(9_009, rail="teleport")), "unknown_word", "$.rail"),
    "no id": (_line(_payment(9_010, event_id=None)), "missing_field", "$.event_id"),
    "a card's number": (_line(_payment(9_011, card="4111111111111111")), "pan", "$.card"),
}
BAD_TELECOMS: dict[str, tuple[bytes, str, str]] = {
    "content": (_line(_sms(9_000, content=CONTENT)), "content", "$.content"),
    "cut short, with content": (_line(_sms(9_002, text=CONTENT))[:-20], "not_json", "$"),
    "wrong direction": (_line(_sms(9_003, direction="sideways")), "unknown_word", "$.direction"),
}
UNTOLD = _line(_sms(1_000, somebodys_own_field=CONTENT))
"""A field the contract does not know goes no further than the door; the record does."""
BASES = """
[[basis]]
reference = "TEST-1"
instrument = "an order made up for a test"
purpose = "to show what is kept"
"""
GOOD_PAYMENTS, GOOD_TELECOMS, IN_PARQUET, REPEATED = 120, 60, 25, 5
MANY = 12_000
"""So many records fill more than one piece of input, so that the file after them is not yet open."""


def _spread(good: list[bytes], bad: list[bytes]) -> bytes:
    """Bad lines among good ones, and the last without a newline."""
    lines, step = list(good), max(1, len(good) // (len(bad) + 1))
    for i, line in enumerate(bad):
        lines.insert((i + 1) * (step + 1) - 1, line)
    return b"\n".join(lines)


@dataclass(frozen=True)
class Spoilt:
    """What a run over spoilt input left behind."""

    data: Path
    summary: Summary
    letters: list[dict[str, Any]]
    counted: Counter[tuple[str, str]]
    accepted: list[str]


def _refused() -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for sample in (sample for family in metrics.REFUSED.collect() for sample in family.samples):
        if sample.name.endswith("_total"):
            found[sample.labels["stream"], sample.labels["reason"]] += int(sample.value)
    return found


def _inputs(at: Path) -> dict[str, tuple[str, ...]]:
    payments, telecoms = at / "payments", at / "telecoms"
    payments.mkdir(parents=True)
    telecoms.mkdir()
    good = [_line(_payment(n)) for n in range(GOOD_PAYMENTS)]
    spoilt = _spread([*good, *good[:REPEATED]], [line for line, _, _ in BAD_PAYMENTS.values()])
    (payments / "b.ndjson").write_bytes(spoilt)
    (payments / "c.ndjson").touch()
    with (payments / "d.ndjson").open("wb") as file:
        file.write(b'{"event_id": "')
        file.truncate(LONG)
        file.seek(LONG)
        file.write(b"\n" + _line(_payment(500)) + b"\n")
    rows = pl.DataFrame([_payment(600 + n) for n in range(IN_PARQUET)])
    rows.write_parquet(payments / "e.parquet")
    rows.with_columns(event_id=pl.col("event_id").str.replace("p", "q")).drop("amount_minor").write_parquet(
        payments / "f.parquet"
    )
    (payments / "g.parquet").write_bytes(b"PAR1 this is none")
    (payments / "h.ndjson.gz").write_bytes(gzip.compress(_line(_payment(700)) + b"\n")[:-9])
    (payments / "i.docx").write_bytes(b"not ours")
    texts = [_line(_sms(n)) for n in range(GOOD_TELECOMS)]
    (telecoms / "a.ndjson").write_bytes(_spread(texts, [line for line, _, _ in BAD_TELECOMS.values()]))
    (telecoms / "b.ndjson").write_bytes(UNTOLD + b"\n")
    return {"payments": (str(payments),), "telecoms": (str(telecoms),)}


def _run(
    at: Path, inputs: dict[str, tuple[str, ...]], tell: Callable[[Progress], None] | None = None
) -> Spoilt:
    data = at / "data"
    before = _refused()
    (at / "bases.toml").write_text(BASES)
    options = RunOptions(
        inputs=inputs,
        store=f"sqlite:///{data / 'alerts.sqlite'}",
        data=data,
        recovery=data / "recovery",
        ledger=True,
        alerts_out=data / "alerts.ndjson",
        epoch_seconds=0.2,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWATCH_DATA", str(data))
        patch.setenv("LINEWATCH_TOKEN_KEY", KEY)
        patch.setenv("LINEWATCH_BASES", str(at / "bases.toml"))
        patch.setenv("LINEWATCH_DEFAULT_BASIS", "TEST-1")
        patch.setenv("LINEWATCH_TICK_ROWS", "500")
        patch.setenv("LINEWATCH_FSYNC", "false")
        summary = replay(options, tell)
    told = data / "rejected.ndjson"
    letters = [json.loads(line) for line in told.read_bytes().splitlines()] if told.exists() else []
    return Spoilt(data, summary, letters, _refused() - before, list(_event_ids(data)))


def _event_ids(data: Path) -> Iterator[str]:
    for stored in Ledger(data / "ledger", fsync="never").read():
        for frame in stored.tick.rows.values():
            yield from frame["event_id"].to_list()


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Spoilt:
    """One run over everything that can be wrong."""
    at = tmp_path_factory.mktemp("spoilt")
    return _run(at, _inputs(at))


def test_no_good_record_is_lost_or_doubled(spoilt: Spoilt) -> None:
    wanted = [f"p{n:05d}" for n in (*range(GOOD_PAYMENTS), 500, *range(600, 600 + IN_PARQUET))]
    wanted += [f"t{n:05d}" for n in (*range(GOOD_TELECOMS), 1_000)]
    assert Counter(each for each in spoilt.accepted if each != "p00700") == Counter(wanted)


@pytest.mark.parametrize("name", BAD_PAYMENTS)
def test_a_bad_payment_is_a_dead_letter_with_reason_field_and_digest(spoilt: Spoilt, name: str) -> None:
    _assert_told(spoilt, "payments", *BAD_PAYMENTS[name])


@pytest.mark.parametrize("name", BAD_TELECOMS)
def test_a_bad_telecoms_record_is_a_dead_letter_with_reason_field_and_digest(
    spoilt: Spoilt, name: str
) -> None:
    _assert_told(spoilt, "telecoms", *BAD_TELECOMS[name])


def _assert_told(spoilt: Spoilt, stream: str, line: bytes, reason: str, field: str) -> None:
    told = [each for each in spoilt.letters if each["digest"] == sha256(line).hexdigest()]
    assert [(each["stream"], each["reason"], each["detail"]) for each in told] == [(stream, reason, field)]
    assert told[0]["where"]["input"].endswith(".ndjson")
    assert datetime.fromisoformat(told[0]["received_ts"]).tzinfo is not None
    assert "raw" not in told[0]


def test_a_line_of_100_mb_costs_one_dead_letter_and_no_memory(spoilt: Spoilt) -> None:
    told = [each for each in spoilt.letters if each["reason"] == "too_long"]
    assert [each["where"] for each in told] == [{"input": "d.ndjson", "offset": 0}]
    assert f"{LONG} bytes" in told[0]["detail"]


def test_rows_of_a_parquet_file_without_a_column_are_refused_each(spoilt: Spoilt) -> None:
    told = [each for each in spoilt.letters if each["where"]["input"] == "f.parquet"]
    assert [(each["reason"], each["detail"]) for each in told] == [
        ("missing_field", "$.amount_minor")
    ] * IN_PARQUET
    assert sorted(each["where"]["offset"] for each in told) == list(range(IN_PARQUET))


def test_files_that_cannot_be_read_are_refused_whole(spoilt: Spoilt) -> None:
    told = {each["where"]["input"]: each["reason"] for each in spoilt.letters}
    assert told["g.parquet"] == "unreadable_file"
    assert told["h.ndjson.gz"] == "truncated_file"
    assert told["i.docx"] == "unknown_format"
    assert "c.ndjson" not in told


def test_the_summary_the_letters_and_the_metrics_agree(spoilt: Spoilt) -> None:
    by_letter = Counter((each["stream"], each["reason"]) for each in spoilt.letters)
    by_reason: Counter[str] = Counter()
    for (_, reason), count in by_letter.items():
        by_reason[reason] += count
    assert spoilt.counted == by_letter
    assert spoilt.summary.rejected == dict(by_reason)
    assert sum(spoilt.summary.events.values()) == len(spoilt.accepted)
    assert spoilt.summary.repeats == REPEATED
    assert spoilt.summary.dropped == {}


def test_no_content_and_no_raw_identifier_is_anywhere_on_the_disk(spoilt: Spoilt) -> None:
    seen, found = 0, []
    for path in sorted(each for each in spoilt.data.rglob("*") if each.is_file()):
        for piece in _plain_bytes(path):
            seen += 1
            found += [(path.name, secret) for secret in SECRETS if secret.encode() in piece]
    assert seen > 10
    assert found == []


def _plain_bytes(path: Path) -> Iterator[bytes]:
    """A file as it is, and what is compressed in it."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".ticks":
        for stored in Ledger(path.parent, fsync="never").read():
            for frame in stored.tick.rows.values():
                yield frame.write_csv().encode()
            yield repr(stored.tick.rejected).encode() + stored.state
    elif path.suffix == ".log":
        at = 0
        while at < len(raw):
            size = int.from_bytes(raw[at : at + 8], "little")
            yield _unsqueezed(raw[at + 12 : at + 12 + size])
            at += 12 + size
    elif path.suffix == ".base":
        yield _unsqueezed(raw[12:])


def _unsqueezed(packed: bytes) -> bytes:
    found: bytes = pa.Codec("lz4").decompress(
        packed[13:], int.from_bytes(packed[5:13], "little"), asbytes=True
    )
    return found


def test_the_search_would_find_what_is_not_to_be_there(spoilt: Spoilt) -> None:
    text = b"".join(
        piece for path in spoilt.data.rglob("*") if path.is_file() for piece in _plain_bytes(path)
    )
    assert b"p00001" in text
    assert b"operator" in text


def test_a_file_that_disappears_costs_a_letter_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "payments"
    folder.mkdir()
    many = b"".join(_line(_payment(n)) + b"\n" for n in range(MANY))
    assert len(many) > 2 * 1024 * 1024
    (folder / "a.ndjson").write_bytes(many)
    (folder / "b.ndjson").write_bytes(_line(_payment(20_000)) + b"\n")
    (folder / "c.ndjson").write_bytes(_line(_payment(30_000)) + b"\n")

    gone = _run(
        tmp_path,
        {"payments": (str(folder),)},
        lambda _: (folder / "b.ndjson").unlink(missing_ok=True),
    )

    assert gone.summary.events == {"payments": MANY + 1}
    assert gone.summary.rejected == {"file_lost": 1}
    assert [each["where"]["input"] for each in gone.letters] == ["b.ndjson"]
    assert gone.counted == Counter({("payments", "file_lost"): 1})


def test_input_of_nothing_but_bad_records_is_told_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "payments.ndjson"
    path.write_bytes(b"nothing\nof use\n")

    ran = _run(tmp_path, {"payments": (str(path),)})

    assert ran.summary.rejected == {"not_json": 2}
    assert ran.summary.events == {}


def test_empty_input_ends(tmp_path: Path) -> None:
    path = tmp_path / "payments.ndjson"
    path.touch()

    ran = _run(tmp_path, {"payments": (str(path),)})

    assert (ran.summary.events, ran.summary.rejected, ran.letters) == ({}, {}, [])


def test_a_late_event_is_counted_once_for_each_entity_it_is_late_for(tmp_path: Path) -> None:
    late = _payment(2, ts="2026-01-01T09:00:00Z", recorded_ts=(START + timedelta(seconds=2)).isoformat())
    known, new = late["payer_account"], "00-00-79 00000009"
    lines = [_payment(1), late | {"payee_account": new}, _payment(3, payer_account=new, payee_account=known)]
    path = tmp_path / "payments.ndjson"
    path.write_bytes(
        b"".join(_line({k: v for k, v in r.items() if k != "payer_phone"}) + b"\n" for r in lines)
    )

    ran = _run(tmp_path, {"payments": (str(path),)})

    assert ran.summary.events == {"payments": 3}
    assert ran.summary.late == 1, "the payer is known to be past it; the payee was not known before"


def _dropped() -> float:
    samples = [sample for family in metrics.DROPPED.collect() for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name.endswith("_total") and sample.labels["reason"] == "no_lawful_basis"
    )


def test_what_no_basis_covers_is_dropped_counted_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "payments.ndjson"
    path.write_bytes(_line(_payment(1)) + b"\n" + _line(_payment(2, basis="NO-SUCH")) + b"\n")

    before = _dropped()
    ran = _run(tmp_path, {"payments": (str(path),)})

    assert _dropped() == before + 1
    assert ran.summary.dropped == {"no_lawful_basis": 1}
    assert ran.summary.events == {"payments": 1}
    assert ran.letters == []
    assert not any(b"NO-SUCH" in p.read_bytes() for p in ran.data.rglob("*") if p.is_file())


def test_raised_and_amended_are_what_the_store_holds(world: Any, tmp_path: Path) -> None:
    end = tmp_path / "end.ndjson"
    end.write_bytes(_line(_payment(1, ts="2026-05-20T09:00:00Z")) + b"\n")
    inputs = world | {"payments": (*world["payments"], str(end))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWATCH_JUMP_DAYS", "365")
        ran = _run(tmp_path, inputs)

    written = [json.loads(line) for line in (ran.data / "alerts.ndjson").read_bytes().splitlines()]
    assert ran.summary.raised == sum(each["revision"] == 1 for each in written) >= 2
    assert ran.summary.amended == sum(each["revision"] > 1 for each in written) >= 2
    with sqlite3.connect(ran.data / "alerts.sqlite") as desk:
        (kept,) = desk.execute("select count(*) from alerts").fetchone()
    assert kept == ran.summary.raised
    last = {each["alert_id"]: each for each in written}
    assert all(each["ended_ts"] is not None for each in last.values()), "two quiet months end every episode"

"""Import maps: what they may say, and what is said of one that is wrong."""

from pathlib import Path

import pytest

from events.importing import MapError, check_map, load_map, shipped_maps

GOOD = """
title = "t"
source = "s"
format = "csv"

[[record]]
stream = "payments"

[record.fields]
event_id = { column = "id" }
ts = { column = "when", time = "rfc3339" }
rail = { constant = "fps" }
amount_minor = { column = "amount", unit = "pounds" }
payer_account = { column = "from" }
"""


def faults(folder: Path, text: str) -> str:
    path = folder / "m.toml"
    path.write_text(text, "utf-8")
    return "\n".join(check_map(path))


def test_a_good_map_has_no_faults(tmp_path: Path) -> None:
    assert faults(tmp_path, GOOD) == ""


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ('source = "s"', 'sorce = "s"', "unknown key 'sorce'; did you mean 'source'?"),
        ('format = "csv"', 'format = "cvs"', "format cannot be 'cvs'; did you mean 'csv'?"),
        ('stream = "payments"', 'stream = "payment"', "stream cannot be 'payment'; did you mean 'payments'?"),
        (
            "amount_minor = {",
            "amount_minr = {",
            "payments has no field 'amount_minr'; did you mean 'amount_minor'?",
        ),
        ('unit = "pounds"', 'unit = "pound"', "unit cannot be 'pound'; did you mean 'pounds'?"),
        ('unit = "pounds"', 'units = "pounds"', "unknown key 'units'; did you mean 'unit'?"),
        (
            '{ constant = "fps" }',
            '{ constant = "fsp" }',
            "record 1, rail: cannot be 'fsp'; did you mean 'fps'?",
        ),
        ('{ constant = "fps" }', '"fps"', "record 1, rail: must be a table"),
        ('{ constant = "fps" }', '{ column = "r", words = { F = "fsp" } }', "cannot be 'fsp'"),
        (
            '{ constant = "fps" }',
            '{ column = "r", default = "fps" }',
            "default is for values that words does not",
        ),
        ('time = "rfc3339"', 'time = "%d/%m/%Y %H:%M"', "has no offset: say zone"),
        ('time = "rfc3339"', 'time = "epoch m"', "time cannot be 'epoch m'"),
        ('time = "rfc3339"', 'time = "%Y", zone = "Europe/Lundon"', "there is no time zone 'Europe/Lundon'"),
        ('time = "rfc3339"', 'time = "rfc3339", plus = "a week"', "plus cannot be 'a week'"),
        ('event_id = { column = "id" }\n', "", "payments needs the field 'event_id'"),
        ('{ column = "id" }', '{ column = "id", constant = "x" }', "needs exactly one of"),
        ('{ column = "id" }', '{ template = "{id" }', "not well formed"),
        ('{ column = "id" }', '{ template = "x{}" }', "empty braces"),
        ('{ column = "from" }', '{ column = "from", extract = "(" }', "not a regular expression"),
        ("[[record]]", 'where = [{ column = "x" }]\n[[record]]', "where 1: needs a test"),
        ("[[record]]", "[reader]\nheader = false\n[[record]]", "needs its columns named"),
        ("[[record]]", '[reader]\nencoding = "utf-9"\n[[record]]', "there is no encoding 'utf-9'"),
        ('payer_account = { column = "from" }', 'ext = { text = { column = "t" } }', "would carry content"),
        (
            'payer_account = { column = "from" }',
            'currency = { constant = "POUND" }',
            "would be refused at the door",
        ),
        ('title = "t"', "title = ", "not valid TOML"),
    ],
)
def test_a_wrong_map_says_what_is_wrong_and_what_would_be_right(
    tmp_path: Path, was: str, now: str, says: str
) -> None:
    assert was in GOOD
    assert says in faults(tmp_path, GOOD.replace(was, now, 1))


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    said = faults(tmp_path, GOOD.replace("source", "sorce").replace("pounds", "pund").replace("rail", "rial"))
    assert all(word in said for word in ("sorce", "pund", "rial"))


def test_two_records_of_a_row_may_not_share_an_event_id(tmp_path: Path) -> None:
    record = GOOD[GOOD.index("[[record]]") :]
    assert "dropped as a repeat" in faults(tmp_path, GOOD + record)
    assert faults(tmp_path, GOOD + record.replace('{ column = "id" }', '{ template = "{id}-b" }')) == ""


def test_a_missing_map_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"shipped: .*handbook"):
        load_map("handbok")


def test_a_shipped_map_is_found_by_its_name() -> None:
    assert load_map("handbook").source == "handbook"


def test_shipped_maps_are_sound_and_documented() -> None:
    docs = Path(__file__).parents[3] / "docs"
    written = "".join(
        page.read_text("utf-8") for page in [docs / "importing.md", *(docs / "data").glob("*.md")]
    )
    names = [shipped.name for shipped in shipped_maps()]
    assert len(names) >= 14
    for shipped in shipped_maps():
        assert shipped.title
        assert shipped.summary
        assert f"`{shipped.name}`" in written, f"{shipped.name} is not in the docs"


def test_every_key_of_a_map_is_documented() -> None:
    from events.importing import maps

    text = (Path(__file__).parents[3] / "docs" / "importing.md").read_text("utf-8")
    keys = {key for kind in maps._MODIFIERS.values() for key in kind}
    keys |= {
        *maps._TOP_KEYS,
        *maps._RECORD_KEYS,
        *maps._SOURCES,
        *maps._TESTS,
        *maps._READER_KEYS["csv"],
        "each",
    }
    assert {key for key in keys if f"`{key}`" not in text} == set()

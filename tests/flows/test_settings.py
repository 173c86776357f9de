"""Settings: code before environment before file, each checked, keys never shown."""

import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flows.errors import FlowError
from flows.settings import FILE, KEY_FILE, Settings, explained, key_ring


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a settings file."""
    monkeypatch.chdir(tmp_path)


def test_the_file_is_read_and_the_environment_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text('processes = 4\nshards = 8\n[sources.bank-a]\nlegs = "both"\n')
    monkeypatch.setenv("LINEWATCH_PROCESSES", "2")
    settings = Settings()
    assert (settings.processes, settings.shards) == (2, 8)
    assert settings.sources["bank-a"].legs == "both"
    assert Settings(processes=3).processes == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHARDS", "12"),
        ("SHARDS", "512"),
        ("SHARDS", "0"),
        ("TICK_ROWS", "0"),
        ("EPOCH_SECONDS", "0"),
        ("PROCESSES", "none"),
        ("MAX_LINE_BYTES", "12"),
        ("DATA_CLASS", "secret"),
        ("JUMP_DAYS", "-1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LINEWATCH_{name}", value)
    with pytest.raises(ValidationError) as told:
        Settings()
    assert name.lower() in str(told.value)


def test_every_setting_has_words() -> None:
    assert all(len(words) > 10 for _, words in explained().values())
    assert explained().keys() == Settings.model_fields.keys()


def test_a_key_of_its_own_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    first, second = key_ring(settings), key_ring(settings)
    assert first.current.secret == second.current.secret
    assert len(first.current.secret) == 32
    assert stat.S_IMODE((tmp_path / "data" / KEY_FILE).stat().st_mode) == 0o600
    assert first.previous is None


def test_two_keys_while_one_is_rotated() -> None:
    keys: dict[str, Any] = {"token_key": "5a" * 32, "token_key_id": "b", "token_key_previous": "a5" * 32}
    ring = key_ring(Settings(**keys))
    assert ring.previous is not None
    assert (ring.current.secret, ring.previous.secret) == (b"\x5a" * 32, b"\xa5" * 32)


def test_a_key_that_is_none_is_said_without_showing_it() -> None:
    with pytest.raises(FlowError, match="token_key is not hexadecimal") as told:
        key_ring(Settings(token_key="not so secret"))
    assert "not so secret" not in str(told.value)


def test_a_key_is_never_printed() -> None:
    settings = Settings(token_key="5a" * 32, token_key_previous="a5" * 32)
    assert "5a5a" not in repr(settings)
    assert "a5a5" not in str(settings.model_dump())

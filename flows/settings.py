"""Settings of a run: from the environment (LINEWATCH_…) and linewatch.toml, each with a default that works."""

import os
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from events.tokens import Key, KeyRing
from flows.errors import FlowError

FILE: Final = "linewatch.toml"
KEY_FILE: Final = "token.key"
SOURCES_FILE: Final = "sources.toml"
DEFAULT_DATA: Final = Path("linewatch-data")


_SHARDS_ALONE: Final = 8
_SHARDS_SHARED: Final = 16


def shards_for(processes: int) -> int:
    """Parts the state of a flow of so many processes is split into, where the setting does not say.

    Each part is taken in calls of its own, so one process does better with few; several share out many evenly.
    """
    return _SHARDS_ALONE if processes == 1 else _SHARDS_SHARED


class SourceSetting(BaseModel, frozen=True):
    """What is known of one supplier's feed."""

    legs: Literal["own", "both"] = "own"
    basis: str | None = None


class Settings(BaseSettings):
    """Everything that may be set; docs/settings.md explains each."""

    model_config = SettingsConfigDict(
        env_prefix="LINEWATCH_", toml_file=FILE, frozen=True, env_nested_delimiter="__"
    )

    data: Path = Field(default=DEFAULT_DATA, description="Folder for everything Linewatch keeps.")
    store: str | None = Field(
        default=None, description="Address of the alert store; a SQLite file in `data` when not said."
    )
    token_key: SecretStr | None = Field(
        default=None,
        description="The secret that makes tokens, as hexadecimal digits (32 to 128). Made and kept in `data` when not said.",
    )
    token_key_id: str = Field(default="k1", description="Short public name of the token key.")
    token_key_previous: SecretStr | None = Field(
        default=None, description="The key before, while a rotation lasts: records are then kept under both."
    )
    token_key_previous_id: str = Field(default="k0", description="Short public name of the key before.")
    model_key: Path | None = Field(
        default=None,
        description="File with the key that signs models. Made and kept in `data` when not said.",
    )
    bases: Path | None = Field(
        default=None, description="TOML file with the lawful bases; only synthetic demo data when not said."
    )
    default_basis: str | None = Field(
        default="synthetic-demo",
        description="The basis of records and sources that name none; empty: such records are dropped.",
    )
    priority: Path | None = Field(
        default=None, description="TOML file with the priority rules; Linewatch's own when not said."
    )
    data_class: Literal["synthetic", "live"] = Field(
        default="synthetic", description="What alerts say of the data they come from."
    )
    sources: dict[str, SourceSetting] = Field(
        default_factory=dict,
        description="Suppliers' feeds by name: which legs they report (`own`, `both`), and their basis.",
    )
    shards: int | None = Field(
        default=None,
        description="Parts the state is split into: a power of two, fixed for a recovery folder's life. By the number of processes when not said.",
    )
    tick_rows: int = Field(default=32_768, ge=1, le=1_000_000, description="Most rows in a tick.")
    epoch_seconds: float = Field(
        default=1.0, gt=0.0, le=60.0, description="Seconds between two snapshots of a run."
    )
    processes: int = Field(default=1, ge=1, le=256, description="Processes of a run.")
    repeat_horizon_hours: float = Field(
        default=24.0, gt=0.0, description="For how long repeats and a payment's other leg are remembered."
    )
    jump_days: float = Field(
        default=30.0,
        gt=0.0,
        description="A lone record this far ahead of its neighbours has a wrong clock and is refused.",
    )
    max_line_bytes: int = Field(default=1 << 20, ge=1024, description="Longest line that is read.")
    fsync: bool = Field(
        default=True,
        description="Whether a run waits for the disk: off, a power cut may cost the last seconds; a killed process never does.",
    )
    ledger: bool = Field(default=True, description="Whether a run keeps the ledger of ticks.")

    learn: bool = Field(
        default=False,
        description="Whether flows keep examples and learn from every outcome, in one place; else the desk's decisions alone teach.",
    )
    learn_hours: int = Field(default=6, ge=1, le=168, description="Hours between two lessons.")
    sample_one_in: int = Field(
        default=200,
        ge=1,
        description="Of the rows a gate lets through and that do not alert, one in so many is kept; ten times as many near the threshold.",
    )

    @field_validator("shards")
    @classmethod
    def _power_of_two(cls, shards: int | None) -> int | None:
        if shards is not None and (shards < 1 or shards > 256 or shards & (shards - 1)):
            raise ValueError("choose a power of two from 1 to 256")
        return shards

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options given in code first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def sources_beside(inputs: Mapping[str, tuple[str, ...]]) -> dict[str, SourceSetting]:
    """What a `sources.toml` in an input's folder says of the suppliers in it; settings of the same name go first.

    Raises:
        FlowError: such a file is not as it must be.
    """
    found: dict[str, SourceSetting] = {}
    for place in sorted({where for places in inputs.values() for where in places if where != "-"}):
        path = Path(place) if Path(place).is_dir() else Path(place).parent
        if (path / SOURCES_FILE).is_file():
            try:
                told = tomllib.loads((path / SOURCES_FILE).read_text()).get("sources", {})
                found |= {name: SourceSetting.model_validate(each) for name, each in told.items()}
            except (tomllib.TOMLDecodeError, ValidationError, AttributeError) as wrong:
                raise FlowError(
                    f"{path / SOURCES_FILE} is not a list of suppliers ({wrong}): write [sources.NAME] and "
                    "legs = 'own' or 'both'"
                ) from wrong
    return found


def key_ring(settings: Settings, data: Path | None = None) -> KeyRing:
    """The keys that make tokens; a key of its own is made in the data folder when the settings name none.

    Raises:
        FlowError: a key is not hexadecimal.
    """
    current = _key(settings.token_key_id, settings.token_key, "token_key") or _kept_key(
        settings.token_key_id, (data or settings.data) / KEY_FILE
    )
    return KeyRing(
        current, _key(settings.token_key_previous_id, settings.token_key_previous, "token_key_previous")
    )


def _key(name: str, secret: SecretStr | None, setting: str) -> Key | None:
    if secret is None:
        return None
    try:
        return Key(name, bytes.fromhex(secret.get_secret_value().strip()))
    except ValueError as wrong:
        raise FlowError(f"{setting} is not hexadecimal: give it 32 to 128 digits of 0-9 and a-f") from wrong


def _kept_key(name: str, path: Path) -> Key:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w") as file:
            file.write(secrets.token_hex(32))
    return Key(name, bytes.fromhex(path.read_text().strip()))


def explained() -> dict[str, tuple[Any, str]]:
    """Every setting with its default and what it is."""
    return {name: (field.default, field.description or "") for name, field in Settings.model_fields.items()}

"""Settings: ``pushwise.toml`` in the current folder, and ``PUSHWISE_*`` above it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from console.monitor_settings import MonitorSettings
from features.contract import Kind
from features.engine import BY_DEFAULT, EngineName, EngineSettings
from features.errors import FeatureError
from features.workspace import Conventions, Workspace, open_workspace

FILE = "pushwise.toml"

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", envvar="PUSHWISE_WORKSPACE", help="The workspace's folder.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Where the scorer's log is, before PUSHWISE_DATABASE_URL and database_url; "
        "postgresql://USER@HOST/NAME or sqlite:///PATH, else a file of the workspace.",
    ),
]
Share = Annotated[float, Field(ge=0, le=1)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
WORKSPACE = Path(".pushwise")


class SettingsError(FeatureError):
    """A setting that does not exist or has a value it cannot have."""


class MembersSettings(BaseModel, extra="forbid"):
    """attributes: declared member columns beyond the contract, name to kind."""

    attributes: dict[str, Kind] = {}


class FeaturesSettings(BaseModel, extra="forbid"):
    """taste: whether members have the view taste; ``None`` leaves it as it was."""

    taste: bool | None = None


class CapSettings(BaseModel, extra="forbid"):
    """One frequency cap; see ``decisions.caps.Cap``."""

    scope: Literal["all", "channel", "campaign", "push", "offer"] = "all"
    most: int = Field(ge=0)
    days: int | None = Field(default=None, gt=0)
    hours: float | None = Field(default=None, gt=0)
    name: str = ""


class PolicySettings(BaseModel, extra="forbid"):
    """What holds for every push; see ``decisions.policy.Policy``."""

    caps: list[CapSettings] = [CapSettings(most=3, days=7)]
    quiet_hours: tuple[int, int] | None = None
    timezone: str = "UTC"
    global_holdout: Share = 0.0
    random_hours: Share = 0.1
    duplicate_hours: float = Field(default=24.0, ge=0)
    channel_costs: dict[str, Annotated[float, Field(ge=0)]] = {}


class PriorSettings(BaseModel, extra="forbid"):
    """log_odds: assumed effect of a send where no randomised history tells it."""

    log_odds: float = Field(default=0.15, ge=-2, le=2)


class QualitySettings(BaseModel, extra="forbid"):
    """Where a feature or a feed becomes a finding; see ``features.quality.Limits``."""

    psi: float = Field(default=0.25, gt=0)
    missing_rise: float = Field(default=0.1, ge=0, le=1)
    age_days: float = Field(default=3.0, ge=0)
    ranges: dict[str, tuple[float, float]] = {}
    missing: dict[str, Share] = {}
    coverage: dict[str, Share] = {}

    @field_validator("ranges")
    @classmethod
    def _from_low_to_high(
        cls, ranges: dict[str, tuple[float, float]]
    ) -> dict[str, tuple[float, float]]:
        for name, (low, high) in ranges.items():
            if not low <= high:
                raise ValueError(f"range of {name} is {low:g} to {high:g}, wanted low to high")
        return ranges


class SparkSettings(BaseModel, extra="forbid"):
    """master: where Spark runs; see ``features.engine.EngineSettings``."""

    master: str = BY_DEFAULT.spark_master


class Settings(BaseSettings):
    """What a client sets once. ``None`` leaves it to what an import has remembered."""

    model_config = SettingsConfigDict(
        env_prefix="PUSHWISE_", env_nested_delimiter="__", toml_file=FILE, extra="forbid"
    )

    members: MembersSettings = MembersSettings()
    consent_when_missing: bool | None = None
    default_margin_rate: float | None = Field(default=None, ge=0, le=1)
    default_unsubscribe_rate: float | None = Field(default=None, ge=0, le=1)
    engine: EngineName = BY_DEFAULT.name
    memory_limit: str = Field(default=BY_DEFAULT.memory_limit, pattern=r"^[1-9][0-9]*[MGT]i?B$")
    spark: SparkSettings = SparkSettings()
    features: FeaturesSettings = FeaturesSettings()
    online_store: Literal["sqlite", "redis"] = "sqlite"
    redis_url: str = "redis://localhost:6379/0"
    database_url: str | None = None
    policy: PolicySettings = PolicySettings()
    prior: PriorSettings = PriorSettings()
    quality: QualitySettings = QualitySettings()
    monitor: MonitorSettings = MonitorSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def load_settings() -> Settings:
    """Read the settings of the current folder and environment.

    Raises:
        SettingsError: with the first setting that does not fit.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"setting {name} in {FILE} or PUSHWISE_*: {first['msg']}") from error
    except ValueError as error:  # tomllib's decoding error
        raise SettingsError(f"{FILE} does not read: {error}") from error


class NoWorkspaceError(FeatureError):
    """No folder where a workspace was named."""


def existing_workspace(root: Path, database: str | None = None) -> Workspace:
    """``load_workspace`` for what only reads or takes away: a misspelt one is not made.

    Raises:
        NoWorkspaceError: there is none.
        SettingsError: a setting does not fit.
    """
    if not root.is_dir():
        raise NoWorkspaceError(f"{root}: no workspace there; name it with --workspace")
    return load_workspace(root, database)


def load_workspace(root: Path, database: str | None = None) -> Workspace:
    """The workspace at ``root``: its remembered conventions, with those of the settings on top.

    Args:
        database: URL of the scorer's log that goes before the settings.

    Raises:
        SettingsError: a setting does not fit.
    """
    settings, remembered = load_settings(), open_workspace(root)
    conventions = remembered.conventions
    consent, rate = settings.consent_when_missing, settings.default_margin_rate
    taste, leaving = settings.features.taste, settings.default_unsubscribe_rate
    return replace(
        remembered,
        conventions=Conventions(
            {**conventions.attributes, **settings.members.attributes},
            conventions.consent_when_missing if consent is None else consent,
            conventions.default_margin_rate if rate is None else rate,
            conventions.taste if taste is None else taste,
            conventions.default_unsubscribe_rate if leaving is None else leaving,
        ),
        redis_url=settings.redis_url if settings.online_store == "redis" else None,
        database_url=database or settings.database_url,
        engine=EngineSettings(settings.engine, settings.memory_limit, settings.spark.master),
    )

"""How one scorer is to run."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from features.workspace import Workspace
from models.keys import PUBLIC
from serving.deadline import DEFAULT_SECONDS
from serving.scorer_error import ScorerError
from serving.vectors import SHARE


class SettingsError(ScorerError):
    """Settings with which no scorer may start."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one scorer is to run.

    port: 0 takes any free one.
    release: serve this folder and nothing else; None follows the workspace's published release.
    trust: PEM file of the public key that must have signed a release; None: the workspace's own.
    environment: only API keys of this environment open the scorer.
    vector_sample: share of the decisions whose feature vector is kept in the log, 0 to 1, for
        `pushwise features check`.
    deadline: seconds within which a call for decisions is answered that says no other.
    insecure_dev: no API key is asked for; only on a loopback address.
    fresh: read fresh features too, where the features extra is installed.

    Raises:
        SettingsError: ``insecure_dev`` on an address that others can reach, or a sample that is no
            share.
    """

    workspace: Workspace
    host: str = "127.0.0.1"
    port: int = 8787
    release: Path | None = None
    trust: Path | None = None
    environment: str = "live"
    insecure_dev: bool = False
    vector_sample: float = SHARE
    deadline: float = DEFAULT_SECONDS
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.insecure_dev and not _loopback(self.host):
            raise SettingsError(
                f"--insecure-dev asks for no API key, so it works on a loopback address only, "
                f"not on {self.host}; drop it and make a key with `pushwise keys create`"
            )

        if not 0 <= self.vector_sample <= 1:
            raise SettingsError(f"the vector sample is {self.vector_sample}, wanted 0 to 1")

    @property
    def trusted_key(self) -> Path:
        return self.trust or self.workspace.keys / PUBLIC


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

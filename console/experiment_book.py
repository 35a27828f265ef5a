"""The workspace's book of experiments, for the commands over it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.settings import existing_workspace
from experiments.errors import ExperimentError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from features.workspace import Workspace
    from serving.experiment_audit import Change
    from serving.experiments import Book
    from serving.log import Log

_HELPS = {  # by code: where the API's fix names calls and fields, what does it at the command line
    "experiment_exists": "change a draft with --revise, or declare another under an id of its own",
    "verdict_forbids": "name such an arm with --arm, or decide against the verdict with --anyway "
    "and --why",
    "why_wanted": "say with --why what the decision rests on; it stays in the audit trail",
}


class RefusedError(ExperimentError):
    """What an experiment cannot do now, and what helps."""


@dataclass(frozen=True, slots=True)
class Opened:
    workspace: Workspace
    log: Log

    @property
    def book(self) -> Book:
        from serving.experiments import Book

        return Book(self.log)

    def labels(self) -> dict[str, str]:
        """Of the API keys that have one, by id."""
        from serving.api_keys import Keys

        return {key.key_id: key.label for key in Keys(self.log).all() if key.label}


@contextmanager
def opened_book(root: Path, database: str | None) -> Iterator[Opened]:
    """The book of the workspace at ``root``.

    Raises:
        NoWorkspaceError: there is no workspace.
        RefusedError: the book refused; the message says what helps.
    """
    from serving.errors import ServiceError
    from serving.log import Log

    workspace = existing_workspace(root, database)
    with Log.of(workspace) as log:
        try:
            yield Opened(workspace, log)
        except ServiceError as error:
            helps = _HELPS.get(error.code) or next(iter(error.fix), "")
            raise RefusedError("; ".join(filter(None, [str(error), helps]))) from error


def change(why: str = "") -> Change:
    """By who is at the command line, now."""
    from serving.experiment_audit import Change

    return Change(datetime.now(UTC), f"command line: {getpass.getuser()}", why)


@dataclass(frozen=True, slots=True)
class WorkspaceReleases:
    """The releases of a workspace; what is wrong with one is told in full."""

    releases: Path
    trusted: Mapping[str, Ed25519PublicKey]

    @classmethod
    def of(cls, workspace: Workspace) -> WorkspaceReleases:
        from models.keys import PUBLIC, trusted_keys

        return cls(workspace.releases, trusted_keys(workspace.keys / PUBLIC))

    def check(self, release_id: str) -> frozenset[str]:
        """The pushes it knows. Raises ``ReleaseError`` unless it is there as it was signed."""
        from serving.pointer import check
        from serving.publishing import pushes_of
        from serving.redaction import successor

        found = successor(self.releases, release_id)
        check(self.releases, found, self.trusted)
        return pushes_of(self.releases / found)

    def publish(self, release_id: str) -> str:
        """The id of what is published now. Raises ``ReleaseError``."""
        from serving.pointer import publish
        from serving.redaction import successor

        found = successor(self.releases, release_id)
        return publish(self.releases, found, self.trusted).release_id

"""What the pages stand on: a workspace, its log, and a scorer's parts once there is a release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from dashboard.web.changes import Changes
from dashboard.web.sessions import Sessions
from dashboard.web.users import Users
from dashboard.web.work import Work
from features.workspace import Workspace
from serving.log import Log
from serving.parts import Parts
from serving.rate import Rates


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that pages read and change, by the functions that the API uses.

    find_parts: the scorer's parts; None while no release is published.
    open_to_all: nobody logs in, and whoever looks is a publisher; on a loopback address only.
    secure: cookies go over TLS alone.
    """

    workspace: Workspace
    log: Log
    find_parts: Callable[[], Parts | None]
    work: Work
    open_to_all: bool = False
    secure: bool = False
    knocks: Rates = field(default_factory=lambda: Rates(monotonic))

    @property
    def parts(self) -> Parts | None:
        return self.find_parts()

    @property
    def trained(self) -> bool:
        """Whether models were trained, of which none may serve yet."""
        folder = self.workspace.mlflow
        return folder.is_dir() and next(folder.iterdir(), None) is not None

    @property
    def users(self) -> Users:
        return Users(self.log)

    @property
    def sessions(self) -> Sessions:
        return Sessions(self.log)

    @property
    def changes(self) -> Changes:
        return Changes(self.log)

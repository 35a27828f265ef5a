"""The standing policy of a workspace: its settings and its own salt."""

from __future__ import annotations

import secrets

from console.settings import FILE, Settings, SettingsError
from decisions.caps import Cap
from decisions.errors import DecisionError
from decisions.policy import Policy
from features.workspace import Workspace, write_atomically


def standing_policy(workspace: Workspace, settings: Settings) -> Policy:
    """The policy of ``workspace``; its salt is drawn once and kept beside its keys.

    Raises:
        SettingsError: a cap without a window, an hour that is none, or a time zone that nobody
            knows.
    """
    path = workspace.keys / "salt"
    if not path.exists():
        write_atomically(path, secrets.token_hex(16).encode(), secret=True)
    wanted = settings.policy
    try:
        return Policy(
            salt=path.read_text(encoding="ascii"),
            consent_when_missing=workspace.conventions.consent_when_missing,
            caps=tuple(Cap(**cap.model_dump()) for cap in wanted.caps),
            **wanted.model_dump(exclude={"caps"}),
        )
    except DecisionError as error:
        raise SettingsError(f"setting policy in {FILE} or PUSHWISE_*: {error}") from error

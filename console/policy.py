"""The standing policy of a workspace: its settings and its own salt."""

from __future__ import annotations

import secrets

from console.settings import Settings
from decisions.policy import Policy
from features.workspace import Workspace, write_atomically


def standing_policy(workspace: Workspace, settings: Settings) -> Policy:
    """The policy of ``workspace``; its salt is drawn once and kept beside its keys."""
    path = workspace.keys / "salt"
    if not path.exists():
        write_atomically(path, secrets.token_hex(16).encode())
    return Policy(
        salt=path.read_text(encoding="ascii"),
        consent_when_missing=workspace.conventions.consent_when_missing,
        contact_caps=settings.policy.contact_caps,
    )

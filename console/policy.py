"""The standing policy of a workspace: its settings and its own salt."""

from __future__ import annotations

import secrets

from console.settings import FILE, Settings, SettingsError
from decisions.policy import Policy
from features.workspace import Workspace, write_atomically


def standing_policy(workspace: Workspace, settings: Settings) -> Policy:
    """The policy of ``workspace``; its salt is drawn once and kept beside its keys.

    Raises:
        SettingsError: a contact cap on what is no count of contacts; it would never hold anybody.
    """
    from features.contacts import COUNTS

    unknown = sorted(set(settings.policy.contact_caps) - set(COUNTS))
    if unknown:
        raise SettingsError(
            f"setting policy.contact_caps in {FILE} or PUSHWISE_* caps {unknown[0]!r}, "
            f"wanted one of {', '.join(COUNTS)}"
        )
    path = workspace.keys / "salt"
    if not path.exists():
        write_atomically(path, secrets.token_hex(16).encode(), secret=True)
    return Policy(
        salt=path.read_text(encoding="ascii"),
        consent_when_missing=workspace.conventions.consent_when_missing,
        contact_caps=settings.policy.contact_caps,
    )

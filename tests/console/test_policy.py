"""The standing policy of a workspace, as settings and the workspace make it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.policy import standing_policy
from console.settings import CapSettings, PolicySettings, Settings, SettingsError
from features.workspace import Conventions, Workspace


def test_a_workspace_keeps_its_salt_and_has_one_of_its_own(tmp_path: Path) -> None:
    one, other = Workspace(tmp_path / "one"), Workspace(tmp_path / "other")
    first = standing_policy(one, Settings())
    assert standing_policy(one, Settings()) == first
    assert standing_policy(other, Settings()).salt != first.salt


def test_a_missing_consent_is_what_the_workspace_says(tmp_path: Path) -> None:
    asked = Workspace(tmp_path, Conventions(consent_when_missing=True))
    assert standing_policy(asked, Settings()).consent_when_missing
    assert not standing_policy(Workspace(tmp_path), Settings()).consent_when_missing


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (PolicySettings(caps=[CapSettings(most=3)]), "cap on all: give days or hours"),
        (PolicySettings(quiet_hours=(22, 25)), "quiet_hours are"),
        (PolicySettings(timezone="Moon/Base"), "timezone is 'Moon/Base', wanted a name such as"),
    ],
)
def test_a_policy_that_cannot_hold_is_refused(
    tmp_path: Path, wrong: PolicySettings, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        standing_policy(Workspace(tmp_path), Settings(policy=wrong))

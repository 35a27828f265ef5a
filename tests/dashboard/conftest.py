from __future__ import annotations

import pytest

from dashboard.experiment_report import ExperimentReport
from dashboard.push_report import PushReport
from tests.dashboard.given import crowd, push_report, report


@pytest.fixture(scope="session")
def told() -> ExperimentReport:
    """An experiment with a verdict, on its last look."""
    return report(crowd())


@pytest.fixture(scope="session")
def pushed() -> PushReport:
    """A push that earned something, with a plan and a frontier."""
    return push_report()

"""Real scorers over one log in Postgres: the same answers from each, also when one is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.log_databases import Databases
from tests.serving.test_audience_job import asked, ended
from tests.serving.test_server import Caller

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Running

MEMBERS = [f"m{number:02d}" for number in range(20)]


@pytest.mark.slow
def test_two_scorers_and_their_jobs_share_a_log(
    bench: Bench, start: Callable[..., Running], databases: Databases
) -> None:
    url = databases.migrated().url.render_as_string(hide_password=False)
    options = ("--release", str(bench.release("r1")), "--insecure-dev", "--database", url)
    first, second = start(*options), start(*options)
    with Caller(first.address, "") as caller, Caller(second.address, "") as other:
        answers = caller.decide(*MEMBERS)
        assert other.decide(*MEMBERS) == answers
        audience_id = asked(caller, max_audience=20)
        assert ended(other, audience_id)["state"] == "done"
        first.process.kill()
        first.process.wait()
        assert other.decide(*MEMBERS) == answers
    assert not bench.workspace.serving_log.exists()
    said = first.log.read_text()
    assert databases.server.password not in said


@pytest.mark.slow
def test_a_scorer_over_an_empty_database_ends_with_one_line(
    bench: Bench, start: Callable[..., Running], databases: Databases, tmp_path: Path
) -> None:
    url = databases.empty().url.render_as_string(hide_password=False)
    with pytest.raises(AssertionError, match="run `pushwise log migrate`") as raised:
        start("--release", str(bench.release("r1")), "--insecure-dev", "--database", url)
    told = [line for line in str(raised.value).splitlines() if not line.startswith("{")]
    assert len(told) == 1
    assert databases.server.password not in str(raised.value)

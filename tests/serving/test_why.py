"""``pushwise why`` over a workspace with a scorer's log and a signed release."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from console.main import application
from serving.log import Log
from serving.pointer import publish
from serving.release import Release
from serving.schemas import Decision
from serving.scorer import Scorer
from tests.serving.conftest import AS_OF, MEMBERS, Bench


class Holder:
    def __init__(self, release: Release) -> None:
        self.release = release


@pytest.fixture
def decided(loaded: Release, bench: Bench) -> dict[str, Decision]:
    """Answers in the workspace's own log, by member."""
    bench.release("r1")
    publish(bench.workspace.releases, "r1", bench.trusted)
    with Log(bench.workspace.serving_log) as log:
        scorer = Scorer(Holder(loaded), log, 0.0)
        return dict(scorer.decide("spring", dict.fromkeys(MEMBERS), AS_OF).decisions)


def why(bench: Bench, *arguments: str) -> Result:
    where = ["--workspace", str(bench.workspace.root)]
    return CliRunner().invoke(application(), ["why", *arguments, *where])


def test_a_decision_is_told_in_readable_text(bench: Bench, decided: dict[str, Decision]) -> None:
    sent = next(one for one in decided.values() if one.send and not one.explored)
    done = why(bench, str(sent.decision_id))
    assert done.exit_code == 0, done.output
    assert f"Sent {sent.offer_id} by push." in done.stdout
    assert "coupon" in done.stdout
    assert "has not bought for" in done.stdout
    assert "what would have turned it" in done.stdout


@pytest.mark.slow
def test_push_and_member_name_the_same_decision_and_json_is_that_of_the_api(
    bench: Bench, decided: dict[str, Decision]
) -> None:
    found = json.loads(why(bench, "--push", "spring", "--member", "m03", "--json").stdout)
    assert found["decision_id"] == decided["m03"].decision_id
    assert found["equal"]
    assert found["options"][0]["offer_id"] == "ten"


@pytest.mark.parametrize(
    ("call", "message", "status"),
    [
        (("nosuch",), "no such decision; ask the scorer first", 1),
        (("--push", "spring", "--member", "nobody"), "no such decision", 1),
        (("--push", "spring"), "or --push and --member", 2),
        ((), "or --push and --member", 2),
    ],
)
def test_a_wrong_call_is_told(
    bench: Bench, decided: dict[str, Decision], call: tuple[str, ...], message: str, status: int
) -> None:
    done = why(bench, *call)
    assert (done.exit_code, message in " ".join(done.stderr.split())) == (status, True), done.stderr

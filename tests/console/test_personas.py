"""Personas: decided as the published release would, and told in one line each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.main import application
from console.personas import checked_personas, read_personas
from console.plan import published_release
from console.release import publish_release
from decisions.personas import PersonaError, personas_from
from features.workspace import Workspace
from serving.release import Release
from serving.situation import Situation
from tests.serving.conftest import MEMBERS, Bench

FILE = """
[[personas]]
name = "no consent"
push = "spring"
features = { recency_days = 20, consent_push = false }
send = false
reason = "no_consent"

[[personas]]
name = "contacted too often"
push = "autumn"
features = { consent_push = true }
contacts = [1, 2.5, 3]
reason = "frequency_cap"
"""


@pytest.fixture(scope="module")
def published(candidate: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(Workspace(tmp_path_factory.mktemp("published")), candidate)
    bench.release("r1")
    publish_release(bench.workspace, "r1")
    return bench


@pytest.fixture(scope="module")
def release(published: Bench) -> Release:
    return published_release(published.workspace)


def check(bench: Bench, path: Path, *options: str) -> Result:
    arguments = ["personas", "check", str(path), "--workspace", str(bench.workspace.root)]
    return CliRunner().invoke(application(), [*arguments, *options])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "personas.toml"
    path.write_text(FILE)
    return path


def test_personas_that_are_decided_as_expected_pass(published: Bench, file: Path) -> None:
    result = check(published, file)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "passed  no consent: no send (no_consent)",
        "passed  contacted too often: no send (frequency_cap)",
        "2 of 2 as expected, release r1",
    ]


def test_a_persona_that_is_decided_otherwise_fails_with_the_reason(
    published: Bench, file: Path
) -> None:
    file.write_text(FILE.replace('send = false\nreason = "no_consent"', 'offer = "ten"'))
    result = check(published, file)
    assert result.exit_code == 1
    wanted = "FAILED  no consent: expected offer ten; found no send (no_consent)"
    assert result.stdout.splitlines()[0] == wanted
    assert result.stdout.splitlines()[-1] == "1 of 2 as expected, release r1"


def test_a_machine_reads_the_same(published: Bench, file: Path) -> None:
    file.write_text(FILE.replace('send = false\nreason = "no_consent"', 'offer = "ten"'))
    result = check(published, file, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["passed"], document["failed"], document["release"]) == (1, 1, "r1")
    assert document["personas"][0] == {
        "name": "no consent", "push_id": "spring", "passed": False, "expected": ["offer ten"],
        "send": False, "offer_id": None, "reason": "no_consent", "expected_gain": None,
    }  # fmt: skip


def test_a_member_gets_what_the_scorer_chooses_without_chance(release: Release) -> None:
    choices = release.choose("spring", MEMBERS, Situation(release.terms("spring", {})))
    ask = {"push": "spring", "min_gain": -1e9}
    asked = [{"name": member, "member": member, **ask} for member in MEMBERS]
    alike = [{"name": f"like {m}", "like": m, "features": {}, **ask} for m in MEMBERS]
    found = checked_personas(release, personas_from({"personas": asked + alike}), frozenset())
    by_chance = 0
    for choice, real, copy in zip(choices, found[:50], found[50:], strict=True):
        assert (real.found.offer_id, real.found.reason) == (copy.found.offer_id, copy.found.reason)
        if choice.explored or choice.reason == "holdout":
            by_chance += 1
        else:
            assert (real.found.offer_id, real.found.reason) == (choice.offer_id, choice.reason)
        assert real.found.reason not in ("holdout", "explored")
    assert by_chance
    assert any(one.found.offer_id for one in found)


def test_a_suppressed_member_is_sent_nothing_and_one_like_them_may_be(release: Release) -> None:
    asked = [{"name": m, "member": m, "push": "spring", "send": True} for m in MEMBERS]
    sent = next(one for one in checked_personas(
        release, personas_from({"personas": asked}), frozenset()
    ) if not one.expected)  # fmt: skip
    member = sent.persona.name
    two = [
        asked[MEMBERS.index(member)],
        {"name": "x", "like": member, "push": "spring", "send": True},
    ]
    real, copy = checked_personas(release, personas_from({"personas": two}), frozenset({member}))
    assert real.found.reason == "suppressed"
    assert copy.expected == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[personas]]", "[[persona]]", "there is no table 'persona'"),
        ("send = false", "sends = false", "persona 'no consent' has no key 'sends'; nearest: send"),
        ("send = false", "send = off", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(
    published: Bench, file: Path, old: str, new: str, message: str
) -> None:
    file.write_text(FILE.replace(old, new))
    result = check(published, file)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("recency_days", "recency_dys", "persona 'no consent' has no feature 'recency_dys'; near"),
        ('"autumn"', '"autum"', "asks about push 'autum', which release r1 does not have; nearest"),
        ("send = false", 'not_offer = "tem"', "offer 'tem', which push 'spring' does not carry"),
        (
            "features = { consent",
            'like = "m99"\nfeatures = { consent',
            "member 'm99', whom release",
        ),
    ],
)
def test_what_the_release_does_not_have_is_refused(
    release: Release, file: Path, old: str, new: str, message: str
) -> None:
    file.write_text(FILE.replace(old, new))
    with pytest.raises(PersonaError, match=message):
        checked_personas(release, read_personas(file), frozenset())


def test_a_file_that_is_not_there_is_named(published: Bench, tmp_path: Path) -> None:
    result = check(published, tmp_path / "none.toml")
    assert "none.toml: cannot be read (No such file or directory)" in result.stderr

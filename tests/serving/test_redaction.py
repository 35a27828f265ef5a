"""Erased members leave signed releases; the others get the decisions that they got."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.lifetime_values import LifetimeValues
from serving.pointer import current, history, publish
from serving.redaction import redact, successor
from serving.release import load_release
from serving.situation import Situation
from tests.serving.conftest import MEMBERS

if TYPE_CHECKING:
    from tests.serving.conftest import Bench

GONE = ("m03", "m04", "m49")
STAY = [one for one in MEMBERS if one not in GONE]


def decided(bench: Bench, release_id: str) -> list[object]:
    release = load_release(bench.workspace.releases / release_id, bench.trusted)
    situation = Situation(release.terms("spring", {}))
    return [
        (one.offer_id, one.probability, one.items, one.expected_gain)
        for one in release.choose("spring", STAY, situation)
    ]


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_release_goes_on_under_a_new_name_without_them(bench: Bench) -> None:
    for name in ("r1", "r2"):
        bench.release(name)
        publish(bench.workspace.releases, name, bench.trusted)
    before = decided(bench, "r2")
    done = redact(bench.workspace.releases, GONE, bench.key)
    assert done.successors == {"r1": "r1-e1", "r2": "r2-e1"}
    assert (done.removed, done.left) == ((), ())
    assert current(bench.workspace.releases) == "r2-e1"
    assert history(bench.workspace.releases) == ["r1-e1", "r2-e1"]
    assert decided(bench, "r2-e1") == before
    stored = contents(bench.workspace.releases)
    assert not any(one.encode() in stored for one in GONE)
    assert redact(bench.workspace.releases, GONE, bench.key).successors == {}
    again = redact(bench.workspace.releases, ("m05",), bench.key)
    assert again.successors == {"r1-e1": "r1-e2", "r2-e1": "r2-e2"}
    assert successor(bench.workspace.releases, "r2") == "r2-e2"
    assert successor(bench.workspace.releases, "r3") == "r3"


def test_what_was_changed_after_signing_is_removed_and_never_signed_again(bench: Bench) -> None:
    (bench.release("r1") / "offers.json").write_text("[]")
    done = redact(bench.workspace.releases, GONE, bench.key)
    assert (done.successors, done.removed) == ({}, ("r1",))
    assert not (bench.workspace.releases / "r1").exists()


def test_without_the_trainers_key_a_release_stays_and_is_named(bench: Bench) -> None:
    folder = bench.release("r1")
    done = redact(bench.workspace.releases, GONE, None)
    assert done.left == ("r1",)
    assert folder.exists()


def test_a_release_of_strangers_stays_as_it_is(bench: Bench) -> None:
    folder = bench.release("r1")
    before = contents(folder)
    done = redact(bench.workspace.releases, ("stranger-2",), bench.key)
    assert (done.successors, contents(folder)) == ({}, before)


@pytest.mark.parametrize("gone", [MEMBERS, MEMBERS[:1], MEMBERS[-1:]], ids=["all", "first", "last"])
def test_contacts_and_snapshot_still_fit_each_other(bench: Bench, gone: tuple[str, ...]) -> None:
    bench.release("r1")
    redact(bench.workspace.releases, gone, bench.key)
    left = load_release(bench.workspace.releases / "r1-e1", bench.trusted)
    assert len(left.snapshot.member_ids) == len(MEMBERS) - len(gone)
    golden = json.loads((bench.workspace.releases / "r1-e1" / "golden.json").read_text())
    assert set(gone).isdisjoint(golden[0]["member_ids"])
    assert np.isfinite(left.contacts.at).all()
    worth = LifetimeValues.load(bench.candidate / "clv")
    for row, member in enumerate(MEMBERS):
        assert left.lifetime_value_of(member) == (None if member in gone else worth.at(row))

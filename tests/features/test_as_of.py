"""As-of truth: every view shows what had happened and was known, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.build import build_features
from features.inputs import vocabulary_file
from features.record import view_file
from features.views import VIEWS
from features.vocabulary import Vocabulary
from features.workspace import Conventions, Workspace
from tests.features.compiled import Compiled
from tests.features.given import write_batch
from tests.features.histories import AS_OFS, ATTRIBUTES, CATEGORIES, histories, poison
from tests.features.oracle.knowledge import Features, History, known
from tests.features.oracle.tastes import largest_categories
from tests.features.oracle.views import differences, oracle

# One category stays outside, to be the "other" that somebody likes best.
VOCABULARY = Vocabulary.of(CATEGORIES[:2])
COLUMNS = dict(zip(VOCABULARY.categories, VOCABULARY.features, strict=True))

# The same histories in every run, so that a change is judged by what it changes and not by luck.
# PUSHWISE_HISTORIES=5 looks at five times as many, other ones each time.
_TIMES = int(os.environ.get("PUSHWISE_HISTORIES", "0"))


def examples(count: int, *phases: Phase) -> settings:
    return settings(
        phases=phases or tuple(Phase),
        max_examples=count * max(_TIMES, 1),
        derandomize=_TIMES == 0,
        database=None,
        deadline=None,  # the first history of a moment pays for compiling its SQL
        suppress_health_check=list(HealthCheck),
    )


moments = st.sampled_from(AS_OFS)
# A run costs little more for several shops side by side than for one, and their members are many
# at once for what compares them.
SHOPS = 4


def pasts(shops: int) -> st.SearchStrategy[tuple[datetime, History]]:
    return moments.flatmap(lambda as_of: st.tuples(st.just(as_of), histories(as_of, shops)))


def poisoned(shops: int) -> st.SearchStrategy[tuple[datetime, History, History]]:
    return moments.flatmap(
        lambda as_of: st.tuples(st.just(as_of), histories(as_of, shops), poison(as_of, shops))
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiled]:
    made = Compiled(Workspace(tmp_path_factory.mktemp("compiled")), VOCABULARY)
    yield made
    made.engine.close()


@pytest.mark.slow
@examples(100)
@given(pasts(1))
def test_every_view_of_a_shop_shows_what_the_slow_oracle_says(
    compiled: Compiled, drawn: tuple[datetime, History]
) -> None:
    as_of, history = drawn
    wanted = oracle(history, as_of, ATTRIBUTES, COLUMNS)
    assert differences(compiled.views(history, as_of), wanted) == []


@pytest.mark.slow
@examples(800 // SHOPS)
@given(pasts(SHOPS))
def test_so_does_every_view_of_shops_side_by_side(
    compiled: Compiled, drawn: tuple[datetime, History]
) -> None:
    as_of, history = drawn
    wanted = oracle(history, as_of, ATTRIBUTES, COLUMNS)
    assert differences(compiled.views(history, as_of), wanted) == []


@pytest.mark.slow
@examples(400 // SHOPS)
@given(poisoned(SHOPS))
def test_the_future_is_invisible(
    compiled: Compiled, drawn: tuple[datetime, History, History]
) -> None:
    """The oracle never hears of the rows that happened, or arrived, at the moment or later."""
    as_of, history, later = drawn
    wanted = oracle(history, as_of, ATTRIBUTES, COLUMNS)
    assert differences(compiled.views(history.with_more(later), as_of), wanted) == []


@pytest.mark.slow
@examples(6, Phase.generate)  # a build takes seconds: too slow to look for the smallest history
@given(poisoned(1))
def test_a_build_over_files_shows_the_same_and_does_not_see_later_files(
    compiled: Compiled,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: tuple[datetime, History, History],
) -> None:
    as_of, history, later = drawn
    history = a_bit_of_everything(as_of).with_more(history)
    workspace = Workspace(tmp_path_factory.mktemp("built"), Conventions(ATTRIBUTES))
    VOCABULARY.save(vocabulary_file(workspace))
    write(workspace, history, "a")
    built = build(workspace, as_of)
    assert differences(built, oracle(history, as_of, ATTRIBUTES, COLUMNS)) == []
    assert built == compiled.views(history, as_of)
    write(workspace, later, "b")
    assert build(workspace, as_of) == built


@pytest.mark.slow
@examples(2, Phase.generate)
@given(pasts(1))
def test_the_vocabulary_holds_what_interests_most_members(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[datetime, History]
) -> None:
    as_of, history = drawn
    history = a_bit_of_everything(as_of).with_more(history)
    workspace = Workspace(tmp_path_factory.mktemp("built"), Conventions(ATTRIBUTES))
    write(workspace, history, "a")
    build(workspace, as_of)
    found = Vocabulary.load(vocabulary_file(workspace))
    assert list(found.categories) == largest_categories(known(history, as_of))


def a_bit_of_everything(as_of: datetime) -> History:
    """What it takes to have every view with all its columns."""
    long_ago = as_of - timedelta(days=800)
    event = {"member_id": "dora", "occurred_at": long_ago, "item_id": "i1", "category": "beach"}
    return History(
        members=[{"member_id": "dora", "digest": "-"}],
        offers=[{"offer_id": "gift", "kind": "gift", "digest": "-"}],
        events=[
            {**event, "event_id": "first", "type": "view"},
            {**event, "event_id": "second", "type": "purchase"},
        ],
        decisions=[
            {"decision_id": "first", "push_id": "p0", "member_id": "dora", "decided_at": long_ago}
        ],
    )


def write(workspace: Workspace, history: History, batch: str) -> None:
    """The history as files of its tables, the events as two."""
    for name, rows in history.tables():
        if name == "events":
            write_batch(workspace, name, rows[::2], f"{batch}0")
            write_batch(workspace, name, rows[1::2], f"{batch}1")
        elif rows:
            write_batch(workspace, name, rows, batch)


def build(workspace: Workspace, as_of: datetime) -> Mapping[str, Mapping[str, Features]]:
    """What the files of a build show: view, then key, then feature."""
    report = build_features(workspace, [as_of])
    assert not report.absent
    shown: dict[str, dict[str, Features]] = {}
    for view in VIEWS:
        rows: list[dict[str, Any]] = pq.read_table(
            view_file(workspace, view.name, as_of)
        ).to_pylist()
        for row in rows:
            assert row.pop("feature_time") == as_of
            del row["created"]
        shown[view.name] = {row.pop(view.key): row for row in rows}
        assert len(shown[view.name]) == len(rows), f"{view.name} has a key twice"
    return shown

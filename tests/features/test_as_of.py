"""As-of truth: every view shows what had happened and was known, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property, reduce
from pathlib import Path
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
from tests.features.histories import AS_OFS, ATTRIBUTES, CATEGORIES, histories, poison, told_apart
from tests.features.oracle.knowledge import Features, History, known
from tests.features.oracle.tastes import largest_categories
from tests.features.oracle.views import Shown, differences, oracle

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
# Almost all of a run is planning its SQL, however many rows: shops that are drawn one by one stand
# side by side in it. More would cost the oracle more, which looks at everything for everybody.
SHOPS = 12


def pasts(shops: int = 1) -> st.SearchStrategy[tuple[datetime, History]]:
    return moments.flatmap(lambda as_of: st.tuples(st.just(as_of), histories(as_of, shops)))


def poisoned(shops: int = 1) -> st.SearchStrategy[tuple[datetime, History, History]]:
    return moments.flatmap(
        lambda as_of: st.tuples(st.just(as_of), histories(as_of, shops), poison(as_of, shops))
    )


@dataclass(frozen=True)
class Shop:
    """later: rows that happened, or arrived, at the moment or after it."""

    history: History
    later: History


@dataclass(frozen=True)
class Street:
    """Shops side by side, and the moment to look at them."""

    as_of: datetime
    shops: Sequence[Shop]

    @property
    def history(self) -> History:
        return reduce(History.with_more, (shop.history for shop in self.shops))

    @property
    def later(self) -> History:
        return reduce(History.with_more, (shop.later for shop in self.shops))

    @cached_property
    def wanted(self) -> Shown:
        return oracle(self.history, self.as_of, ATTRIBUTES, COLUMNS)

    def faults(self, compiled: Compiled, history: History) -> list[str]:
        return differences(compiled.views(history, self.as_of), self.wanted)


@cache
def streets(count: int) -> Sequence[Street]:
    """That many shops, in streets of the same moment."""
    drawn: dict[datetime, list[Shop]] = {as_of: [] for as_of in AS_OFS}

    @examples(count, Phase.generate)
    @given(poisoned())
    def draw(found: tuple[datetime, History, History]) -> None:
        as_of, *histories = found
        number = len(drawn[as_of]) % SHOPS
        drawn[as_of].append(Shop(*(told_apart(history, number) for history in histories)))

    draw()
    return [
        Street(as_of, shops[first : first + SHOPS])
        for as_of, shops in drawn.items()
        for first in range(0, len(shops), SHOPS)
    ]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiled]:
    made = Compiled(Workspace(tmp_path_factory.mktemp("compiled")), VOCABULARY)
    yield made
    made.engine.close()


@pytest.mark.slow
@examples(50)
@given(pasts())
def test_every_view_of_a_shop_shows_what_the_slow_oracle_says(
    compiled: Compiled, drawn: tuple[datetime, History]
) -> None:
    """One by one, so that of a fault the smallest history is found."""
    as_of, history = drawn
    wanted = oracle(history, as_of, ATTRIBUTES, COLUMNS)
    assert differences(compiled.views(history, as_of), wanted) == []


@pytest.mark.slow
def test_so_does_every_view_of_shops_side_by_side(compiled: Compiled) -> None:
    for street in streets(400):
        assert street.faults(compiled, street.history) == []


@pytest.mark.slow
def test_the_future_is_invisible(compiled: Compiled) -> None:
    """The oracle never hears of the rows that happened, or arrived, at the moment or later."""
    for street in streets(400):
        assert street.faults(compiled, street.history.with_more(street.later)) == []


@pytest.mark.slow
@pytest.mark.parametrize("as_of", [AS_OFS[1], AS_OFS[6]], ids=["midnight", "inside a day"])
def test_a_build_over_files_shows_the_same_and_does_not_see_later_files(
    compiled: Compiled, tmp_path: Path, as_of: datetime
) -> None:
    street = next(street for street in streets(400) if street.as_of == as_of)
    history = a_bit_of_everything(as_of).with_more(street.history)
    workspace = Workspace(tmp_path, Conventions(ATTRIBUTES))
    VOCABULARY.save(vocabulary_file(workspace))
    write(workspace, history, "a")
    built = build(workspace, as_of)
    assert differences(built, oracle(history, as_of, ATTRIBUTES, COLUMNS)) == []
    assert built == compiled.views(history, as_of)
    write(workspace, street.later, "b")
    assert build(workspace, as_of) == built


@pytest.mark.slow
@examples(2, Phase.generate)
@given(pasts())
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

"""One slow question, many who want to know."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from serving.recent import Known, Recent


def test_many_callers_ask_once() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        return len(asked)

    recent = Recent(ask, every=60)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: recent.newest(), range(200)))
    assert len(asked) == 1
    assert all(known is not None and known.answer == 1 for known in found)


def test_a_question_that_hangs_costs_its_patience_and_leaves_the_older_answer() -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def ask() -> str:
        if hangs.is_set():
            go_on.wait(30)
            return "late"
        return "early"

    recent = Recent(ask, every=0.0, patience=0.1)
    assert _answer(recent) == "early"
    hangs.set()
    started = monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert {known.answer for known in pool.map(lambda _: recent.newest(), range(8)) if known}
    assert monotonic() - started < 2
    assert _answer(recent) == "early"
    go_on.set()


def test_what_was_never_answered_is_not_known() -> None:
    stuck = threading.Event()
    recent = Recent(lambda: stuck.wait(30), patience=0.05)
    assert recent.newest() is None
    stuck.set()


def _answer(recent: Recent[str]) -> str:
    known = recent.newest()
    assert isinstance(known, Known)
    return known.answer

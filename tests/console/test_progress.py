"""Progress for whoever started the command, and draws it elsewhere."""

from __future__ import annotations

import json

import pytest

from console.progress import AS_JSON, bars


def test_progress_may_be_told_in_lines_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(AS_JSON, "json")
    with bars() as report:
        for done in range(1, 1001):
            report("reading", done, 1000)
        report("writing", 0, None)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert told[0] == {"stage": "reading", "done": 1, "total": 1000}
    assert told[-1] == {"stage": "writing", "done": 0, "total": None}
    assert {"stage": "reading", "done": 1000, "total": 1000} in told
    assert len(told) < 100

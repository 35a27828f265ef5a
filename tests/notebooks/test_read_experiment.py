"""The notebook that reads an experiment runs from the first cell to the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.pages import asks_no_network, held
from tests.notebooks.kept import executed, outputs, printed


@pytest.mark.slow
def test_an_experiment_is_read_from_power_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PUSHWISE_WORKSPACE", "PUSHWISE_EXPERIMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = executed("read_experiment", tmp_path)
    said = printed(done)
    for words in (
        "6,000 can be in it",  # power
        "100.00% of 6,000 members are in the arm of their hash",
        "as the shares say",
        "of the spread was there before",
        "promote - Promote challenger: ",
    ):
        assert words in said
    assert len(outputs(done, "image/png")) == 4
    assert "never_bought" in "".join(outputs(done, "text/html"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert asks_no_network(page)
    assert held(page, "results.json")["verdict"]["sentence"] in said

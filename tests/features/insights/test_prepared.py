"""Prepared documents: kept whole, read back, and gone where they name an erased member."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.insights.insight import Insight, refresh
from features.insights.prepared import (
    PreparedError,
    forget_prepared,
    keep,
    prepared,
    prepared_naming,
)
from features.progress import silent
from features.workspace import Workspace

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
MADE = datetime(2026, 5, 2, 8, 30, tzinfo=UTC)


def test_a_document_reads_back_with_its_moment(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert prepared(workspace, "lifecycle") is None
    keep(workspace, "lifecycle", {"stages": ["新客", 1.5]}, as_of=AS_OF, made_at=MADE)
    found = prepared(workspace, "lifecycle")
    assert found is not None
    assert (found.name, found.as_of, found.made_at) == ("lifecycle", AS_OF, MADE)
    assert found.document == {"stages": ["新客", 1.5]}


def test_a_number_that_is_none_is_refused_and_the_old_document_stays(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    keep(workspace, "values", {"share": 0.5}, as_of=AS_OF, made_at=MADE)
    with pytest.raises(ValueError, match="not JSON compliant"):
        keep(workspace, "values", {"share": float("nan")}, as_of=AS_OF, made_at=MADE)
    found = prepared(workspace, "values")
    assert found is not None
    assert found.document == {"share": 0.5}


def test_a_damaged_file_says_how_to_make_it_anew(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.insights.mkdir()
    (workspace.insights / "cohorts.json").write_text("{", encoding="utf-8")
    with pytest.raises(PreparedError, match="insights refresh --only cohorts"):
        prepared(workspace, "cohorts")


@pytest.mark.parametrize("name", ["../log", "", "Values", "a/b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(PreparedError, match="no name of an insight"):
        keep(Workspace(tmp_path), name, {}, as_of=AS_OF, made_at=MADE)


def test_an_erased_member_takes_along_the_documents_that_name_them(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    keep(workspace, "demand", {"gaps": [{"sample": ["m1", "m2"]}]}, as_of=AS_OF, made_at=MADE)
    keep(workspace, "values", {"m10": 3}, as_of=AS_OF, made_at=MADE)
    assert prepared_naming(workspace, "m1") == ["insights/demand.json"]
    assert forget_prepared(workspace, ["m1"]) == 1
    assert prepared(workspace, "demand") is None
    assert prepared(workspace, "values") is not None


def test_one_insight_that_fails_stops_no_other(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    def broken(*given: object) -> dict[str, object]:
        raise PreparedError("nothing to see")

    insights = [Insight("values", broken), Insight("cohorts", lambda *given: {"ok": True})]
    ended = list(refresh(workspace, insights, AS_OF, silent))
    assert [(one.name, one.error is None) for one in ended] == [
        ("values", False),
        ("cohorts", True),
    ]
    assert prepared(workspace, "values") is None
    assert prepared(workspace, "cohorts") is not None


@pytest.mark.parametrize(
    ("name", "command"),
    [("cohorts", "pushwise insights refresh --only cohorts"), ("monitor", "pushwise monitor")],
)
def test_what_an_older_document_lacks_says_how_to_make_it_anew(
    tmp_path: Path, name: str, command: str
) -> None:
    workspace = Workspace(tmp_path)
    keep(workspace, name, {"rows": [{"old": 1}]}, as_of=AS_OF, made_at=MADE)
    found = prepared(workspace, name)
    assert found is not None
    for old in (found.document, found.document["rows"][0]):
        with pytest.raises(PreparedError, match=command):
            old["results"]

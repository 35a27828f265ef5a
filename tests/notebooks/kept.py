"""Notebooks as they are kept, and as they are after a run."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "notebooks"


def as_kept(name: str) -> NotebookNode:
    # nbformat says that it is typed, but this function is not.
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call, no-any-return]


def executed(name: str, folder: Path) -> NotebookNode:
    """The notebook with its outputs. Raises ``CellExecutionError`` where a cell fails."""
    client = NotebookClient(
        as_kept(name),
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    done: NotebookNode = client.execute()
    return done


def outputs(notebook: NotebookNode, kind: str) -> list[str]:
    """What cells showed of a kind such as ``image/png``."""
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if kind in output.get("data", {})
    ]


def printed(notebook: NotebookNode) -> str:
    """All that cells printed."""
    return "".join(
        o["text"] for cell in notebook.cells for o in cell.get("outputs", ()) if "text" in o
    )

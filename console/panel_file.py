"""Reads the panel of a campaign readout from a file with columns of any name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ExperimentError
from experiments.panel import Panel

READERS = {
    ".parquet": "read_parquet(?)",
    ".csv": "read_csv(?)",
    ".jsonl": "read_json(?, format = 'newline_delimited')",
}


@dataclass(frozen=True, slots=True)
class PanelColumns:
    """What the columns are called in the file; ``earlier`` may be missing."""

    unit: str
    campaign: str
    treated: str
    before: str
    after: str
    earlier: str | None = None


def kind_of(path: Path) -> str:
    """Which of ``READERS`` reads ``path``, also where it is packed (.gz).

    Raises:
        ExperimentError: none does, or there is no such file.
    """
    kind = Path(path.name.removesuffix(".gz")).suffix
    if kind not in READERS:
        raise ExperimentError(f"{path}: wanted a file that ends in {', '.join(READERS)}")
    if not path.is_file():
        raise ExperimentError(f"{path}: no such file")
    return kind


def read_panel(path: Path, columns: PanelColumns) -> Panel:
    """One row for each unit and campaign of a CSV, JSON lines (also .gz) or Parquet file.

    Raises:
        ExperimentError: the file cannot be read, a column is missing, or a value is missing or is
            none of its kind.
    """
    import duckdb

    reader = READERS[kind_of(path)]
    with duckdb.connect() as connection:
        try:
            rows = connection.execute(f"FROM {reader}", [str(path)])
            table = rows.to_arrow_table()
        except duckdb.Error as error:
            raise ExperimentError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
        connection.register("panel", table)
        found = set(table.column_names)
        read = _Reader(connection, path, found)
        return Panel(
            unit=_numbered(read.column(columns.unit, "VARCHAR", "an id")),
            campaign=_numbered(read.column(columns.campaign, "VARCHAR", "an id")),
            treated=read.column(columns.treated, "BOOLEAN", "true or false").astype(bool),
            before=read.column(columns.before, "DOUBLE", "a number").astype(np.float64),
            after=read.column(columns.after, "DOUBLE", "a number").astype(np.float64),
            earlier=None
            if columns.earlier is None
            else read.column(columns.earlier, "DOUBLE", "a number").astype(np.float64),
        )


@dataclass(frozen=True, eq=False)
class _Reader:
    connection: object
    path: Path
    found: set[str]

    def column(self, name: str, kind: str, wanted: str) -> NDArray[np.generic]:
        if name not in self.found:
            raise ExperimentError(
                f"{self.path}: no column {name!r}; it has {', '.join(sorted(self.found))}"
            )
        quoted = '"' + name.replace('"', '""') + '"'
        rows = self.connection.execute(  # type: ignore[attr-defined]  # duckdb has no types
            # A column of the file by its quoted name: what is in it never becomes SQL.
            f"SELECT {quoted}::VARCHAR AS told, try_cast({quoted} AS {kind}) AS value "  # noqa: S608
            "FROM panel"
        ).fetchnumpy()
        value = rows["value"]
        missing = np.flatnonzero(np.ma.getmaskarray(value))
        if len(missing):
            row = int(missing[0])
            told = rows["told"]
            shown = "nothing" if np.ma.getmaskarray(told)[row] else repr(str(told[row]))
            raise ExperimentError(
                f"{self.path}: {name} of row {row + 1} is {shown}, wanted {wanted} "
                f"({len(missing)} such rows)"
            )
        return np.ma.getdata(value)


def _numbered(ids: NDArray[np.generic]) -> NDArray[np.int64]:
    return np.unique(ids.astype(str), return_inverse=True)[1].astype(np.int64)

"""Adds up the members of an experiment that was run elsewhere, from a file of one row a member."""

from __future__ import annotations

import csv
import gzip
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np

from console.panel_file import READERS, kind_of
from experiments.elsewhere import Alike, Measures, identifier
from experiments.errors import ExperimentError
from experiments.moments import Moments

MOST_ARMS = 50
MOST_CELLS = 5000  # of arm and segments together
MOST_VALUES = 100  # of a segment: a column with more is none
# Text, so that what cannot be read is told with its row, and an arm 01 stays one; and nothing is
# guessed: by one row with too many values, all columns would become one.
_CSV = (
    "read_csv(?, header = true, auto_detect = false, "
    "delim = '{}', quote = '\"', escape = '\"', columns = {{{}}})"
)
_DELIMITERS = (",", ";", "\t", "|")
_MEMORY = "2GB"  # beyond, ids that are looked through for duplicates go to the disk
_NUMBER = "a number"
_FLAG = "0 or 1"
_NAME = "the name of an arm"
_ID = "an id"


@dataclass(frozen=True, slots=True)
class OutcomeColumns:
    """Which column has the arm, the measures and, where it is to be checked, the member's id."""

    arm: str
    measures: Measures
    member: str | None = None


def read_outcomes(path: Path, columns: OutcomeColumns, cap: float | None) -> tuple[Alike, ...]:
    """The members of a CSV, JSON lines (also .gz) or Parquet file, by arm and segments.

    A segment may be empty: its members are known by "". Everything else must be there.

    Args:
        cap: most of what decides that one member counts with, plus or minus, and of what was
            before; None for as it is.

    Raises:
        ExperimentError: the file cannot be read, a column or value is missing or none of its kind,
            a member has two rows; says where.
    """
    with _opened(path) as rows:
        rows.check(columns)
        found = rows.moments(columns, cap)
    arms = {text: identifier(text) for text, _, _ in found}
    alike = {name: text for text, name in arms.items()}
    for text, name in arms.items():
        if not name:
            raise ExperimentError(f"{path}: arm {text!r} has no letter of A to Z and no digit; "
                                  "rename it")  # fmt: skip
        if alike[name] != text:
            raise ExperimentError(
                f"{path}: arm {text!r} cannot be told from {alike[name]!r} by letters and digits; "
                "rename one"
            )
    return tuple(Alike(arms[text], segments, moments) for text, segments, moments in found)


@contextmanager
def _opened(path: Path) -> Iterator[_Rows]:
    import duckdb

    kind = kind_of(path)
    source = _csv(path) if kind == ".csv" else READERS[kind]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute("SET temp_directory = $folder", {"folder": folder})
        try:
            told = connection.execute(f"DESCRIBE FROM {source}", [str(path)]).fetchall()
            yield _Rows(connection, path, source, frozenset(row[0] for row in told))
        except duckdb.Error as error:
            raise ExperimentError(f"{path} cannot be read: {_told(error)}") from error


def _csv(path: Path) -> str:
    """How DuckDB reads it: by the delimiter that makes most columns of the first line."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            first = file.readline()
    except (gzip.BadGzipFile, EOFError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}") from error
    names, delimiter = max(
        ((next(csv.reader([first], delimiter=one), []), one) for one in _DELIMITERS),
        key=lambda found: len(found[0]),
    )
    names = [name or f"column{place}" for place, name in enumerate(names)]
    twice = [name for name in names if [one.lower() for one in names].count(name.lower()) > 1]
    if twice or not names:
        wrong = f"two columns are called {twice[0]!r}" if twice else "no columns"
        raise ExperimentError(f"{path}: {wrong}, wanted a first line with their names")
    quoted = ("'" + name.replace("'", "''") + "': 'VARCHAR'" for name in names)
    return _CSV.format(delimiter, ", ".join(quoted))


def _told(error: Exception) -> str:
    """Of a row, its line and what is wrong with it."""
    lines = str(error).splitlines()
    return "; ".join(lines[::2][:2] if "CSV Error on Line" in lines[0] else lines[:1])


@dataclass(frozen=True, slots=True)
class _Rows:
    connection: Any  # duckdb has no types
    path: Path
    source: str
    found: frozenset[str]

    def check(self, columns: OutcomeColumns) -> None:
        wanted = _wanted(columns)
        for name in (*wanted, *columns.measures.segments):
            if name not in self.found:
                has = ", ".join(sorted(self.found))
                raise ExperimentError(f"{self.path}: no column {name!r}; it has {has}")
        values = {name: _value(name, kind) for name, kind in wanted.items()}
        counts = [f"count({value})" for value in values.values()]
        several = {columns.arm: MOST_ARMS, **dict.fromkeys(columns.measures.segments, MOST_VALUES)}
        kinds = [f"approx_count_distinct({_quoted(name)})" for name in several]
        total, *told = self._ask(f"SELECT count(*), {', '.join((*counts, *kinds))} FROM")[0]
        if not total:
            raise ExperimentError(f"{self.path}: no rows")
        for (name, kind), count in zip(wanted.items(), told, strict=False):
            if count < total:
                self._refuse(name, kind, total - count)
        for (name, most), count in zip(several.items(), told[len(counts) :], strict=True):
            if count > 1.2 * most:  # the count is a close guess
                raise ExperimentError(
                    f"{self.path}: {name} has about {count} values, wanted {most} at most"
                )
        if columns.member is not None:
            self._check_once(columns.member)

    def moments(
        self, columns: OutcomeColumns, cap: float | None
    ) -> list[tuple[str, dict[str, str], Moments]]:
        """By arm, as the file has it, and segments."""
        measures = columns.measures
        values = _measured(measures, cap)
        inner = [f"{value} AS v{place}" for place, value in enumerate(values.values())]
        keys = [f"{_text(columns.arm)} AS k0"]
        keys += [
            f"coalesce({_text(name)}, '') AS k{place}"
            for place, name in enumerate(measures.segments, 1)
        ]
        by = [f"k{place}" for place in range(len(keys))]
        k = len(values)
        pairs = list(combinations_with_replacement(range(k), 2))
        asked = [*by, "count(*)", *(f"favg(v{i})" for i in range(k))]
        asked += [f"covar_pop(v{i}, v{j})" for i, j in pairs]
        # On several threads the last digits depend on which of them read which rows.
        self.connection.execute("SET threads = 1")
        rows = self._ask(
            f"SELECT {', '.join(asked)} FROM (SELECT {', '.join((*keys, *inner))} FROM",  # noqa: S608  # _ask
            f") GROUP BY {', '.join(by)} ORDER BY {', '.join(by)} LIMIT {MOST_CELLS + 1}",
        )
        if len(rows) > MOST_CELLS:
            raise ExperimentError(
                f"{self.path}: segments with more than {MOST_CELLS} combinations; name fewer"
            )
        found = []
        for row in rows:
            segments = dict(zip(measures.segments, row[1 : len(by)], strict=True))
            count, *figures = row[len(by) :]
            found.append((row[0], segments, _moments(tuple(values), count, figures, pairs)))
        return found

    def _refuse(self, name: str, kind: str, many: int) -> None:
        row, told = self._ask(
            "SELECT place, told FROM (SELECT row_number() OVER () AS place, "  # noqa: S608  # _ask
            f"{_quoted(name)}::VARCHAR AS told, {_value(name, kind)} AS value FROM",
            ") WHERE value IS NULL ORDER BY place LIMIT 1",
        )[0]
        shown = "nothing" if told is None or not told.strip() else repr(told)
        raise ExperimentError(
            f"{self.path}: {name} of row {row} is {shown}, wanted {kind} ({many} such rows)"
        )

    def _check_once(self, member: str) -> None:
        twice = self._ask(
            f"SELECT min(id), count(*) FROM (SELECT {_text(member)} AS id FROM",  # noqa: S608  # _ask
            " GROUP BY id HAVING count(*) > 1)",
        )[0]
        if twice[1]:
            raise ExperimentError(
                f"{self.path}: {member} {twice[0]!r} has several rows, wanted one row a member "
                f"({twice[1]} such members)"
            )

    def _ask(self, before: str, after: str = "") -> list[Any]:
        """``before`` and ``after`` hold columns of the file by their quoted names alone: what is
        in it never becomes SQL."""
        asked = f"{before} {self.source}{after}"
        return list(self.connection.execute(asked, [str(self.path)]).fetchall())


def _wanted(columns: OutcomeColumns) -> dict[str, str]:
    """What each column has to hold in every row."""
    measures = columns.measures
    wanted = {columns.arm: _NAME}
    if columns.member is not None:
        wanted[columns.member] = _ID
    numbers = (measures.outcome, measures.cost, measures.before)
    wanted |= {name: _NUMBER for name in numbers if name is not None}
    flags = (measures.converted, *(rule.metric for rule in measures.guardrails))
    return wanted | {name: _FLAG for name in flags if name is not None}


def _measured(measures: Measures, cap: float | None) -> dict[str, str]:
    """Each measure as SQL: see ``Alike``."""
    named = {
        "outcome": (measures.outcome, _NUMBER),
        "converted": (measures.converted, _FLAG),
        "cost": (measures.cost, _NUMBER),
        "before": (measures.before, _NUMBER),
        **{rule.metric: (rule.metric, _FLAG) for rule in measures.guardrails},
    }
    found = {
        measure: _value(name, kind) for measure, (name, kind) in named.items() if name is not None
    }
    if cap is not None:
        decides = found["outcome"]
        if "cost" in found:
            decides = f"({decides} - {found['cost']})"
        found["judged"] = _capped(decides, cap)
        if "before" in found:
            found["before_judged"] = _capped(found["before"], cap)
    return found


def _moments(
    names: tuple[str, ...], count: int, figures: list[float], pairs: Sequence[tuple[int, int]]
) -> Moments:
    k = len(names)
    comoment = np.zeros((k, k))
    for (i, j), covariance in zip(pairs, figures[k:], strict=True):
        comoment[i, j] = comoment[j, i] = covariance * count
    return Moments(names, count, np.array(figures[:k]), comoment)


def _value(name: str, kind: str) -> str:
    """NULL where it is not of the kind."""
    if kind in (_NAME, _ID):
        return _text(name)
    column = _quoted(name)
    if kind == _FLAG:
        number = f"coalesce(try_cast({column} AS DOUBLE), "
        number += f"try_cast(try_cast({column}::VARCHAR AS BOOLEAN) AS DOUBLE))"
        return f"(CASE WHEN {number} IN (0, 1) THEN {number} END)"
    number = f"try_cast({column} AS DOUBLE)"
    return f"(CASE WHEN isfinite({number}) THEN {number} END)"


def _text(name: str) -> str:
    return f"nullif(trim({_quoted(name)}::VARCHAR), '')"


def _capped(value: str, cap: float) -> str:
    return f"greatest(least({value}, '{cap!r}'::DOUBLE), '-{cap!r}'::DOUBLE)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

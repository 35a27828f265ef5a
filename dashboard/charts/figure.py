"""A chart with all that belongs to it: two sizes of picture, legend, table, and its data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from dashboard.charts.lying import lying
from dashboard.charts.marks import joined, swatch, told_apart
from dashboard.charts.upright import upright
from dashboard.numbers import Unit, number
from serving.audience_file import FORMULA
from training.charts import Chart

_WIDE, _NARROW = 720, 330  # a desk's page, a phone's
_COLUMNS = ("series", "x", "y", "low", "high")
Words = Callable[[str], str]


def figure(chart: Chart, name: str, says: str, unit: Unit = "number", words: Words = str) -> Markup:
    """The chart as a ``<figure>``.

    Args:
        name: of the file with its data. says: what the chart shows, for all who read and for those
            who cannot see it. words: to the reader's language, of what stands around a chart.
    """

    def draw(width: int) -> tuple[float, Markup]:
        return (lying if chart.names else upright)(chart, width, unit)

    return framed(
        Frame(chart.title, says, name, words), _legend(chart), draw, _table(chart, unit, words)
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the picture of any chart; see ``figure``."""

    title: str
    says: str
    name: str
    words: Words = str


@dataclass(frozen=True, slots=True)
class Data:
    """The data of a chart. head, cells: of the table. columns, rows: of the file."""

    head: Sequence[str]
    cells: Sequence[Sequence[str]]
    columns: tuple[str, ...]
    rows: list[list[str | float | None]]


def framed(
    frame: Frame, legend: Markup, draw: Callable[[int], tuple[float, Markup]], data: Data
) -> Markup:
    """A picture with its caption, and its data as a table and a file.

    A picture that shrinks to a phone takes its letters with it: the page has one for each, and its
    style shows the one that fits.

    Args:
        draw: height and content of the picture of a width.
    """
    pictures = joined(_picture(frame, width, *draw(width)) for width in (_WIDE, _NARROW))
    return Markup(
        '<figure class="chart"><figcaption><b>{}</b> {}</figcaption>{}{}'
        "<details><summary>{}</summary>{}</details></figure>"
    ).format(
        frame.title, frame.says, legend, pictures, frame.words("The same as a table"),
        _shown(data, frame),
    )  # fmt: skip


def _picture(frame: Frame, width: int, height: float, content: Markup) -> Markup:
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {:g}" role="img" aria-label="{}">{}</svg>'
    ).format(
        "wide" if width == _WIDE else "narrow", width, height, f"{frame.title}. {frame.says}",
        content,
    )  # fmt: skip


def _legend(chart: Chart) -> Markup:
    shown = {one[0].name: one for one in told_apart(chart)}
    if len(shown) < 2:
        return Markup("")
    items = (Markup("<li>{} {}</li>").format(swatch(*one), name) for name, one in shown.items())
    return Markup('<ul class="legend">{}</ul>').format(joined(items))


def _table(chart: Chart, unit: Unit, words: Words) -> Data:
    rows = chart.rows()
    return Data(
        (words("series"), chart.x, chart.y, words("from"), words("to")),
        [_row(row, unit) for row in rows],
        _COLUMNS,
        [[row[c] for c in _COLUMNS] for row in rows],
    )


def _row(row: dict[str, str | float | None], unit: Unit) -> list[str]:
    place = row["x"] if isinstance(row["x"], str) else number(row["x"])
    numbers = (number(row[name], unit) for name in ("y", "low", "high"))  # type: ignore[arg-type]
    return [str(row["series"]), place, *numbers]


def _shown(data: Data, frame: Frame) -> Markup:
    head = joined(Markup("<th scope=col>{}</th>").format(words) for words in data.head)
    between = Markup("</td><td>")
    body = joined(
        Markup("<tr><td>{}</td></tr>").format(between.join(cells)) for cells in data.cells
    )
    return Markup(
        '<div class="scrolls" tabindex="0"><table><caption class="heard">{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
        '<p><a download="{}.csv" href="{}">{}</a></p>'
    ).format(
        frame.title, head, body, frame.name, csv_link(data.columns, data.rows),
        frame.words("These data as CSV"),
    )  # fmt: skip


def csv_link(columns: tuple[str, ...], rows: list[list[str | float | None]]) -> str:
    """A table as a link that holds it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return f"data:text/csv;charset=utf-8,{quote(file.getvalue())}"


def safe_cell(cell: str | float | None) -> str | float | None:
    """A text that a spreadsheet would run as a formula gets a leading apostrophe."""
    risky = isinstance(cell, str) and cell.startswith(FORMULA)
    return f"'{cell}" if risky else cell

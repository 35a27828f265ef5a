"""A chart with all that belongs to it: two sizes of picture, legend, table, and its data."""

from __future__ import annotations

import csv
import io
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


def figure(chart: Chart, name: str, says: str, unit: Unit = "number") -> Markup:
    """The chart as a ``<figure>``.

    A picture that shrinks to a phone takes its letters with it: the page has one for each, and its
    style shows the one that fits.

    Args:
        name: of the file with its data. says: what the chart shows, for all who read and for those
            who cannot see it.
    """
    return Markup(
        '<figure class="chart"><figcaption><b>{}</b> {}</figcaption>{}{}{}'
        "<details><summary>The same as a table</summary>{}</details></figure>"
    ).format(
        chart.title,
        says,
        _legend(chart),
        _picture(chart, _WIDE, unit, says),
        _picture(chart, _NARROW, unit, says),
        _table(chart, name, unit),
    )


def _picture(chart: Chart, width: int, unit: Unit, says: str) -> Markup:
    height, content = (lying if chart.names else upright)(chart, width, unit)
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {:g}" role="img" aria-label="{}">{}</svg>'
    ).format(
        "wide" if width == _WIDE else "narrow", width, height, f"{chart.title}. {says}", content
    )


def _legend(chart: Chart) -> Markup:
    shown = {one[0].name: one for one in told_apart(chart)}
    if len(shown) < 2:
        return Markup("")
    items = (Markup("<li>{} {}</li>").format(swatch(*one), name) for name, one in shown.items())
    return Markup('<ul class="legend">{}</ul>').format(joined(items))


def _table(chart: Chart, name: str, unit: Unit) -> Markup:
    rows = chart.rows()
    head = joined(
        Markup("<th scope=col>{}</th>").format(words)
        for words in ("series", chart.x, chart.y, "from", "to")
    )
    body = joined(_row(row, unit) for row in rows)
    return Markup(
        '<div class="scrolls" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody>'
        '</table></div><p><a download="{}.csv" href="{}">These data as CSV</a></p>'
    ).format(head, body, name, csv_link(_COLUMNS, [[row[c] for c in _COLUMNS] for row in rows]))


def _row(row: dict[str, str | float | None], unit: Unit) -> Markup:
    place = row["x"] if isinstance(row["x"], str) else number(row["x"])
    numbers = (number(row[name], unit) for name in ("y", "low", "high"))  # type: ignore[arg-type]
    return Markup("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
        row["series"], place, *numbers
    )


def csv_link(columns: tuple[str, ...], rows: list[list[str | float | None]]) -> str:
    """A table as a link that holds it.

    A text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return f"data:text/csv;charset=utf-8,{quote(file.getvalue())}"


def _safe(cell: str | float | None) -> str | float | None:
    risky = isinstance(cell, str) and cell.startswith(FORMULA)
    return f"'{cell}" if risky else cell

"""A chart as a file: a picture, or a page to look into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from training.charts import Chart


def check_chart_file(file: Path | None) -> None:
    """Raises ``BadParameter`` of ``--plot`` when the name says neither of the two."""
    if file is not None and file.suffix not in (".png", ".html"):
        raise typer.BadParameter(f"{file.name} ends in neither .png nor .html", param_hint="--plot")


def write_chart(chart: Chart, title: str, name: str, file: Path) -> None:
    """Write ``chart`` as the kind that ``file`` ends in, and say so on stderr.

    Args:
        title: of a page. name: of the chart in it.
    """
    from training.charts import page

    if file.suffix == ".png":
        chart.figure().savefig(file, dpi=100)
    else:
        file.write_text(page(title, {name: chart}), encoding="utf-8")
    typer.echo(f"plot written to {file}", err=True)

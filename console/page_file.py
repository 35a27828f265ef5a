"""Where a page is written to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serving.scorer_error import ScorerError

PageOption = Annotated[Path | None, typer.Option("--out", help="Write the page here: a .html.")]


class PageError(ScorerError):
    """A page that cannot be written where it was asked for."""


def check_page(out: Path | None, *, as_json: bool) -> None:
    """Refuse a target before any work is done for it.

    Raises:
        PageError: no .html, a folder that is not there, or neither a page nor JSON asked for.
    """
    if out is None:
        if not as_json:
            raise PageError("nothing to write: give --out report.html, or --json")
        return
    if out.suffix != ".html":
        raise PageError(f"--out {out} ends in {out.suffix!r}, wanted .html")
    if not out.absolute().parent.is_dir():
        raise PageError(f"--out {out}: the folder {out.parent} does not exist; make it")


def write_page(out: Path, page: str) -> None:
    """Write ``page`` and say so."""
    out.write_text(page, encoding="utf-8")
    typer.echo(f"page written to {out}", err=True)

"""``pushwise loop``: learn from pushes, test what was learned on members, and learn again."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.demo import DemoError
from console.progress import bars
from console.settings import AsJson

if TYPE_CHECKING:
    from console.loop_result import Found

WORKSPACE = Path(".pushwise-loop")
_MARKER = "loop.json"
_PLOTS = (".html", ".png")


def loop(
    weeks: Annotated[int, typer.Option(min=1, max=26, help="Weeks after the first.")] = 10,
    members: Annotated[
        int, typer.Option(min=1_000, max=100_000, help="Size of the market.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another market.")] = 0,
    audience: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the members that a push may reach.")
    ] = 0.3,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the curve here: .html or .png; else in the folder.")
    ] = None,
    workspace: Annotated[
        Path, typer.Option("--workspace", help="A folder of the loop's own; made anew each time.")
    ] = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Random pushes, then week by week: train, release, A/B against the rule, read, promote.

    A synthetic market whose truth is known says how much of what could be earned each week was.
    """
    from console.loop_play import Play
    from training.market.config import MarketConfig

    drawn = plot or workspace / "curve.html"
    if drawn.suffix not in _PLOTS:
        raise DemoError(f"{drawn} is no .html or .png; name the curve's file one of these")
    started = time.monotonic()
    folder = _fresh(workspace, members, seed)
    with bars() as progress:
        play = Play(folder, MarketConfig(members, seed), weeks, audience, progress)
        found = play.run(lambda text: typer.echo(text, err=True), started)
    _draw(found, drawn)
    typer.echo(f"curve: {drawn}", err=True)
    if as_json:
        typer.echo(json.dumps(found.to_json()))
    else:
        _show(found)


def _fresh(folder: Path, members: int, seed: int) -> Path:
    """An empty folder for the loop; only what an earlier one left may be in its way."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARKER).exists():
            raise DemoError(f"{folder} holds something that no loop made; give another --workspace")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARKER).write_text(json.dumps({"members": members, "seed": seed}))
    return folder


def _draw(found: Found, path: Path) -> None:
    from training.charts import page

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        found.chart().figure().savefig(path, dpi=150)
        return
    charts = {"gain": found.chart(), "share": found.shares()}
    path.write_text(page("Pushwise: the learning loop", charts), encoding="utf-8")


def _show(found: Found) -> None:
    from rich.console import Console

    from console.loop_result import arms_table, summary, weeks_table

    console = Console()
    console.print(arms_table(found))
    console.print(weeks_table(found))
    typer.echo(summary(found))

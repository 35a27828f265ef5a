"""``pushwise experiment``: compare releases, rules and nobody on members."""

from __future__ import annotations

import typer

from console import experiment_steps as steps
from console.experiment_create import create
from console.experiment_power import power
from console.experiment_read import read
from console.experiment_report import report
from console.experiment_results import results

app = typer.Typer(
    name="experiment",
    no_args_is_help=True,
    help="Compare releases, rules and no send on members.",
)
app.command("power")(power)
app.command("create")(create)
app.command("list")(steps.list_experiments)
app.command("show")(steps.show_experiment)
app.command("start")(steps.start)
app.command("shares")(steps.shares)
app.command("delete")(steps.delete)
app.command("stop")(steps.stop)
app.command("promote")(steps.promote)
app.command("audit")(steps.audit)
app.command("results")(results)
app.command("report")(report)
app.command("read")(read)


@app.callback()
def experiment() -> None:
    """Compare releases, rules and no send on members."""

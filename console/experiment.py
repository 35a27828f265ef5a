"""``pushwise experiment``: compare releases, rules and nobody on members."""

from __future__ import annotations

import typer

from console.experiment_power import power

app = typer.Typer(
    name="experiment",
    no_args_is_help=True,
    help="Compare releases, rules and no send on members.",
)
app.command("power")(power)


@app.callback()
def experiment() -> None:
    """Compare releases, rules and no send on members."""

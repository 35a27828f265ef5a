"""``pushwise evaluate``: what was earned, by data that were there anyway."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.evaluate_pending import pending
from console.evaluate_policy import policy
from console.settings import AsJson

if TYPE_CHECKING:
    from experiments.panel import CampaignReadout

app = typer.Typer(
    name="evaluate",
    no_args_is_help=True,
    help="Tell what campaigns changed, and what policies would have, from the data left behind.",
)
app.command("policy")(policy)
app.command("pending")(pending)


@app.callback()
def evaluate() -> None:
    """Tell what campaigns changed, and what policies would have, from the data left behind."""


@app.command("campaigns")
def campaigns(
    file: Annotated[
        Path, typer.Argument(help="One row a unit and campaign: CSV, JSON lines or Parquet.")
    ],
    unit: Annotated[str, typer.Option(help="Column of the member or household.")] = "unit",
    campaign: Annotated[str, typer.Option(help="Column of the campaign.")] = "campaign",
    treated: Annotated[str, typer.Option(help="Column: got the campaign, or not.")] = "treated",
    before: Annotated[str, typer.Option(help="Column of the amount before its start.")] = "before",
    after: Annotated[
        str, typer.Option(help="Column of the amount after its start, over as long a time.")
    ] = "after",
    earlier: Annotated[
        str | None,
        typer.Option(help="Column of the amount over as long a time before BEFORE, if known."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What campaigns changed that were not sent at random, or why that cannot be said.

    Those who got a campaign were chosen for it, and differ from the others from the beginning: the
    difference afterwards is not its effect and is not shown. Compared is who changed more.
    """
    from console.panel_file import PanelColumns, read_panel
    from experiments.panel import campaign_readout

    columns = PanelColumns(unit, campaign, treated, before, after, earlier)
    readout = campaign_readout(read_panel(file, columns))
    if as_json:
        typer.echo(json.dumps(_document(readout)))
    else:
        _print(readout)


def _document(readout: CampaignReadout) -> dict[str, Any]:
    from experiments.panel import CannotSay

    answer = readout.answer
    unsaid = isinstance(answer, CannotSay)
    return {
        "answer": "cannot say" if unsaid else "effect",
        "effect": None if unsaid else asdict(answer),
        "reasons": list(answer.reasons) if isinstance(answer, CannotSay) else [],
        "verdict": readout.verdict,
        "checks": [asdict(check) for check in readout.checks],
        "units": readout.units,
        "campaigns": readout.campaigns,
        "treated": readout.treated,
    }


def _print(readout: CampaignReadout) -> None:
    typer.echo(readout.verdict)
    typer.echo(
        f"{readout.treated} treated of {readout.units} units in {readout.campaigns} campaigns"
    )
    signs = {True: "passed", False: "FAILED", None: "cannot tell"}
    for check in readout.checks:
        typer.echo(f"  {signs[check.passed]}: {check.name}: {check.found}")

"""``pushwise experiment read``: an experiment that was run elsewhere, from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.experiment_file import DeclarationError, named_shares
from console.page_file import PageOption, check_page, write_page
from console.settings import AsJson

if TYPE_CHECKING:
    from experiments.design import Analysis, Experiment
    from experiments.elsewhere import Measures
    from experiments.findings import Readout


class Corrected(Enum):
    """Over several arms and segments."""

    HOLM = "holm"
    BH = "bh"


def read(
    file: Annotated[Path, typer.Argument(help="One row a member: CSV, JSON lines or Parquet.")],
    arm: Annotated[str, typer.Option(help="Column of the arm that the member was assigned to.")],
    control: Annotated[str, typer.Option(help="The arm that the others are compared with.")],
    outcome: Annotated[
        str | None, typer.Option(help="Column of the money that decides, of each member.")
    ] = None,
    converted: Annotated[
        str | None, typer.Option(help="Column of 0 or 1; decides where there is no --outcome.")
    ] = None,
    cost: Annotated[
        str | None, typer.Option(help="Column of what the member cost: taken off the outcome.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(help="Column of a number from before the experiment (CUPED).")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="Column to tell lifts by; may be repeated.")
    ] = None,
    member: Annotated[
        str | None, typer.Option(help="Column of the member's id, to refuse a second row.")
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="ARM=SHARE", help="Meant for each arm; else equal ones."),
    ] = None,
    guardrail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=MOST", help="Column of 0 or 1, 1 is harm, and how much more is allowed."
        ),
    ] = None,
    cap: Annotated[
        float | None, typer.Option(help="Most money that one member counts with.")
    ] = None,
    lift: Annotated[float, typer.Option(help="Smallest difference that matters.")] = 0.0,
    alpha: Annotated[float, typer.Option(help="Chance of a false alarm, two-sided.")] = 0.05,
    correction: Annotated[
        Corrected, typer.Option(help="Over several arms and segments.")
    ] = Corrected.HOLM,
    out: PageOption = None,
    as_json: AsJson = False,
) -> None:
    """Read out an experiment that was run elsewhere, when it is over: one look, which decides.

    Members must have been assigned by chance: a file cannot tell, but for the split of its members.
    """
    from experiments.design import Analysis
    from experiments.elsewhere import Measures

    if out is not None:
        check_page(out, as_json=as_json)
    measures = Measures(
        outcome, converted, cost, before, _guardrails(guardrail or ()), tuple(segment or ())
    )
    if cap is not None and outcome is None:
        raise DeclarationError("--cap is of money: name it with --outcome")
    analysis = Analysis(cap=cap, lift=lift, alpha=alpha, correction=correction.value)
    asked = _Asked(file, arm, control, member, named_shares(share or ()))
    found = _found(asked, measures, analysis)
    if out is not None:
        write_page(out, _page(found))
    if as_json:
        typer.echo(json.dumps(found.document, ensure_ascii=False, allow_nan=False))
    else:
        _print(found)


@dataclass(frozen=True, slots=True)
class _Asked:
    """shares: by arm as the file names it; none for equal ones."""

    file: Path
    arm: str
    control: str
    member: str | None
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Found:
    asked: _Asked
    measures: Measures
    experiment: Experiment
    readout: Readout
    document: dict[str, Any]


def _found(asked: _Asked, measures: Measures, analysis: Analysis) -> _Found:
    from console.outcome_file import OutcomeColumns, read_outcomes
    from experiments.elsewhere import declared, identifier, read_elsewhere

    columns = OutcomeColumns(asked.arm, measures, asked.member)
    alike = read_outcomes(asked.file, columns, analysis.cap)
    arms = sorted({one.arm for one in alike})
    shares = {identifier(name): one for name, one in asked.shares.items()}
    missing = [name for name in arms if name not in shares]
    if shares and missing:
        raise DeclarationError(f"no --share for arm {missing[0]!r}; the file has {', '.join(arms)}")
    shares = shares or dict.fromkeys(arms, 1 / len(arms))
    name = asked.file.name.split(".")[0]
    experiment = declared(name, measures, shares, identifier(asked.control), analysis)
    as_of = datetime.fromtimestamp(int(asked.file.stat().st_mtime), UTC)
    readout = read_elsewhere(experiment, alike, as_of)
    readout = replace(readout, warnings=(*readout.warnings, *_unknown(asked)))
    document = measures.document(readout)
    document["file"] = asked.file.name
    document["columns"] = {"arm": asked.arm, "member": asked.member, **_names(measures)}
    if asked.member is None:
        document["exposure"]["crossed"] = None  # nobody can tell
    return _Found(asked, measures, experiment, readout, document)


def _unknown(asked: _Asked) -> list[str]:
    """What the readout had to take for granted."""
    found = []
    if not asked.shares:
        found.append("no --share was given: the split is checked against equal shares")
    if asked.member is None:
        found.append("no --member was given: a member with two rows counts twice")
    return found


def _names(measures: Measures) -> dict[str, str | None]:
    return {
        name: getattr(measures, name) for name in ("outcome", "converted", "cost", "before")
    }  # fmt: skip


def _guardrails(given: Sequence[str]) -> tuple[Any, ...]:
    from experiments.design import Guardrail

    found = []
    for one in given:
        column, equals, most = one.rpartition("=")
        try:
            if not equals or not column:
                raise ValueError
            found.append(Guardrail(column, float(most)))
        except ValueError:
            raise DeclarationError(
                f"--guardrail {one!r} is not COLUMN=MOST, such as unsubscribed=0.005"
            ) from None
    return tuple(found)


def _page(found: _Found) -> str:
    from dashboard.experiment_report import ExperimentReport, experiment_page

    return experiment_page(
        ExperimentReport(
            experiment=found.experiment,
            state="over",
            started_at=found.readout.as_of,
            results=found.document,
            history=(),
            funnel={},
            file=found.asked.file.name,
        )
    )


def _print(found: _Found) -> None:
    from console.readout_shown import EACH, print_figures

    readout, measures = found.readout, found.measures
    typer.echo(readout.verdict.sentence)
    columns = ["members"]
    if measures.converted is not None:
        columns.append("converted")
    if measures.outcome is not None:
        columns += ["revenue"] if measures.cost is None else ["margin", "cost", "gain", EACH]
    print_figures(readout, columns)
    typer.echo(f"{_deciding(measures)}; one look, over")


def _deciding(measures: Measures) -> str:
    if measures.outcome is None:
        return f"converted is {measures.converted}"
    if measures.cost is None:
        return f"revenue is {measures.outcome}"
    return f"gain is {measures.outcome} less {measures.cost}"

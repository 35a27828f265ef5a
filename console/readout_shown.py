"""A readout as the command line shows it: tables, checks and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from experiments.contrast import Estimate, Lift, Untold
    from experiments.findings import Contrast, Guarded, Readout

EACH = "gain a member"
ARM_COLUMNS = ("members", "reached", "sends", "converted", "margin", "cost", "gain", EACH)
_DECIDES = {
    "group": "it takes all planned looks and the other arms into account",
    "always": "it holds whenever it is looked at, and takes the other arms into account",
}


def print_figures(readout: Readout, columns: Sequence[str] = ARM_COLUMNS) -> None:
    """Tables of arms, contrasts and segments, guardrails, the split and warnings.

    columns: of the arms.
    """
    _print_arms(readout, columns)
    _print_contrasts(readout)
    candidates = [one for one in readout.contrasts if one.role == "candidate"]
    if any(_wider(one) for one in candidates):
        typer.echo(
            f"intervals in the tables: {readout.level:.0%}, each as if looked at once and alone; "
            f"the verdict's is the one that decides: {_DECIDES[readout.sequential]}"
        )
    for contrast in candidates:
        for guard in contrast.guardrails:
            typer.echo(f"guardrail {guard.metric}, {contrast.arm}: {guard.state} ({_harm(guard)})")
    _print_segments(readout, candidates)
    split = readout.srm
    if split.p is not None:
        typer.echo(f"split of the members: p {split.p:.2g}{'' if split.passed else ', FAILED'}")
    for warning in readout.warnings:
        typer.echo(f"warning: {warning}")


def _print_arms(readout: Readout, columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("arm", box=None)
    for name in columns:
        table.add_column(name, justify="right")
    for arm in readout.arms:
        each = "-" if arm.gain_per_member is None else f"{arm.gain_per_member:,.4g}"
        table.add_row(
            arm.arm, *(each if one == EACH else f"{getattr(arm, one):,.0f}" for one in columns)
        )
    Console().print(table)


def _print_contrasts(readout: Readout) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("arm", "against", f"{readout.metric} a member", "relative", "roi", box=None)
    for contrast in readout.contrasts:
        table.add_row(
            contrast.arm,
            contrast.control,
            _lift(contrast.primary),
            _relative(contrast),
            _estimate(contrast.incremental.roi),
        )
    Console().print(table)


def _lift(lift: Lift | Untold) -> str:
    from experiments.contrast import Untold

    if isinstance(lift, Untold):
        return f"cannot say: {lift.told}"
    return _estimate(lift.difference)


def _relative(contrast: Contrast) -> str:
    from experiments.contrast import Untold

    found = contrast.primary
    if isinstance(found, Untold) or isinstance(found.relative, Untold):
        return "-"
    one = found.relative
    return f"{one.value:+.1%} ({one.low:+.1%} to {one.high:+.1%})"


def _estimate(found: Estimate | Untold) -> str:
    from experiments.contrast import Untold

    if isinstance(found, Untold):
        return "-"
    return f"{found.value:+,.4g} ({found.low:+,.4g} to {found.high:+,.4g})"


def _wider(contrast: Contrast) -> bool:
    """Whether the interval that decides is another than the table's."""
    from experiments.contrast import Untold

    decided, lift = contrast.decided, contrast.primary
    if decided is None or isinstance(lift, Untold):
        return False
    shown, decides = lift.difference, decided.interval
    return not isclose(decides.high - decides.low, shown.high - shown.low, rel_tol=0.01)


def _harm(guard: Guarded) -> str:
    return f"{guard.harm.low:+.2%} to {guard.harm.high:+.2%}, {guard.most:.2%} allowed"


def _print_segments(readout: Readout, contrasts: Sequence[Contrast]) -> None:
    from rich.console import Console
    from rich.table import Table

    from experiments.contrast import Lift

    table = Table("arm", "segment", f"{readout.metric} a member", "p, corrected", box=None)
    for contrast in contrasts:
        for one in contrast.segments:
            value = f"{one.segment}: {one.value or 'not known'}"
            if not isinstance(one.lift, Lift):
                table.add_row(contrast.arm, value, f"cannot say: {one.lift.told}", "-")
                continue
            clear = "" if not one.clear else ", told apart"
            told = _estimate(one.lift.difference)
            table.add_row(contrast.arm, value, told, f"{one.p:.2g}{clear}")
    if table.rows:
        Console().print(table)

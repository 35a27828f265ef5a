"""Our figures beside those of GrowthBook's gbstats and Spotify's confidence, on the same members.

Both ask for packages that do not resolve with ours, so they are installed into an environment of
their own, once, in the folder for temporary files. Compared is what both do by the same method:
Welch's difference and relative lift, ratios by the delta method, CUPED with one covariate, the
confidence sequence at the same rho, Holm, and the test of the shares. Left out is what is another
method: shares with p (1 − p) as their variance (ours is the sample's), sequential bounds that
spend alpha by another function.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import e, isnan, log, nan
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import lambertw

from benchmarks.experiments_arms import Numbers, pair
from benchmarks.figure import Figure
from experiments.confidence_sequence import band
from experiments.contrast import Estimate, Lift, Side, Untold, lift
from experiments.cuped import slopes
from experiments.multiple import corrected
from experiments.ratio import ratio_lift

WANTED = ("gbstats==0.8.0", "spotify-confidence==4.1.0")
NAMES = ("margin", "sends", "before_margin")
ALPHA, EQUAL, TUNING = 0.05, 1e-6, 5_000.0
# Their Python sees this folder's file and nothing else of ours.
_THEIRS = "import sys; sys.path.append(sys.argv[1]); import experiments_theirs as it; it.main()"
Told = tuple[float, float, float, float]  # estimate, low, high, p


@dataclass(frozen=True, slots=True)
class Case:
    """Values of three arms, (n, 3) by ``NAMES``."""

    control: Numbers
    treated: Numbers
    third: Numbers


def figures(cases: int) -> Iterator[Figure]:
    python = installed()
    if python is None:
        yield Figure(
            "references_installed", 0, len(WANTED), "packages", 0,
            f"{' and '.join(WANTED)}; could not be installed here: nothing compared", False,
        )  # fmt: skip
        return
    drawn = [_case(np.random.default_rng([7, number])) for number in range(cases)]
    theirs = _asked(python, drawn)
    pairs = [(_ours(case), answer) for case, answer in zip(drawn, theirs, strict=True)]
    for name in pairs[0][0]:
        both = [(ours[name], answer[name]) for ours, answer in pairs]
        apart = max(_apart(ours, other) for ours, other in both)
        first = both[0]
        yield Figure(
            f"{name}_apart", apart, EQUAL, "of the interval's width, or of p", apart / EQUAL,
            f"at most 1e-6 in {cases} cases; first estimate {_first(first[0]):.6g}",
            apart <= EQUAL,
        )  # fmt: skip


def installed() -> Path | None:
    """The Python of the environment that has both, made if it is not there; None: it cannot be."""
    folder = Path(tempfile.gettempdir()) / "pushwise-references"
    python, done = folder / "bin" / "python", folder / "installed.txt"
    if done.exists() and done.read_text(encoding="utf-8") == "\n".join(WANTED):
        return python
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--disable-pip-version-check", *WANTED],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        print(f"references: {said[-1] if said else error}", file=sys.stderr)
        return None
    done.write_text("\n".join(WANTED), encoding="utf-8")
    return python


def _asked(python: Path, cases: list[Case]) -> list[dict[str, Any]]:
    lines = "\n".join(json.dumps(_summed(case)) for case in cases)
    done = subprocess.run(
        [python, "-I", "-c", _THEIRS, Path(__file__).parent],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the references failed: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _case(random: np.random.Generator) -> Case:
    """Sizes, effects and skew differ from case to case."""
    arms: list[Numbers] = []
    most = int(random.integers(600, 5_000))
    # Near enough to halves that the split is no foregone conclusion.
    sizes = (most, most - int(random.integers(0, 100)), int(random.integers(500, 5_000)))
    for members in sizes:
        effect = float(random.normal(0, 0.1)) if arms else 0.0
        habit = random.normal(size=members)
        sends = random.integers(1, 6, members).astype(np.float64)
        shape = float(random.uniform(0.3, 0.8))
        after = np.exp(shape * (habit + random.normal(size=members))) * sends + effect
        before = np.exp(shape * (habit + random.normal(size=members)))
        arms.append(np.column_stack([after, sends, before]))
    return Case(*arms)


def _summed(case: Case) -> dict[str, Any]:
    """The sums that both references start from."""
    found: dict[str, Any] = {"tuning": TUNING}
    for name in ("control", "treated", "third"):
        values = getattr(case, name)
        y, s, x = values.T
        found[name] = {
            "n": len(values), "y": y.sum(), "yy": y @ y, "s": s.sum(), "ss": s @ s,
            "x": x.sum(), "xx": x @ x, "ys": y @ s, "yx": y @ x,
        }  # fmt: skip
    return found


def _ours(case: Case) -> dict[str, Any]:
    both = pair(NAMES, case.treated, case.control)
    plain = _told(lift("margin", *both, ALPHA))
    found = slopes("margin", ("before_margin",), *both)
    cuped = _told(lift("margin", *both, ALPHA, found))
    others = pair(NAMES, case.third, case.control)
    holm = corrected([plain.p, _told(lift("margin", *others, ALPHA)).p])
    srm = _srm(both)
    difference = _four(plain.difference, plain.p)
    return {
        "gb_difference": difference,
        "gb_relative": _four(plain.relative, nan),
        "gb_ratio": _difference(_told(ratio_lift("margin_per_send", *both, ALPHA))),
        "gb_cuped": _difference(cuped),
        "gb_cuped_relative": _four(cuped.relative, nan),
        "gb_sequential": _sequential(plain, both),
        "gb_srm": srm,
        "sp_difference": difference,
        "sp_holm": {"treated": holm[0], "third": holm[1]},
        "sp_srm": srm,
    }


def _sequential(plain: Lift, both: tuple[Side, Side]) -> Told:
    """gbstats takes a closed form of the best rho; this asks ours for the same one."""
    exact = -float(lambertw(-(ALPHA**2) / e, -1).real) - 1
    closed = -2 * log(ALPHA) + log(-2 * log(ALPHA) + 1)
    members = sum(side.count for side in both)
    found = band(plain.difference.value, plain.error, members, TUNING * exact / closed, ALPHA)
    return found.estimate, found.low, found.high, found.p


def _srm(both: tuple[Side, Side]) -> float:
    from datetime import UTC, datetime

    from experiments import cells
    from experiments.moments import Moments
    from experiments.srm import sample_ratio

    names = cells.NAMES
    zeros, spread = np.zeros(len(names)), np.zeros((len(names), len(names)))
    made = tuple(
        cells.Cell(arm, 0, "", "", True, Moments(names, side.count, zeros, spread))
        for arm, side in zip(("treated", "control"), both, strict=True)
    )
    shares = {"treated": 0.5, "control": 0.5}
    p = sample_ratio(cells.Cells(datetime(2026, 1, 1, tzinfo=UTC), (shares,), made)).p
    return nan if p is None else p


def _difference(found: Lift) -> Told:
    return _four(found.difference, found.p)


def _four(found: Estimate | Untold, p: float) -> Told:
    if isinstance(found, Untold):
        raise AssertionError(found.told)
    return found.value, found.low, found.high, p


def _told(found: Lift | Untold) -> Lift:
    if isinstance(found, Untold):
        raise AssertionError(found.told)
    return found


def _apart(ours: Any, theirs: Any) -> float:
    """Of estimate and ends in widths of the interval; of p-values as they are."""
    if isinstance(ours, Mapping):
        return max(abs(float(ours[name]) - float(theirs[name])) for name in ours)
    if isinstance(ours, float):
        return abs(float(ours) - float(theirs))
    wide = float(theirs[2]) - theirs[1]
    ends = max(abs(one - other) / wide for one, other in zip(ours[:3], theirs[:3], strict=True))
    # Of a relative lift ours has no p of its own.
    return float(ends if isnan(ours[3]) else max(ends, abs(ours[3] - theirs[3])))


def _first(told: Any) -> float:
    if isinstance(told, Mapping):
        return float(next(iter(told.values())))
    return float(told if isinstance(told, float) else told[0])

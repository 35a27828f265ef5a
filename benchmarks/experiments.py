"""``python -m benchmarks.experiments [--quick] [--only NAME]``: is what experiments say true?

bounds: published group sequential bounds. shares: wrong splits of members. coverage: how often
intervals hold the truth. alarms: false alarms without an effect, power with one. promise: power
against what was promised before; real: the same on Online Retail's members. references:
GrowthBook's gbstats and Spotify's confidence on the same members, installed apart on first use.
policies: values of policies by the log. assignment: ten million members. The readout of ten million
rows is ``benchmarks.experiments_readout``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

from benchmarks import (
    experiments_alarms,
    experiments_assignment,
    experiments_bounds,
    experiments_coverage,
    experiments_offpolicy,
    experiments_promise,
    experiments_real,
    experiments_references,
)
from benchmarks.figure import Figure

# What is measured, by how many runs (or members), and by how many with --quick.
PARTS: Mapping[str, tuple[Callable[[int], Iterator[Figure]], int, int]] = {
    "bounds": (experiments_bounds.figures, 1_000_000, 200_000),
    "shares": (experiments_coverage.wrong_shares, 20_000, 4_000),
    "coverage": (experiments_coverage.figures, 5_000, 1_000),
    "alarms": (experiments_alarms.figures, 5_000, 600),
    "promise": (experiments_promise.figures, 1_500, 200),
    "real": (experiments_real.figures, 5_000, 1_000),
    "references": (experiments_references.figures, 60, 20),
    "policies": (experiments_offpolicy.figures, 200, 20),
    "assignment": (experiments_assignment.figures, 10_000_000, 500_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs, under a minute")
    parser.add_argument("--only", choices=list(PARTS), help="one part")
    asked = parser.parse_args()
    for name, (figures, runs, few) in PARTS.items():
        if asked.only in (None, name):
            for figure in figures(few if asked.quick else runs):
                print(figure.line(), flush=True)


if __name__ == "__main__":
    main()

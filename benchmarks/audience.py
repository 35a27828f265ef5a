"""``python -m benchmarks.audience [--quick] [--only PART …]``: a whole audience, and what it earns.

- ``scale``: from feature snapshot to file, beside the models' own prediction of the same pairs.
- ``oracle``: what each way to choose an audience truly earns on synthetic markets, and whether
  plans keep their promise. ``--seeds`` markets of ``--members``, from ``--first-seed`` on. Prints a
  line for each market as soon as it is measured, then the figures of all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from benchmarks import audience_scale, oracle_share

PARTS = ("scale", "oracle")


def lines(part: str, asked: argparse.Namespace) -> Iterator[str]:
    """JSON lines of one of ``PARTS``, as they are measured."""
    if part == "scale":
        shape = audience_scale.QUICK if asked.quick else audience_scale.FULL
        yield from (figure.line() for figure in audience_scale.figures(shape))
        return
    size = oracle_share.QUICK if asked.quick else oracle_share.FULL
    seeds, members = asked.seeds or size.seeds, asked.members or size.members
    found = []
    for one in oracle_share.measured(range(asked.first_seed, asked.first_seed + seeds), members):
        found.append(one)
        yield one.line()
    yield from (figure.line() for figure in oracle_share.figures(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the same, smaller")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--seeds", type=int, help="markets of the part oracle")
    parser.add_argument("--members", type=int, help="of each of them")
    parser.add_argument("--first-seed", type=int, default=0, help="of them")
    asked = parser.parse_args()
    for part in asked.only:
        for line in lines(part, asked):
            print(line, flush=True)


if __name__ == "__main__":
    main()

"""``python -m benchmarks.serving [--quick] [--only NAME ...]``: the scorer under load.

A real ``pushwise serve`` of one worker on one core, a load generator on another. The release holds
pushes of 20 offers, a budget, response model and recommender learned on a synthetic market, and
40,000 members; every call asks about members who were not decided before in that push. Names:

- ``speed``: decisions a second, beside the same server answering a constant, and latencies at half
  the load; members a second in calls of 100. One call at a time is told beside.
- ``built``: the same beside what a user would build: FastAPI, Feast's ``get_online_features`` and
  ``Booster.predict``, without a log.
- ``overload``: three times what it can do, for a minute.
- ``kills``: kill -9 under load, 200 times, at named points and random moments; and how long a
  scorer takes to be ready again.

``--quick``: half the members, learned on a smaller market, and a few seconds of each load.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.serving_faults import kills
from benchmarks.serving_overload import overload
from benchmarks.serving_release import FULL, QUICK, Shop, build
from benchmarks.serving_speed import built, speed

Measured = Callable[[Shop, Path, bool], Iterator[Figure]]
FIGURES: Mapping[str, Measured] = {
    "speed": speed, "built": built, "overload": overload, "kills": kills,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="The scorer under load.")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter")
    parser.add_argument("--only", choices=list(FIGURES), action="append", help="may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        shop = build(Path(scratch) / "shop", QUICK if options.quick else FULL)
        for name in options.only or FIGURES:
            for figure in FIGURES[name](shop, Path(scratch) / name, options.quick):
                print(figure.line(), flush=True)


if __name__ == "__main__":
    main()

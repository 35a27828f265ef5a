"""``python -m benchmarks.models [--quick] [--only PART …]``: how good every model is, part by part.

Each figure stands beside a named reference of the same run, on the same data and split. Parts:

- ``recommenders``: Gowalla with full ranking, and the next basket of Online Retail.
- ``propensity``: who buys in the next 30 and 90 days, on Online Retail.
- ``clv``: CDNOW, beside the published fit and ``lifetimes``.
- ``offers``: the best of ten offers of a rewards programme, on its last wave.
- ``campaigns``: what campaigns that went to big spenders changed.
- ``market_effects``: the response model on synthetic markets whose truth is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module

from benchmarks.figure import Figure

# The longest last: whoever looks on sees most figures early.
PARTS = ("clv", "propensity", "campaigns", "offers", "recommenders", "market_effects")


def figures(part: str, quick: bool) -> Iterator[Figure]:
    """The figures of one of ``PARTS``, as they are measured."""
    measured: Iterator[Figure] = import_module(f"benchmarks.{part}").figures(quick)
    yield from measured


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the same, smaller")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    asked = parser.parse_args()
    for part in asked.only:
        for figure in figures(part, asked.quick):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()

"""``python -m benchmarks.market [--quick]``: what each policy earns on the synthetic market.

The whole path of ``pushwise demo`` on three seeds of 20,000 members (``--quick``: one of 8,000).
The reference is the ranking by propensity to buy, with the campaign's default offer, at the same
budget and size; the same of the hand-written rule and of the oracle stands beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.figure import Figure


def gains(members: int, seed: int) -> Mapping[str, float]:
    """Gain of each policy in money, by one run of the demo in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable, "-c", "from console.main import main; main()", "demo", "--json",
            "--port", "0", "--members", str(members), "--seed", str(seed),
            "--workspace", str(Path(scratch) / "demo"),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: Mapping[str, float] = json.loads(done.stdout.strip().splitlines()[-1])["gain"]
    return found


def figures(members: int, seed: int) -> list[Figure]:
    gain = gains(members, seed)
    ours, likely, rule, best = (gain[name] for name in ("pushwise", "propensity", "rule", "oracle"))
    return [
        _figure(f"gain_over_propensity_seed_{seed}", ours, likely, "above 1", ours > likely),
        _figure(f"rule_below_propensity_seed_{seed}", rule, likely, "below 1", rule < likely),
        _figure(f"share_of_oracle_seed_{seed}", ours, best, "at most 1", ours <= best),
    ]


def _figure(name: str, ours: float, reference: float, goal: str, holds: bool) -> Figure:
    return Figure(name, ours, reference, "money", ours / reference, goal, holds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, 8,000 members")
    quick = parser.parse_args().quick
    for seed in (0,) if quick else (0, 1, 2):
        for figure in figures(8_000 if quick else 20_000, seed):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()

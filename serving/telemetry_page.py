"""Writes the reference of the metrics: ``python -m serving.telemetry_page``."""

from __future__ import annotations

import sys

from serving.telemetry import Telemetry

_HEAD = """# Metrics

Written by `make docs` from `serving/telemetry.py`. `GET /metrics` shows them in Prometheus' text
format, one scorer process each, beside `process_*` (memory, CPU, open files) and `python_*` of the
process. No label ever holds the id of a member, a decision or a call; those that hold ids of the
catalogue (`push_id`, `release`) show only what the release in use knows. Those of monitors
(docs/monitor.md) name pushes, features, experiments and channels as `subject`, shortened.

| metric | kind | labels | means |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The reference as Markdown."""
    rows = (
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} "
        f"| {one.means} |\n"
        for one in sorted(Telemetry().described, key=lambda one: one.name)
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())

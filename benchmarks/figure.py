"""One line of a benchmark: our figure, the reference of the same run, and the goal."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """ratio: ours over the reference. goal: in words. holds: whether it was reached."""

    name: str
    ours: float
    reference: float
    unit: str
    ratio: float
    goal: str
    holds: bool

    def line(self) -> str:
        return json.dumps(asdict(self))


def data_folder() -> Path:
    """Where the public data lie: ``PUSHWISE_DATA``, else beside the checkout.

    Raises:
        FileNotFoundError: nothing there.
    """
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("PUSHWISE_DATA", beside))
    if not folder.is_dir():
        raise FileNotFoundError(f"no public data in {folder}; set PUSHWISE_DATA to their folder")
    return folder

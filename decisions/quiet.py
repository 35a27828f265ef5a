"""Keep a solver's stray print out of the standard output."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import threading
from collections.abc import Iterator

_ONE_AT_A_TIME = threading.Lock()
_STRAY = b"HighsMipSolverData::transformNewIntegerFeasibleSolution"


@contextlib.contextmanager
def without_stray_prints() -> Iterator[None]:
    """Standard output, less what HiGHS prints into it meanwhile.

    In SciPy 1.17 it prints a line when it repairs a solution, with every log turned off. What
    others write meanwhile is kept and comes when the solver is done. To go when the oldest SciPy
    that is allowed no longer prints.
    """
    native = ctypes.CDLL(None)
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as held:
        native.fflush(None)
        kept = os.dup(1)
        os.dup2(held.fileno(), 1)
        try:
            yield
        finally:
            native.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not line.startswith(_STRAY):
                    os.write(1, line)

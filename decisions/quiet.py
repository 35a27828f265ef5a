"""Keep a solver's stray print out of the standard output."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator

_ONE_AT_A_TIME = threading.Lock()


@contextlib.contextmanager
def native_output_on_stderr() -> Iterator[None]:
    """What native code prints meanwhile goes to stderr, where results of commands do not stand.

    HiGHS in SciPy 1.17 prints "transformNewIntegerFeasibleSolution" when it repairs a solution,
    with every log turned off. To go when the oldest SciPy that is allowed no longer does.
    """
    native = ctypes.CDLL(None)
    with _ONE_AT_A_TIME:
        native.fflush(None)
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            native.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)

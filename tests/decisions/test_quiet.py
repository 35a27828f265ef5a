"""A solver's stray print does not get among the results on the standard output."""

from __future__ import annotations

import ctypes
import os

import pytest

from decisions.quiet import without_stray_prints


def test_only_the_stray_line_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    native = ctypes.CDLL(None)
    with without_stray_prints():
        native.puts(b"HighsMipSolverData::transformNewIntegerFeasibleSolution tmpSolver.run();")
        os.write(1, b"a result\n")
        native.puts(b"another")
    os.write(1, b"the end\n")
    out, err = capfd.readouterr()
    assert out == "a result\nanother\nthe end\n"
    assert err == ""

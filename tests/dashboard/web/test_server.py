"""The dashboard as a process: alone over a workspace that grows, and beside a scorer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from serving.pointer import publish
from tests.serving.conftest import Bench, Running, start  # noqa: F401 - a fixture

_RUN = "import sys; from console.main import application; application()(sys.argv[1:])"


@contextmanager
def dashboard(workspace: Path, errors: Path) -> Iterator[str]:
    options = ["--workspace", str(workspace), "--port", "0", "--insecure-dev"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PUSHWISE")}
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN, "dashboard", *options], env=kept, text=True,
            stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said, errors.read_text()
            yield json.loads(said)["listening"]
        finally:
            process.terminate()
            assert process.wait(30) == 0
            if process.stdout is not None:
                process.stdout.close()


def page(address: str) -> str:
    with urlopen(address, timeout=60) as response:
        return str(response.read().decode())


@pytest.mark.slow
def test_it_starts_over_nothing_and_finds_the_first_release_by_itself(
    bench: Bench, tmp_path: Path
) -> None:
    with dashboard(bench.workspace.root, tmp_path / "stderr") as address:
        assert "pushwise release build" in page(address)
        bench.release("r1")
        publish(bench.workspace.releases, "r1", bench.trusted)
        assert "pushwise release build" not in page(address)


@pytest.mark.slow
def test_beside_a_scorer_both_answer(
    bench: Bench,
    start: Callable[..., Running],  # noqa: F811
) -> None:
    release = str(bench.release("r1"))
    running = start("--release", release, "--insecure-dev", "--dashboard")
    assert "Pushwise" in page(f"{running.address}/dashboard")
    with urlopen(f"{running.address}/v1/decide?push_id=autumn&member_id=m01") as response:
        assert "send" in json.loads(response.read())
    asked = f"{running.address}/dashboard/static/pages.css"
    assert "body.pages" in page(asked)


def test_opening_the_pages_imports_nothing_heavy() -> None:
    heavy = ("pandas", "pyarrow", "duckdb", "ibis", "feast", "mlflow", "sklearn", "scipy")
    code = (
        "import sys, dashboard.web.server\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

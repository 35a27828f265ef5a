"""A scorer installed with the serving extra alone starts on a release folder and answers."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Running

ROOT = Path(__file__).parents[2]
HEAVY = ("pandas", "pyarrow", "duckdb", "ibis", "feast", "mlflow", "sklearn", "implicit")


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """The Python of a fresh environment with the pinned packages of the serving extra."""
    venv.create(tmp_path / "scorer", with_pip=True)
    python = tmp_path / "scorer" / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "install", "--require-hashes", "-r", ROOT / "requirements" / "serving.txt")
    # Built with this environment's hatchling: the fresh one has no build tools and needs none.
    run(
        sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation",
        "--wheel-dir", tmp_path / "wheels", ROOT,
    )  # fmt: skip
    run(*pip, "install", "--no-deps", *(tmp_path / "wheels").glob("*.whl"))
    return python


@pytest.mark.slow
def test_the_serving_extra_alone_serves_a_release(
    bench: Bench, start: Callable[..., Running], bare_python: Path
) -> None:
    found = run(
        bare_python, "-c",
        "from importlib.util import find_spec\n"
        f"print([name for name in {HEAVY!r} if find_spec(name)])",
    )  # fmt: skip
    assert found.strip() == "[]"
    release = str(bench.release("r1"))
    options = ("--release", release, "--insecure-dev", "--fresh")
    server = start(*options, python=str(bare_python))
    with urlopen(f"{server.address}/v1/decide?push_id=autumn&member_id=m01") as response:
        answer = json.load(response)
    assert isinstance(answer["send"], bool)
    assert answer["release"] == "r1"
    assert "the features extra is not installed" in server.log.read_text()

"""The tutorial works as written: every command of it is run."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY

TUTORIAL = REPOSITORY / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(bash|toml title=\"([^\"]+)\")\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script(text: str) -> str:
    """The page as one script: its commands, and its files where they stand."""
    steps = ["set -eu -o pipefail"]
    for kind, name, content in BLOCK.findall(text):
        if kind == "bash":
            steps.append(content)
        else:
            steps.append(f"cat >{name} <<'PUSHWISE_FILE'\n{content}PUSHWISE_FILE\n")
    return "\n".join(steps)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
@pytest.mark.data
def test_both_runs_work_as_written(data: Path, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the tutorial calls the scorer with curl, which is not installed")
    binaries = Path(sys.executable).parent
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PUSHWISE_")},
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PUSHWISE_DATA": str(data),
        "PORT": str(free_port()),
    }
    done = subprocess.run(
        ["bash", "-c", script(TUTORIAL.read_text(encoding="utf-8"))],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"1,056,743 │\s+797,601 │\s+14,445 │\s+244,697", done.stdout)
    assert '"send":' in done.stdout
    with (tmp_path / "tutorial" / "winback.csv").open(encoding="utf-8") as file:
        winback = list(csv.DictReader(file))
    assert winback
    assert sum(float(row["expected_cost"]) for row in winback) <= 500
    assert {row["evidence"] for row in winback} == {"prior"}
    best = pq.read_table(tmp_path / "tutorial" / "best-offer.parquet").to_pydict()
    assert sum(best["expected_cost"]) <= 20_000
    assert len(set(best["offer_id"])) > 1
    assert set(best["evidence"]) in ({"modelled"}, {"randomised"})


def test_the_script_holds_every_block_of_the_page() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    assert text.count("```bash") + text.count("```toml") == len(BLOCK.findall(text))
    assert "pushwise import online-retail" in script(text)

"""The images and the compose file, as far as one can tell without building or starting them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
CHECKS = "requirements/checks.txt is not installed"


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return read


def test_hadolint_has_nothing_to_say() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip(CHECKS)
    done = subprocess.run(
        [hadolint, "--no-color", "Containerfile"],
        cwd=DEPLOY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_yamllint_has_nothing_to_say() -> None:
    pytest.importorskip("yamllint", reason=CHECKS)
    command = [sys.executable, "-m", "yamllint", "--strict", "-c", ".yamllint.yaml", "."]
    done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_reads_as_the_specification_says() -> None:
    specification = pytest.importorskip("compose_spec", reason=CHECKS)
    # Merge keys are YAML's, and variables are put in, before the specification looks.
    text = re.sub(r"\$\{\w+[^}]*\}", "/given", json.dumps(compose()))
    services = specification.PyCompose.from_json(text).service_names()
    assert set(services) == {
        "migrate", "scorer", "follower", "dashboard", "postgres", "redis", "mlflow",
    }  # fmt: skip


def test_every_image_runs_unprivileged_from_packages_pinned_by_hash() -> None:
    installs = re.findall(r"pip install .*", CONTAINERFILE)
    assert installs
    assert all("--require-hashes" in one or "--no-deps /wheels" in one for one in installs)
    for named in re.findall(r"requirements/\w+\.txt", CONTAINERFILE):
        assert "--hash=sha256:" in (REPOSITORY / named).read_text(encoding="utf-8")
    assert "USER 10001:10001" in CONTAINERFILE
    stages = re.findall(r"^FROM (\S+) AS (\S+)", CONTAINERFILE, re.MULTILINE)
    assert [(base, stage) for base, stage in stages if stage in {"scorer", "full"}] == [
        ("base", "full"), ("base", "scorer"),
    ]  # fmt: skip
    assert CONTAINERFILE.count("HEALTHCHECK") == 2


def test_what_the_wheel_is_made_of_reaches_the_build() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^packages = \[(.*)\]$", project, re.MULTILINE)
    assert listed
    let_through = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").split()
    for package in re.findall(r'"(\w+)"', listed[1]):
        assert f"!{package}" in let_through


def test_the_scorer_image_has_no_training_packages() -> None:
    pinned = "".join(
        (REPOSITORY / f"requirements/{role}.txt").read_text(encoding="utf-8")
        for role in ("serving", "postgres")
    )
    names = set(re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE))
    assert {"fastapi", "psycopg", "lightgbm"} <= names
    assert not names & {"feast", "mlflow", "pandas", "duckdb", "pyarrow", "scikit-learn", "pytest"}


def test_the_compose_file_holds_no_secret() -> None:
    for name, service in compose()["services"].items():
        for setting, value in (service.get("environment") or {}).items():
            if "PASSWORD" in setting or "DATABASE_URL" in setting:
                assert str(value).startswith("${"), (name, setting)
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == wanted


def test_only_what_people_and_engines_ask_is_reached_and_only_from_this_machine() -> None:
    published = {
        name: service["ports"] for name, service in compose()["services"].items()
        if "ports" in service
    }  # fmt: skip
    assert set(published) == {"scorer", "dashboard", "mlflow"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert compose()["networks"]["inside"]["internal"] is True

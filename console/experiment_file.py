"""An experiment in a file, TOML or JSON, or from options in the plain case."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decisions.errors import DecisionError
from decisions.rules import parse
from experiments.declaration import from_json
from experiments.design import Arm, Experiment
from experiments.errors import ExperimentError


class DeclarationError(ExperimentError):
    """A file or options that declare no experiment."""


def read_declaration(path: Path) -> Experiment:
    """What a file declares. A rule must parse; whether its features exist only a release can tell.

    A control that it does not name is the arm ``champion``, else the first.

    Raises:
        DeclarationError: the file does not read, or declares no experiment; names the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        declared = from_json(_with_control(given))
        for arm in declared.arms:
            if arm.rule:
                parse(arm.rule)
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        wanted = "JSON" if path.suffix == ".json" else "TOML"
        raise DeclarationError(f"{path}: not {wanted} ({error})") from error
    except (ExperimentError, DecisionError) as error:
        raise DeclarationError(f"{path}: {error}") from error
    return declared


def default_control(names: Sequence[str]) -> str:
    """The arm that others are compared with where none is named."""
    return "champion" if "champion" in names else names[0]


def _with_control(given: Any) -> Any:
    """What is no declaration at all is left for the reader of declarations to refuse."""
    if not isinstance(given, dict) or "control" in given or not isinstance(given.get("arms"), list):
        return given
    names: list[Any] = [arm.get("name") for arm in given["arms"] if isinstance(arm, dict)]
    return {**given, "control": default_control(names)} if names else given


@dataclass(frozen=True, slots=True)
class Shares:
    """The arms of the plain case; None where there is no such arm. challengers: RELEASE=SHARE."""

    champion: float | None
    challengers: Sequence[str]
    random: float | None
    holdout: float | None

    def arms(self) -> tuple[Arm, ...]:
        """Named after their kind; of several challengers each after its release.

        Raises:
            ExperimentError: a share that is none.
        """
        found = [Arm("champion", self.champion, "champion")] if self.champion is not None else []
        for given in self.challengers:
            release, share = _release_and_share(given)
            name = "challenger" if len(self.challengers) == 1 else release
            found.append(Arm(name, share, "release", release=release))
        if self.random is not None:
            found.append(Arm("random", self.random, "random"))
        if self.holdout is not None:
            found.append(Arm("holdout", self.holdout, "holdout"))
        return tuple(found)


def named_shares(given: Sequence[str]) -> dict[str, float]:
    """``ARM=SHARE`` by arm. Raises ``DeclarationError``."""
    shares = dict(_release_and_share(one) for one in given)
    if len(shares) < len(given):
        raise DeclarationError("an arm is named twice; wanted ARM=SHARE once for each arm")
    return shares


def _release_and_share(given: str) -> tuple[str, float]:
    name, equals, text = given.rpartition("=")
    try:
        if not equals or not name:
            raise ValueError
        return name, float(text)
    except ValueError:
        raise DeclarationError(
            f"{given!r} is not NAME=SHARE, such as 2026-11-26.1=0.45 or champion=0.45"
        ) from None

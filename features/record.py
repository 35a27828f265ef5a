"""What was built: which moments, from which tables, with which views and columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from features.errors import FeatureError
from features.workspace import Workspace, write_atomically

_FILE = "builds.json"


@dataclass(frozen=True, slots=True)
class Built:
    """One built moment.

    inputs: digest of everything the build read.
    rows: rows written per view present.
    """

    inputs: str
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """Everything built in a workspace, ``features/builds.json``.

    columns: features of each view present, in order, name to type (``number`` or ``category``).
    absent: the views that the workspace does not have, and why.
    moments: what was built, oldest first.
    """

    columns: Mapping[str, Mapping[str, str]]
    absent: Mapping[str, str]
    moments: Mapping[datetime, Built]

    def save(self, workspace: Workspace) -> None:
        content = {
            "columns": {name: dict(columns) for name, columns in self.columns.items()},
            "absent": dict(self.absent),
            "moments": {
                as_of.isoformat(): {"inputs": built.inputs, "rows": dict(built.rows)}
                for as_of, built in sorted(self.moments.items())
            },
        }
        write_atomically(
            workspace.features / _FILE, json.dumps(content, ensure_ascii=False, indent=1).encode()
        )

    @classmethod
    def load(cls, workspace: Workspace) -> BuildRecord:
        """The record; an empty one where nothing was built.

        Raises:
            FeatureError: the record does not read.
        """
        path = workspace.features / _FILE
        if not path.exists():
            return cls({}, {}, {})
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            moments = {
                datetime.fromisoformat(as_of): Built(built["inputs"], built["rows"])
                for as_of, built in content["moments"].items()
            }
            return cls(content["columns"], content["absent"], moments)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FeatureError(
                f"{path} does not read as a build record ({error}); delete {path.parent} and "
                "build the features again"
            ) from error


def view_file(workspace: Workspace, view: str, as_of: datetime) -> Path:
    """``features/<view>/<as_of>.parquet``, the time in UTC without characters a path dislikes."""
    moment = as_of.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}" if moment.microsecond else ""
    return workspace.features / view / f"{moment:%Y-%m-%dT%H%M%S}{fraction}Z.parquet"

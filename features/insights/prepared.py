"""Prepared documents: what an analysis found, kept as JSON in the workspace for pages to read.

Reading one costs what parsing its file costs, however many members and events lie behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from features.errors import FeatureError
from features.workspace import Workspace, write_atomically

_NAME = re.compile(r"[a-z][a-z_]*")


class PreparedError(FeatureError):
    """A prepared document that cannot be read, or a name that none can have."""


class _Kept(dict[str, Any]):
    """An object of a document. What it lacks is no fault of who asks: an earlier version of
    Pushwise made the document, and it has to be made anew."""

    def __init__(self, name: str, found: Mapping[str, Any]) -> None:
        super().__init__(found)
        self._name = name  # a template that asks for a key finds no attribute before it

    def __missing__(self, key: str) -> Any:
        raise PreparedError(f"the document {self._name} has no {key!r}; {_anew(self._name)}")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document and what it rests on.

    as_of: the moment whose knowledge it shows. made_at: when it was made. Both UTC.
    """

    name: str
    as_of: datetime
    made_at: datetime
    document: Mapping[str, Any]


def keep(
    workspace: Workspace,
    name: str,
    document: Mapping[str, Any],
    *,
    as_of: datetime,
    made_at: datetime,
) -> None:
    """Put ``document`` in the place of the one of that name; a reader sees the old or the new one.

    Args:
        document: plain JSON; a number that is none (NaN, infinity) is refused with ``ValueError``.
    """
    head = {"name": name, "as_of": as_of.isoformat(), "made_at": made_at.isoformat()}
    text = json.dumps({**head, "document": document}, ensure_ascii=False, allow_nan=False)
    write_atomically(_path(workspace, name), text.encode())


def prepared(workspace: Workspace, name: str) -> Prepared | None:
    """The document kept last under ``name``; None where there is none.

    Raises:
        PreparedError: the file is damaged. Of an object of the document, for a key that it lacks.
    """
    path = _path(workspace, name)
    try:
        found = json.loads(path.read_bytes(), object_hook=partial(_Kept, name))
        as_of, made_at = (datetime.fromisoformat(found[key]) for key in ("as_of", "made_at"))
        return Prepared(name, as_of, made_at, _Kept(name, found["document"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise PreparedError(f"{path}: not readable ({error}); {_anew(name)}") from error


def forget_prepared(workspace: Workspace, members: Collection[str]) -> int:
    """Remove every document that names one of ``members``; how many. The next refresh remakes them.

    A file that cannot be read goes too: it might name one.
    """
    gone = 0
    for path in _files(workspace):
        if _names_any(path, frozenset(members)):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def prepared_naming(workspace: Workspace, member: str) -> list[str]:
    """The documents that name ``member``, as paths within the workspace."""
    found = [path for path in _files(workspace) if _names_any(path, frozenset([member]))]
    return [path.relative_to(workspace.root).as_posix() for path in found]


def _anew(name: str) -> str:
    command = "monitor" if name == "monitor" else f"insights refresh --only {name}"
    return f"make it anew with `pushwise {command}`"


def _path(workspace: Workspace, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise PreparedError(f"{name!r} is no name of an insight, wanted small letters and _")
    return workspace.insights / f"{name}.json"


def _files(workspace: Workspace) -> list[Path]:
    """Drafts that a crash left behind too."""
    return [path for path in sorted(workspace.insights.glob("*")) if path.is_file()]


def _names_any(path: Path, members: frozenset[str]) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return True
    return not members.isdisjoint(_texts(found))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)

"""How a fitted model lies on disk: JSON, npz and text, never pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

FORMAT = 1


class ArtifactError(ModelError):
    """A stored model that is missing, damaged or of another kind."""


@dataclass(frozen=True)
class Artifact:
    """A model's parts: a kind, a JSON config, named arrays, named texts (LightGBM models).

    A folder of ``artifact.json``, ``arrays.npz`` and ``<name>.txt``. No file holds an import
    path, so code may move and old artifacts still load.
    """

    kind: str
    config: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write into ``folder``, made if missing. The same model gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        head = {"kind": self.kind, "format": FORMAT, "config": dict(self.config)}
        head["texts"] = sorted(self.texts)
        (folder / "artifact.json").write_text(json.dumps(head, indent=1), encoding="utf-8")
        _save_arrays(folder / "arrays.npz", self.arrays)
        for name, text in self.texts.items():
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, kind: str) -> Artifact:
        """Read ``folder``.

        Raises:
            ArtifactError: nothing there, another kind or format, or damaged files.
        """
        try:
            head = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
            if head["kind"] != kind or head["format"] != FORMAT:
                raise ArtifactError(
                    f"{folder} holds {head['kind']!r} format {head['format']}, "
                    f"wanted {kind!r} format {FORMAT}"
                )
            with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            texts = {
                name: (folder / f"{name}.txt").read_text(encoding="utf-8") for name in head["texts"]
            }
            return cls(kind, head["config"], arrays, texts)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise ArtifactError(f"{folder} is not a readable {kind} model: {error}") from error


def _save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    # np.savez stamps the wall clock into the archive; a fixed date keeps the bytes reproducible.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content.getvalue())

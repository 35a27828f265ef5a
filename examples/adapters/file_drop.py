"""Files for engines that send in bulk: requests go in, audiences come out, results come back.

    python -m examples.adapters.file_drop --scorer http://127.0.0.1:8787 --key "$KEY" --folder drop

    drop/requests/NAME.json            {"push_id": ...}, limits as in POST /v1/audiences; where it
                                       is to be "ndjson" and not "csv", "format"
    drop/audiences/NAME.csv            the audience, whole
    drop/audiences/NAME.manifest.json  written last: rows, bytes, sha256. Read no file without it
    drop/results/NAME.csv or .ndjson   push_id, member_id, type, occurred_at; where there is one
                                       event_id, value, margin
    drop/done/...                      what was taken; NAME.refused.json says what was not, and why

Write files elsewhere and move them in: a file is read the moment it is there. Everything may be
done again after a crash: the same request is the same audience, and a row of results is known by
its file's content and its number, so the same file again adds nothing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.adapters.calls import NoAnswerError, RefusedError, Scorer

_AT_ONCE = 500  # rows a call
_FORMATS = ("csv", "ndjson")


@dataclass(frozen=True, slots=True)
class Drop:
    """scorer: with a key of the scopes ``audience:export`` and ``outcomes:write``."""

    scorer: Scorer
    folder: Path

    def step(self) -> dict[str, int]:
        """Do what can be done now; how many of each are still waiting.

        Raises:
            NoAnswerError: the scorer does not answer; what waits, waits.
        RefusedError: the key is not one of the scorer's, or lacks a scope.
        """
        for name in ("requests", "audiences", "results", "done"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        waiting = [self._request(path) for path in self._found("requests", ("json",))]
        results = self._found("results", _FORMATS)
        for path in results:
            self._results(path)
        return {"requests": waiting.count(True), "results": len(results)}

    def _found(self, folder: str, endings: tuple[str, ...]) -> list[Path]:
        paths = (self.folder / folder).iterdir()
        return sorted(path for path in paths if path.suffix.removeprefix(".") in endings)

    def _request(self, path: Path) -> bool:
        """Whether it must wait for its audience."""
        try:
            wanted = json.loads(path.read_text(encoding="utf-8"))
            kind = wanted.pop("format", "csv")
            if kind not in _FORMATS:
                raise ValueError(f"format is not one of {', '.join(_FORMATS)}")
            job = self.scorer.post("/v1/audiences", wanted)
            if job["state"] in ("queued", "running"):
                return True
            if job["state"] == "done":
                self._audience(path.stem, kind, job)
        except (ValueError, AttributeError) as error:
            self._done(path, {"error": str(error)})
        except RefusedError as error:
            self._done(path, _of_the_file(error))
        else:
            failed = job["state"] != "done"
            self._done(path, (job["failure"] or {"error": job["state"]}) if failed else None)
        return False

    def _audience(self, name: str, kind: str, job: Mapping[str, Any]) -> None:
        """The file, then its manifest; each appears whole or not at all."""
        target = self.folder / "audiences" / f"{name}.{kind}"
        part = target.with_name(target.name + ".part")
        with part.open("wb") as file:
            self.scorer.download(f"/v1/audiences/{job['audience_id']}/file", {"format": kind}, file)
            file.flush()
            os.fsync(file.fileno())
        manifest = {
            "file": target.name,
            "rows": sum(1 for _ in _rows(part, kind)),
            "bytes": part.stat().st_size,
            "sha256": _digest(part),
            "audience_id": job["audience_id"],
            "push_id": job["push_id"],
            "release": job["release"],
        }
        part.replace(target)
        _write(target.with_name(f"{name}.manifest.json"), manifest)

    def _results(self, path: Path) -> None:
        digest, kind = _digest(path)[:32], path.suffix.removeprefix(".")
        refused: list[dict[str, Any]] = []
        batch: list[tuple[int, dict[str, Any]]] = []
        try:
            for number, row in enumerate(_rows(path, kind), start=1):
                row.setdefault("event_id", f"{digest}-{number}")
                batch.append((number, row))
                if len(batch) == _AT_ONCE:
                    refused += self._report(batch)
                    batch = []
            refused += self._report(batch)
        except (ValueError, AttributeError) as error:  # what came before it is reported
            self._done(path, {"error": f"after row {batch[-1][0] if batch else 0}: {error}"})
        except RefusedError as error:
            self._done(path, _of_the_file(error))
        else:
            self._done(path, {"rows": refused} if refused else None)

    def _report(self, batch: list[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
        if not batch:
            return []
        receipt = self.scorer.post("/v1/outcomes", {"outcomes": [row for _, row in batch]})
        return [
            {"row": batch[one["index"]][0], "code": one["code"], "field": one["field"]}
            for one in receipt["rejected"]
        ]

    def _done(self, path: Path, refused: Mapping[str, Any] | None = None) -> None:
        if refused is not None:
            _write(self.folder / "done" / f"{path.stem}.refused.json", refused)
        path.replace(self.folder / "done" / path.name)


def _of_the_file(error: RefusedError) -> Mapping[str, Any]:
    """What the scorer has against a file; a key that does not open is nothing of the file's."""
    if error.status in (401, 403):
        raise error
    return error.problem


def _rows(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Empty values are left out, as JSON would."""
    with path.open(encoding="utf-8", newline="") as file:
        if kind == "csv":
            for row in csv.DictReader(file):
                yield {name: value for name, value in row.items() if value}
            return
        for line in file:
            if line.strip():
                yield json.loads(line)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def main() -> None:
    """Look at the folder every few seconds, or with ``--once`` until nothing waits."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--scorer", required=True)
    options.add_argument("--key", required=True, help="of audience:export and outcomes:write")
    options.add_argument("--folder", required=True, type=Path)
    options.add_argument("--once", action="store_true")
    options.add_argument("--every", type=float, default=2.0, help="seconds")
    asked = options.parse_args()
    drop = Drop(Scorer(asked.scorer, asked.key, timeout=60.0), asked.folder)
    while True:
        try:
            waiting = drop.step()
        except NoAnswerError as error:
            sys.stderr.write(f"the scorer does not answer, trying again: {error}\n")
        else:
            if asked.once and not waiting["requests"]:
                return
        time.sleep(asked.every)


if __name__ == "__main__":
    main()

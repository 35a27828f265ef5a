"""What a user would build instead: FastAPI, Feast and a booster; no log, no rules.

``python -m benchmarks.serving_rival WORKSPACE BOOSTER`` serves it.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI
from numpy.typing import NDArray
from pydantic import BaseModel

from benchmarks.serving_release import OFFERS, Shop
from benchmarks.serving_server import started
from features.encoding import Encoding
from features.snapshot import Snapshot
from features.store import MEMBER_SERVICE, materialize
from features.store.repo import opened_online
from features.workspace import open_workspace
from serving.schemas import DecisionsAsked

_TREES, _LEAVES = 300, 15


class Sent(BaseModel):
    """One member's answer."""

    member_id: str
    send: bool
    offer_id: str | None
    score: float


@dataclass(frozen=True, slots=True)
class Store:
    """A workspace whose features are in Feast's online store, SQLite. members: who are in it."""

    workspace: Path
    booster: Path
    members: int


def feast_store(shop: Shop) -> Store:
    """Bring the market's members online, and fit a booster of features and offer columns."""
    import lightgbm

    snapshot = Snapshot.load(shop.folder / "snapshot")
    materialize(open_workspace(shop.market), snapshot.as_of)
    rng = np.random.default_rng(0)
    values = np.repeat(snapshot.values[: 40 * OFFERS], OFFERS, axis=0)
    table = np.hstack([values, _offers(len(values) // OFFERS)])
    told = {"objective": "binary", "num_leaves": _LEAVES, "num_threads": 1, "verbose": -1}
    labels = rng.random(len(table)) < 0.2
    booster = lightgbm.train(told, lightgbm.Dataset(table, labels), _TREES)
    path = shop.market / "rival.txt"
    booster.save_model(path)
    return Store(shop.market, path, shop.learned)


@contextmanager
def rival(store: Store, folder: Path) -> Iterator[tuple[int, int]]:
    """Process id and port of the rival on the server's core; ends with the block."""
    given = [str(store.workspace), str(store.booster)]
    with started("benchmarks.serving_rival", given, folder) as (process, port):
        yield process.pid, port


def _offers(members: int) -> NDArray[np.float32]:
    """(members × offers, offers) one column an offer."""
    return np.tile(np.eye(OFFERS, dtype=np.float32), (members, 1))


def application(workspace: Path, booster_path: Path) -> FastAPI:
    """One route, written as the manuals of the three libraries have it."""
    import lightgbm

    booster = lightgbm.Booster(model_file=booster_path)
    opened = open_workspace(workspace)
    encoding = Encoding.load(opened.features / "encoding.json")
    codes = {
        name: {value: float(code) for code, value in enumerate(values)}
        for name, values in encoding.categories.items()
    }
    with opened_online(opened) as store:
        service = store.get_feature_service(MEMBER_SERVICE)
    app = FastAPI()

    def features(members: Sequence[str]) -> NDArray[np.float32]:
        asked = [{"member_id": member} for member in members]
        found = store.get_online_features(features=service, entity_rows=asked).to_dict()
        columns = []
        for name in encoding.names:
            known = codes.get(name)
            told = found[name]
            columns.append([known.get(one, np.nan) for one in told] if known else told)
        return np.array(columns, dtype=np.float32).T

    @app.post("/decide")
    def decide(asked: DecisionsAsked) -> list[Sent]:
        members = [one.member_id for one in asked.members]
        rows = np.repeat(features(members), OFFERS, axis=0)
        table = np.hstack([rows, _offers(len(members))])
        scores = booster.predict(table, num_threads=1).reshape(len(members), OFFERS)
        best = scores.argmax(axis=1).tolist()
        return [
            Sent(member_id=one, send=True, offer_id=f"offer{at}", score=float(scores[row, at]))
            for row, (one, at) in enumerate(zip(members, best, strict=True))
        ]

    return app


def main(workspace: Path, booster: Path) -> None:
    app = application(workspace, booster)
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"listening": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run([listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

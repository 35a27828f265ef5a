"""A tiny real release, a fake one, and the application over either."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray
from starlette.testclient import TestClient

from decisions.catalogue import Offer, Push
from decisions.pacing import Part, Terms, Use, takes
from decisions.policy import Policy, Prices
from decisions.rules import check, parse
from decisions.variant import AS_IS, Variant
from features.encoding import Encoding
from features.snapshot import Snapshot
from features.workspace import Workspace
from models.calibration import Platt
from models.keys import trainer_key, trusted_keys
from models.lifetime_values import LifetimeValue, LifetimeValues
from models.manifest import TrackedVersion
from models.prior import PriorResponse
from models.propensity import Propensity
from models.recommender import AlsRecommender
from models.trees import Trees
from serving.app import create_app
from serving.auth import Access, Keys, NewKey
from serving.choice import Choice, Picked
from serving.court import Court
from serving.database import Database
from serving.log import Log
from serving.parts import Parts
from serving.release import Release, golden, load_release, seal
from serving.schemas import Versions
from serving.situation import Situation
from serving.telemetry import Telemetry
from tests.log_databases import ENGINES, Databases, postgres_databases, some

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
NAMES = ("recency_days", "average_order", "contacts_7d", "consent_push")
MEMBERS = tuple(f"m{number:02d}" for number in range(50))
SPRING = Push(
    "spring", "push", AS_OF + timedelta(days=1), ("ten", "gift"), exploration=0.2, holdout=0.1
)


@dataclass
class FakeRelease:
    """Sends ``offer_id`` to everybody; counts how often it was asked."""

    offer_id: str | None = "ten"
    release: str = "r1"
    asked: list[str] = field(default_factory=list)
    no_consent: frozenset[str] = frozenset()
    no_consent_by: str = ""  # the channel it is about; empty for any
    known_pushes: tuple[Push, ...] = (SPRING,)
    court: Court | None = None

    @property
    def versions(self) -> Versions:
        return Versions(release=self.release, as_of=AS_OF, policy="p1", models={"response": "3"})

    @property
    def encoding(self) -> Encoding:
        return Encoding(NAMES, {})

    @property
    def pushes(self) -> Mapping[str, Push]:
        return {push.push_id: push for push in self.known_pushes}

    @property
    def offers(self) -> Mapping[str, Offer]:
        offers = (Offer("ten", "percent_off", 10.0), Offer("gift", "gift"))
        return {offer.offer_id: offer for offer in offers}

    def limits(self, push_id: str) -> Mapping[str, int]:
        return {}

    def terms(
        self,
        push_id: str,
        used: Mapping[str, Use],
        variant: Variant = AS_IS,
        part: Part | None = None,
    ) -> Terms:
        return Terms(Prices(), {})

    def choose(self, push_id: str, members: Sequence[str], situation: Situation) -> list[Choice]:
        self.asked.extend(members)
        return [self._choice(member in situation.suppressed) for member in members]

    def chances(
        self,
        push_id: str,
        members: Sequence[str],
        situation: Situation,
        picked: Sequence[Picked],
    ) -> list[float]:
        return [0.9 if offer_id == self.offer_id else 0.1 for offer_id, _ in picked]

    def barred(self, channel: str, members: Sequence[str]) -> dict[str, str]:
        if self.no_consent_by not in ("", channel):
            return {}
        return {member: "no_consent" for member in members if member in self.no_consent}

    def features_of(self, member_id: str) -> dict[str, float | str | None]:
        return {"recency_days": 3.0} if member_id in MEMBERS else {}

    def lifetime_value_of(self, member_id: str) -> LifetimeValue | None:
        return None

    def check_rule(self, rule: str) -> None:
        check(parse(rule), Encoding(NAMES, {}))

    def _choice(self, suppressed: bool) -> Choice:
        offer_id = None if suppressed else self.offer_id
        return Choice(
            offer_id=offer_id,
            channel=self.known_pushes[0].channel if offer_id else None,
            send_after=SPRING.send_at if offer_id else None,
            items=tuple(f"item{rank}" for rank in range(10)) if offer_id else (),
            probability=0.9,
            explored=False,
            reason="" if offer_id else "suppressed" if suppressed else "no_positive_gain",
            p_if_sent=0.3,
            p_if_not=0.1,
            uplift=0.2,
            expected_gain=None,
            evidence="prior",
            expires_at=SPRING.send_at,
            takes=takes(offer_id, "push", 0) if offer_id else {},
            planned={},
            vector=np.arange(4, dtype=np.float32),
        )


@pytest.fixture
def make_fake() -> type[FakeRelease]:
    return FakeRelease


@dataclass
class FakeDecider:
    release: FakeRelease


@dataclass
class Scored:
    """An application under test, with keys of its own."""

    client: TestClient
    decider: FakeDecider
    log: Log
    parts: Parts
    keys: Keys

    def key(self, *scopes: str, expires_at: datetime | None = None, env: str = "live") -> str:
        return self.keys.create(NewKey(env, scopes, "test", expires_at), AS_OF)

    def headers(self, *scopes: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key(*scopes)}"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a module that says ``ON_BOTH_ENGINES = True`` run on SQLite and on Postgres."""
    if getattr(metafunc.module, "ON_BOTH_ENGINES", False) and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", ENGINES, indirect=True)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Databases of a Postgres server of our own."""
    with postgres_databases() as found:
        yield some(found)


@pytest.fixture
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Database:
    """A log that nobody has used."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return Database.file(tmp_path / "log.db")
    databases: Databases = request.getfixturevalue("databases")
    return databases.migrated()


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Iterator[Log]:
    with Log(database, keys=tmp_path / "keys") as log:
        yield log


@pytest.fixture
def scored(log: Log, tmp_path: Path) -> Iterator[Scored]:
    decider = FakeDecider(FakeRelease())
    # A machine that runs many tests at once is slow: deadlines have tests of their own.
    parts = Parts(
        decider, log, Access(log, "live"), Telemetry(), tmp_path / "audiences", deadline=30.0
    )
    with TestClient(create_app(parts), raise_server_exceptions=False) as client:
        yield Scored(client, decider, log, parts, Keys(log))


@pytest.fixture
def caller(scored: Scored) -> Scored:
    """The same, with a key that opens everything on every call."""
    scored.client.headers.update(scored.headers("admin"))
    return scored


@pytest.fixture(scope="session")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned release folder of 50 members, two offers and a prior; golden answers included."""
    folder = tmp_path_factory.mktemp("candidate")
    rng = np.random.default_rng(5)
    columns = (rng.exponential(40, 50), rng.gamma(4, 20, 50), rng.integers(0, 3, 50))
    values = np.column_stack([*columns, rng.random(50) < 0.8]).astype(np.float32)
    members = np.array([member.encode() for member in MEMBERS])
    Snapshot(AS_OF, Encoding(NAMES, {}), members, values).save(folder / "snapshot")
    _propensity(values).save(folder / "prior")
    _recommender(members).save(folder / "recommender")
    worth = np.full((len(MEMBERS), 3), np.nan, dtype=np.float32)
    worth[1:3] = [[1.25, 250.0, 60.0], [0.5, 90.0, 20.0]]  # the others never bought
    LifetimeValues(90, worth).save(folder / "clv")
    offers = (
        Offer("ten", "percent_off", 10.0),
        Offer("gift", "gift", redemption_cost=1.0, categories=("shoes",)),
    )
    content = {
        "offers": [offer.to_json() for offer in offers],
        "pushes": [SPRING.to_json(), replace(SPRING, push_id="autumn").to_json()],
        "policy": Policy("salt").to_json(),
        "prices": {"spring": Prices(budget=0.1).to_json(), "autumn": Prices().to_json()},
        "items": {f"i{number}": "shoes" if number % 2 else "hats" for number in range(12)},
    }
    for name, part in content.items():
        (folder / f"{name}.json").write_text(json.dumps(part))
    requests = [
        {"push_id": "spring", "at": AS_OF.isoformat(), "member_ids": [*MEMBERS, "stranger"]}
    ]
    (folder / "golden.json").write_text(json.dumps(golden(folder, requests)))
    return folder


def _propensity(values: NDArray[np.float32]) -> PriorResponse:
    import lightgbm

    bought = values[:, 0] < 30
    booster = lightgbm.train(
        {"objective": "binary", "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(values, bought),
        num_boost_round=5,
    )
    return PriorResponse(Propensity(Trees(booster, NAMES), 30, Platt(1.0, 0.0)), 0.8, 80.0, 0.4)


def _recommender(members: NDArray[np.bytes_]) -> AlsRecommender:
    rng = np.random.default_rng(6)
    items = np.array(sorted(f"i{number}".encode() for number in range(12)))
    tastes = rng.normal(size=(len(members) + 12, 4)).astype(np.float32)
    popularity = rng.random(12).astype(np.float32)
    return AlsRecommender(members, items, tastes[:-12], tastes[-12:], popularity)


@dataclass(frozen=True)
class Bench:
    """A workspace with a signing key; makes releases from the candidate."""

    workspace: Workspace
    candidate: Path

    @property
    def key(self) -> Ed25519PrivateKey:
        return trainer_key(self.workspace.keys)

    @property
    def trust(self) -> Path:
        self.key  # noqa: B018 - makes the files on first use
        return self.workspace.keys / "trainer.pub.pem"

    @property
    def trusted(self) -> Mapping[str, Ed25519PublicKey]:
        return trusted_keys(self.trust)

    def draft(self, release_id: str) -> Path:
        folder = self.workspace.releases / release_id
        shutil.copytree(self.candidate, folder)
        return folder

    def release(self, release_id: str) -> Path:
        folder = self.draft(release_id)
        self.sealed(folder, release_id)
        return folder

    def sealed(self, folder: Path, release_id: str) -> None:
        seal(folder, release_id, AS_OF, {"prior": TrackedVersion("run", "1")}, self.key)


@pytest.fixture(scope="session")
def loaded(candidate: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release ``r1`` in memory."""
    bench = Bench(Workspace(tmp_path_factory.mktemp("loaded")), candidate)
    return load_release(bench.release("r1"), bench.trusted)


@pytest.fixture
def bench(tmp_path: Path, candidate: Path) -> Bench:
    return Bench(Workspace(tmp_path / "workspace"), candidate)


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: str
    log: Path


StartServer = Callable[..., "Running"]


@contextmanager
def running(
    workspace: Path, errors: Path, *options: str, python: str = sys.executable
) -> Iterator[Running]:
    # Most tests want a scorer and nothing beside it; those of the follower say --fresh.
    # A machine that runs many tests at once is slow: deadlines have tests of their own.
    patient = ["--deadline-ms", "30000"]
    asked = ["--workspace", str(workspace), "--port", "0", "--no-fresh", *patient, *options]
    command = [python, "-c", _RUN, *asked]
    with errors.open("a") as stderr:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=_environment(),
            cwd=errors.parent,  # what is installed counts, not what lies in the checkout
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            process.wait(30)
            raise AssertionError(errors.read_text())
        yield Running(process, json.loads(said)["listening"], errors)
    finally:
        process.kill()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


_RUN = """
import sys
from console.main import application
application()(["serve", *sys.argv[1:]])
"""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PUSHWISE")}


@pytest.fixture
def start(bench: Bench, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a real server over the workspace; all are stopped in the end."""
    opened = []

    def begin(*options: str, python: str = sys.executable) -> Running:
        errors = tmp_path / "stderr.txt"
        context = running(bench.workspace.root, errors, *options, python=python)
        started = context.__enter__()
        opened.append(context)
        return started

    yield begin
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""The workspace: one folder that holds everything of one client, and its conventions."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from features.contract import ContractError, Kind, Table, contract_table
from features.engine import BY_DEFAULT, EngineSettings


@dataclass(frozen=True, slots=True)
class Conventions:
    """How this client's data are to be read.

    attributes: declared member columns beyond the contract, name to kind.
    consent_when_missing: whether a member without a consent value counts as consenting.
    default_margin_rate: margin as a share of price where neither row nor item tells.
    taste: whether members have the view taste once a recommender was trained.
    default_unsubscribe_rate: share of sends that make a member unsubscribe, where no log tells.
    """

    attributes: Mapping[str, Kind] = field(default_factory=dict)
    consent_when_missing: bool = False
    default_margin_rate: float = 0.3
    taste: bool = False
    default_unsubscribe_rate: float = 0.002

    def __post_init__(self) -> None:
        contract_table("members", self.attributes)
        for name in ("default_margin_rate", "default_unsubscribe_rate"):
            rate = getattr(self, name)
            if not 0 <= rate <= 1:
                raise ContractError(f"{name} is {rate}, wanted 0 to 1")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where things lie, and what works on them. A value: making one touches no disk.

    redis_url: the Redis that holds the online store; None: an SQLite file of the workspace.
    database_url: the Postgres that holds the scorer's log; None: an SQLite file of the workspace.
    """

    root: Path
    conventions: Conventions = Conventions()
    engine: EngineSettings = BY_DEFAULT
    redis_url: str | None = field(default=None, repr=False)  # it may hold a password
    database_url: str | None = field(default=None, repr=False)  # so may this

    def table(self, name: str) -> Table:
        """The contract table ``name`` with this workspace's declared attributes."""
        return contract_table(name, self.conventions.attributes)

    @property
    def tables(self) -> Path:
        """``tables/<table>/<batch>.parquet``: accepted rows, one file per ingested batch."""
        return self.root / "tables"

    @property
    def quarantine(self) -> Path:
        """``quarantine/<table or import>/…jsonl``: rows that did not fit, with their text."""
        return self.root / "quarantine"

    @property
    def features(self) -> Path:
        """``features/<view>/<as_of>.parquet``: built feature tables."""
        return self.root / "features"

    @property
    def item_vectors(self) -> Path:
        """``item_vectors/<as_of>.parquet``: what each training of the recommender learned."""
        return self.root / "item_vectors"

    @property
    def buying(self) -> Path:
        """``buying/<as_of>.parquet``: how members buy, as each training of their worth found."""
        return self.root / "buying"

    @property
    def feast(self) -> Path:
        """Feast's registry and online store."""
        return self.root / "feast"

    @property
    def fresh_state(self) -> Path:
        """What the fresh features are made of, member by member."""
        return self.feast / "fresh.db"

    @property
    def mlflow(self) -> Path:
        """The MLflow database and artifacts."""
        return self.root / "mlflow"

    @property
    def releases(self) -> Path:
        """``releases/<release_id>/`` and the pointer to the published one."""
        return self.root / "releases"

    @property
    def keys(self) -> Path:
        """The trainer's signing key and its public half; the key of the tombstones."""
        return self.root / "keys"

    @property
    def serving_log(self) -> Path:
        """The scorer's durable log, unless ``database_url`` puts it elsewhere: decisions, events
        and outcomes it acknowledged."""
        return self.root / "serving" / "log.db"

    @property
    def erased(self) -> Path:
        """Tombstones of the members who were erased, see ``features.tombstones``."""
        return self.root / "erased"

    @property
    def audiences(self) -> Path:
        """``audiences/<audience_id>/``: what the scorer's audience jobs decided."""
        return self.root / "audiences"

    @property
    def insights(self) -> Path:
        """``insights/<name>.json``: what the analyses found last, see ``features.insights``."""
        return self.root / "insights"

    @property
    def monitor(self) -> Path:
        """What monitors remember between two runs: sums of the log, and which alerts stand."""
        return self.root / "monitor"


_CONVENTIONS = "conventions.json"


def open_workspace(root: Path) -> Workspace:
    """The workspace at ``root`` under the conventions that it remembers.

    Raises:
        ContractError: the remembered conventions cannot be read.
    """
    path = root / _CONVENTIONS
    if not path.exists():
        return Workspace(root)
    try:
        return Workspace(root, Conventions(**json.loads(path.read_text(encoding="utf-8"))))
    except (ValueError, TypeError, ContractError) as error:
        raise ContractError(f"{path}: not readable ({error}); mend or delete it") from error


def remember(workspace: Workspace) -> None:
    """Write the workspace's conventions beside its data, so that later commands read them."""
    write_atomically(
        workspace.root / _CONVENTIONS,
        json.dumps(asdict(workspace.conventions), indent=2).encode(),
    )


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait until nobody else, in this process or another, is inside with the file ``lock``."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write ``content`` so that a reader sees the old file or the new one, also after a crash.

    A ``secret`` is for its owner alone; anything else gets the permissions of any new file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink()
        raise

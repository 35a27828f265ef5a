"""A release in memory: what answers calls. Loaded only when verified, rehearsed and compared."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from decisions.catalogue import Offer, Push
from decisions.contacts import Contacts
from decisions.decide import Ask, Decisions
from decisions.eligibility import never
from decisions.errors import DecisionError
from decisions.exploration import NO_SEND
from decisions.gain import Estimator
from decisions.members import Members
from decisions.online import consider, decide_online
from decisions.pacing import Part, Terms, Use, limits, terms
from decisions.policy import Policy, Prices
from decisions.reasons import words
from decisions.rules import check, parse
from decisions.segment_means import OnlyDefault, SegmentMeans
from decisions.send_time import ActiveHours
from decisions.variant import AS_IS, Variant
from features.encoding import Encoding
from features.errors import FeatureError
from features.snapshot import Snapshot
from features.workspace import write_atomically
from models.errors import ModelError
from models.estimator import load_estimator
from models.lifetime_values import FOLDER as CLV
from models.lifetime_values import LifetimeValue, LifetimeValues
from models.manifest import MANIFEST, Manifest, TrackedVersion, file_entry
from serving.choice import NOTHING, Choice, Picked, choices_of
from serving.contacts import load_contacts
from serving.court import FOLDER, Court
from serving.golden import answered, check_golden
from serving.items import Shelf, load_shelf
from serving.known_features import known_features
from serving.means import segment_means
from serving.schemas import MAX_ITEMS, Versions
from serving.situation import NOTHING_FRESH, Basis, Situation
from serving.verify import RELEASE_ID, ReleaseError, names, verified

_REHEARSAL_SECONDS = 120
_NOTHING_KNOWN: Mapping[str, Any] = {
    "p_if_sent": None, "p_if_not": None, "uplift": None, "expected_gain": None, "evidence": "",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Release:
    """Everything a decision reads, parsed. Never changes: a request keeps the one it began with.

    means: what the estimator expects of members in each stage of life, for when it fails.
    court: what rules are judged by; None where no response model left evidence.
    lifetime_values: rows as in the snapshot; None where no model of them served when it was built.
    """

    versions: Versions
    pushes: Mapping[str, Push]
    offers: Mapping[str, Offer]
    prices: Mapping[str, Prices]
    policy: Policy
    snapshot: Snapshot
    estimator: Estimator
    means: SegmentMeans
    shelf: Shelf | None
    court: Court | None
    contacts: Contacts
    hours: ActiveHours | None
    lifetime_values: LifetimeValues | None

    @property
    def encoding(self) -> Encoding:
        """Which features it knows of members."""
        return self.snapshot.encoding

    def limits(self, push_id: str) -> dict[str, int]:
        """Most that the push may use of each of its limits; see ``decisions.pacing.limits``."""
        push = self.pushes[push_id]
        return limits(push, self._offers(push))

    def terms(
        self,
        push_id: str,
        used: Mapping[str, Use],
        variant: Variant = AS_IS,
        part: Part | None = None,
    ) -> Terms:
        """What the push, or a ``part`` of it, decides with after ``used``; at first the prices of
        its plan."""
        return terms(variant.prices(self.prices[push_id]), self.limits(push_id), used, part)

    def choose(
        self,
        push_id: str,
        members: Sequence[str],
        situation: Situation,
    ) -> list[Choice]:
        """One choice a member, in the order asked. ``KeyError`` on a push that is not there."""
        ask, estimator = self.question(push_id, members, situation)
        online = decide_online(ask, estimator, situation.terms)
        items = self._items(ask.push, members, online.decisions)
        # What is kept to be checked later is what the release says, which a build can say again.
        built = self._known(members).values if situation.fresh else ask.members.values
        choices = choices_of(ask, online, items, built)
        if situation.basis == "safe_default" or situation.variant.kind == "rule":
            return [replace(choice, **_NOTHING_KNOWN) for choice in choices]
        return choices

    def chances(
        self,
        push_id: str,
        members: Sequence[str],
        situation: Situation,
        picked: Sequence[Picked],
    ) -> list[float]:
        """With what probability ``choose`` would have picked what was ``picked``, one a member."""
        ask, estimator = self.question(push_id, members, situation)
        places: dict[Picked, int] = {NOTHING: NO_SEND}
        for at, one in enumerate(ask.options):
            places[one.offer.offer_id, one.channel] = at
        elsewhere = len(places)  # what another release knows of and this one does not
        option = np.array([places.get(one, elsewhere) for one in picked], dtype=np.int64)
        there = option != elsewhere
        chance = consider(ask, estimator, situation.terms).chance_of(np.where(there, option, 0))
        found: list[float] = np.where(there, chance, 0.0).tolist()
        return found

    def question(
        self, push_id: str, members: Sequence[str], situation: Situation
    ) -> tuple[Ask, Estimator]:
        """What ``choose`` decides, with the prices of the plan, and what estimates.

        ``KeyError`` on a push that is not there.
        """
        variant = situation.variant
        push = variant.of_push(self.pushes[push_id])
        known = self._known(members, situation.fresh)
        ask = self.ask(push, known, situation.suppressed, situation.since)
        if variant.kind == "policy":
            return ask, self._estimator(push, situation.basis)
        ask = replace(ask, prices=variant.prices(ask.prices))
        if variant.kind == "rule":  # it asks no model, so there is nothing to fail
            return ask, OnlyDefault(variant.offer_id)
        return ask, self._estimator(push, situation.basis)

    def barred(self, channel: str, members: Sequence[str]) -> dict[str, str]:
        """Members whom this release would not contact at all by ``channel``, with the reason.

        Asked before an answer that an earlier release gave is given again: consent may have gone,
        and the push that it was for may be over and no longer in the release.
        """
        codes = never(channel, self._known(members), self.policy, frozenset())
        return {m: why for m, why in zip(members, words(codes), strict=True) if why}

    def features_of(self, member_id: str) -> dict[str, float | str | None]:
        """What this release knows of a member, by feature; empty for a stranger."""
        return known_features(self.snapshot, member_id)

    def lifetime_value_of(self, member_id: str) -> LifetimeValue | None:
        """None for a stranger, one who had never bought, and where no model tells it."""
        (row,) = self.snapshot.rows([member_id]).tolist()
        return None if self.lifetime_values is None or row < 0 else self.lifetime_values.at(row)

    def check_rule(self, rule: str) -> None:
        """Raises ``RuleError`` when ``rule`` cannot be evaluated on this release's members."""
        check(parse(rule), self.snapshot.encoding)

    def ask(
        self,
        push: Push,
        members: Members,
        suppressed: frozenset[str],
        since: Contacts | None = None,
    ) -> Ask:
        """The question about ``push``, one of the release's own or changed a little."""
        contacts = self.contacts.of_members(self.snapshot.rows(members.ids))
        return Ask(
            push=push,
            offers=self._offers(push),
            members=members,
            policy=self.policy,
            prices=self.prices[push.push_id],
            suppressed=suppressed,
            contacts=contacts if since is None else contacts.plus(since),
            hours=self.hours,
        )

    def _estimator(self, push: Push, basis: Basis) -> Estimator:
        if basis == "model":
            return self.estimator
        return self.means if basis == "segment_means" else OnlyDefault(push.safe_default)

    def _known(
        self, members: Sequence[str], fresh: Mapping[str, Mapping[str, float]] = NOTHING_FRESH
    ) -> Members:
        snapshot, rows = self.snapshot, self.snapshot.rows(members)
        values = snapshot.take(rows)
        columns = snapshot.encoding.names
        for row, member in enumerate(members if fresh else ()):
            for name, value in fresh.get(member, {}).items():
                # Read for the release that a call met first; this one may be the next.
                if name in columns:
                    values[row, columns.index(name)] = value
        return Members(tuple(members), values, rows >= 0, snapshot.encoding, snapshot.as_of)

    def _offers(self, push: Push) -> tuple[Offer, ...]:
        return tuple(self.offers[offer_id] for offer_id in push.offer_ids)

    def _items(
        self, push: Push, members: Sequence[str], decided: Decisions
    ) -> list[tuple[str, ...]]:
        items: list[tuple[str, ...]] = [()] * len(members)
        if self.shelf is None:
            return items
        for column in np.unique(decided.offer[decided.offer != NO_SEND]).tolist():
            rows = np.flatnonzero(decided.offer == column).tolist()
            asked = [members[row] for row in rows]
            best = self.shelf.best(asked, push.offer_ids[column], MAX_ITEMS)
            for row, chosen in zip(rows, best, strict=True):
                items[row] = chosen
        return items


def load_release(folder: Path, trusted: Mapping[str, Ed25519PublicKey]) -> Release:
    """Verify ``folder``, parse it in a child process, then here, and compare its golden answers.

    Raises:
        ReleaseError: not signed by a ``trusted`` key, changed since, or it does not answer as it
            did when it was built.
    """
    manifest = verified(folder, trusted)
    _rehearse_in_child(folder)
    release = _parsed(folder, manifest)
    check_golden(folder, release)
    return release


def golden(folder: Path, requests: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``requests`` with the answers of an unsigned candidate in ``folder``: its ``golden.json``.

    Args:
        requests: ``{push_id, at, member_ids}`` each.

    Raises:
        ReleaseError: the candidate does not parse, or a request does not fit it.
    """
    return answered(_parsed(folder, None), requests)


def seal(
    folder: Path,
    release_id: str,
    as_of: datetime,
    models: Mapping[str, TrackedVersion],
    key: Ed25519PrivateKey,
) -> Manifest:
    """Write the signed manifest over all files of ``folder``: from now on it must not change.

    Raises:
        ReleaseError: a file that no release may hold, or a release id that is no name.
    """
    if not RELEASE_ID.fullmatch(release_id):
        raise ReleaseError(f"release id {release_id!r} is not 1 to 64 of letters, digits, . _ -")
    manifest = Manifest(
        release_id=release_id,
        created_at=datetime.now(UTC).isoformat(),
        as_of=as_of.astimezone(UTC).isoformat(),
        files={name: file_entry(folder / name) for name in names(folder) if name != MANIFEST},
        models=dict(models),
    ).signed(key)
    write_atomically(folder / MANIFEST, manifest.to_json().encode())
    return manifest


def rehearse(folder: Path) -> None:
    """Parse a release and check its golden answers; what the child process does.

    Raises:
        ReleaseError: it does not parse, or answers otherwise than when it was built.
    """
    check_golden(folder, _parsed(folder, None))


def _rehearse_in_child(folder: Path) -> None:
    """A damaged model can abort or hang whoever parses it: let that be somebody else."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "serving.rehearse", str(folder)]
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell
            command, env=environment, capture_output=True, text=True, check=False,
            timeout=_REHEARSAL_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(
            f"{folder}: parsing it took longer than {_REHEARSAL_SECONDS} s"
        ) from error
    except OSError as error:
        raise ReleaseError(
            f"{folder}: no child process to parse it in: {error.strerror}"
        ) from error
    said = (child.stderr.strip().splitlines() or ["no message"])[-1]
    if child.returncode < 0:
        raise ReleaseError(f"{folder}: parsing died (signal {-child.returncode}): {said}")
    if child.returncode:
        raise ReleaseError(said)


def _parsed(folder: Path, manifest: Manifest | None) -> Release:
    """Parse ``folder``; without a manifest as a candidate that was not sealed yet."""
    try:
        offers = {o.offer_id: o for o in map(Offer.from_json, _json(folder / "offers.json"))}
        pushes = {p.push_id: p for p in map(Push.from_json, _json(folder / "pushes.json"))}
        policy_text = (folder / "policy.json").read_bytes()
        priced = _json(folder / "prices.json")
        snapshot = Snapshot.load(folder / "snapshot")
        _check_offers(folder, pushes, offers)
        estimator = load_estimator(folder, threads=1)  # others answer beside this one
        release = Release(
            versions=_versions(manifest, snapshot, policy_text),
            pushes=pushes,
            offers=offers,
            prices={push_id: Prices.from_json(priced[push_id]) for push_id in pushes},
            policy=Policy.from_json(json.loads(policy_text)),
            snapshot=snapshot,
            estimator=estimator,
            means=segment_means(estimator, snapshot, offers, pushes),
            shelf=load_shelf(folder, offers),
            court=Court.load(folder / FOLDER) if (folder / FOLDER).is_dir() else None,
            contacts=load_contacts(folder / "contacts"),
            hours=_hours(folder / "hours.json"),
            lifetime_values=_lifetime_values(folder / CLV, snapshot),
        )
    except KeyError as error:
        raise ReleaseError(f"{folder}: prices.json has no prices for push {error}") from error
    except (ModelError, FeatureError, DecisionError, OSError, ValueError, TypeError) as error:
        raise ReleaseError(f"{folder} does not read as a release: {error}") from error
    return release


def _check_offers(folder: Path, pushes: Mapping[str, Push], offers: Mapping[str, Offer]) -> None:
    for push in pushes.values():
        missing = [offer_id for offer_id in push.offer_ids if offer_id not in offers]
        if missing:
            raise ReleaseError(
                f"{folder}: push {push.push_id} wants the unknown offer {missing[0]}"
            )


def _versions(manifest: Manifest | None, snapshot: Snapshot, policy: bytes) -> Versions:
    models = {} if manifest is None else manifest.models
    return Versions(
        release="candidate" if manifest is None else manifest.release_id,
        as_of=snapshot.as_of,
        policy=hashlib.sha256(policy).hexdigest()[:12],
        models={name: tracked.version for name, tracked in models.items()},
    )


def _hours(path: Path) -> ActiveHours | None:
    return ActiveHours.from_json(_json(path)) if path.exists() else None


def _lifetime_values(folder: Path, snapshot: Snapshot) -> LifetimeValues | None:
    if not folder.is_dir():
        return None
    found = LifetimeValues.load(folder)
    if len(found) != len(snapshot.member_ids):
        raise ReleaseError(
            f"{folder}: values of {len(found)} members, wanted {len(snapshot.member_ids)}"
        )
    return found


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))

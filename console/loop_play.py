"""One run of the learning loop: each week trained, released, tested on members, read, promoted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.loop_arms import decide_week
from console.loop_readout import CHALLENGER, HOLDOUT, read_week, with_estimates
from console.loop_result import OURS, Found
from console.loop_shop import Shop
from console.loop_truth import Played, arms_found, of_ours, with_yardsticks
from features.progress import Progress
from training.evaluation.yardsticks import KnownWeek
from training.market import weekly
from training.market.config import MarketConfig
from training.market.world import sending_of

if TYPE_CHECKING:
    from decisions.catalogue import Push
    from experiments.design import Experiment
    from models.manifest import TrackedVersion
    from serving.release import Release
    from training.market.truth import PushTruth

# Shares of members. Where there is no challenger yet, its members are the champion's.
_SHARES = {OURS: 0.3, CHALLENGER: 0.2, "rule": 0.1, "random": 0.3, HOLDOUT: 0.1}
_LATELY = 30  # days in which those whom the rule picks browsed the place
_MODEL = "response"


class Play:
    """A shop in ``folder`` that plays week 0 and ``weeks`` more.

    Args:
        audience: most members that a push reaches, as a share of all.
    """

    def __init__(
        self, folder: Path, config: MarketConfig, weeks: int, audience: float, progress: Progress
    ) -> None:
        self._shop = Shop(folder, config, weeks)
        self._config, self._weeks, self._audience = config, weeks, audience
        self._progress = progress
        self._champion: TrackedVersion | None = None

    def run(self, say: Callable[[str], None], started: float) -> Found:
        """Play all weeks. ``started``: moment of the monotonic clock that seconds count from.

        Raises:
            TrainingError: too few conversions to learn from.
        """
        rows = self._shop.first_week()
        say(f"week 0: {rows:,} decisions at random")
        played = []
        for number in range(1, self._weeks + 1):
            played.append(self._week(number))
            say(_line(played[-1], time.monotonic() - started))
        weeks = with_yardsticks(played, self._config.seed)
        seconds = time.monotonic() - started
        return Found(self._config.seed, self._config.members, self._audience, seconds, weeks)

    def _week(self, number: int) -> Played:
        shop, at = self._shop, weekly.sent_at(self._config, number)
        size = round(self._audience * self._config.members)
        push = weekly.weekly_push(self._config, number, size)
        shop.announce([push])
        trained, releases = self._releases(at)
        experiment = _experiment(push, releases, weekly.place_of(number))
        sending = sending_of(shop.live.world, push)
        truth = shop.live.truth(sending)
        asked = [
            one if ok else "" for one, ok in zip(shop.member_ids, truth.reachable, strict=True)
        ]
        decided = decide_week(shop.workspace, experiment, releases, asked, at)
        after = weekly.sent_at(self._config, number + 1)
        shop.send([(sending, decided.choice)], after)
        outcome = read_week(shop.workspace, experiment.experiment_id, after)
        if outcome.promoted:
            self._champion = trained
        mine = of_ours(experiment, decided)
        return Played(
            number=number,
            push_id=push.push_id,
            arms=with_estimates(arms_found(experiment, decided, truth), outcome.readout),
            known=_known(releases[OURS], push, truth),
            mine=mine,
            most=math.floor(self._audience * len(mine) * experiment.arm(OURS).share),
            release=releases[OURS].versions.release,
            challenger=releases[CHALLENGER].versions.release if CHALLENGER in releases else "",
            verdict=outcome.told,
        )

    def _releases(self, at: datetime) -> tuple[TrackedVersion, Mapping[str, Release]]:
        """Train on all that is known at ``at``; the release that serves and, from the second week
        on, the challenger with what was learned since."""
        from console.plan import published_release
        from console.release import build_release, publish_release
        from models.keys import PUBLIC, trusted_keys
        from serving.release import load_release
        from training.response import train_response
        from training.tracking import promote

        workspace, found = self._shop.workspace, {}
        seed = self._config.seed
        trained = train_response(workspace, at, seed, self._progress, promote=False).version
        if self._champion is not None:
            promote(workspace, _MODEL, trained, "the loop builds its challenger")
            built = build_release(workspace, at, [], self._progress)
            trusted = trusted_keys(workspace.keys / PUBLIC)
            found[CHALLENGER] = load_release(built.folder, trusted)
        self._champion = self._champion or trained
        promote(workspace, _MODEL, self._champion, "it serves in the loop")
        built = build_release(workspace, at, [], self._progress)
        publish_release(workspace, built.release_id)
        return trained, {OURS: published_release(workspace), **found}


def _experiment(push: Push, releases: Mapping[str, Release], place: str) -> Experiment:
    """The week's experiment: champion, challenger where there is one, rule, random, holdout."""
    from experiments.design import Analysis, Arm, Experiment

    shares = dict(_SHARES)
    if CHALLENGER not in releases:
        shares[OURS] += shares.pop(CHALLENGER)
    arms = {
        OURS: Arm(OURS, shares[OURS], "champion"),
        "rule": Arm(
            "rule", shares["rule"], "rule", rule=f"seen_days__{place} <= {_LATELY}",
            offer=push.offer_ids[0],
        ),
        "random": Arm("random", shares["random"], "random"),
        HOLDOUT: Arm(HOLDOUT, shares[HOLDOUT], "holdout"),
    }  # fmt: skip
    if CHALLENGER in releases:
        release = releases[CHALLENGER].versions.release
        arms[CHALLENGER] = Arm(CHALLENGER, shares[CHALLENGER], "release", release=release)
    ordered = tuple(arms[name] for name in _SHARES if name in arms)
    days = push.attribution_days
    return Experiment(
        f"loop-{push.push_id}",
        ordered,
        OURS,
        push_ids=(push.push_id,),
        analysis=Analysis(window_days=days, days=days),
        owner="loop",
        hypothesis="what was learned last week earns more than what served before",
    )


def _known(release: Release, push: Push, truth: PushTruth) -> KnownWeek:
    """What the release knew of the market's members, in their order."""
    snapshot = release.snapshot
    rows = snapshot.rows(truth.member_ids.tolist())
    return KnownWeek(
        snapshot.take(rows),
        snapshot.encoding.names,
        tuple(release.offers[offer] for offer in push.offer_ids),
        truth,
    )


def _line(played: Played, seconds: float) -> str:
    ours = played.arms[OURS]
    return (
        f"week {played.number}: {played.push_id}, {ours.sent:,} of {ours.members:,} members sent "
        f"something, gain {ours.gain:.3f} a member, oracle {played.oracle:.3f} "
        f"({ours.gain / played.oracle:.0%}); challenger {played.verdict}; {seconds:.0f} s"
    )

"""A past push with members left out by chance, as the experiment of two arms that it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import ibis
from ibis import _

from features.errors import FeatureError
from features.tables import Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir

NAME = "push"
SENT, HELD = "sent", "held-out"
_HOLDOUT = "holdout"  # the arm that the scorer logs of members held out of a push
_EQUAL = 1e-6


class PushTrialError(FeatureError):
    """A push that no members were left out of by chance, or not all by the same."""


@dataclass(frozen=True, slots=True)
class PushTrial:
    """What is known of a push as an experiment.

    first: the moment of its first decision. decided: members decided on; sent, held: those of them
    for whom a send was possible and left to chance. share: probability of being held out.
    offers: that were sent, most often first. drawn: the chance of each, where every member had the
    same; None where offers were chosen for their members, so that those cannot be compared.
    labelled: whether the log names who is held out; else all who were sent nothing are.
    """

    push_id: str
    channel: str
    objective: str
    first: datetime
    window_days: float
    decided: int
    sent: int
    held: int
    share: float
    offers: tuple[str, ...]
    drawn: tuple[float, ...] | None
    labelled: bool

    @property
    def arms(self) -> dict[str, str]:
        """Arms by offer: names of offers may be longer than names of arms."""
        return {offer: f"offer-{place}" for place, offer in enumerate(self.offers, 1)}


def push_trial(tables: Tables, push_id: str, as_of: datetime) -> PushTrial:
    """Read what the push was.

    Raises:
        PushTrialError: no such push or no decisions by ``as_of``; nobody left out by chance, or
            members with different chances; or decided inside an experiment.
    """
    push = _push(tables, push_id)
    made = _made(tables, push_id).filter(_.decided_at < ibis.literal(as_of))
    labelled = _row(made.agg(there=(_.arm == _HOLDOUT).fill_null(False).any()))["there"] is True
    facts = _row(
        _by_arm(made, labelled).agg(
            decided=_.count(),
            first=_.decided_at.min(),
            sent=(_.arm == SENT).sum(),
            held=(_.arm == HELD).sum(),
            least=_.probability.min(where=_.arm == HELD),
            most=_.probability.max(where=_.arm == HELD),
        )
    )
    if not facts["decided"]:
        raise PushTrialError(_undecided(tables, push_id, as_of))
    if not facts["sent"] or not facts["held"]:
        raise PushTrialError(
            f"push {push_id!r} has {facts['sent'] or 0} members whom chance let have it and "
            f"{facts['held'] or 0} whom it kept out, wanted some of each; give the next a holdout"
        )
    if not labelled and facts["most"] - facts["least"] > _EQUAL:
        raise PushTrialError(
            f"members of push {push_id!r} were sent nothing with probabilities from "
            f"{facts['least']:.3g} to {facts['most']:.3g}, so those sent to differ from others; "
            "read it with `pushwise evaluate policy`"
        )
    share = push["holdout"] if labelled and push["exploration"] and push["holdout"] else None
    share = facts["least"] if share is None else share
    offers, drawn = _offers(_by_arm(made, labelled), share)
    return PushTrial(
        push_id=push_id,
        channel=push["channel"],
        objective=push["objective"] or "margin",
        first=facts["first"],
        window_days=push["attribution_days"] or 14.0,
        decided=facts["decided"],
        sent=facts["sent"],
        held=facts["held"],
        share=share,
        offers=offers,
        drawn=drawn,
        labelled=labelled,
    )


def as_experiment(tables: Tables, trial: PushTrial) -> Tables:
    """``tables`` with the push's decisions as those of the experiment ``NAME``, arms ``SENT`` and
    ``HELD``, and no others; members for whom chance had no part are left out."""
    made = _by_arm(_made(tables, trial.push_id), trial.labelled).filter(_.arm.notnull())
    return replace(tables, decisions=made.mutate(experiment=ibis.literal(NAME)))


def by_offer(tables: Tables, trial: PushTrial) -> Tables:
    """The same, with an arm for each offer (``PushTrial.arms``) instead of ``SENT``; members who
    were chosen for nothing are left out."""
    made = as_experiment(tables, trial).decisions
    names = [(made.offer_id == offer, ibis.literal(arm)) for offer, arm in trial.arms.items()]
    arm = ibis.cases(*names, else_=ibis.null("string"))
    made = made.mutate(arm=ibis.ifelse(made.arm == HELD, HELD, arm))
    return replace(tables, decisions=made.filter(_.arm.notnull()))


def _push(tables: Tables, push_id: str) -> dict[str, Any]:
    found = tables.pushes.filter(_.push_id == push_id).to_pyarrow().to_pylist()
    if not found:
        raise PushTrialError(f"no push {push_id!r} in the pushes table; ingest it")
    return dict(found[0])


def _made(tables: Tables, push_id: str) -> ir.Table:
    return tables.decisions.filter(_.push_id == push_id, _.experiment.isnull())


def _undecided(tables: Tables, push_id: str, as_of: datetime) -> str:
    inside = tables.decisions.filter(_.push_id == push_id, _.experiment.notnull())
    found = inside.select("experiment").limit(1).to_pyarrow().to_pylist()
    if found:
        experiment = found[0]["experiment"]
        return (
            f"push {push_id!r} was decided inside experiment {experiment!r}; read it with "
            f"`pushwise experiment report {experiment}`"
        )
    return f"no decision of push {push_id!r} before {as_of.isoformat()}; ingest decisions first"


def _by_arm(made: ir.Table, labelled: bool) -> ir.Table:
    """With ``arm`` as that of the push; null where chance had no part."""
    left_out = (made.arm == _HOLDOUT).fill_null(False) if labelled else made.offer_id.isnull()
    arm = ibis.ifelse(left_out, HELD, SENT)
    return made.mutate(arm=ibis.ifelse(made.probability < 1, arm, ibis.null("string")))


def _offers(made: ir.Table, held: float) -> tuple[tuple[str, ...], tuple[float, ...] | None]:
    rows = (
        made.filter(_.arm == SENT, _.offer_id.notnull())
        .group_by("offer_id")
        .agg(members=_.count(), least=_.probability.min(), most=_.probability.max())
        .order_by(ibis.desc("members"), "offer_id")
        .to_pyarrow()
        .to_pylist()
    )
    chances: Sequence[float] = [row["least"] for row in rows]
    same = all(row["most"] - row["least"] <= _EQUAL for row in rows)
    whole = abs(sum(chances) + held - 1) <= 1e-3
    return tuple(row["offer_id"] for row in rows), tuple(chances) if same and whole else None


def _row(table: ir.Table) -> dict[str, Any]:
    return dict(table.to_pyarrow().to_pylist()[0])

"""A logged decision explained: from the log to what the explanation says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from decisions.decide import Ask
from decisions.explanation import Alternative, Expected, Explanation, Weighed, explain
from decisions.exploration import NO_SEND
from decisions.gain import Estimator
from decisions.online import consider
from experiments.saying import Says, english
from models.contributions import Sum, Told, contributing
from serving import explanation_words as words
from serving.explain_schemas import (
    AlternativeTold,
    AttributionTold,
    ChangeTold,
    ChargesTold,
    Explained,
    FeatureTold,
    IntervalTold,
    OptionTold,
    PartsTold,
)
from serving.feature_words import phrase, spoken
from serving.replay import Remade, Replay

CHANCE, EFFECT = "the chance without a send", "the effect"
_MOST = 8  # features that an attribution names; the others are added up
_LEAST = 0.01  # of the largest part: what is less is not worth a sentence


@dataclass(frozen=True, slots=True)
class Reasons:
    """found: why. chance: what the probability of a conversion without a send is made of; effect:
    what the change by the send shown is; None where members are not told apart."""

    found: Explanation
    ask: Ask
    chance: Told | None
    effect: Told | None


def reasons(made: Remade) -> Reasons:
    """Why a decision was made as it was, from what it was made from."""
    row = made.row
    ask, estimator = made.release.question(row.push_id, [row.member_id], made.situation)
    considered = consider(ask, estimator, made.situation.terms)
    expected = Expected.of(considered.ask, estimator)
    found = explain(considered, expected, made.situation.terms)
    if made.inputs.estimator == "safe_default" or made.situation.variant.kind == "rule":
        return Reasons(_without_numbers(found), considered.ask, None, None)
    return Reasons(found, considered.ask, *_told(considered.ask, estimator, found, expected))


def _told(
    ask: Ask, estimator: Estimator, found: Explanation, expected: Expected
) -> tuple[Told | None, Told | None]:
    taken = contributing(estimator)
    if taken is None or found.shown < 0:
        return None, None
    values, names = ask.members.values, ask.members.encoding.names
    option = found.options[found.shown].option
    effect = taken.effect(values, names, option.offer)
    factor = expected.factors[option.channel]
    return taken.chance(values, names), Told(effect.told.times(factor), effect.values)


def _without_numbers(found: Explanation) -> Explanation:
    """The safe default and a rule's offer are sent whatever they gain: what made the choice are no
    estimates."""
    options = tuple(
        Weighed(one.option, one.left_at, one.reason, None, None) for one in found.options
    )
    return Explanation(
        options, found.chosen, -1, found.reason, found.explored, found.held_out,
        found.probability, "", None, None,
    )  # fmt: skip


def explained(made: Remade, replayed: Replay, says: Says = english) -> Explained:
    """What the API says; nothing is shown as sent to who must not be contacted by now.

    Args:
        says: the language of its sentences.
    """
    why, row, shown = reasons(made), made.row, replayed.stored
    found, ask = why.found, why.ask
    branch = made.inputs.branch
    if branch is not None:  # as it was logged: before the member was in an arm
        found = replace(found, probability=branch.probability(found.probability))
    unit = "conversions" if ask.push.objective == "conversions" else "money"
    return Explained(
        decision_id=row.decision_id,
        push_id=row.push_id,
        member_id=row.member_id,
        decided_at=row.decided_at,
        release=row.release,
        equal=replayed.equal,
        withheld=replayed.withheld,
        send=shown.send,
        offer_id=shown.offer_id,
        channel=shown.channel,
        reason=shown.reason,
        explored=found.explored,
        held_out=found.held_out,
        probability=found.probability,
        unit=unit,
        estimated_by=made.inputs.estimator,
        degraded=list(made.inputs.degraded),
        evidence=found.evidence or None,
        interval=None if found.interval is None else IntervalTold(**asdict(found.interval)),
        summary=_summary(found, unit, (replayed, made), says),
        options=[_option(one, says) for one in found.options],
        chance_without=_attribution(why.chance, ask, CHANCE, says),
        effect=_attribution(why.effect, ask, EFFECT, says),
        alternative=_alternative(found.alternative, found, unit, says),
    )


def _summary(found: Explanation, unit: str, pair: tuple[Replay, Remade], says: Says) -> list[str]:
    replayed, made = pair
    said = words.summary(found, unit, says)
    if made.inputs.branch is not None:
        said.append(words.of_branch(made.inputs.branch, made.row.release, says))
    if replayed.withheld is not None:
        said.insert(0, words.of_withheld(replayed.withheld, says))
    if not replayed.equal:
        said.append(words.of_otherwise(says))
    return said


def _option(one: Weighed, says: Says) -> OptionTold:
    return OptionTold(
        offer_id=one.option.offer.offer_id,
        channel=one.option.channel,
        left_at=one.left_at,
        reason=one.reason or None,
        text=words.of_option(one, says),
        parts=None if one.parts is None else PartsTold(**asdict(one.parts)),
        charges=None if one.charges is None else ChargesTold(**asdict(one.charges)),
        surplus=one.surplus,
    )


def _attribution(told: Told | None, ask: Ask, what: str, says: Says) -> AttributionTold | None:
    if told is None:
        return None
    whole: Sum = told.told
    order = sorted(whole.parts, key=lambda name: -abs(whole.parts[name]))
    least = _LEAST * max(map(abs, whole.parts.values()), default=0.0)
    named = [name for name in order[:_MOST] if abs(whole.parts[name]) > least]
    return AttributionTold(
        estimate=whole.total,
        base=whole.base,
        features=[_feature(name, told, ask, (what, says)) for name in named],
        rest=sum(whole.parts[name] for name in whole.parts if name not in named),
    )


def _feature(name: str, told: Told, ask: Ask, saying: tuple[str, Says]) -> FeatureTold:
    what, says = saying
    column = ask.members.column(name)
    number = told.values.get(name, float("nan")) if column is None else float(column[0])
    value = spoken(name, number, ask.members.encoding.categories)
    part = told.told.parts[name]
    return FeatureTold(
        feature=name,
        value=value,
        part=part,
        text=says(
            "%(feature)s: %(raises)s",
            feature=phrase(name, value, says),
            raises=words.raises(part, what, says),
        ),
    )


def _alternative(
    told: Alternative | None, found: Explanation, unit: str, says: Says
) -> AlternativeTold | None:
    if told is None:
        return None
    option = None if told.option == NO_SEND else found.options[told.option].option
    return AlternativeTold(
        offer_id=None if option is None else option.offer.offer_id,
        channel=None if option is None else option.channel,
        short=told.short,
        changes=[
            ChangeTold(
                what=change.what,
                name=change.name,
                by=change.by,
                now=change.now,
                text=words.of_change(change, found.options, unit, says),
            )
            for change in told.changes
        ],
        text=words.of_alternative(found, unit, says) or "",
    )

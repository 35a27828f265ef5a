"""A decision in sentences, of the language that ``says`` speaks."""

from __future__ import annotations

from decisions.explanation import OUTBID, Change, Explanation, Weighed
from decisions.exploration import NO_SEND
from decisions.reasons import REASONS
from experiments.saying import Says, english
from serving.inputs import BranchInputs
from serving.timeline import Entry

TOLD_REASONS = {
    "unknown_member_fallback": "nothing is known of the member, so nobody knows a consent",
    "suppressed": "the member must not be contacted",
    "no_consent": "the member did not agree to be contacted this way",
    "not_valid": "the offer does not hold at the time of sending",
    "other_channel": "the offer does not go out by this channel",
    "out_of_stock": "there is no stock left of the offer",
    "not_eligible": "a rule says who may have it, and the member is not among them",
    "duplicate": "the member was sent it before",
    "frequency_cap": "the member was sent enough messages lately",
    "quiet_hours": "it would go out in the member's quiet hours",
    "not_applicable": "a rule says when it makes sense, and now it does not",
    "not_suitable": "a rule says whom it suits, and it does not suit the member",
    "holdout": "the member is held out, so that the effect of sending can be measured",
    "explored": "chance decided, so that effects can be learned",
    "no_positive_gain": "sending costs more than it is expected to bring",
    "budget_spent": "it is worth less than what its share of the push's limits earns elsewhere, or "
    "it no longer fits into them",
    OUTBID: "another offer leaves more",
}
TOLD_EVIDENCE = {
    "randomised": "The effect is the average that was measured where chance decided.",
    "modelled": "The effect was measured where chance decided, and moved by what is known of "
    "differences between members.",
    "observational": "The effect was learned from sends that chance had no part in.",
    "prior": "The effect is assumed: nothing was measured of this yet.",
}

TOLD_LIMITS = {
    "budget": "the budget", "audience": "the audience", "money": "money", "contacts": "contacts",
}  # fmt: skip


def knows(reason: str) -> bool:
    return reason in TOLD_REASONS


def why(reason: str, says: Says = english) -> str:
    """A reason code as half a sentence."""
    return says(TOLD_REASONS[reason])


def points(change: float, says: Says = english) -> str:
    """A change of probability in percentage points."""
    return says("%(number)s points", number=f"{100 * abs(change):.2g}")


def amount(number: float, unit: str, says: Says = english) -> str:
    """Of a gain; money goes without its unit, which is the workspace's."""
    told = f"{number:.4g}"
    return told if unit == "money" else says("%(number)s conversions", number=told)


def _limit(name: str, says: Says) -> str:
    """``offer:ten`` as ``the offer ten``; the name of an offer alone stays."""
    kind, found, one = name.partition(":")
    if kind == "offer" and found:
        return says("the offer %(offer)s", offer=one)
    if kind == "channel" and found:
        return says("the channel %(channel)s", channel=one)
    return says(TOLD_LIMITS[name]) if name in TOLD_LIMITS else name


def raises(part: float, what: str, says: Says = english) -> str:
    """What a feature does to an estimate, such as ``raises the effect by 0.8 points``."""
    by = points(part, says)
    if part > 0:
        return says("raises %(what)s by %(points)s", what=says(what), points=by)
    return says("lowers %(what)s by %(points)s", what=says(what), points=by)


def name_of(one: Weighed, says: Says = english) -> str:
    return says(
        "%(offer)s by %(channel)s", offer=one.option.offer.offer_id, channel=one.option.channel
    )


def of_option(one: Weighed, says: Says = english) -> str:
    """What became of one option."""
    if not one.reason:
        return says("%(option)s: sent", option=name_of(one, says))
    return says("%(option)s: %(why)s", option=name_of(one, says), why=why(one.reason, says))


def of_change(change: Change, options: tuple[Weighed, ...], unit: str, says: Says = english) -> str:
    """One change that would have turned the choice."""
    turned = (
        says("nothing would be sent")
        if change.leads_to == NO_SEND
        else says("%(option)s would be sent", option=name_of(options[change.leads_to], says))
    )
    limit = _limit(change.name, says)
    if change.what == "left":
        by = f"{change.by:.4g}"
        return says(
            "with %(by)s more left of %(limit)s, %(turned)s", by=by, limit=limit, turned=turned
        )
    gain = change.what == "gain"
    values = {
        "of": says("the gain of %(limit)s" if gain else "the price of %(limit)s", limit=limit),
        "by": amount(abs(change.by), unit, says) if gain else f"{abs(change.by):.4g}",
        "now": f"{change.now:.4g}",
        "turned": turned,
    }
    if change.by > 0:
        return says("were %(of)s %(by)s more than %(now)s, %(turned)s", **values)
    return says("were %(of)s %(by)s less than %(now)s, %(turned)s", **values)


def of_alternative(found: Explanation, unit: str, says: Says = english) -> str | None:
    """What would have come next, in one sentence."""
    told = found.alternative
    if told is None:
        return None
    other = says("no send") if told.option == NO_SEND else name_of(found.options[told.option], says)
    if found.held_out or found.explored:
        return says("Without that, the choice would have been %(other)s.", other=other)
    if told.option != NO_SEND and found.options[told.option].parts is None:
        reason = why(found.options[told.option].reason, says)
        return says("%(other)s came furthest: %(why)s.", other=other, why=reason)
    if not told.short:
        return says("Next was %(other)s.", other=other)
    return says(
        "Next was %(other)s, %(short)s short.", other=other, short=amount(told.short, unit, says)
    )


def summary(found: Explanation, unit: str, says: Says = english) -> list[str]:
    """The decision in a few sentences."""
    said = []
    if found.chosen != NO_SEND:
        one = found.options[found.chosen]
        said.append(says("Sent %(option)s.", option=name_of(one, says)))
        if found.explored:
            said.append(says("It was drawn at random, so that effects can be learned."))
        elif one.parts is not None:
            said.append(
                says(
                    "It is expected to gain %(gain)s, and leaves %(surplus)s after the prices of "
                    "the push's limits.",
                    gain=amount(one.parts.gain, unit, says),
                    surplus=f"{one.surplus:.4g}",
                )
            )
    else:
        said.append(says("Nothing was sent: %(why)s.", why=_of_member(found, says)))
    probability = f"{found.probability:.4g}"
    said.append(says("This was to happen with probability %(p)s.", p=probability))
    told = of_alternative(found, unit, says)
    if told is not None:
        said.append(told)
    if found.evidence:
        said.append(says(TOLD_EVIDENCE[found.evidence]))
    return said


def of_withheld(reason: str, says: Says = english) -> str:
    """Why what was sent is not shown as sent any more."""
    return says("By now nothing may be sent: %(why)s.", why=why(reason, says))


def of_otherwise(says: Says = english) -> str:
    """Of a decision that a replay does not repeat."""
    return says("Made again, the decision comes out otherwise: see its replay.")


def _of_member(found: Explanation, says: Says) -> str:
    if found.reason in REASONS and found.reason:
        return why(found.reason, says)
    return says("no reason was kept")


def of_entry(one: Entry, says: Says = english) -> str:
    """One thing that happened to a member."""
    values = {"offer": one.offer_id, "channel": one.channel, "push": one.push_id}
    match one.kind:
        case "chosen" if one.explored:
            return says("%(offer)s by %(channel)s for push %(push)s, drawn at random", **values)
        case "chosen":
            return says("%(offer)s by %(channel)s for push %(push)s", **values)
        case "skipped":
            known = one.reason and knows(one.reason)
            said = why(one.reason, says) if one.reason and known else one.reason
            return says(
                "nothing for push %(push)s: %(why)s",
                push=one.push_id, why=said or says("no reason"),
            )  # fmt: skip
        case "suppressed":
            return says("must not be contacted from here on")
    kind = says(one.kind.replace("_", " "))
    if one.push_id is None:
        return kind
    return says("%(kind)s for push %(push)s", kind=kind, push=one.push_id)


def of_branch(branch: BranchInputs, release: str, says: Says = english) -> str:
    """Where in an experiment the member was, and what decided there."""
    variant = branch.variant
    by = {
        "policy": says("release %(release)s decides", release=release),
        "random": says("chance alone decides among what is allowed"),
        "rule": says("the rule %(rule)s decides", rule=variant.rule),
        "holdout": says("nobody is sent anything"),
    }[variant.kind]
    return says(
        "Experiment %(experiment)s, arm %(arm)s: there %(by)s.",
        experiment=branch.experiment_id, arm=branch.arm, by=by,
    )  # fmt: skip

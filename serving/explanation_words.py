"""A decision in sentences."""

from __future__ import annotations

from decisions.explanation import OUTBID, Change, Explanation, Weighed
from decisions.exploration import NO_SEND
from decisions.reasons import REASONS
from serving.inputs import BranchInputs
from serving.timeline import Entry

_REASONS = {
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
_EVIDENCE = {
    "randomised": "The effect is the average that was measured where chance decided.",
    "modelled": "The effect was measured where chance decided, and moved by what is known of "
    "differences between members.",
    "observational": "The effect was learned from sends that chance had no part in.",
    "prior": "The effect is assumed: nothing was measured of this yet.",
}


def knows(reason: str) -> bool:
    return reason in _REASONS


def why(reason: str) -> str:
    """A reason code as half a sentence."""
    return _REASONS[reason]


def points(change: float) -> str:
    """A change of probability in percentage points."""
    return f"{100 * abs(change):.2g} points"


def amount(number: float, unit: str) -> str:
    """Of a gain; money goes without its unit, which is the workspace's."""
    return f"{number:.4g}" if unit == "money" else f"{number:.4g} {unit}"


def _limit(name: str) -> str:
    """``offer:ten`` as ``the offer ten``; the name of an offer alone stays."""
    kind, found, one = name.partition(":")
    if found:
        return f"the {kind} {one}"
    return f"the {name}" if name in ("budget", "audience") else name


def raises(part: float, what: str) -> str:
    """What a feature does to an estimate, such as ``raises the effect by 0.8 points``."""
    return f"{'raises' if part > 0 else 'lowers'} {what} by {points(part)}"


def name_of(one: Weighed) -> str:
    return f"{one.option.offer.offer_id} by {one.option.channel}"


def of_option(one: Weighed) -> str:
    """What became of one option."""
    if not one.reason:
        return f"{name_of(one)}: sent"
    return f"{name_of(one)}: {why(one.reason)}"


def of_change(change: Change, options: tuple[Weighed, ...], unit: str) -> str:
    """One change that would have turned the choice."""
    turned = (
        "nothing would be sent"
        if change.leads_to == NO_SEND
        else f"{name_of(options[change.leads_to])} would be sent"
    )
    if change.what == "left":
        return f"with {change.by:.4g} more left of {_limit(change.name)}, {turned}"
    way = "more" if change.by > 0 else "less"
    by = amount(abs(change.by), unit) if change.what == "gain" else f"{abs(change.by):.4g}"
    of = f"the {change.what} of {_limit(change.name)}"
    return f"were {of} {by} {way} than {change.now:.4g}, {turned}"


def of_alternative(found: Explanation, unit: str) -> str | None:
    """What would have come next, in one sentence."""
    told = found.alternative
    if told is None:
        return None
    other = "no send" if told.option == NO_SEND else name_of(found.options[told.option])
    if found.held_out or found.explored:
        return f"Without that, the choice would have been {other}."
    if told.option != NO_SEND and found.options[told.option].parts is None:
        return f"{other} came furthest: {why(found.options[told.option].reason)}."
    if not told.short:
        return f"Next was {other}."
    return f"Next was {other}, {amount(told.short, unit)} short."


def summary(found: Explanation, unit: str) -> list[str]:
    """The decision in a few sentences."""
    said = []
    if found.chosen != NO_SEND:
        one = found.options[found.chosen]
        said.append(f"Sent {name_of(one)}.")
        if found.explored:
            said.append("It was drawn at random, so that effects can be learned.")
        elif one.parts is not None:
            said.append(
                f"It is expected to gain {amount(one.parts.gain, unit)}, and leaves "
                f"{one.surplus:.4g} after the prices of the push's limits."
            )
    else:
        said.append(f"Nothing was sent: {_of_member(found)}.")
    said.append(f"This was to happen with probability {found.probability:.4g}.")
    told = of_alternative(found, unit)
    if told is not None:
        said.append(told)
    if found.evidence:
        said.append(_EVIDENCE[found.evidence])
    return said


def _of_member(found: Explanation) -> str:
    return why(found.reason) if found.reason in REASONS and found.reason else "no reason was kept"


def of_entry(one: Entry) -> str:
    """One thing that happened to a member."""
    match one.kind:
        case "chosen":
            drawn = ", drawn at random" if one.explored else ""
            return f"{one.offer_id} by {one.channel} for push {one.push_id}{drawn}"
        case "skipped":
            said = (
                why(one.reason) if one.reason and knows(one.reason) else one.reason or "no reason"
            )
            return f"nothing for push {one.push_id}: {said}"
        case "suppressed":
            return "must not be contacted from here on"
    of_push = "" if one.push_id is None else f" for push {one.push_id}"
    return f"{one.kind.replace('_', ' ')}{of_push}"


def of_branch(branch: BranchInputs, release: str) -> str:
    """Where in an experiment the member was, and what decided there."""
    by = {
        "policy": f"release {release} decides",
        "random": "chance alone decides among what is allowed",
        "rule": f"the rule {branch.variant.rule} decides",
        "holdout": "nobody is sent anything",
    }[branch.variant.kind]
    return f"Experiment {branch.experiment_id}, arm {branch.arm}: there {by}."

"""The verdict of a readout in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboard.experiment_charts import Document, unit_of
from dashboard.numbers import told
from dashboard.terms import Words, term
from dashboard.web.language import ENGLISH, Language, noted

_SAYS: Mapping[str, str] = {
    "better": noted("Promote %(arm)s: %(lift)s against %(control)s; every guardrail holds."),
    "worse": noted("Do not promote %(arm)s: %(lift)s against %(control)s."),
    "too_small_to_matter": noted(
        "Keep %(control)s: %(arm)s changed %(lift)s, which leaves out what was declared to matter."
    ),
    "guardrail_broken": noted(
        "Stop %(arm)s: %(guardrail)s by %(harm)s against %(control)s, where %(most)s is allowed."
    ),
    "guardrail_open": noted(
        "%(arm)s: %(lift)s against %(control)s, but %(guardrail)s may be up by %(harm)s where "
        "%(most)s is allowed."
    ),
    "before_first_look": noted("Wait: the first of %(of)s planned looks is on %(next)s."),
    "between_looks": noted(
        "Wait: %(number)s of %(of)s planned looks have come, the next is on %(next)s."
    ),
    "more_looks": noted(
        "Wait: %(arm)s %(lift)s against %(control)s, not told apart (look %(number)s of %(of)s, "
        "the next on %(next)s)."
    ),
    "always_on": noted("Wait: %(arm)s %(lift)s against %(control)s, not told apart yet."),
    "not_told_apart": noted(
        "Inconclusive: %(arm)s %(lift)s against %(control)s, not told apart at the end."
    ),
    "srm": noted(
        "Cannot say: members are not split as the shares say (p %(p)s); find out where members are "
        "lost."
    ),
    "no_members": noted("Cannot say: the arms have no members at the same time."),
    "too_few_members": noted("Cannot say: too few members yet."),
    "nothing_varies": noted("Cannot say: the metric is the same for all members."),
}


def verdict_in(language: Language, results: Document, verdict: Document) -> str:
    """The sentence of a verdict: in English the readout's own, else made of its numbers.

    Where a number that belongs into it is missing, the English one.
    """
    pattern = _SAYS.get(verdict["reason"])
    if language.code == ENGLISH.code or pattern is None:
        return str(verdict["sentence"])
    try:
        return language.words(pattern, **_values(language.words, results, verdict))
    except KeyError:
        return str(verdict["sentence"])


def _values(words: Words, results: Document, verdict: Document) -> dict[str, str]:
    """What a sentence may name; what the readout does not tell is left out."""
    look, p = results["look"], results["srm"]["p"]
    found = {
        "arm": verdict["arm"], "control": results["control"],
        "number": told(look["number"], "count"), "of": told(look["of"], "count"),
        "p": told(p),
    }  # fmt: skip
    if look["next_at"] is not None:
        found["next"] = f"{datetime.fromisoformat(look['next_at']):%Y-%m-%d %H:%M} UTC"
    for contrast in results["contrasts"]:
        if contrast["arm"] == verdict["arm"] and contrast["role"] == "candidate":
            found |= {**_lift(words, results, contrast), **_guarded(words, contrast)}
    return found


def _lift(words: Words, results: Document, contrast: Document) -> dict[str, str]:
    if contrast["decided"] is None:
        return {}
    unit, found = unit_of(results["metric"]), contrast["decided"]["interval"]
    lift = words(
        "%(value)s %(metric)s per member (%(low)s to %(high)s)",
        metric=term(words, results["metric"]),
        **{name: told(found[name], unit, signed=True) for name in ("value", "low", "high")},
    )
    return {"lift": lift}


def _guarded(words: Words, contrast: Document) -> dict[str, str]:
    """The guardrail that stands in the way."""
    for state, end in (("broken", "low"), ("open", "high")):
        for one in contrast["guardrails"]:
            if one["state"] == state:
                return {
                    "guardrail": term(words, one["metric"]),
                    "harm": told(one["harm"][end], "points", signed=True),
                    "most": told(one["most"], "points"),
                }
    return {}


def last_look_in(
    language: Language, results: Document, history: Sequence[Document]
) -> tuple[str, Document] | None:
    """What the newest planned look said, in words and as its verdict; None where the results are
    that look's own, or none has come.

    Args:
        history: results of earlier moments, from which the look's numbers are taken.
    """
    look = results.get("at_look")
    if look is None or look["as_of"] == results["as_of"]:
        return None
    verdict: Document = look["verdict"]
    then = next((one for one in history if one["as_of"] == look["as_of"]), None)
    said = str(verdict["sentence"]) if then is None else verdict_in(language, then, verdict)
    moment = f"{datetime.fromisoformat(look['as_of']):%Y-%m-%d %H:%M} UTC"
    number, of = look["look"]["number"], look["look"]["of"]
    words = language.words
    told_there = words(
        "At look %(number)s of %(of)s, %(moment)s:", number=number, of=of, moment=moment
    )
    return f"{told_there} {said}", verdict


def look_in(words: Words, results: Document) -> str:
    """Where a readout stands among the planned looks; empty where none are planned or known."""
    look = results["look"]
    if results["sequential"] != "group":
        return words(
            "Watched all the time: a verdict falls as soon as the interval that holds at any time "
            "leaves out zero."
        )
    if not look["of"]:
        return ""
    values: dict[str, Any] = {"number": look["number"], "of": look["of"]}
    if look["next_at"] is None or look["due"]:
        return words("Planned look %(number)s of %(of)s.", **values)
    values["next"] = f"{datetime.fromisoformat(look['next_at']):%Y-%m-%d %H:%M} UTC"
    if look["number"]:
        return words(
            "Planned look %(number)s of %(of)s; between looks there is no verdict, the next is "
            "%(next)s.",
            **values,
        )
    if look["of"] == 1:
        return words(
            "1 look is planned; before the first, %(next)s, there is no verdict.",
            next=values["next"],
        )
    return words(
        "%(of)s looks are planned; before the first, %(next)s, there is no verdict.", **values
    )

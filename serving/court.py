"""The rule court: judges a rule by the evidence that lies in a release or beside a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decisions.rules import matches, parse
from experiments.panel import CannotSay
from experiments.rule_court import Ruling, rule_court
from experiments.saying import Says, english
from experiments.standout import Trait, traits
from experiments.trial import Objective, Trial
from features.encoding import Encoding
from models.artifact import ArtifactError
from models.evidence import Evidence, PastOffer

FOLDER = "court"
_KEPT = 2  # trials; one of a million decisions is 150 MB
Pool = Literal["offer", "scope", "all"]


@dataclass(frozen=True, slots=True)
class Question:
    """A rule's text, and the offer it is asked about.

    pool: what is sent. ``offer``: that offer. ``scope``: any offer of the past whose scope meets
    the offer's. ``all``: any offer; then ``offer_id`` may be None.
    in_scope: count only purchases that the past push was about. There is far less chance in them,
    and what a push changes elsewhere is left out.
    objective: what decides, money or conversions.
    """

    rule: str
    offer_id: str | None
    pool: Pool = "offer"
    in_scope: bool = False
    objective: Objective = "margin"


@dataclass(frozen=True, slots=True)
class Mistake:
    """Members that the rule gets wrong, by the model's predictions out of fold.

    decisions: how many. of: among how many that the rule picks, or leaves out.
    traits: in what they differ from the rest of these.
    """

    decisions: int
    of: int
    traits: tuple[Trait, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """A ruling, on which offers, and the rule's mistakes.

    picked_in_vain: the rule picks them, and a send earns nothing or loses.
    left_out_in_vain: the rule leaves them out, and they are among as many as it picks that the
    model would pick. Both None where the court cannot say.
    """

    question: Question
    offers: tuple[str, ...]
    ruling: Ruling
    picked_in_vain: Mistake | None
    left_out_in_vain: Mistake | None

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        ruling, answer = self.ruling, self.ruling.answer
        unsaid = isinstance(answer, CannotSay)
        return {
            "verdict": ruling.verdict,
            "answer": "cannot_say" if unsaid else "effect",
            "reversed": None if isinstance(answer, CannotSay) else answer.reversed,
            "reasons": list(answer.reasons) if isinstance(answer, CannotSay) else [],
            "warnings": list(ruling.warnings),
            "rule": self.question.rule,
            "offer_id": self.question.offer_id,
            "pool": self.question.pool,
            "in_scope": self.question.in_scope,
            "objective": self.question.objective,
            "offers": list(self.offers),
            "decisions": ruling.decisions,
            "members": ruling.members,
            "pushes": ruling.pushes,
            "picked": ruling.picked,
            "effective": asdict(ruling.effective),
            "findings": None if unsaid else asdict(answer),
            "picked_in_vain": _or_none(self.picked_in_vain),
            "left_out_in_vain": _or_none(self.left_out_in_vain),
        }


@dataclass(frozen=True, eq=False)
class Court:
    """Evidence, and the encoding of its features."""

    evidence: Evidence
    encoding: Encoding
    _trials: dict[tuple[object, ...], tuple[NDArray[np.int64], Trial]] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def load(cls, folder: Path) -> Court:
        """Raises ``ArtifactError`` or ``EncodingError`` when ``folder`` does not read."""
        evidence, encoding = Evidence.load(folder), Encoding.load(folder / "encoding.json")
        if evidence.values.shape[1] != len(encoding.names):
            raise ArtifactError(
                f"{folder} has {evidence.values.shape[1]} features by the evidence and "
                f"{len(encoding.names)} by the encoding"
            )
        return cls(evidence, encoding)

    def audit(self, question: Question, says: Says = english) -> Audit:
        """Judge a rule.

        Args:
            says: the language of the verdict and of all other sentences.

        Raises:
            RuleError: the rule does not parse, or names what does not exist.
        """
        rule = parse(question.rule)
        asked = _asked(self.evidence.offers, question)
        rows, trial = self._trial(asked, question)
        picked = np.zeros(len(rows), dtype=bool)
        moments = self.evidence.moment[rows]
        # Dates in a rule mean days before each decision's own moment.
        for moment, at in enumerate(self.evidence.moments):
            mine = np.flatnonzero(moments == moment)
            picked[mine] = matches(rule, self.evidence.values, self.encoding, at, rows[mine])
        ruling = rule_court(trial, picked, says)
        offers = tuple(
            one.offer_id
            for one, is_asked in zip(self.evidence.offers, asked, strict=True)
            if is_asked
        )
        if ruling.by_model is None:
            return Audit(question, offers, ruling, None, None)
        in_vain = picked & (trial.predicted <= 0)
        better = ~picked & (ruling.by_model > 0.5)
        return Audit(
            question,
            offers,
            ruling,
            self._mistake(rows, (in_vain, picked), says),
            self._mistake(rows, (better, ~picked), says),
        )

    def _trial(
        self, asked: NDArray[np.bool_], question: Question
    ) -> tuple[NDArray[np.int64], Trial]:
        """The same decisions are mostly asked about again, by another rule: those last asked about
        are kept."""
        key = asked.tobytes(), question.in_scope, question.objective
        kept = self._trials.get(key)
        if kept is None:
            kept = _trial(self.evidence, asked, question)
            for last in list(self._trials)[: 1 - _KEPT]:
                self._trials.pop(last, None)
            self._trials[key] = kept
        return kept

    def _mistake(
        self,
        rows: NDArray[np.int64],
        sides: tuple[NDArray[np.bool_], NDArray[np.bool_]],
        says: Says,
    ) -> Mistake:
        wrong, of = sides
        group, rest = (np.zeros(len(self.evidence), dtype=bool) for _ in range(2))
        group[rows], rest[rows] = wrong, of & ~wrong
        columns = (self.encoding.names, self.encoding.categories)
        found = traits(self.evidence.values, columns, group, rest, says=says)
        return Mistake(int(wrong.sum()), int(of.sum()), found)


def _asked(offers: Sequence[PastOffer], question: Question) -> NDArray[np.bool_]:
    """(offers,) which of the past offers the question is about."""
    if question.pool == "all":
        return np.ones(len(offers), dtype=bool)
    named = [one for one in offers if one.offer_id == question.offer_id]
    if not named or question.pool == "offer":
        return np.array([one in named for one in offers], dtype=bool)
    return np.array([_meet(one, named[0]) for one in offers], dtype=bool)


def _meet(one: PastOffer, other: PastOffer) -> bool:
    """Whether something sold is in the scope of both."""
    everything = [not (offer.categories or offer.item_ids) for offer in (one, other)]
    return (
        any(everything)
        or not set(one.categories).isdisjoint(other.categories)
        or not set(one.item_ids).isdisjoint(other.item_ids)
    )


def _trial(
    evidence: Evidence, asked: NDArray[np.bool_], question: Question
) -> tuple[NDArray[np.int64], Trial]:
    """The decisions in which one of the ``asked`` was a candidate, and their scores."""
    in_scope, money = question.in_scope, question.objective == "margin"
    # No candidate, and no send, are -1 and read the last.
    of_offer: NDArray[np.bool_] = np.append(asked, False)
    taken: NDArray[np.bool_] = of_offer[evidence.candidates]
    some = np.asarray(taken.any(axis=1))
    rows = np.flatnonzero(some[evidence.push])
    mine = taken[evidence.push[rows]]
    count = mine.sum(axis=1)

    def mean(scores: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(np.where(mine, scores[rows], 0.0).sum(axis=1, dtype=np.float64) / count)

    sent, probability = evidence.sent[rows], evidence.probability[rows].astype(np.float64)
    one_of_them = of_offer[sent]
    return rows, Trial(
        gain=mean(evidence.gain_in_scope if in_scope else evidence.gain),
        conversions=mean(evidence.conversions_in_scope if in_scope else evidence.conversions),
        predicted=mean(evidence.predicted if money else evidence.predicted_conversions),
        sent_weight=np.where(one_of_them, 1 / (count * probability), 0.0),
        unsent_weight=np.where(sent < 0, 1 / probability, 0.0),
        converted=(evidence.converted_in_scope if in_scope else evidence.converted)[rows],
        member=evidence.member[rows].astype(np.int64),
        push=evidence.push[rows].astype(np.int64),
        drawn=evidence.drawn,
        objective=question.objective,
    )


def _or_none(mistake: Mistake | None) -> dict[str, Any] | None:
    return None if mistake is None else asdict(mistake)

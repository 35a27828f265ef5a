"""The calls of the API as data: what is sent, and how the answer is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import BaseModel

from serving.catalogue_schemas import CatalogueOffer, CataloguePush
from serving.deadline import LONGEST_SECONDS
from serving.erasure_schemas import ErasureShown
from serving.evaluation_schemas import EvaluationJob
from serving.experiment_results_schema import ExperimentResults, ShadowResults
from serving.experiment_schemas import ExperimentAudit, ExperimentPage, ExperimentShown
from serving.explain_schemas import Explained, TimelinePage
from serving.schemas import (
    MAX_MEMBERS,
    MAX_ROWS,
    AudienceJob,
    AudiencePage,
    Decided,
    Decision,
    Experiment,
    FlatDecision,
    Receipt,
)

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """answer: the model that the answer is read into."""

    answer: type[T]
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def decide(push_id: str, member_id: str) -> Call[FlatDecision]:
    query = {"push_id": push_id, "member_id": member_id}
    return Call(FlatDecision, "GET", "/v1/decide", query)


def decide_many(
    push_id: str, members: Mapping[str, Mapping[str, Any] | None], key: str | None, seconds: float
) -> list[Call[Decided]]:
    """Calls of at most a thousand members each, in the order given. ``key``: names them all.
    ``seconds``: that the scorer may take for each."""
    deadline = {"Pushwise-Deadline-Ms": str(int(1000 * min(seconds, LONGEST_SECONDS)))}
    asked = [
        {"member_id": member} | ({} if context is None else {"context": dict(context)})
        for member, context in members.items()
    ]
    return [
        _post(
            Decided,
            "/v1/decisions",
            {"push_id": push_id, "members": some},
            {"Idempotency-Key": f"{key or uuid4().hex}-{number}", **deadline},
        )
        for number, some in enumerate(_parts(asked, MAX_MEMBERS))
    ]


def send_rows(
    table: str, rows: Sequence[Mapping[str, Any]], key: str | None
) -> list[Call[Receipt]]:
    """Calls of at most a thousand rows each. ``table``: ``events`` or ``outcomes``."""
    return [
        _post(
            Receipt,
            f"/v1/{table}",
            {table: some},
            {"Idempotency-Key": f"{key or uuid4().hex}-{number}"},
        )
        for number, some in enumerate(_parts([dict(row) for row in rows], MAX_ROWS))
    ]


def put_offer(
    offer_id: str, offer: Mapping[str, Any], if_match: str | None
) -> Call[CatalogueOffer]:
    return _put(CatalogueOffer, f"/v1/offers/{_id(offer_id)}", offer, if_match)


def put_push(push_id: str, push: Mapping[str, Any], if_match: str | None) -> Call[CataloguePush]:
    return _put(CataloguePush, f"/v1/pushes/{_id(push_id)}", push, if_match)


def ask_audience(push_id: str, asked: Mapping[str, Any]) -> Call[AudienceJob]:
    """``asked``: ``rule``, ``budget``, ``max_audience``, ``min_audience``."""
    return _post(AudienceJob, "/v1/audiences", {"push_id": push_id, **asked}, {})


def ask_evaluation(
    policies: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]
) -> Call[EvaluationJob]:
    """``asked``: ``objective``, ``against``, ``since``, ``until``, ``push_ids``, ``in_sample``."""
    body = {"policies": [dict(policy) for policy in policies], **asked}
    return _post(EvaluationJob, "/v1/evaluations", body, {})


def evaluation(evaluation_id: str) -> Call[EvaluationJob]:
    return Call(EvaluationJob, "GET", f"/v1/evaluations/{_id(evaluation_id)}")


def audience(audience_id: str) -> Call[AudienceJob]:
    return Call(AudienceJob, "GET", f"/v1/audiences/{_id(audience_id)}")


def audience_page(audience_id: str, after: int) -> Call[AudiencePage]:
    query = {"after": str(after), "limit": str(MAX_ROWS)}
    return Call(AudiencePage, "GET", f"/v1/audiences/{_id(audience_id)}/members", query)


def explanation(decision_id: str) -> Call[Explained]:
    return Call(Explained, "GET", f"/v1/decisions/{_id(decision_id)}/explanation")


def timeline(member_id: str, after: str | None, limit: int) -> Call[TimelinePage]:
    query = {"limit": str(limit)} | ({} if after is None else {"after": after})
    return Call(TimelinePage, "GET", f"/v1/members/{_id(member_id)}/timeline", query)


def erase(member_id: str) -> Call[ErasureShown]:
    return Call(ErasureShown, "DELETE", f"/v1/members/{_id(member_id)}")


def create_experiment(declared: Mapping[str, Any]) -> Call[ExperimentShown]:
    return _post(ExperimentShown, "/v1/experiments", declared, {})


def experiment(experiment_id: str) -> Call[ExperimentShown]:
    return Call(ExperimentShown, "GET", f"/v1/experiments/{_id(experiment_id)}")


def experiments(state: str | None, after: str) -> Call[ExperimentPage]:
    query = {"after": after, "limit": "200"} | ({} if state is None else {"state": state})
    return Call(ExperimentPage, "GET", "/v1/experiments", query)


def move_experiment(
    experiment_id: str, step: str, body: Mapping[str, Any]
) -> Call[ExperimentShown]:
    """``step``: ``start``, ``stop`` or ``promote``."""
    return _post(ExperimentShown, f"/v1/experiments/{_id(experiment_id)}:{step}", body, {})


def change_shares(
    experiment_id: str, shares: Mapping[str, float], why: str, if_match: str | None
) -> Call[ExperimentShown]:
    path = f"/v1/experiments/{_id(experiment_id)}/shares"
    return _put(ExperimentShown, path, {"shares": dict(shares), "why": why}, if_match)


def experiment_audit(experiment_id: str, after: int) -> Call[ExperimentAudit]:
    query = {"after": str(after), "limit": "200"}
    return Call(ExperimentAudit, "GET", f"/v1/experiments/{_id(experiment_id)}/audit", query)


def experiment_results(experiment_id: str, as_of: datetime | None) -> Call[ExperimentResults]:
    query = {} if as_of is None else {"as_of": as_of.isoformat()}
    path = f"/v1/experiments/{_id(experiment_id)}/results"
    return Call(ExperimentResults, "GET", path, query)


def experiment_shadow(experiment_id: str, as_of: datetime | None) -> Call[ShadowResults]:
    query = {} if as_of is None else {"as_of": as_of.isoformat()}
    return Call(ShadowResults, "GET", f"/v1/experiments/{_id(experiment_id)}/shadow", query)


def all_receipts(receipts: Sequence[Receipt]) -> Receipt:
    """One receipt for rows that went in several calls; ``index`` counts over all of them."""
    return Receipt(
        accepted=sum(one.accepted for one in receipts),
        duplicates=sum(one.duplicates for one in receipts),
        rejected=[
            row.model_copy(update={"index": row.index + number * MAX_ROWS})
            for number, one in enumerate(receipts)
            for row in one.rejected
        ],
    )


def no_send(push_id: str, member_id: str) -> FlatDecision:
    """What to do with a member about whom nothing can be had: nothing."""
    return FlatDecision(
        push_id=push_id, member_id=member_id, send=False, decision_id=None, offer_id=None,
        channel=None, send_after=None, items=[], p_if_sent=None, p_if_not=None, uplift=None,
        expected_gain=None, evidence=None, probability=None, explored=False, experiment_id=None,
        arm=None, reason="deadline", expires_at=None, release="", degraded=["no_answer"],
    )  # fmt: skip


def as_decision(flat: FlatDecision) -> Decision:
    """A fallback's answer as one of many decisions."""
    shared = flat.model_dump(include=set(Decision.model_fields) & set(FlatDecision.model_fields))
    missing: dict[str, Any] = {
        "estimates": None,
        "experiment": Experiment(id=flat.experiment_id, arm=flat.arm or "policy"),
        "expires_at": flat.expires_at or datetime.now(UTC),
    }
    return Decision.model_validate({**shared, **missing})


def _post(
    answer: type[T], path: str, body: Mapping[str, Any], headers: Mapping[str, str]
) -> Call[T]:
    content = {"Content-Type": "application/json", **headers}
    return Call(answer, "POST", path, body=json.dumps(body).encode(), headers=content)


def _put(answer: type[T], path: str, body: Mapping[str, Any], if_match: str | None) -> Call[T]:
    headers = {"Content-Type": "application/json"} | ({"If-Match": if_match} if if_match else {})
    return Call(answer, "PUT", path, body=json.dumps(dict(body)).encode(), headers=headers)


def _parts(rows: Sequence[Any], most: int) -> list[Sequence[Any]]:
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def _id(text: str) -> str:
    return quote(text, safe="")

"""Examples of what calls take and give: written down where meaning matters, else made by type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WHEN = "2026-11-27T08:00:00Z"
GIVEN: Mapping[str, Any] = {
    "DecisionsAsked": {
        "push_id": "spring",
        "members": [{"member_id": "15098", "context": {"page": "home"}}, {"member_id": "12431"}],
        "k": 3,
    },
    "EventsGiven": {
        "events": [
            {"event_id": "e-1", "member_id": "15098", "type": "view", "occurred_at": _WHEN,
             "item_id": "84406B", "category": "lights"},
            {"event_id": "e-2", "member_id": "15098", "type": "purchase", "occurred_at": _WHEN,
             "item_id": "84406B", "quantity": 2, "unit_price": 4.25, "order_id": "o-1"},
        ]
    },
    "OutcomesGiven": {
        "outcomes": [
            {"event_id": "o-1", "push_id": "spring", "member_id": "15098", "type": "sent",
             "occurred_at": _WHEN},
            {"event_id": "o-2", "push_id": "spring", "member_id": "15098", "type": "converted",
             "occurred_at": _WHEN, "value": 8.5, "margin": 2.55},
        ]
    },
    "RuleAsked": {"rule": "recency_days <= 30", "offer_id": "ten"},
    "ExperimentGiven": {
        "experiment_id": "spring-model",
        "arms": [
            {"name": "champion", "share": 0.45, "kind": "champion"},
            {"name": "challenger", "share": 0.45, "kind": "release", "release": "2026-11-26.1"},
            {"name": "random", "share": 0.05, "kind": "random"},
            {"name": "holdout", "share": 0.05, "kind": "holdout"},
        ],
        "control": "champion",
        "analysis": {"metric": "gain", "looks": 4, "days": 28, "lift": 0.05},
        "hypothesis": "The model that knows the app's clicks earns more.",
    },
    "SharesGiven": {
        "shares": {"champion": 0.3, "challenger": 0.6, "random": 0.05, "holdout": 0.05},
        "why": "no complaint in the first week",
    },
    "WhyGiven": {"why": "agreed on in Monday's meeting"},
    "PromotionGiven": {"arm": "challenger", "why": "better at the third look"},
    "AudienceAsked": {"push_id": "spring", "budget": 1000, "rule": "recency_days <= 30"},
    "EvaluationAsked": {
        "policies": [
            {"kind": "release", "release_id": "2026-11-26.1"},
            {"kind": "rule", "rule": "recency_days <= 30", "offer_id": "ten"},
            {"kind": "nothing"},
        ],
        "against": 2,
    },
}  # fmt: skip
_TEXTS = {
    "push_id": "spring", "member_id": "15098", "offer_id": "ten", "channel": "push",
    "decision_id": "1f0c6d5e9b7a4c1e8f2d3b4a5c6d7e8f", "release": "2026-11-26.1", "arm": "policy",
    "audience_id": "9a8b7c6d5e4f40318273645566778899", "kind": "percent_off",
    "evidence": "modelled", "policy": "4f1d2c3b5a69", "objective": "margin",
    "rule": "recency_days <= 30",
    "experiment_id": "spring-model", "experiments": "spring-model", "action": "started",
    "evaluation_id": "ev_9a8b7c6d5e4f40318273645566778899",
    "release_id": "2026-11-26.1", "table": "purchases", "items": "84406B",
}  # fmt: skip


_NONE_AS_A_RULE = {"reason", "id", "failure", "refused"}
_EMPTY_AS_A_RULE = {"degraded", "failing", "rejected", "reasons", "warnings"}
_NUMBERS = {"p_if_sent": 0.12, "p_if_not": 0.08, "uplift": 0.04, "probability": 0.95}


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Any:
    """A value that fits ``schema``, whose references are in ``schemas``.

    Args:
        name: of the field that the value is for.
    """
    if "$ref" in schema:
        referred = schema["$ref"].rpartition("/")[2]
        return GIVEN.get(referred) or example(schemas[referred], schemas, name)
    if "anyOf" in schema:
        if name in _NONE_AS_A_RULE and {"type": "null"} in schema["anyOf"]:
            return None
        return example(schema["anyOf"][0], schemas, name)
    for known in ("const", "enum", "examples"):
        if known in schema:
            return schema[known] if known == "const" else schema[known][0]
    return _typed(schema, schemas, name)


def _typed(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str) -> Any:
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {}).items()
            return {field: example(one, schemas, field) for field, one in fields}
        case "array":
            if name in _EMPTY_AS_A_RULE:
                return []
            parts = schema.get("prefixItems") or [schema.get("items", {})]
            return [example(one, schemas, name) for one in parts]
        case "integer":
            return int(schema.get("minimum", 1))
        case "number":
            return _NUMBERS.get(name, 1.5)
        case "boolean":
            return name != "explored"
        case "string":
            timed = schema.get("format") == "date-time"
            return _WHEN if timed else _TEXTS.get(name, name or "text")
        case "null":
            return None
    return {}

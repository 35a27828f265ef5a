"""What the API answers when it cannot answer: errors with a stable code, and nothing of the
caller's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from serving.problem import FieldProblem
from serving.scorer_error import ScorerError

_BEARER = {"WWW-Authenticate": "Bearer"}
_ENDS = {"Connection": "close"}  # the rest of such a call is not read
_SOON = {"Retry-After": "1"}


class ServiceError(ScorerError):
    """Base of the errors the API answers with. Anything else is a fault of ours: 500.

    The message never repeats what the caller sent: answers end in logs and pages.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    fix: ClassVar[tuple[str, ...]] = ()
    headers: ClassVar[Mapping[str, str]] = {}
    errors: tuple[FieldProblem, ...] = ()


class UnknownPush(ServiceError):
    status, code = 404, "unknown_push"
    fix: ClassVar[tuple[str, ...]] = (
        "check push_id: it must be one of the pushes of the release in use",
        "ingest a new push (`pushwise ingest`), then build and publish a release with it",
    )

    def __init__(self, release: str, pushes: int) -> None:
        super().__init__(f"release {release} has {pushes} pushes and none with this push_id")


class WaitingPush(UnknownPush):
    """The catalogue has the push, the release was built before."""

    fix = (
        "it is in the catalogue and waits for the next release",
        "build and publish one (`pushwise release build --publish`)",
    )

    def __init__(self) -> None:
        ServiceError.__init__(self, "the push is not in the release in use yet")


class PushNotPut(UnknownPush):
    fix = (
        "PUT the push first; pushes that came in files are in the release, not in the catalogue",
    )

    def __init__(self) -> None:
        ServiceError.__init__(self, "the catalogue has no push with this push_id")


class UnknownOffer(ServiceError):
    status, code = 404, "unknown_offer"
    fix = ("PUT the offer first; offers that came in files are not in the catalogue",)

    def __init__(self) -> None:
        super().__init__("the catalogue has no offer with this offer_id")


class UnknownVersion(ServiceError):
    status, code = 404, "unknown_version"
    fix = ("versions count from 1; without one the call gives the newest",)

    def __init__(self) -> None:
        super().__init__("the catalogue has it, but no such version of it")


class InvalidEntry(ServiceError):
    status, code = 422, "invalid_entry"
    fix = ("see docs/data.md for the columns of offers and pushes",)

    def __init__(self, fault: FieldProblem) -> None:
        super().__init__(f"the field at {fault.pointer or '/'} does not fit")
        self.errors = (fault,)


class PreconditionFailed(ServiceError):
    status, code = 412, "precondition_failed"
    fix = ("GET it again, make your change to what is there now, and send its ETag as If-Match",)

    def __init__(self, how: str) -> None:
        super().__init__(f"nothing was changed: {how}")


class PushIsHistory(ServiceError):
    status, code = 409, "push_is_history"
    fix = ("PUT another push under an id of its own",)

    def __init__(self) -> None:
        super().__init__("the push was due, so it is history and cannot be changed")


class UnknownDecision(ServiceError):
    status, code = 404, "unknown_decision"
    fix = ("use a decision_id from an answer of this scorer",)

    def __init__(self) -> None:
        super().__init__("no decision with this decision_id in the log")


class NotReplayable(ServiceError):
    status, code = 409, "not_replayable"
    fix = ("decisions made from now on can be replayed and explained",)

    def __init__(self) -> None:
        super().__init__(
            "the decision was made by an older scorer, which did not write down what from"
        )


class ReleaseGone(ServiceError):
    status, code = 410, "release_gone"
    fix = (
        "put the release's folder back as it was signed",
        "keep releases for as long as their decisions are asked about",
    )

    def __init__(self, release: str, how: str) -> None:
        super().__init__(f"release {release}, which made the decision, {how}")


class NoEvidence(ServiceError):
    status, code = 409, "no_evidence"
    fix = ("train a response model (`pushwise train response`), then build and publish a release",)

    def __init__(self, release: str) -> None:
        super().__init__(f"release {release} holds no past decisions to judge a rule by")


class InvalidRule(ServiceError):
    status, code = 422, "invalid_rule"
    fix = (
        "use the feature names of docs/reference/features.md",
        "`pushwise rules audit` says where a rule stops making sense",
    )

    def __init__(self) -> None:
        super().__init__("the rule does not parse, or names what there is not")


class UnknownAudience(ServiceError):
    status, code = 404, "unknown_audience"
    fix = ("use an audience_id from an answer of this scorer",)

    def __init__(self) -> None:
        super().__init__("no audience with this audience_id in the log")


class UnknownErasure(ServiceError):
    status, code = 404, "unknown_erasure"
    fix = ("use an erasure_id from an answer of this scorer",)

    def __init__(self) -> None:
        super().__init__("no erasure with this erasure_id in the log")


class NoErasureKey(ServiceError):
    status, code = 503, "no_erasure_key"
    fix = (
        "let the scorer read, and once write, the file keys/erasure.key of its workspace",
        "scorers that share a log share that file",
    )

    def __init__(self) -> None:
        super().__init__("the key by which erased members are known cannot be read or made here")


class UnknownRelease(ServiceError):
    status, code = 404, "unknown_release"
    fix = ("use a release_id of GET /v1/releases",)

    def __init__(self) -> None:
        super().__init__("no release with this release_id in the workspace")


class ReleaseRefused(ServiceError):
    status, code = 409, "release_refused"
    fix = (
        "`pushwise release list` and `pushwise release publish` say why, where the workspace is",
    )

    def __init__(self) -> None:
        super().__init__("the release is not as it was signed, or there is no earlier one")


class NoPublishing(ServiceError):
    status, code = 409, "no_publishing"
    fix = ("start the scorer without --release to have it follow what is published",)

    def __init__(self) -> None:
        super().__init__("this scorer serves one folder and follows no published release")


class AudienceNotDone(ServiceError):
    status, code = 409, "audience_not_done"
    fix = ("ask for the audience until its state is done; a failed one says why",)

    def __init__(self, state: str) -> None:
        super().__init__(f"the audience has no members to show: it is {state}")


class AudienceEnded(ServiceError):
    status, code = 409, "audience_ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"the audience cannot be cancelled: it is {state}")


class AudienceGone(ServiceError):
    status, code = 410, "audience_gone"
    fix = ("ask for the audience again under another release, or with other limits",)

    def __init__(self) -> None:
        super().__init__("the files of the audience are no longer in the workspace")


class NoParquet(ServiceError):
    status, code = 501, "no_parquet"
    fix = ("install pushwise[features] beside the scorer", "take csv or ndjson")

    def __init__(self) -> None:
        super().__init__("this scorer has no pyarrow, which Parquet needs")


class MissingKey(ServiceError):
    status, code = 401, "missing_key"
    fix = ("send `Authorization: Bearer pw_...`", "make a key with `pushwise keys create`")
    headers = _BEARER

    def __init__(self) -> None:
        super().__init__("the call carries no API key")


class UnknownKey(ServiceError):
    status, code = 401, "unknown_key"
    fix = ("make a key with `pushwise keys create`, in this workspace and environment",)
    headers = _BEARER

    def __init__(self) -> None:
        super().__init__("the API key is not one of this scorer's")


class ExpiredKey(ServiceError):
    status, code = 401, "expired_key"
    fix = ("make a new key with `pushwise keys create`",)
    headers = _BEARER

    def __init__(self, how: str) -> None:
        super().__init__(f"the API key {how}")


class WrongScope(ServiceError):
    status, code = 403, "wrong_scope"
    fix = ("use a key with that scope, or make one with `pushwise keys create --scope`",)

    def __init__(self, scope: str) -> None:
        super().__init__(f"this call needs an API key with the scope {scope}")


class RateLimited(ServiceError):
    status, code = 429, "rate_limited"
    fix = (
        "wait as long as Retry-After says, then send the call again",
        "ask for many members in one call of POST /v1/decisions",
        "make a key with a higher `pushwise keys create --rate`",
    )

    def __init__(self, rate: float, seconds: float) -> None:
        super().__init__(f"the API key may make {rate:g} calls a second here")
        self.retry_after = max(1, math.ceil(seconds))  # whole seconds, as the header has them


class BodyTooLarge(ServiceError):
    status, code = 413, "body_too_large"
    fix = ("send fewer members or events in one call",)
    headers = _ENDS

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes")


class UnsupportedMediaType(ServiceError):
    status, code = 415, "unsupported_media_type"
    fix = ("send Content-Type: application/json, or application/x-www-form-urlencoded",)

    def __init__(self) -> None:
        super().__init__("the body is neither JSON nor a form")


class MalformedForm(ServiceError):
    status, code = 400, "malformed_form"
    fix = ("send name=value pairs in UTF-8, joined by & and escaped by %, each name once",)

    def __init__(self) -> None:
        super().__init__("the body does not read as a form")


class MalformedJson(ServiceError):
    status, code = 400, "malformed_json"
    fix = ("send one JSON object with the header Content-Type: application/json",)

    def __init__(self) -> None:
        super().__init__("the body does not read as JSON in UTF-8")


class TooManyValues(ServiceError):
    status, code = 413, "too_many_values"
    fix = ("send fewer members or events in one call",)
    headers = _ENDS

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body lists more than {limit} values")


class BodyTooDeep(ServiceError):
    status, code = 400, "body_too_deep"
    fix = ("see /openapi.json for the bodies that calls take",)
    headers = _ENDS

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body nests deeper than {limit} levels")


class BodyTooSlow(ServiceError):
    status, code = 408, "body_too_slow"
    fix = ("send the call again: the same ids give the same answer",)
    headers = _ENDS

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not arrive within {seconds:g} s")


class UrlTooLong(ServiceError):
    status, code = 414, "url_too_long"
    headers = _ENDS

    def __init__(self, limit: int) -> None:
        super().__init__(f"path and query are longer than {limit} bytes")


class HeadersTooLarge(ServiceError):
    status, code = 431, "headers_too_large"
    headers = _ENDS

    def __init__(self, most: int, limit: int) -> None:
        super().__init__(f"there are more than {most} headers, or more than {limit} bytes of them")


class LogUnavailable(ServiceError):
    status, code = 503, "log_unavailable"
    fix = ("send the call again: the same ids give the same answer",)
    headers = _SOON

    def __init__(self) -> None:
        super().__init__("the log cannot be read or written now, so nothing was acknowledged")


class NothingDecides(ServiceError):
    """Neither a model nor averages nor a default could answer; nothing was decided."""

    status, code = 503, "nothing_decides"
    fix = ("look at the scorer's log, and roll back the release if it is new",)
    headers = _SOON

    def __init__(self, failed: Sequence[str]) -> None:
        super().__init__("the release in use cannot decide: " + ", ".join(failed))
        self.failed = tuple(failed)


class Overloaded(ServiceError):
    status, code = 503, "overloaded"
    fix = ("send the call again after the seconds of Retry-After", "start more scorers")
    headers = _SOON

    def __init__(self) -> None:
        super().__init__("more calls wait than can be answered in time")


class DeadlinePassed(ServiceError):
    status, code = 503, "deadline"
    fix = ("send the call again: the same ids give the same answer", "give it a later deadline")
    headers = _SOON

    def __init__(self) -> None:
        super().__init__("the call could not be answered within its deadline")


class KeyReused(ServiceError):
    status, code = 422, "idempotency_key_reused"
    fix = ("use a new Idempotency-Key for another call",)

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key came before with another body")

"""What a call through the client can end with when it does not end with an answer."""

from __future__ import annotations

from serving.problem import TYPE, Problem


class ClientError(Exception):
    """Base of what the client raises."""


class NoAnswer(ClientError):
    """Nothing was heard within the call's deadline; it may have been done, and can be repeated."""


class ProblemError(ClientError):
    """The scorer answered with a problem.

    Attributes:
        code: its stable name, such as ``unknown_push``; docs/reference/problems.md lists them.
        retry_after: seconds that the scorer asked to wait, None where it named none.
    """

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(f"{problem.title} ({problem.status}): {problem.detail}")
        self.problem = problem
        self.code = problem.type.removeprefix(TYPE)
        self.retry_after = retry_after


class NotAllowed(ProblemError):
    """401, 403: the key is unknown, expired, or lacks the scope."""


class NotThere(ProblemError):
    """404, 410: no such thing, or no longer."""


class Conflict(ProblemError):
    """409, 412: it was changed meanwhile, or its state does not allow it."""


class NotTaken(ProblemError):
    """Other 4xx: the call does not fit; ``problem.errors`` points at what."""


class Busy(ProblemError):
    """429, 503: too much at once, or a part is not to be had; the client tried again in vain."""


class Fault(ProblemError):
    """Other 5xx: a fault of the scorer or of what stands before it."""


def error_of(problem: Problem, retry_after: float | None) -> ProblemError:
    """The error that fits the problem's status."""
    match problem.status:
        case 401 | 403:
            kind: type[ProblemError] = NotAllowed
        case 404 | 410:
            kind = NotThere
        case 409 | 412:
            kind = Conflict
        case 429 | 503:
            kind = Busy
        case status:
            kind = NotTaken if status < 500 else Fault
    return kind(problem, retry_after)

"""What calls about evaluations answer when they cannot do what was asked."""

from __future__ import annotations

from serving.errors import ServiceError


class UnknownEvaluation(ServiceError):
    status, code = 404, "unknown_evaluation"
    fix = ("use an evaluation_id from an answer of this scorer",)

    def __init__(self) -> None:
        super().__init__("no evaluation with this evaluation_id in the log")


class NoEvaluations(ServiceError):
    status, code = 501, "no_evaluations"
    fix = (
        "install pushwise[features] beside the scorer",
        "run `pushwise evaluate policy` where the workspace's tables are",
    )

    def __init__(self) -> None:
        super().__init__("this scorer has nothing installed that reads past decisions")


class TooManyEvaluations(ServiceError):
    status, code = 429, "too_many_evaluations"
    fix = ("wait until one is done, and ask again",)
    headers = {"Retry-After": "60"}  # noqa: RUF012 - as ServiceError declares it

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} evaluations wait already")

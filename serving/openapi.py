"""The API's description: what FastAPI reads from the routes, with problems, keys and examples."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

from fastapi import FastAPI

from serving.errors import ServiceError
from serving.openapi_examples import example
from serving.problem import MEDIA_TYPE, TYPE, FieldProblem, Problem
from serving.problems import problem_of

_JSON = "application/json"
_REF = "#/components/schemas/"
_SECURITY = {"type": "http", "scheme": "bearer", "description": "An API key: `pw_...`"}
_SAMPLES: dict[Any, Any] = {
    str: "r1", int: 1000, float: 10.0, Sequence[str]: ("model",),
    FieldProblem: FieldProblem(pointer="/kind", code="missing_value", detail="kind is required"),
}  # fmt: skip
_FIELD = FieldProblem(pointer="/push_id", code="missing", detail="Field required")
# Problems that no class stands for: code, status, detail, faults.
_OTHERS: tuple[tuple[str, int, str, list[FieldProblem]], ...] = (
    ("invalid_request", 422, "1 fields do not fit; the first is at /push_id", [_FIELD]),
    ("not_found", 404, "Not Found; see /openapi.json for the calls there are", []),
    ("method_not_allowed", 405, "Method Not Allowed; see /openapi.json for the calls", []),
    ("internal", 500, "a fault of the scorer; its log tells more under the request id", []),
)


def describe(app: FastAPI) -> None:
    """Let ``app.openapi()``, and so ``/openapi.json``, tell problems and examples too."""
    plain = app.openapi
    made: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not made:
            made.append(_described(plain()))
        return made[0]

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def problems() -> dict[str, Problem]:
    """An example of every problem that the API answers with, by code."""
    found = {error.code: _example(error) for error in _errors(ServiceError)}
    for code, status, detail, faults in _OTHERS:
        title = code.replace("_", " ")
        found[code] = Problem(
            type=TYPE + code, title=title, status=status, detail=detail, errors=faults
        )
    return dict(sorted(found.items()))


def _errors(base: type[ServiceError]) -> Iterator[type[ServiceError]]:
    """Those that callers meet: subclasses with a code of their own, the general ones first."""
    for error in base.__subclasses__():
        yield from _errors(error)
        if "status" in vars(error):
            yield error


def _example(error: type[ServiceError]) -> Problem:
    hints = get_type_hints(error.__init__)
    given = [
        _SAMPLES[hints[name]]
        for name, one in inspect.signature(error).parameters.items()
        if one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    return problem_of(error(*given))


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema["components"]
    components["securitySchemes"] = {"key": _SECURITY}
    components["examples"] = {
        code: {"value": one.model_dump(exclude_defaults=True)} for code, one in problems().items()
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1/"):
                operation["security"] = [{"key": []}]
            contents = operation.get("requestBody", {}).get("content", {})
            for response in operation["responses"].values():
                _as_problem(response)
                contents = {**contents, id(response): response.get("content", {}).get(_JSON, {})}
            for content in contents.values():
                if content.get("schema"):
                    content["example"] = example(content["schema"], components["schemas"])
            if "HTTPValidationError" in str(operation["responses"]):
                operation["responses"].pop("422")  # ours are problems, documented where they occur
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    return schema


def _as_problem(response: dict[str, Any]) -> None:
    content = response.get("content", {})
    plain = content.get(_JSON, {}).get("schema", {})
    if plain.get("$ref") != _REF + "Problem":
        return
    codes = response["description"].split(", ")
    response["content"] = {
        MEDIA_TYPE: {
            "schema": {"$ref": _REF + "Problem"},
            "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
        }
    }

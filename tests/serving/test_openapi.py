"""The schema is frozen, has examples that fit it, and the scorer keeps to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from serving.app import api, create_app
from serving.auth import Access, Keys, NewKey
from serving.log import Log
from serving.openapi import problems
from serving.parts import Parts
from serving.reference import openapi_text, problems_text
from serving.release import load_release
from serving.telemetry import Telemetry
from serving.watch import Fixed
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from tests.serving.conftest import Bench

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
REFERENCE = REPOSITORY / "docs" / "reference"
EXAMPLES = 12  # a call; with thirty calls and what schemathesis adds, half a minute


@pytest.mark.parametrize(
    ("name", "made"), [("openapi.json", openapi_text), ("problems.md", problems_text)]
)
def test_the_reference_is_what_the_code_says(name: str, made: Any) -> None:
    assert (REFERENCE / name).read_text() == made(), "run `make docs` and read the difference"


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON body of the schema, asked or answered, with where it is."""
    for path, operations in api().openapi()["paths"].items():
        for method, operation in operations.items():
            sides = {"body": operation.get("requestBody", {}), **operation["responses"]}
            for side, told in sides.items():
                for media, content in told.get("content", {}).items():
                    if "json" in media and content["schema"]:
                        yield f"{method} {path} {side}", content


def test_every_body_has_an_example_that_fits_its_schema() -> None:
    components = api().openapi()["components"]
    for where, content in contents():
        named = [components["examples"][code]["value"] for code in content.get("examples", ())]
        examples = named or [content["example"]]
        for example in examples:
            schema = {**content["schema"], "components": components}
            assert jsonschema_rs.is_valid(schema, example), (where, example)


def test_every_error_of_a_call_is_documented_as_a_problem() -> None:
    for where, content in contents():
        status = where.rpartition(" ")[2]
        if status.startswith(("4", "5")) and "/readyz" not in where:
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, where
    assert all(one.type == f"urn:pushwise:problem:{code}" for code, one in problems().items())


@pytest.mark.slow
def test_the_scorer_keeps_to_its_schema(bench: Bench) -> None:
    structlog.configure(processors=[dropped])
    release = Fixed(load_release(bench.release("r1"), bench.trusted))
    with Log(bench.workspace.serving_log, keys=bench.workspace.keys) as log:
        key = Keys(log).create(NewKey("live", ("admin",)), AS_OF)
        access, files = Access(log, "live"), bench.workspace.audiences
        app = create_app(Parts(release, log, access, Telemetry(), files, deadline=30.0))
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        tries = Tries({"Authorization": f"Bearer {key}"})
        for found in schema.get_all_operations():
            tries.of(found.ok())  # type: ignore[union-attr]  # what does not read fails here
    assert not tries.failures, "\n".join(tries.failures)
    assert tries.calls > 20 * EXAMPLES


@dataclass
class Tries:
    """Calls of operations with what their schemas allow, and with what they do not."""

    headers: dict[str, str]
    calls: int = 0
    failures: list[str] = field(default_factory=list)

    def of(self, operation: Any) -> None:
        for mode in GenerationMode:
            allowed = settings(
                max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
                phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            try:
                one = given(operation.as_strategy(generation_mode=mode))(self.one)  # type: ignore[no-untyped-call]  # the strategy has no types
                allowed(one)()
            except Unsatisfiable:  # a call that takes nothing cannot be called wrongly
                continue
            except BaseExceptionGroup as error:
                self.failures += [f"{operation.label}: {found}" for found in error.exceptions]

    def one(self, case: Any) -> None:
        self.calls += 1
        # A body that the schema allows may still name what there is not, and parameters that no
        # call has are left unread, as HTTP has it. A form holds text alone, whatever was meant.
        beside = [checks.positive_data_acceptance]
        if case.method == "GET" or "form" in (case.media_type or ""):
            beside.append(checks.negative_data_rejection)
        case.call_and_validate(headers=self.headers, excluded_checks=beside)


def dropped(*_: object) -> Any:
    raise structlog.DropEvent


def test_the_page_about_the_api_names_every_call() -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text()
    for path in api().openapi()["paths"]:
        parts = [part.strip(":") for part in path.split("/") if part and not part.startswith("{")]
        assert all(part.partition(":")[0] in page for part in parts), path

"""Pages from their templates: every value is escaped unless it is HTML of ours, and none may be
missing."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from dashboard.numbers import between, number, told

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment(code: str = "en") -> Environment:
    """The templates of this package in a language of ``dashboard.web.language``. A name that a
    template misspells is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from dashboard.experiment_charts import segment_name
    from dashboard.terms import term, untold, warned
    from dashboard.web.language import language

    made = Environment(
        loader=PackageLoader("dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    spoken = language(code)
    made.install_gettext_callables(  # type: ignore[attr-defined]
        spoken.words, spoken.counted, newstyle=True
    )
    made.globals.update(
        number=number, told=told, between=partial(between, words=spoken.words),
        segment_name=partial(segment_name, words=spoken.words), term=partial(term, spoken.words),
        untold=partial(untold, spoken),
        warned=partial(warned, spoken),
    )  # fmt: skip
    made.filters["moment"] = moment
    return made


def page(template: str, values: Mapping[str, Any]) -> str:
    """A whole page that needs nothing else: style and pictures are in it."""
    return environment().get_template(template).render(**values)


def moment(at: str | datetime) -> str:
    """A moment in UTC, ISO 8601 in documents, as people read it."""
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{when:%Y-%m-%d %H:%M} UTC"


def json_link(document: Any) -> str:
    """A document as a link that holds it."""
    text = json.dumps(document, ensure_ascii=False, indent=1)
    return f"data:application/json;base64,{base64.b64encode(text.encode()).decode()}"

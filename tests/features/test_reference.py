"""The feature reference says what the code says, about every feature there is."""

from __future__ import annotations

import re

import pytest

from features.reference import DEFINITIONS, reference
from features.views import TASTE, VIEWS
from tests.conftest import REPOSITORY, MarketWorkspace


def test_the_page_is_what_the_docstrings_say() -> None:
    page = (REPOSITORY / "docs" / "reference" / "features.md").read_text(encoding="utf-8")
    assert page == reference(), "run `make docs`"


def test_every_view_is_defined() -> None:
    assert set(DEFINITIONS) == {*(view.name for view in VIEWS), TASTE, "pairs"}


@pytest.mark.slow
def test_every_feature_of_a_full_workspace_is_named(ingested: MarketWorkspace) -> None:
    from features.build import build_features
    from features.encode import encoding

    build_features(ingested.workspace, [ingested.as_of])
    text = reference()
    families = dict(re.findall(r"`(\w+_)(\d+)d …", text))
    for name in encoding(ingested.workspace).names:
        bare = re.sub(r"__.*", "__<c>", name)
        known = f"`{bare}`" in text or bare in re.findall(r"\w+", text)
        in_family = any(name.startswith(stem) for stem in families)
        assert known or in_family, name

"""Who may send which form: a viewer none that changes anything, and what is final a publisher."""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.routing import Route

from dashboard.web.users import Role
from tests.dashboard.web.conftest import House, Opens

# What a viewer may send: who they are, their language, and what is asked without an address.
ASKED = {"/login", "/logout", "/language", "/rules", "/members"}
FINAL = {
    "/experiments/{experiment_id}/promote",
    "/members/{handle}/erase",
    "/models/releases/{release_id}/publish",
    "/models/rollback",
}


def forms(house: House) -> set[str]:
    """Every route that takes a form."""
    app = house.client().app
    assert isinstance(app, Starlette)
    routes = [one for one in app.routes if isinstance(one, Route)]
    return {one.path for one in routes if "POST" in (one.methods or ())}


def answers(house: House, role: Role, routes: set[str]) -> dict[str, int]:
    """Status of a form that somebody of that role sends to each of the routes."""
    reader = house.reader(role)
    return {route: reader.send(_path(route)).status_code for route in sorted(routes)}


def test_a_viewer_may_send_no_form_that_changes_anything(house: Opens) -> None:
    opened = house()
    changing = forms(opened) - ASKED
    assert len(changing) > 25
    assert set(answers(opened, "viewer", changing).values()) == {403}
    assert {one.status for one in opened.ground.changes.newest(100)} == {403}


def test_what_is_final_is_refused_to_an_editor_too(house: Opens) -> None:
    opened = house()
    assert forms(opened) >= FINAL
    assert set(answers(opened, "editor", FINAL).values()) == {403}


def test_nobody_changes_anything_without_the_token_of_their_session(house: Opens) -> None:
    opened = house()
    publisher = opened.reader("publisher").client
    for route in sorted(forms(opened) - ASKED):
        fields = {"csrf": "0" * 64}
        assert publisher.post(_path(route), data=fields).status_code == 403, route


def _path(route: str) -> str:
    return re.sub(r"{\w+(:\w+)?}", "x", route)

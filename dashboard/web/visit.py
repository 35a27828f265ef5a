"""One request of one user: what a page needs to know, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboard.pages import environment
from dashboard.web.errors import NoRelease, UnknownHandle
from dashboard.web.ground import Ground
from dashboard.web.language import CODES, Language
from dashboard.web.sessions import Session
from dashboard.web.users import Role, User
from serving.experiment_audit import Change
from serving.parts import Parts
from serving.preconditions import Conditions

if TYPE_CHECKING:
    from dashboard.areas import Area

_SAID = "pushwise_said"


def areas() -> Sequence[Area]:
    """The entries of the navigation. Their modules import this one."""
    from dashboard.areas import AREAS

    return AREAS


@dataclass(frozen=True, slots=True)
class Visit:
    """form: the fields of a form that was sent, each once; of a file field its content is left
    out. now: the moment of the request, UTC."""

    ground: Ground
    request: Request
    session: Session
    language: Language
    form: Mapping[str, str]
    now: datetime

    @property
    def user(self) -> User:
        return self.session.user

    @property
    def base(self) -> str:
        """Before every address of ours: empty, or where the dashboard is mounted."""
        return str(self.request.scope.get("root_path", ""))

    @property
    def partial(self) -> bool:
        """Whether the page's script asks for a piece of it."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def parts(self) -> Parts:
        """The scorer's parts. Raises ``NoRelease`` before the first release is published."""
        found = self.ground.parts
        if found is None:
            raise NoRelease
        return found

    def may(self, role: Role) -> bool:
        return self.user.may(role)

    def words(self, message: str, **values: object) -> str:
        """``message`` in the reader's language."""
        return self.language.words(message, **values)

    def path(self, name: str) -> str:
        """A parameter of the address."""
        return str(self.request.path_params[name])

    def query(self, name: str, otherwise: str = "") -> str:
        """A field of the address' query."""
        return self.request.query_params.get(name, otherwise)

    def handle(self, member_id: str) -> str:
        """A member as an address may name them."""
        return self.session.handle(member_id)

    def member(self, name: str = "handle") -> str:
        """The member of the address. Raises ``UnknownHandle``."""
        found = self.session.member(self.path(name))
        if found is None:
            raise UnknownHandle
        return found

    def change(self, why: str = "", conditions: Conditions | None = None) -> Change:
        """Who changes something, for the audit of experiments."""
        return Change(self.now, f"user {self.user.name}", why, conditions or Conditions())

    def at(self, path: str) -> str:
        """The address of a page of ours."""
        return f"{self.base}{path}"

    def page(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """A page, or a piece of one, of ``dashboard/templates``.

        The template finds the visit as ``visit`` beside ``values``.
        """
        made = environment(self.language.code).get_template(template)
        text = made.render(visit=self, said=self._said(), areas=areas, **values)
        answer = HTMLResponse(text, status)
        if _SAID in self.request.cookies and not self.partial:
            answer.delete_cookie(_SAID, path=self.base or "/")
        return answer

    def to(self, path: str, said: str = "") -> Response:
        """Go on to another page of ours, which shows what was ``said``."""
        there = self.at(path)
        answer: Response
        if self.partial:
            answer = Response(status_code=204, headers={"HX-Redirect": there})
        else:
            answer = RedirectResponse(there, 303)
        if said:
            answer.set_cookie(
                _SAID, quote(said[:300]), max_age=60, path=self.base or "/", httponly=True,
                samesite="strict", secure=self.ground.secure,
            )  # fmt: skip
        return answer

    def file(self, name: str, content: str | bytes, media_type: str) -> Response:
        """A file to keep."""
        return Response(
            content, media_type=media_type,
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
        )  # fmt: skip

    @property
    def here(self) -> str:
        """The page's own path, without its query: where to come back to."""
        if self.request.method != "GET":
            return "/"
        return self.request.url.path.removeprefix(self.base)

    def within(self, path: str) -> bool:
        """Whether the page is at ``path`` or below it."""
        here = self.request.url.path.removeprefix(self.base)
        return here == path or here.startswith(f"{path}/")

    @property
    def languages(self) -> Mapping[str, str]:
        return CODES

    def _said(self) -> str:
        return "" if self.partial else unquote(self.request.cookies.get(_SAID, ""))

"""What a page answers when it cannot be shown."""

from __future__ import annotations

from serving.scorer_error import ScorerError


class PageError(ScorerError):
    """A page that cannot be shown. status: of HTTP."""

    status = 400


class BadForm(PageError):
    """A field that does not fit; the message says which and what is wanted."""

    status = 422


class NotAllowed(PageError):
    status = 403

    def __init__(self, role: str) -> None:
        super().__init__(f"this needs the role {role}; ask who runs the dashboard")


class NotFromHere(PageError):
    status = 403

    def __init__(self) -> None:
        super().__init__("the form is not from a page of this session; open the page again")


class UnknownHandle(PageError):
    status = 404

    def __init__(self) -> None:
        super().__init__(
            "this address names a member for the session that it was made in alone; "
            "look the member up again"
        )


class NotFound(PageError):
    status = 404

    def __init__(self, what: str = "there is no such page") -> None:
        super().__init__(what)


class NoRelease(PageError):
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "no release is published yet; run `pushwise release build`, "
            "then `pushwise release publish`"
        )


class TooMuchWork(PageError):
    """Enough long work is under way."""

    status = 409


class UnknownWork(NotFound):
    def __init__(self) -> None:
        super().__init__("no such work here; it is forgotten when the dashboard ends")

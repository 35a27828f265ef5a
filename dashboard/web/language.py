"""The languages of the pages: English in the code, others in ``dashboard/locale``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from starlette.requests import Request

COOKIE = "pushwise_language"
_LOCALE = files("dashboard") / "locale"


@dataclass(frozen=True, slots=True)
class Language:
    """One language. code: as in HTML. name: as it calls itself. texts: by the English ones."""

    code: str
    name: str
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    def words(self, message: str, **values: object) -> str:
        """``message`` in this language, English where it has no other, with its ``%(name)s``."""
        text = self.texts.get(message) or message
        return text % values if values else text

    def counted(self, one: str, many: str, number: int) -> str:
        """The form for ``number``; a translation has a single one, as Chinese does."""
        text = self.texts.get(one)
        return text or (one if number == 1 else many)


ENGLISH = Language("en", "English")
CODES: Mapping[str, str] = {"en": "English", "zh-Hant": "繁體中文"}


def noted(message: str) -> str:
    """``message``, to be translated where it is shown; the search for texts finds it here."""
    return message


@cache
def language(code: str) -> Language:
    """One of ``CODES``."""
    if code == ENGLISH.code:
        return ENGLISH
    return Language(code, CODES[code], _texts(code.replace("-", "_")))


def wanted(request: Request) -> Language:
    """What the reader chose; else the first of their browser's that there is."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in CODES:
        return language(chosen)
    return language(_accepted(request.headers.get("accept-language", "")))


def _accepted(header: str) -> str:
    """The best of an ``Accept-Language``, RFC 9110: Chinese of any place gets ours."""
    ranked = []
    for number, part in enumerate(header.split(",")[:20]):
        name, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        if weight > 0:
            ranked.append((-weight, number, name.strip().lower()))
    for _, _, name in sorted(ranked):
        if name.startswith("zh"):
            return "zh-Hant"
        if name.startswith("en"):
            return "en"
    return ENGLISH.code


def _texts(folder: str) -> dict[str, str]:
    """All translations of a language; a file for each part of the pages."""
    from babel.messages.pofile import read_po

    found: dict[str, str] = {}
    for file in sorted((_LOCALE / folder).iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".po"):
            continue
        with file.open("rb") as opened:
            for message in read_po(opened):
                english, text = _first(message.id), _first(message.string)
                if english and text and not message.fuzzy:
                    found[english] = text
    return found


def _first(forms: str | Sequence[str] | None) -> str:
    """The only form, or the singular."""
    return forms if isinstance(forms, str) else forms[0] if forms else ""

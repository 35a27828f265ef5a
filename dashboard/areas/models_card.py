"""A model card as parts of a page: the Markdown that ``training.cards`` writes, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Kind = Literal["heading", "text", "list", "table"]
_CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Block:
    """One part. lines: the text of a heading or paragraph, items of a list, rows of a table.

    level: of a heading, 2 or more. Cells of a table keep their text; the first row is its head.
    """

    kind: Kind
    lines: tuple[tuple[str, ...], ...]
    level: int = 0

    @property
    def text(self) -> str:
        return " ".join(self.lines[0])


def blocks(card: str) -> Sequence[Block]:
    """The parts of a card, without its title: the page has one."""
    return [one for one in _blocks(card) if one.kind != "heading" or one.level > 1]


def _blocks(card: str) -> Iterator[Block]:
    for kind, run in groupby(card.splitlines(), _kind):
        lines = [line for line in run if line.strip()]
        if kind == "heading":
            for line in lines:
                marks, _, words = line.partition(" ")
                yield Block("heading", ((words,),), len(marks))
        elif kind == "table":
            rows = [_cells(line) for line in lines]
            yield Block("table", tuple(row for row in rows if not _rule(row)))
        elif kind == "list":
            yield Block("list", tuple((_plain(line[2:]),) for line in lines))
        elif lines:
            yield Block("text", ((_plain(" ".join(lines)),),))


def _kind(line: str) -> Kind | Literal["space"]:
    if re.match(r"#+ ", line):
        return "heading"
    if line.startswith("|"):
        return "table"
    if line.startswith("- "):
        return "list"
    return "text" if line.strip() else "space"


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip()[1:-1]
    return tuple(_plain(cell.replace("\\|", "|").strip()) for cell in _CELLS.split(inner))


def _rule(row: Sequence[str]) -> bool:
    return all(cell and set(cell) == {"-"} for cell in row)


def _plain(text: str) -> str:
    return text.replace("**", "").replace("`", "")

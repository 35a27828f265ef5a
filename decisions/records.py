"""Offers and pushes as JSON: what is written reads back, and what does not fit is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from decisions.errors import DecisionError

T = TypeVar("T")


class CatalogueError(DecisionError):
    """An offer or a push that does not make sense."""


def written(record: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON knows them."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return written(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return dict(value) if isinstance(value, Mapping) else value


def read(cls: type[T], content: Mapping[str, Any]) -> T:
    """A ``cls`` with the fields of ``content``, held to the types that it declares.

    Missing and null fields take their defaults.

    Raises:
        CatalogueError: a field that is unknown, required and missing, or not of its type.
    """
    kind = cls.__name__.lower()
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]  # a dataclass, though a bare type cannot say so
    for name, field in known.items():
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and content.get(name) is None:
            raise CatalogueError(f"{kind} needs {name!r}")
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise CatalogueError(
            f"{kind} has no field {unknown[0]!r}; known: {', '.join(sorted(known))}"
        )
    wanted = get_type_hints(cls)
    try:
        return cls(
            **{
                name: _typed(name, value, wanted[name])
                for name, value in content.items()
                if value is not None
            }
        )
    except (ValueError, TypeError) as error:
        raise CatalogueError(f"{kind} does not read: {error}") from error


def _typed(name: str, value: Any, wanted: Any) -> Any:
    if get_origin(wanted) is UnionType:  # X | None
        wanted = get_args(wanted)[0]
    if is_dataclass(wanted):
        return value if isinstance(value, wanted) else read(wanted, _mapping(name, value))  # type: ignore[arg-type]  # the check above makes it a class
    if get_origin(wanted) is Mapping:
        return {str(key): float(one) for key, one in _mapping(name, value).items()}
    if get_origin(wanted) is tuple:
        if isinstance(value, str):
            raise TypeError(f"{name} is text, wanted a list")
        return tuple(str(part) for part in value)
    if wanted is datetime:
        return _moment(name, value)
    if wanted is bool and not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, wanted true or false")
    return wanted(value)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}, wanted a table of names and values")
    return value


def _moment(name: str, value: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise TypeError(f"{name} is {moment}, wanted a time such as 2026-05-01T09:30:00+08:00")
    return moment

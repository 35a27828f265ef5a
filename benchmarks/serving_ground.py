"""Runs ``pushwise`` again and again in children that kill themselves at a named point.

``python -m benchmarks.serving_ground`` reads one ``Kill`` a line from stdin as JSON, forks, says
``{"child": id}``, and ``{"ended": status}`` when that child is gone. All imports are made once, in
the parent. Nothing in the code of Pushwise knows of this.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

When = Literal["before", "after", "never"]


@dataclass(frozen=True, slots=True)
class Kill:
    """arguments: of ``pushwise``. target: ``module:function`` or ``module:Class.method``, at whose
    ``nth`` call the process ends. thread: count calls of threads of this name alone."""

    arguments: tuple[str, ...]
    target: str = ""
    when: When = "never"
    nth: int = 1
    thread: str = ""


def found(target: str) -> tuple[Any, str, Callable[..., Any]]:
    """Whose attribute ``target`` is, its name, and the function. ``AttributeError`` on none."""
    module, _, path = target.partition(":")
    owner: Any = import_module(module)
    *classes, name = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    return owner, name, getattr(owner, name)


def arm(kill: Kill) -> None:
    """Put the kill into the function that ``kill`` names."""
    owner, name, inner = found(kill.target)
    lock, calls = threading.Lock(), [0]

    @functools.wraps(inner)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        mine = threading.current_thread().name.startswith(kill.thread)
        with lock:
            calls[0] += mine
            now = mine and calls[0] == kill.nth
        if now and kill.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = inner(*args, **kwargs)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, wrapped)


def run(kill: Kill) -> None:
    import serving.release
    from console.main import application

    # Every release here was rehearsed before; a second each time would be most of the run.
    vars(serving.release)["_rehearse_in_child"] = lambda _folder: None
    if kill.when != "never":
        arm(kill)
    application()(list(kill.arguments))


def main() -> None:
    sys.modules["pandas"] = sys.modules["sklearn"] = None  # type: ignore[assignment]
    import lightgbm  # noqa: F401 imported for the children

    import serving.server  # noqa: F401 as above
    from console.main import application

    application()
    for line in sys.stdin:
        given = json.loads(line)
        kill = Kill(**{**given, "arguments": tuple(given["arguments"])})
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            run(kill)
            os._exit(0)
        print(json.dumps({"child": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": status}), flush=True)


if __name__ == "__main__":
    main()

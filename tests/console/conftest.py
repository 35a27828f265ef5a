"""The tiny real release of the serving tests, for commands that read a published one."""

from __future__ import annotations

from tests.serving.conftest import candidate

__all__ = ["candidate"]

"""Alembic's revisions of the log, oldest first in ``versions``; see ``serving.migrate``."""

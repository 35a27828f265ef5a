"""Column types that mean the same on every engine behind the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String

# Postgres sorts and compares text by the language of its database, SQLite byte by byte. Moments
# are compared as text, so the language must not have a say.
TEXT = String().with_variant(String(collation="C"), "postgresql")

# 64 bits: SQLite's INTEGER has them (and only a key of that name numbers itself), Postgres's not.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")

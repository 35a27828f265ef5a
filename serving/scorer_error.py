"""The base of the errors this package raises for its callers to show.

Apart from ``serving.errors``, which needs FastAPI: whoever only catches them stays light.
"""


class ScorerError(Exception):
    """A scorer that cannot start, a key that cannot be made, a log that cannot be used."""

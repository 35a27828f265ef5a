"""The base of the errors this package raises for its callers to show."""


class FeatureError(Exception):
    """Something a user can mend: the message says what was found, where, and what was wanted."""

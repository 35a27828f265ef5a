"""The base of the errors this package raises for its callers to show."""


class TrainingError(Exception):
    """Training cannot go on: the message says what is missing and what to do."""

"""The base of the errors this package raises for its callers to show."""


class ModelError(Exception):
    """Data no model can be fitted on, or a stored model that does not read."""

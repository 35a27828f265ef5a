"""The base of the errors this package raises for its callers to show."""


class DecisionError(Exception):
    """A push, an offer, a rule or a policy that cannot be decided with."""

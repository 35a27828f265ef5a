"""What can be wrong with the data of an experiment or a campaign."""

from __future__ import annotations


class ExperimentError(Exception):
    """Data that no readout can be made of; says what was found and what was wanted."""

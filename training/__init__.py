"""From data to fitted, tracked, compared models and a release."""

"""Measured figures, each beside a reference measured in the same run: one JSON line a figure."""

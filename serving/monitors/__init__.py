"""Monitors: is what the scorer lives on, and what it does, as it should be? Judged on request."""

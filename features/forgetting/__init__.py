"""Erasing members: their rows leave every file of a workspace that features read or wrote."""

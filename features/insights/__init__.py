"""Analyses of all members: who moves where, made once and then only read."""

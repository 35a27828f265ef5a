"""Fitted, frozen models: arrays in, arrays out."""

"""Clickstream, purchases and pushes become one row per member, item and offer."""

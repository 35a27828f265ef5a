"""A synthetic travel shop whose truth is known."""

"""Who gets which offer: pure functions on frozen dataclasses of arrays."""

"""Assignment and readout of comparisons between arms: pure functions."""

"""How good a model or a policy is, on what it never saw, always beside plain baselines."""

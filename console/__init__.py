"""The command line ``pushwise``."""

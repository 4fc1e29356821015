"""Runs as jobs: what goes on, what became of the rest, and one of them whole."""

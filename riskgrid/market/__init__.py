"""Snapshot, history, curves: what the market says on a date, with its conventions."""

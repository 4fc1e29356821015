"""Measures: plain functions of labelled P&L that consume the dim ``scenario``; one file per family."""

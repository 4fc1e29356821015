"""The command line: thin, everything imported when it is needed."""

from riskgrid.cli import asking, bumps, explained, keeping, measuring, proving, reference, stressed, working
from riskgrid.cli.group import cli

__all__ = ["asking", "bumps", "cli", "explained", "keeping", "measuring", "proving", "reference", "stressed", "working"]

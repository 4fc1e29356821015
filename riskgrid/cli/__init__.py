"""The command line: thin, everything imported when it is needed."""

from riskgrid.cli import asking, explained, keeping, measuring, proving, reference, working
from riskgrid.cli.group import cli

__all__ = ["asking", "cli", "explained", "keeping", "measuring", "proving", "reference", "working"]
from riskgrid.cli import asking, bumps, keeping, measuring, proving, reference, working
from riskgrid.cli.group import cli

__all__ = ["asking", "bumps", "cli", "keeping", "measuring", "proving", "reference", "working"]

"""The command line: thin, everything imported when it is needed."""

from riskgrid.cli import asking, keeping, reference
from riskgrid.cli.group import cli

__all__ = ["asking", "cli", "keeping", "reference"]

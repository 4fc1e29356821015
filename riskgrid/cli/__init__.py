"""The command line: thin, everything imported when it is needed."""

from riskgrid.cli import (
    asking,
    bumps,
    explained,
    keeping,
    keys,
    measuring,
    proving,
    reference,
    serving,
    stressed,
    working,
)
from riskgrid.cli.group import cli

__all__ = [
    "asking",
    "bumps",
    "cli",
    "explained",
    "keeping",
    "keys",
    "measuring",
    "proving",
    "reference",
    "serving",
    "stressed",
    "working",
]

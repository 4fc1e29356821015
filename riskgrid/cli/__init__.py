"""The command line: thin, everything imported when it is needed."""

from riskgrid.cli import (
    asking,
    bumps,
    clusters,
    explained,
    keeping,
    keys,
    measuring,
    parts,
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
    "clusters",
    "explained",
    "keeping",
    "keys",
    "measuring",
    "parts",
    "proving",
    "reference",
    "serving",
    "stressed",
    "working",
]

"""The command line: thin, everything imported when it is needed."""

from riskgrid.cli import (
    asking,
    bumps,
    capacity,
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
    "capacity",
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

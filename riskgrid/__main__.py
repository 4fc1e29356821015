"""``riskgrid`` and ``python -m riskgrid``: the command line."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from riskgrid.cli import cli

    cli()


if __name__ == "__main__":
    main()

"""A portfolio: tables of trades, one per instrument, read from files or frames and checked against the terms."""

from riskgrid.portfolio.portfolio import Portfolio

__all__ = ["Portfolio"]

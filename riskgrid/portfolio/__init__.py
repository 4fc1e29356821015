"""A portfolio: tables of trades, one per instrument, read from files or frames and checked against the terms."""

from riskgrid.portfolio.portfolio import Portfolio, unknown_trade

__all__ = ["Portfolio", "unknown_trade"]

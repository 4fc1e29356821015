"""A sample to run everything on: real bundled market history, a market, scenarios and a seeded synthetic portfolio."""

from riskgrid.sample.book import portfolio
from riskgrid.sample.bundle import history
from riskgrid.sample.fill import market
from riskgrid.sample.shock import proxies, scenarios, stress

__all__ = ["history", "market", "portfolio", "proxies", "scenarios", "stress"]

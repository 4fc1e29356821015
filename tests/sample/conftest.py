"""The sample, made once for the tests of it."""

from __future__ import annotations

import pytest
import xarray as xr

from riskgrid import sample
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio


@pytest.fixture(scope="package")
def market() -> MarketSnapshot:
    return sample.market()


@pytest.fixture(scope="package")
def scenarios() -> xr.Dataset:
    return sample.scenarios()


@pytest.fixture(scope="package")
def portfolio() -> Portfolio:
    return sample.portfolio()

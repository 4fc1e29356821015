"""SSVI is free of arbitrage with the sample's numbers, and gives back the variance swap that VIX quotes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from riskgrid.sample.bundle import fills
from riskgrid.sample.smile import reverting_variance, ssvi_variance

SHAPE = (-0.7, 1.1, 0.5)
K = np.linspace(-1.5, 1.0, 2501)


def test_ssvi__is_the_variance_at_the_money() -> None:
    theta = np.array([1e-4, 0.01, 0.3])
    np.testing.assert_allclose(ssvi_variance(0.0, theta, *SHAPE), theta, rtol=1e-14)


def test_ssvi__has_the_skew_of_its_formula() -> None:
    """Gatheral, Jacquier (2014), section 4: dw/dk at k = 0 is rho theta phi(theta)."""
    theta, step = 0.0225, 1e-6
    up, down = (float(ssvi_variance(k, theta, *SHAPE)) for k in (step, -step))
    phi = 1.1 / np.sqrt(theta * (1.0 + theta))
    assert (up - down) / (2 * step) == pytest.approx(-0.7 * theta * phi, rel=1e-6)


@pytest.mark.parametrize("theta", [0.0002, 0.0015, 0.01, 0.06, 0.5])
def test_ssvi__has_a_positive_density(theta: float) -> None:
    """Gatheral, Jacquier (2014), lemma 2.2: no butterfly arbitrage where g(k) > 0."""
    w = ssvi_variance(K, theta, *SHAPE)
    slope, bend = np.gradient(w, K), np.gradient(np.gradient(w, K), K)
    g = (1.0 - K * slope / (2.0 * w)) ** 2 - slope**2 / 4.0 * (1.0 / w + 0.25) + bend / 2.0
    assert (g[2:-2] > 0.0).all()


def test_ssvi__total_variance_grows_with_time_at_every_strike() -> None:
    theta = np.geomspace(1e-4, 1.0, 60)[:, None]
    assert (np.diff(ssvi_variance(K, theta, *SHAPE), axis=0) > 0.0).all()


def test_ssvi__numbers_of_the_sample_meet_the_condition() -> None:
    smile = fills()["smile"]
    assert (smile["rho"], smile["eta"], smile["gamma"]) == SHAPE
    assert smile["eta"] * (1.0 + abs(smile["rho"])) <= 2.0


@pytest.mark.parametrize("vix", [0.11, 0.15, 0.26, 0.40])
def test_ssvi__variance_swap_of_the_30_day_smile_is_vix(vix: float) -> None:
    """VIX^2 is 2 / T times the sum of out-of-the-money options over strike squared: Cboe, VIX white paper."""
    years = 30.0 / 365.0
    at_the_money = fills()["index_volatility"]["at_the_money_to_vix"] * vix
    w = ssvi_variance(K, at_the_money**2 * years, *SHAPE)
    above = -K / np.sqrt(w) + np.sqrt(w) / 2.0
    call = norm.cdf(above) - np.exp(K) * norm.cdf(above - np.sqrt(w))
    option = np.where(K < 0.0, call - 1.0 + np.exp(K), call)
    swap = np.sqrt(2.0 / years * np.trapezoid(option * np.exp(-K), K))
    assert swap == pytest.approx(vix, rel=0.02)  # one ratio stands for all levels of VIX


def test_reverting_variance__meets_its_start_and_its_long_run() -> None:
    years = np.array([0.25, 1e6])
    total = reverting_variance(years, 0.04, 0.25, 0.09, 2.0)
    assert total[0] == pytest.approx(0.25 * 0.04, rel=1e-14)
    assert total[1] / years[1] == pytest.approx(0.09, rel=1e-5)


@pytest.mark.parametrize("vix", [0.09, 0.14, 0.40, 0.80])
def test_reverting_variance__grows_with_time_for_every_level_of_vix(vix: float) -> None:
    how = fills()["index_volatility"]
    years = np.linspace(1.0 / 12.0, 3.0, 200)
    total = reverting_variance(years, (0.82 * vix) ** 2, 30.0 / 365.0, how["long_run"] ** 2, how["reversion"])
    assert (np.diff(total) > 0.0).all()

"""Closed-form Greeks: published figures, QuantLib, differences of the value, extremes."""

import csv
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid import formulas

KERNELS = {"delta": formulas.black_delta, "gamma": formulas.black_gamma, "vega": formulas.black_vega}


def references():
    lines = Path("tests/references/greek.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def arguments(kernel, forward, strike, total_vol, is_call):
    return (forward, strike, total_vol, is_call)[: len(kernel.flags)]


@pytest.mark.parametrize("row", references(), ids=lambda row: f"{row['source']} {row['greek']} {row['option_type']}")
def test_greek__is_the_published_one(row):
    on, strike, rate, vol = (float(row[name]) for name in ("on", "strike", "rate", "vol"))
    years, is_call = float(Fraction(row["years"])), row["option_type"] == "call"
    if row["income"]:
        found = formulas.spot_greeks(on, strike, vol, years, rate=rate, income=float(row["income"]), is_call=is_call)
    else:
        found = formulas.forward_greeks(on, strike, vol, years, rate=rate, is_call=is_call)
    assert abs(float(getattr(found, row["greek"])) - float(row["value"])) <= float(row["tolerance"])


@pytest.mark.parametrize("is_call", [True, False])
def test_greeks__are_quantlibs(is_call):
    """Within 1e-12 of the scale of each: of spot for value, vega and rates, of 1 for delta, of 1/spot for gamma."""
    ql = pytest.importorskip("QuantLib")
    kind = ql.Option.Call if is_call else ql.Option.Put
    rng = np.random.default_rng(11)
    for _ in range(400):
        spot, moneyness = float(rng.uniform(0.5, 3000.0)), float(np.exp(rng.normal(0.0, 0.5)))
        strike, vol, time = spot * moneyness, float(rng.uniform(0.02, 1.5)), float(rng.uniform(0.003, 20.0))
        rate, income = rng.uniform(-0.02, 0.12, 2).tolist()
        found = formulas.spot_greeks(spot, strike, vol, time, rate=rate, income=income, is_call=is_call)
        forward, discount = spot * np.exp((rate - income) * time), np.exp(-rate * time)
        oracle = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, strike), forward, vol * np.sqrt(time), discount)
        scale = max(spot, strike, forward) * (1.0 + time)
        for one, other, unit in (
            (found.value, oracle.value(), scale),
            (found.delta, oracle.delta(spot), scale / spot),
            (found.gamma, oracle.gamma(spot), scale / spot**2 / (vol * np.sqrt(time))),
            (found.vega, oracle.vega(time), scale),
            (found.rho, oracle.rho(time), scale * (1.0 + time)),
            (found.yield_rho, oracle.dividendRho(time), scale * (1.0 + time)),
            (found.theta, oracle.theta(spot, time), scale * (1.0 + 1.0 / time)),
        ):
            assert abs(float(one) - other) <= 1e-12 * unit


def test_forward_greeks__are_quantlibs():
    ql = pytest.importorskip("QuantLib")
    rng = np.random.default_rng(12)
    for _ in range(200):
        forward, strike = rng.uniform(20.0, 200.0, 2).tolist()
        vol, time, rate = float(rng.uniform(0.02, 1.0)), float(rng.uniform(0.01, 5.0)), float(rng.uniform(-0.02, 0.1))
        found = formulas.forward_greeks(forward, strike, vol, time, rate=rate, is_call=False)
        payoff = ql.PlainVanillaPayoff(ql.Option.Put, strike)
        oracle = ql.BlackCalculator(payoff, forward, vol * np.sqrt(time), float(np.exp(-rate * time)))
        assert abs(found.delta - oracle.deltaForward()) <= 1e-12
        assert abs(found.gamma - oracle.gammaForward()) <= 1e-12 / (forward * vol * np.sqrt(time))
        assert abs(found.vega - oracle.vega(time)) <= 1e-12 * 200.0 * 3.0
        # QuantLib's rho moves the forward with the rate; this one holds it
        assert abs(found.rho + time * oracle.value()) <= 1e-12 * 200.0 * 5.0
        assert found.yield_rho == 0.0


def test_kernels__are_within_rounding_of_exact_arithmetic():
    mpmath.mp.dps = 40
    rng = np.random.default_rng(13)
    for _ in range(300):
        forward, strike = np.exp(rng.normal(0.0, 2.0, 2)).tolist()
        strike = forward * (1.0 + 1e-9 * rng.normal()) if rng.random() < 0.3 else strike
        vol = float(np.exp(rng.uniform(-6.0, 1.5)))
        d1 = mpmath.log(mpmath.mpf(forward) / strike) / vol + mpmath.mpf(vol) / 2
        expected = {
            "delta": mpmath.ncdf(d1),
            "gamma": mpmath.npdf(d1) / (forward * vol),
            "vega": forward * mpmath.npdf(d1),
        }
        for name, kernel in KERNELS.items():
            found = float(kernel.numba(*arguments(kernel, forward, strike, vol, True)))
            # an ulp of d1 is a relative error of d1^2 ulp of a density
            bound = 8.0 * 2.0**-53 * (1.0 + float(d1) ** 2)
            assert abs(found - expected[name]) <= bound * abs(expected[name]) + 1e-300


@pytest.mark.parametrize("name", KERNELS)
def test_kernel__agrees_with_its_specification(name):
    kernel, rng = KERNELS[name], np.random.default_rng(5)
    forward, strike = np.exp(rng.normal(0.0, 1.0, (40, 300))), np.exp(rng.normal(0.0, 1.0, (40, 1)))
    vol = np.exp(rng.uniform(-4.0, 2.0, (40, 300)))
    asked = arguments(kernel, forward, strike, vol, rng.random((40, 1)) < 0.5)
    scale = 1.0 / (forward * vol) if name == "gamma" else forward
    error = np.abs(kernel.numba(*asked) - kernel.numpy(*asked)) / np.maximum(scale, 1.0 if name == "delta" else 0.0)
    assert error.max() <= 2e-14


@pytest.mark.parametrize("form", ["numba", "numpy"])
def test_kernels__at_their_limits(form):
    delta, gamma, vega = (getattr(kernel, form) for kernel in KERNELS.values())
    forward = np.array([80.0, 100.0, 120.0])
    for still in (0.0, 1e-300):
        assert delta(forward, 100.0, still, True).tolist() == [0.0, 0.5, 1.0]
        assert delta(forward, 100.0, still, False).tolist() == [-1.0, -0.5, 0.0]
        assert gamma(forward, 100.0, still)[[0, 2]].tolist() == [0.0, 0.0]
        assert gamma(forward, 100.0, still)[1] > 1e290
        assert vega(forward, 100.0, still)[[0, 2]].tolist() == [0.0, 0.0]
        assert vega(forward, 100.0, still)[1] == pytest.approx(39.89422804014327, rel=1e-15)
    assert delta(forward, 100.0, np.inf, True).tolist() == [1.0] * 3
    assert delta(forward, 100.0, np.inf, False).tolist() == [0.0] * 3
    assert gamma(forward, 100.0, np.inf).tolist() == vega(forward, 100.0, np.inf).tolist() == [0.0] * 3
    deep = delta(1e-200, 1e200, 0.2, True), delta(1e200, 1e-200, 0.2, True)
    assert [float(one) for one in deep] == [0.0, 1.0]


@pytest.mark.parametrize("form", ["numba", "numpy"])
def test_kernels__are_nan_in_lanes_outside_their_domain_and_only_there(form):
    forward = np.array([100.0, -1.0, 0.0, np.nan, np.inf, 100.0, 100.0, 100.0, 100.0])
    strike = np.array([100.0, 100.0, 100.0, 100.0, 100.0, 0.0, -5.0, 100.0, 100.0])
    vol = np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, -0.1, np.nan])
    for kernel in KERNELS.values():
        found = getattr(kernel, form)(*arguments(kernel, forward, strike, vol, True))
        assert np.isnan(found).tolist() == [False] + 8 * [True]


def test_greeks__of_an_option_that_expires_today_are_those_of_its_payoff():
    found = formulas.spot_greeks(np.array([80.0, 120.0]), 100.0, 0.2, 0.0, rate=0.05, income=0.01, is_call=True)
    assert found.value.tolist() == [0.0, 20.0]
    assert found.delta.tolist() == [0.0, 1.0]
    assert found.gamma.tolist() == found.vega.tolist() == found.rho.tolist() == found.yield_rho.tolist() == [0.0, 0.0]
    # r K - q S in the money: what is earned on the strike less what is paid on the share
    np.testing.assert_allclose(found.theta, [0.0, 0.05 * 20.0 - 0.04 * 120.0], rtol=1e-15)


finite = {"allow_nan": False, "allow_infinity": False}


@settings(max_examples=80, deadline=None)
@given(
    spot=st.floats(10.0, 1000.0, **finite),
    moneyness=st.floats(0.5, 2.0, **finite),
    vol=st.floats(0.05, 1.0, **finite),
    time=st.floats(0.05, 5.0, **finite),
    rates=st.tuples(st.floats(-0.02, 0.1, **finite), st.floats(-0.02, 0.1, **finite)),
    is_call=st.booleans(),
)
def test_greeks__satisfy_the_equation_of_black_scholes_and_merton(spot, moneyness, vol, time, rates, is_call):
    """theta + (r - q) S delta + vol^2 S^2 gamma / 2 = r V, and vega = vol T S^2 gamma."""
    rate, income = rates
    found = formulas.spot_greeks(spot, spot * moneyness, vol, time, rate=rate, income=income, is_call=is_call)
    drift = (rate - income) * spot * found.delta + 0.5 * vol**2 * spot**2 * found.gamma
    scale = 1e-13 * spot * (1.0 + 1.0 / time)
    assert abs(found.theta + drift - rate * found.value) <= scale
    assert abs(found.vega - vol * time * spot**2 * found.gamma) <= scale * (1.0 + time)


@settings(max_examples=80, deadline=None)
@given(moneyness=st.floats(0.01, 100.0), vol=st.floats(0.0, 10.0))
def test_delta_of_a_call_less_that_of_a_put__is_one(moneyness, vol):
    call, put = (formulas.black_delta(100.0, 100.0 * moneyness, vol, kind) for kind in (True, False))
    assert abs(call - put - 1.0) <= 2.0**-52
    assert 0.0 <= call <= 1.0


def test_greeks__are_the_differences_of_the_value():
    spot, strike, vol, time, rate, income = 100.0, 110.0, 0.3, 0.7, 0.03, 0.01

    def value(spot=spot, vol=vol, time=time, rate=rate, income=income):
        return formulas.spot_greeks(spot, strike, vol, time, rate=rate, income=income, is_call=True).value

    found, h = formulas.spot_greeks(spot, strike, vol, time, rate=rate, income=income, is_call=True), 1e-4
    for greek, name, at in (("vega", "vol", vol), ("rho", "rate", rate), ("yield_rho", "income", income)):
        slope = (value(**{name: at + h}) - value(**{name: at - h})) / (2 * h)
        assert getattr(found, greek) == pytest.approx(slope, rel=1e-6)
    assert found.theta == pytest.approx(-(value(time=time + h) - value(time=time - h)) / (2 * h), rel=1e-6)
    wide = 0.01
    up, base, down = value(spot=spot + wide), value(), value(spot=spot - wide)
    assert found.delta == pytest.approx((up - down) / (2 * wide), rel=1e-6)
    assert found.gamma == pytest.approx((up - 2 * base + down) / wide**2, rel=1e-5)

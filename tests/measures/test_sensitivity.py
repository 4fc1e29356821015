"""Delta, gamma and theta of a ladder's P&L, by factor and by bucket."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.errors import BadSpec
from riskgrid.measures.bucket import bucket
from riskgrid.measures.sensitivity import delta, gamma, rho, theta, vega
from riskgrid.registry import MEASURES

FACTORS = ("equity:ACME", "par:USD:2Y", "par:USD:10Y", "vol:ACME:1Y:0.90", "vol:ACME:1Y:1.00", "zero:EUR:10Y")
UNITS = ("%", "bp", "bp", "vol", "vol", "bp")


def ladder_pnl(up, down, day=-1.0, bumps=None):
    """P&L (..., scenario) of bumps up and down of every factor and of a day, with the ladder's coordinates."""
    up, down = np.asarray(up, float), np.asarray(down, float)
    last = np.broadcast_to(day, (*up.shape[:-1], 1))
    values = np.concatenate([np.stack([up, down], -1).reshape(*up.shape[:-1], -1), last], axis=-1)
    sizes = np.ones(len(FACTORS)) if bumps is None else np.asarray(bumps, float)
    told = {
        "bumped": [*np.repeat(FACTORS, 2), "date"],
        "bump": [*np.stack([sizes, -sizes], -1).ravel(), 1.0],
        "unit": [*np.repeat(UNITS, 2), "day"],
    }
    dims = ("node", "scenario")[2 - values.ndim :]
    return xr.DataArray(values, {name: ("scenario", column) for name, column in told.items()}, dims)


def test_delta_and_gamma__are_the_central_differences():
    made = ladder_pnl([10.0, -4.0, 3.0, 1.0, 1.0, 0.0], [-8.0, 4.5, -3.0, -0.5, -1.0, 0.0])
    assert delta(made).values.tolist() == [9.0, -4.25, 3.0, 0.75, 1.0, 0.0]
    assert gamma(made).values.tolist() == [2.0, 0.5, 0.0, 0.5, 0.0, 0.0]
    assert delta(made).attrs["side"] == "central"


def test_delta__says_what_each_factor_is():
    found = delta(ladder_pnl(np.ones(6), -np.ones(6), bumps=[1, 1, 1, 1, 1, 2]))
    assert found["factor"].values.tolist() == list(FACTORS)
    assert found["kind"].values.tolist() == ["equity", "par", "par", "vol", "vol", "zero"]
    assert found["name"].values.tolist() == ["ACME", "USD", "USD", "ACME", "ACME", "EUR"]
    assert found["tenor"].values.tolist() == ["", "2Y", "10Y", "1Y", "1Y", "10Y"]
    assert found["moneyness"].values.tolist() == ["", "", "", "0.90", "1.00", ""]
    assert found["space"].values.tolist() == ["", "par", "par", "", "", "zero"]
    assert found["unit"].values.tolist() == list(UNITS)
    assert found["bump"].values.tolist() == [1.0, 1.0, 1.0, 1.0, 1.0, 2.0]
    assert set(found.coords) == {"factor", "kind", "name", "tenor", "moneyness", "unit", "space", "bump"}


def test_delta__takes_what_is_bumped_from_the_ladder_beside_the_pnl():
    made = ladder_pnl(np.arange(6.0), -np.arange(6.0))
    labels = [f"row {at}" for at in range(made.sizes["scenario"])]
    named = made.assign_coords(scenario=labels)
    ladder = named.drop_vars([]).to_dataset(name="pnl").drop_vars("pnl")
    bare = named.drop_vars(["bumped", "bump", "unit"])
    assert delta(bare, ladder).identical(delta(named))
    with pytest.raises(BadSpec, match="the P&L is not of this ladder: their scenarios differ"):
        delta(bare.isel(scenario=slice(None, None, -1)), ladder)
    with pytest.raises(BadSpec, match="the scenarios say no 'bumped'; sensitivities need the P&L of a ladder"):
        delta(bare)


@pytest.mark.parametrize(("side", "expected"), [("up", [10.0, 3.0]), ("down", [8.0, 2.0])])
def test_delta__of_one_side_is_the_one_sided_difference_and_says_so(side, expected):
    both = ladder_pnl([10.0, 3.0, 0, 0, 0, 0], [-8.0, -2.0, 0, 0, 0, 0])
    sign = 1.0 if side == "up" else -1.0
    one = both.isel(scenario=both["bump"].values * sign > 0)
    assert delta(one).values[:2].tolist() == expected
    assert delta(one).attrs["side"] == side
    with pytest.raises(BadSpec, match="gamma needs a bump up and a bump down; 'equity:ACME' has one"):
        gamma(one)


def test_delta__of_a_mixed_ladder_says_so():
    made = ladder_pnl([10.0, 3.0, 0, 0, 0, 0], [-8.0, -2.0, 0, 0, 0, 0]).isel(scenario=slice(1, None))
    assert delta(made).values[:2].tolist() == [8.0, 2.5]
    assert delta(made).attrs["side"] == "mixed"


def test_vega_and_rho__are_the_deltas_of_their_kinds():
    made = ladder_pnl(np.arange(6.0), -np.arange(6.0))
    assert vega(made)["factor"].values.tolist() == list(FACTORS[3:5])
    assert vega(made).values.tolist() == [3.0, 4.0]
    assert rho(made)["factor"].values.tolist() == ["par:USD:2Y", "par:USD:10Y", "zero:EUR:10Y"]
    assert rho(made).values.tolist() == [1.0, 2.0, 5.0]
    assert vega(made.isel(scenario=slice(0, 2))).sizes["factor"] == 0


def test_theta__is_the_pnl_of_the_next_day():
    made = ladder_pnl(np.zeros((2, 6)), np.zeros((2, 6)), day=[[-3.0], [4.0]])
    assert theta(made).values.tolist() == [-3.0, 4.0]
    assert set(theta(made).coords) == set()
    with pytest.raises(BadSpec, match="theta needs one scenario that moves the date by a day, and there are 0"):
        theta(made.isel(scenario=slice(0, -1)))


def test_a_nan__stays_in_its_own_node_and_factor():
    up, down = np.ones((2, 6)), -np.ones((2, 6))
    up[1, 2] = np.nan
    made = ladder_pnl(up, down)
    for measured, value in ((delta(made), 1.0), (gamma(made), 0.0)):
        assert np.isnan(measured.values[1, 2])
        assert (np.delete(measured.values.ravel(), 8) == value).all()


def test_sensitivities__of_no_bumps_are_none():
    made = ladder_pnl(np.ones(6), np.ones(6)).isel(scenario=[-1])
    assert delta(made).sizes["factor"] == gamma(made).sizes["factor"] == 0
    assert bucket(delta(made)).sizes["bucket"] == 0


def test_a_ladder__with_two_bumps_the_same_way_or_of_two_sizes_is_refused():
    made = ladder_pnl(np.ones(6), -np.ones(6))
    with pytest.raises(BadSpec, match="'equity:ACME' is bumped up 2 times"):
        delta(made.isel(scenario=[0, 0, 1]))
    sizes = made["bump"].values.copy()
    sizes[1] = -2.0
    with pytest.raises(BadSpec, match="'equity:ACME' is bumped up and down by different sizes"):
        delta(made.assign_coords(bump=("scenario", sizes)))
    with pytest.raises(BadSpec, match="the P&L has no dim 'scenario'"):
        delta(xr.DataArray(1.0))


def test_measures__are_registered():
    assert [MEASURES[name].function for name in ("delta", "gamma", "rho", "theta", "vega")] == [
        delta,
        gamma,
        rho,
        theta,
        vega,
    ]


@settings(max_examples=60, deadline=None)
@given(
    a=st.floats(-1e6, 1e6), b=st.floats(-1e6, 1e6), c=st.floats(-1e6, 1e6), size=st.sampled_from([0.25, 1.0, 2.0, 5.0])
)
def test_delta_and_gamma__are_exact_for_a_cubic_but_for_its_third_power(a, b, c, size):
    """P&L a x + b x^2 + c x^3: delta is a h + c h^3, gamma 2 b h^2; the central difference misses c h^3 alone."""
    h = size * 0.01
    values = [a * x + b * x**2 + c * x**3 for x in (h, -h)]
    told = {"bumped": ["fx:EUR"] * 2, "bump": [size, -size], "unit": ["%"] * 2}
    pnl = xr.DataArray(values, {key: ("scenario", column) for key, column in told.items()}, "scenario")
    scale = 1e-12 * (abs(a * h) + abs(b * h**2) + abs(c * h**3)) + 1e-300
    assert abs(float(delta(pnl)[0]) - (a * h + c * h**3)) <= scale
    assert abs(float(gamma(pnl)[0]) - 2.0 * b * h**2) <= 4.0 * scale


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6), min_size=12, max_size=12), st.integers(-5, 5))
def test_sensitivities__add_as_pnl_does(numbers, times):
    one = ladder_pnl(numbers[:6], numbers[6:])
    other = ladder_pnl(numbers[6:], numbers[:6])
    for measure in (delta, gamma, theta):
        whole, parts = measure(one + times * other), measure(one) + times * measure(other)
        np.testing.assert_array_equal(whole.values, parts.values)
    found = bucket(delta(one).isel(factor=slice(1, 3)), by=["name"])
    assert float(found.sum()) == float(delta(one).isel(factor=slice(1, 3)).sum())

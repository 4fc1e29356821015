"""Volatility between the nodes of a surface."""

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.formulas import surface


def case(nodes, trades=6, states=150, seed=0):
    draw = np.random.default_rng(seed)
    variance = draw.uniform(0.01, 0.2, (4 * nodes, states))
    grid = np.sort(draw.uniform(0.5, 1.5, nodes))
    low = (draw.integers(0, 3, trades) * nodes).astype(np.int32)
    share = draw.random(trades)
    moneyness = draw.uniform(0.4, 1.6, (trades, states))
    moneyness[0, : min(nodes, states)] = grid[: min(nodes, states)]
    return variance, grid, low, (low + nodes).astype(np.int32), share, 1 - share, moneyness


@pytest.mark.parametrize("nodes", [1, 2, 4, 5, 6, 9, 21])
def test_surface_vol__agrees_with_its_specification(nodes):
    args = case(nodes)
    args[-1][1, :4] = [np.nan, np.inf, -np.inf, 0.0]
    expected = np.empty(args[-1].shape)
    with np.errstate(invalid="ignore"):
        surface.surface_vol_numpy(*args, expected)
    np.testing.assert_allclose(formulas.surface_vol(*args), expected, rtol=1e-14)


def test_surface_vol__is_the_node_at_a_node_and_flat_outside():
    grid = np.array([0.8, 1.0, 1.2])
    variance = np.array([[0.09], [0.04], [0.01]])
    first, one = np.zeros(5, np.int32), np.ones(5)
    asked = np.array([[0.1], [0.8], [1.0], [1.2], [9.0]])
    found = formulas.surface_vol(variance, grid, first, first, one, 0 * one, asked)
    assert found[:, 0].tolist() == [0.3, 0.3, 0.2, 0.1, 0.1]


def test_surface_vol__keeps_a_nan_node_to_the_lanes_that_use_it():
    variance, grid, low, high, a, b, moneyness = case(6)
    variance[low[0] + 5] = np.nan
    moneyness[0] = grid[2]
    assert not np.isnan(formulas.surface_vol(variance, grid, low[:1], high[:1], a[:1], b[:1], moneyness[:1])).any()


def test_surface_vol__is_nan_where_the_variance_is_negative():
    one = np.ones(1)
    found = formulas.surface_vol(-np.ones((1, 2)), one, np.array([0]), np.array([0]), one, 0 * one, np.ones((1, 2)))
    assert np.isnan(found).all()


def test_surface_vol__has_the_same_bits_for_any_tile_and_for_columns():
    variance, grid, low, high, a, b, moneyness = case(9, states=270)
    whole = formulas.surface_vol(variance, grid, low, high, a, b, moneyness)
    for states in [*range(1, 71), 127, 128, 129, 200]:
        for offset in (0, 7):
            cut = slice(offset, offset + states)
            found = formulas.surface_vol(variance[:, cut], grid, low, high, a, b, moneyness[:, cut])
            assert found.tobytes() == whole[:, cut].tobytes()
    row = formulas.surface_vol(variance, grid, low[2:3], high[2:3], a[2:3], b[2:3], moneyness[2:3])
    assert row.tobytes() == whole[2:3].tobytes()
    column = formulas.surface_vol(variance, grid, low, high, a, b, moneyness[:, :1])
    full = np.ascontiguousarray(np.broadcast_to(moneyness[:, :1], moneyness.shape))
    assert column.tobytes() == formulas.surface_vol(variance, grid, low, high, a, b, full).tobytes()


def test_surface_vol__refuses_what_it_cannot_read():
    variance, grid, low, high, a, b, moneyness = case(3)
    with pytest.raises(ValueError, match="must ascend"):
        formulas.surface_vol(variance, grid[::-1], low, high, a, b, moneyness)
    with pytest.raises(IndexError, match="row_high"):
        formulas.surface_vol(variance, grid, low, high + 9, a, b, moneyness)
    with pytest.raises(ValueError, match="moneyness: shape"):
        formulas.surface_vol(variance, grid, low, high, a, b, moneyness[:2])

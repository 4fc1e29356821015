"""Pieces of P&L on arrays: each by hand, and what they are of."""

import numpy as np
import pytest
import xarray as xr

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures import explain
from riskgrid.registry import MEASURES

GROUPS = ("spot", "rates")


def of(values, labels, **coords):
    dims = ("trade", "scenario")[-np.ndim(values) :]
    return xr.DataArray(values, {"scenario": labels, **coords}, dims)


def test_step_pieces__from_base_leave_what_is_no_groups_own_to_the_cross():
    pnl = of([[10, 14, 7, 30], [0, 0, 0, 0], [-5, -5, -6, -6]], ["theta", "spot", "rates", "all"])
    found = explain.step_pieces(pnl)
    assert found["piece"].values.tolist() == ["spot", "rates", "cross"]
    assert found.values.tolist() == [[4, -3, 19], [0, 0, 0], [0, -1, 0]]
    assert found.dtype == np.int64
    assert (found.sum("piece").values == pnl[:, -1] - pnl[:, 0]).all()


def test_step_pieces__in_sequence_are_what_each_step_adds():
    found = explain.step_pieces(of([10, 14, 7], ["theta", "spot", "rates"]), order="in_sequence")
    assert found.to_series().to_dict() == {"spot": 4, "rates": -7}


def test_step_pieces__leave_a_trade_without_a_number_without_pieces():
    found = explain.step_pieces(
        of([[1.0, np.nan, 2.0, np.nan], [0.0, 1.0, 2.0, 5.0]], ["theta", "spot", "rates", "all"])
    )
    assert np.isnan(found.values[0, [0, 2]]).all()
    assert found.values[1].tolist() == [1.0, 2.0, 2.0]


def test_step_pieces__of_no_trade_are_none():
    assert explain.step_pieces(of(np.zeros((0, 3)), ["theta", "spot", "all"])).shape == (0, 2)


def test_step_pieces__refuse_states_that_do_not_begin_with_time():
    with pytest.raises(BadSpec, match="the states of an explain are spot, all; 'theta' is the first one"):
        explain.step_pieces(of([1, 2], ["spot", "all"]))
    with pytest.raises(UnknownName, match="unknown order of an explain 'base'"):
        explain.step_pieces(of([1, 2], ["theta", "all"]), order="base")


def ladder(function, sizes):
    """P&L of a function of the levels' moves under one bump up and one down of each."""
    rows = [(factor, side * size) for factor, size in sizes.items() for side in (1.0, -1.0)]
    pnl = [function({factor: bump}) for factor, bump in rows]
    coords = {"bumped": ("scenario", [name for name, _ in rows]), "bump": ("scenario", [bump for _, bump in rows])}
    return of(pnl, [f"{name} {bump:+g}" for name, bump in rows], **coords)


@pytest.mark.parametrize("size", [0.25, 1.0, 50.0])
@pytest.mark.parametrize("move", [-30.0, 0.0, 0.5])
def test_taylor_pnl__of_a_parabola_is_the_parabola_at_any_bump(size, move):
    def parabola(moves):
        return sum({"fx:EUR": 7.0, "fx:GBP": -2.0}[name] * x + 1.5 * x * x for name, x in moves.items())

    found = explain.taylor_pnl(
        ladder(parabola, {"fx:EUR": size, "fx:GBP": 2 * size}), {"fx:EUR": move, "fx:GBP": -move}
    )
    expected = [parabola({"fx:EUR": move}), parabola({"fx:GBP": -move})]
    np.testing.assert_allclose(found.values, expected, rtol=1e-13, atol=1e-12)
    assert found["factor"].values.tolist() == ["fx:EUR", "fx:GBP"]


def test_taylor_pnl__misses_the_third_order_by_just_that():
    """Of x^3 bumped by one, the central delta is 1 and gamma 0: at a move of 2 it says 2 of 8."""
    found = explain.taylor_pnl(
        ladder(lambda moves: sum(x**3 for x in moves.values()), {"fx:EUR": 1.0}), {"fx:EUR": 2.0}
    )
    assert found.item() == 2.0


def test_taylor_pnl__needs_both_sides_of_one_size_and_a_move():
    both = ladder(lambda moves: 1.0, {"fx:EUR": 1.0, "fx:GBP": 1.0})
    with pytest.raises(BadSpec, match="factor 'fx:GBP' has not both a bump up and down and a move"):
        explain.taylor_pnl(both, {"fx:EUR": 1.0})
    with pytest.raises(BadSpec, match="factor 'fx:EUR' has not both"):
        explain.taylor_pnl(both.isel(scenario=[0, 2, 3]), {"fx:EUR": 1.0, "fx:GBP": 1.0})
    with pytest.raises(BadSpec, match="factor 'fx:GBP' is bumped by 1 and -2; one size is right"):
        explain.taylor_pnl(
            both.assign_coords(bump=("scenario", [1.0, -1.0, 1.0, -2.0])), {"fx:EUR": 1.0, "fx:GBP": 1.0}
        )


def test_translated__is_the_value_before_at_the_later_rate():
    value, rate = np.array([[100.0, 110.0, 50.0]]), np.array([[2.0, 2.0, 3.0]])
    assert explain.translated(value, rate, [0, 1], [1, 2]).tolist() == [[0.0, 55.0]]


def counted(**columns):
    """Three trades that stay, one of each fate after them."""
    plain = {
        "before": [0, 0, 1, 0, 0, 0],
        "rolled": [5, 5, 5, 5, 5, 5],
        "moved": [[5, 9, 4, 11], [5, 9, 4, 11], [7, 7, 7, 7], [5, 9, 4, 11], [5, 9, 4, 11], [5, 9, 4, 11]],
        "aged": [5, -15, 7, 5, -95, 5],
        "left": [0, 0, 2, 40, 0, -300],
        "translation": [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0]],
    }
    numbers = {name: np.array(columns.get(name, values), np.int64) for name, values in plain.items()}
    fates = {name: np.arange(6) == at for name, at in (("amended", 3), ("expired", 4), ("dropped", 5))}
    return explain.Counted(**numbers, **fates)


def test_trade_pieces__by_hand():
    found = explain.trade_pieces(counted(), GROUPS)
    assert {name: ticks.tolist() for name, ticks in found.items()} == {
        "cash and carry": [0, 20, 0, 0, 0, 0],
        "fixings": [0, 0, 2, 0, 0, 0],
        "theta": [5, -15, 5, 5, 0, 5],
        "spot": [4, 3, 0, 4, 0, 4],
        "FX translation": [0, 1, 0, 0, 0, 0],
        "rates": [-1, -1, 0, -1, 0, -1],
        "cross": [3, 3, 0, 3, 0, 3],
        "new": [0, 0, 0, 0, 0, 0],
        "amended": [0, 0, 0, 40, 0, 0],
        "dropped": [0, 0, 0, 0, 0, -300],
        "expired": [0, 0, 0, 0, 11, 0],
        "unexplained": [0, 0, 3, 0, 0, 0],
    }


def test_trade_pieces__in_sequence_have_no_cross():
    moved = np.array(counted().moved)[:, :3]
    found = explain.trade_pieces(counted(moved=moved), GROUPS, "in_sequence")
    assert "cross" not in found
    assert found["rates"].tolist() == [-5, -5, 0, -5, 0, -5]


def test_measures__are_registered():
    assert MEASURES["step_pieces"].function is explain.step_pieces
    assert MEASURES["taylor_pnl"].function is explain.taylor_pnl

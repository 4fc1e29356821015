import dataclasses

import numpy as np
import pytest

from riskgrid.market.objects import Curve, Fixings, Holidays, Level, Prices, RateIndex, Surface, object_from_parts

PANEL = np.array([[0.01, 0.01, 0.02], [0.03, 0.03, 0.03]])
TIMES = np.array([1.0, 2.0])
DAYS = np.array(["2016-06-30", "2016-07-04"], "datetime64[D]")
EVERY = [
    Level(PANEL[:1]),
    Curve(TIMES, PANEL, "linear_zero", "flat_zero"),
    Prices(TIMES, PANEL),
    Surface(np.array([1.0]), np.array([0.9, 1.1]), PANEL, "sticky_strike"),
    Fixings(DAYS, np.array([0.01, 0.02])),
    Holidays(DAYS),
    RateIndex("USD", "USD-TREASURY", "3M", "ACT/360", 2, "US"),
]
ids = [type(one).__name__ for one in EVERY]
every = pytest.mark.parametrize("one", EVERY, ids=ids)


@every
def test_object__of_its_parts_has_the_same_digest(one):
    plain, arrays = one.parts()
    again = object_from_parts(plain, arrays)
    assert type(again) is type(one)
    assert again.digest() == one.digest()


@every
def test_digest__tells_every_field_apart(one):
    seen = {one.digest()}
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if isinstance(value, str):
            changed = value + "x"
        else:
            changed = value + (np.timedelta64(1, "D") if getattr(value, "dtype", None) == DAYS.dtype else 1)
        seen.add(dataclasses.replace(one, **{field.name: changed}).digest())
    assert len(seen) == 1 + len(dataclasses.fields(one))


@every
def test_take__leaves_the_other_states_out(one):
    taken = one.take(np.array([0, 2]))
    if one.moving is None:
        assert taken is one
    else:
        np.testing.assert_array_equal(taken.moving, one.moving[:, [0, 2]])
        assert taken.moving.flags.c_contiguous


@every
def test_moves__says_which_states_differ_from_the_first(one):
    expected = [False, False, one.moving is not None]
    np.testing.assert_array_equal(one.moves(3), expected)


def test_moves__compares_bits():
    """A level that is no number stays, and minus zero is another level than zero."""
    level = Level(np.array([[np.nan, np.nan, 1.0]]))
    np.testing.assert_array_equal(level.moves(3), [False, False, True])
    np.testing.assert_array_equal(Level(np.array([[0.0, -0.0]])).moves(2), [False, True])

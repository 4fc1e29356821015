"""One set over another shifts a factor as one after the other does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.market.states import MarketStates
from riskgrid.scenarios.compose import concatenate, overlay
from riskgrid.scenarios.set import shifts
from tests.run import made

bounded = settings(max_examples=60, deadline=None)
FACTORS = ("fx:EUR", "equity:AAPL", "commodity:WTI:6M", "spread:ACME")
SHIFT = st.tuples(st.floats(0.25, 4.0), st.floats(-0.1, 0.1))


@st.composite
def sets(draw, prefix=""):
    """One to three scenarios on some factors."""
    factors = draw(st.lists(st.sampled_from(FACTORS), min_size=1, max_size=4, unique=True))
    count = draw(st.integers(1, 3))
    panel = np.array([[draw(SHIFT) for _ in factors] for _ in range(count)])
    labels = [f"{prefix}{row}" for row in range(count)]
    return shifts(labels, factors, panel[..., 0], panel[..., 1], name=prefix or "s", kind="test", provenance={})


def shifted(scenarios, levels):
    """Levels (scenario) -> factor -> number."""
    found = []
    for row in range(scenarios.sizes["scenario"]):
        one = scenarios.isel(scenario=row)
        moved = dict(levels)
        for factor, scale, offset in zip(one.factor.values, one.scale.values, one.offset.values, strict=True):
            moved[str(factor)] = scale * moved[str(factor)] + offset
        found.append(moved)
    return found


@bounded
@given(sets("a"), sets("b"))
def test_overlay__across_is_one_shift_after_the_other(first, second):
    levels = dict.fromkeys(FACTORS, 2.0)
    both = shifted(overlay(first, second), levels)
    expected = [two for one in shifted(first, levels) for two in shifted(second, one)]
    assert len(both) == len(expected)
    for one, other in zip(both, expected, strict=True):
        assert one.keys() == other.keys()
        assert np.allclose(list(one.values()), list(other.values()), rtol=1e-12, atol=1e-14)


@bounded
@given(sets("a"), sets("b"))
def test_concatenate__keeps_the_shifts_of_both(first, second):
    levels = dict.fromkeys(FACTORS, 2.0)
    both = shifted(concatenate([first, second]), levels)
    assert both == shifted(first, levels) + shifted(second, levels)


@bounded
@given(sets())
def test_states_hold_the_shifted_levels_to_the_bit(scenarios):
    market = made.market()
    states = MarketStates(market, scenarios)
    for row, levels in enumerate(shifted(scenarios, {factor: market.level(factor) for factor in FACTORS})):
        for factor in ("fx:EUR", "equity:AAPL", "spread:ACME"):
            assert states[factor].panel[0, row + 1] == levels[factor]

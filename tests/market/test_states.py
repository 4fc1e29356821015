import numpy as np
import pytest

from riskgrid.errors import BadScenarios
from riskgrid.market.bootstrap import calibrate
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.market.states import MarketStates
from riskgrid.scenarios.set import shifts

LEVELS = {
    "fx:EUR": 1.11,
    "equity:AAPL": 95.0,
    "dividend:AAPL": 0.02,
    "spread:ACME": 0.01,
    "index:VIX": 15.0,
    "commodity:WTI:0D": 48.0,
    "commodity:WTI:6M": 50.0,
    "zero:EUR-POLICY:1Y": -0.004,
    "par:USD-TREASURY:6M": 0.01,
    "par:USD-TREASURY:1Y": 0.02,
    "par:USD-TREASURY:10Y": 0.03,
    "vol:AAPL:10M:1.00": 0.2,
    "vol:AAPL:2M:1.00": 0.3,
    "vol:AAPL:10M:0.90": 0.25,
    "vol:AAPL:2M:0.90": 0.35,
}
CONVENTIONS = {
    "curves": {"USD-TREASURY": {"quotes": "par"}, "EUR-POLICY": {"quotes": "zero"}, "EMPTY": {"quotes": "zero"}},
    "discount": {"USD": "USD-TREASURY", "EUR": "EUR-POLICY", "CHF": "EMPTY"},
    "indices": {"USD-3M": {"currency": "USD", "curve": "USD-TREASURY", "tenor": "3M", "day_count": "ACT/360"}},
    "surfaces": {"WTI": {"sticky": "sticky_strike"}},
    "calendars": {"US": [np.datetime64("2016-07-04").item()]},
}
FIXINGS = {
    "USD-3M": Fixings(np.array(["2016-06-30"], "datetime64[D]"), np.array([0.0065])),
    "NONE-3M": Fixings(np.array([], "datetime64[D]"), np.array([])),
}
MARKET = MarketSnapshot(
    np.datetime64("2016-07-01"), "USD", tuple(LEVELS), list(LEVELS.values()), CONVENTIONS, FIXINGS, {}
)
NODES = ("par:USD-TREASURY:6M", "par:USD-TREASURY:1Y", "par:USD-TREASURY:10Y")


def states(factors=(), scale=1.0, offset=0.0, scenarios=2, **more):
    labels = [f"s{row}" for row in range(scenarios)]
    return MarketStates(
        MARKET, shifts(labels, list(factors), scale, offset, name="test", kind="test", provenance={}, **more)
    )


def test_state__the_first_is_the_base_and_the_others_are_scale_times_level_plus_offset():
    made = states(["equity:AAPL", "fx:EUR"], [[2.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [7.0, 0.01]])
    np.testing.assert_array_equal(made["equity:AAPL"].panel, [[95.0, 191.0, 7.0]])
    np.testing.assert_array_equal(made["fx:EUR"].panel, [[1.11, 1.11, 1.11 + 0.01]])
    np.testing.assert_array_equal(made["spread:ACME"].panel, [[0.01, 0.01, 0.01]])
    assert made.count == 3


@pytest.mark.parametrize("share", [0.01, 0.04, 0.06, 0.5, 1.0])
def test_state__of_few_moves_and_of_many_is_the_same_to_the_last_bit(share):
    rng = np.random.default_rng(8)
    factors = [*LEVELS, "zero:USD-TREASURY:10Y"]
    factors = [name for name in factors if name != "par:USD-TREASURY:10Y"]
    shape = (200, len(factors))
    moves = rng.random(shape) < share
    scale = np.where(moves, rng.uniform(0.5, 1.5, shape), 1.0)
    offset = np.where(moves, rng.normal(0.0, 1e-3, shape), 0.0)
    zero = factors.index("zero:USD-TREASURY:10Y")
    scale[:, zero], offset[:, zero] = 1.0, 0.0
    order = rng.permutation(len(factors))
    made = states([factors[at] for at in order], scale[:, order], offset[:, order], scenarios=200)
    for name in ("equity:AAPL", "fx:EUR", "dividend:AAPL", "spread:ACME"):
        at, expected = factors.index(name), [LEVELS[name]]
        for row in range(200):
            still = scale[row, at] == 1.0 and offset[row, at] == 0.0
            expected.append(LEVELS[name] if still else scale[row, at] * LEVELS[name] + offset[row, at])
        assert made[name].panel[0].tolist() == expected


def test_state__a_role_is_built_once():
    made = states()
    assert made["discount:USD"] is made["discount:USD"]
    assert made["discount:USD"] is made["curve:USD-TREASURY"]


@pytest.mark.parametrize(
    "role",
    [
        *("equity:GHOST", "fx:USD", "dividend:SAP", "spread:GHOST", "commodity:XAU", "vol:EURUSD", "curve:GHOST"),
        *(
            "curve:EMPTY",
            "discount:CHF",
            "discount:JPY",
            "index:GHOST",
            "fixing:GHOST",
            "fixing:NONE-3M",
            "calendar:MARS",
        ),
    ],
)
def test_state__a_role_that_the_market_has_not_is_none_and_never_moves(role):
    made = states()
    assert made[role] is None
    assert not made.moves(role).any()
    assert len(made.digest(role, np.arange(3))) == len(made.digest("fx:EUR", np.arange(3)))


def test_curve__is_calibrated_in_every_state():
    made = states(NODES, 1.0, [[0.01] * 3, [0.0, 0.0, -0.02]])
    how = MARKET.conventions["curves"]["USD-TREASURY"]
    quotes = np.array([[0.01, 0.02, 0.01], [0.02, 0.03, 0.02], [0.03, 0.04, 0.01]])
    quotes[:, 1], quotes[2, 2] = [0.01 + 0.01, 0.02 + 0.01, 0.03 + 0.01], 0.03 - 0.02
    curve = made["curve:USD-TREASURY"]
    np.testing.assert_array_equal(curve.panel, calibrate(np.array([0.5, 1.0, 10.0]), quotes, how))
    np.testing.assert_array_equal(curve.times, [0.5, 1.0, 10.0])


def test_curve__a_zero_shift_acts_after_calibration():
    made = states(["zero:USD-TREASURY:1Y"], [[2.0], [1.0]], [[0.001], [0.0]])
    panel = made["discount:USD"].panel
    np.testing.assert_array_equal(panel[:, 1], [panel[0, 0], 2.0 * panel[1, 0] + 0.001, panel[2, 0]])
    np.testing.assert_array_equal(panel[:, 2], panel[:, 0])
    np.testing.assert_array_equal(made.moves("discount:USD"), [False, True, False])


def test_surface__is_squared_volatility_with_expiries_in_order_of_time():
    surface = states()["vol:AAPL"]
    np.testing.assert_allclose(surface.expiries, [2 / 12, 10 / 12])
    np.testing.assert_array_equal(surface.moneyness, [0.9, 1.0])
    np.testing.assert_array_equal(surface.panel[:, 0], np.array([0.35, 0.3, 0.25, 0.2]) ** 2)
    assert surface.sticky == "sticky_moneyness"


def test_surface__a_volatility_below_zero_is_no_number():
    panel = states(["vol:AAPL:2M:1.00"], 1.0, [[-0.3], [-0.31]])["vol:AAPL"].panel
    np.testing.assert_array_equal(panel[1], [0.3**2, 0.0, np.nan])
    assert np.isfinite(panel[[0, 2, 3]]).all()


def test_commodity__has_its_nodes_in_order_of_time():
    prices = states()["commodity:WTI"]
    np.testing.assert_array_equal(prices.times, [0.0, 0.5])
    np.testing.assert_array_equal(prices.panel[:, 0], [48.0, 50.0])


def test_conventions__are_objects_too():
    made = states()
    assert made["index:USD-3M"].curve == "USD-TREASURY"
    np.testing.assert_array_equal(made["fixing:USD-3M"].values, [0.0065])
    assert [str(day) for day in made["calendar:US"].dates] == ["2016-07-04"]
    assert len(made["calendar:weekends"].dates) == 0


def test_moves__compares_with_the_base_in_bits():
    made = states(["equity:AAPL"], 1.0, [[0.0], [1e-14]])
    np.testing.assert_array_equal(made.moves("equity:AAPL"), [False, False, True])
    np.testing.assert_array_equal(states(["equity:AAPL"], 1.0, 1e-30).moves("equity:AAPL"), [False] * 3)


def test_digest__depends_on_the_states_asked_for_and_on_what_the_role_says_there():
    made, other = states(["fx:EUR"], [[1.1], [1.2]]), states(["fx:EUR"], [[1.1], [1.3]])
    first, whole = np.array([0, 1]), np.arange(3)
    assert made.digest("fx:EUR", first) == other.digest("fx:EUR", first)
    assert made.digest("fx:EUR", whole) != other.digest("fx:EUR", whole)
    assert made.digest("fx:EUR", first) != made.digest("fx:EUR", whole)
    assert made.digest("equity:AAPL", whole) == other.digest("equity:AAPL", whole)


def test_known__lists_the_roles_of_a_family():
    made = states()
    assert made.known("vol") == ["vol:AAPL"]
    assert made.known("fx") == ["fx:EUR"]
    assert made.known("discount") == ["discount:CHF", "discount:EUR", "discount:USD"]
    assert made.known("index") == ["index:USD-3M"]
    assert made.known("calendar") == ["calendar:US"]


def test_flags__of_a_curve_are_those_of_its_factors():
    stale = np.array([[False, True], [True, False]])
    factors = ["par:USD-TREASURY:1Y", "fx:EUR"]
    made = states(factors, stale=stale, unshocked=np.array([True, False]))
    assert made.unshocked_factors("discount:USD") == ("par:USD-TREASURY:1Y",)
    assert made.unshocked_factors("curve:EUR-POLICY") == ()
    np.testing.assert_array_equal(made.stale("discount:USD"), [False, True])
    np.testing.assert_array_equal(made.stale("fx:EUR"), [True, False])
    np.testing.assert_array_equal(made.stale("equity:AAPL"), [False, False])
    assert states().unshocked_factors("fx:EUR") == ()
    np.testing.assert_array_equal(states().stale("fx:EUR"), [False, False])


def test_dates__are_the_valuation_date_where_the_set_has_none():
    today, later = np.datetime64("2016-07-01"), np.datetime64("2016-07-11")
    np.testing.assert_array_equal(states().dates, [today] * 3)
    made = states(date=np.array([later, np.datetime64("NaT", "D")]))
    np.testing.assert_array_equal(made.dates, [today, later, today])


def test_scenarios__that_do_not_fit_the_market_are_refused():
    with pytest.raises(BadScenarios, match="before the valuation date 2016-07-01"):
        states(date=np.array(["2016-06-30", "2016-07-02"], "datetime64[D]"))
    with pytest.raises(BadScenarios, match="unknown factor 'equity:GHOST'"):
        states(["equity:GHOST"])
    with pytest.raises(BadScenarios, match="unknown factor 'zero:USD-TREASURY:2Y'"):
        states(["zero:USD-TREASURY:2Y"])
    with pytest.raises(BadScenarios, match="scenario 's1' shifts curve 'USD-TREASURY' in par and in zero space"):
        states(["zero:USD-TREASURY:1Y", "par:USD-TREASURY:10Y"], 1.0, [[0.0, 0.01], [0.01, 0.01]])


def test_scenarios__may_shift_a_curve_in_one_space_in_one_and_in_the_other_in_another():
    made = states(["zero:USD-TREASURY:1Y", "par:USD-TREASURY:10Y"], 1.0, [[0.0, 0.01], [0.01, 0.0]])
    np.testing.assert_array_equal(made.moves("discount:USD"), [False, True, True])


@pytest.mark.parametrize(
    "levels",
    [
        {"equity:AAPL": 90.0},
        {"fx:EUR": 1.2, "spread:ACME": 0.02},
        {"par:USD-TREASURY:1Y": 0.021},
        {"vol:AAPL:2M:0.90": 0.4},
        {"commodity:WTI:6M": 51.0},
        {"zero:EUR-POLICY:1Y": 0.0},
        {},
    ],
)
def test_replaced__is_the_same_as_states_of_the_other_snapshot_and_shares_what_is_not_reached(levels):
    roles = [
        role for family in ("fx", "equity", "dividend", "spread", "commodity", "vol") for role in states().known(family)
    ]
    roles += ["curve:USD-TREASURY", "discount:USD", "discount:EUR", "index:USD-3M", "fixing:USD-3M", "calendar:US"]
    scenarios = shifts(["a", "b"], list(MARKET.factors), 1.01, 0.001, name="t", kind="t", provenance={})
    before = MarketStates(MARKET, scenarios)
    every = np.arange(before.count)
    kept = {role: (before[role], before.digest(role, every), before.moves(role)) for role in roles}
    after, reached = before.replaced(MARKET.replace(levels))
    fresh = MarketStates(MARKET.replace(levels), scenarios)
    for role in roles:
        assert after.digest(role, every) == fresh.digest(role, every)
        assert (after[role] is kept[role][0]) == (role not in reached)
        assert (after.digest(role, every) == kept[role][1]) == (role not in reached)
        assert before[role] is kept[role][0]  # the first ones are left as they were
    again, _ = after.replaced(MARKET)
    assert {role: again.digest(role, every) for role in roles} == {role: kept[role][1] for role in roles}

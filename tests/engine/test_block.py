import numpy as np
import pytest

from riskgrid.engine import block as module
from riskgrid.engine.block import BASE_BITS, Priced, cache_bytes, price_block, sum_block
from riskgrid.engine.plan import Pricing
from riskgrid.errors import UnrecordedRead
from riskgrid.formulas import row_checksums
from riskgrid.schema import Status
from tests.engine.conftest import TODAY

LEAST, NONE = np.iinfo(np.int32).min, np.iinfo(np.int64).min
LATER = TODAY + np.timedelta64(10, "D")


def priced(instrument, columns, objects, *, dates=None, bits=10, wide=False, reporting="USD"):
    states = next(iter(objects.values())).panel.shape[1]
    dates = np.repeat(TODAY, states) if dates is None else np.array(dates, "datetime64[D]")
    return price_block(instrument, columns, objects, dates, Pricing(reporting, bits, wide=wide), "USD")


def test_block__counts_value_times_quantity_less_the_base(instrument, columns, level):
    found = priced(instrument(), columns([1.0, 2.0], quantity=[3.0, -1.0]), {"equity:A": level(10.0, 11.0, 9.75)})
    assert found.base_value.tolist() == [30.0, -20.0]
    assert found.ticks.tolist() == [[3072, -768], [-2048, 512]]
    assert found.ticks.dtype == np.int32
    assert found.status.tolist() == [Status.PRICED, Status.PRICED]
    assert len(found.wide) == 0
    assert found.problems == {}


def test_block__of_the_base_alone_has_no_scenarios(instrument, columns, level):
    found = priced(instrument(), columns([1.0]), {"equity:A": level(10.0)})
    assert found.ticks.shape == (1, 0)
    assert (found.base_value.tolist(), found.status.tolist()) == ([10.0], [Status.PRICED])


def test_block__is_in_the_reporting_currency_of_each_state(instrument, columns, level):
    objects = {"equity:A": level(10.0, 10.0, 12.0), "fx:EUR": level(1.25, 1.5, 1.5)}
    found = priced(instrument(), columns([1.0], currency="EUR"), objects)
    assert found.base_value.tolist() == [12.5]
    assert (found.ticks / 1024).tolist() == [[2.5, 5.5]]
    found = priced(instrument(), columns([1.0]), objects, reporting="EUR", bits=20)
    np.testing.assert_allclose(found.base_value, [8.0])
    np.testing.assert_allclose(found.ticks * 2.0**-20, [[10 / 1.5 - 8.0, 0.0]], atol=1e-6)


def test_block__keeps_rows_beyond_32_bits_apart_to_the_last_tick(instrument, columns, level):
    found = priced(instrument(), columns([1.0, 1e9 + 1.0, 5.0]), {"equity:A": level(10.0, 11.0, 9.0)})
    assert found.wide.tolist() == [1]
    assert found.wide_ticks.tolist() == [[1024 * (10**9 + 1), -1024 * (10**9 + 1)]]
    assert found.ticks.tolist() == [[1024, -1024], [LEAST, LEAST], [5120, -5120]]
    assert found.status.tolist() == [Status.PRICED] * 3


def test_block__prices_in_64_bits_where_asked_to(instrument, columns, level):
    found = priced(instrument(), columns([1e9, np.nan]), {"equity:A": level(10.0, 11.0)}, wide=True)
    assert found.ticks.tolist() == [[1024 * 10**9], [NONE]]
    assert found.ticks.dtype == np.int64
    assert len(found.wide) == 0
    assert found.status.tolist() == [Status.PRICED, Status.NO_NUMBER]


def test_block__says_what_is_beyond_64_bits(instrument, columns, level):
    found = priced(instrument(), columns([1e30, 1e9, 1.0]), {"equity:A": level(10.0, 11.0, 10.0)})
    assert found.status.tolist() == [Status.OUT_OF_RANGE, Status.PRICED, Status.PRICED]
    assert found.wide.tolist() == [0, 1]
    assert found.wide_ticks[0].tolist() == [NONE, 0]


def test_block__says_which_trade_has_no_number(instrument, columns, level):
    found = priced(instrument(), columns([1.0, np.nan]), {"equity:A": level(10.0, 11.0, 12.0)})
    assert found.status.tolist() == [Status.PRICED, Status.NO_NUMBER]
    assert found.ticks[1].tolist() == [LEAST, LEAST]
    found = priced(instrument(), columns([1.0]), {"equity:A": level(np.nan, 11.0)})
    assert found.status.tolist() == [Status.NO_NUMBER]


def test_block__keeps_a_missing_pair_missing_in_a_wide_row(instrument, columns, level):
    # the two states lie on different dates, so they are counted in different tiles: wide in one, missing in the other
    dates = [TODAY, TODAY, LATER]
    for states in ((10.0, np.nan, 11.0), (10.0, 11.0, np.nan)):
        found = priced(instrument(), columns([1e9, 1.0]), {"equity:A": level(*states)}, dates=dates)
        assert found.status.tolist() == [Status.NO_NUMBER, Status.NO_NUMBER]
        assert found.wide.tolist() == [0]
        assert sorted(found.wide_ticks[0].tolist()) == [NONE, 1024 * 10**9]


def test_block__tells_expired_trades(instrument, columns, level):
    table = columns([1.0, 2.0, 1e9], expiry=[TODAY, LATER, TODAY])
    objects = {"equity:A": level(10.0, 11.0)}
    assert priced(instrument(), table, objects).status.tolist() == [Status.EXPIRED, Status.PRICED, Status.EXPIRED]
    assert priced(instrument(ends=None), table, objects).status.tolist() == [Status.PRICED] * 3


def by_date(terms, market):
    """Another formula on each date, so that a state priced on the wrong one shows."""
    return terms.strike * market.spot(terms.underlying) * (1.0 + (market.date - TODAY).astype(int))


@pytest.mark.parametrize("dates", [(0, 0, 10, 10), (0, 10, 0, 10), (0, 10, 20, 0), (0, 30, 20, 10)])
@pytest.mark.parametrize("eager", [False, True])
def test_block__prices_each_state_on_its_date(instrument, columns, level, dates, eager):
    days = TODAY + np.array(dates).astype("timedelta64[D]")
    states = np.array([10.0, 11.0, 12.0, 13.0])
    found = priced(instrument(by_date, eager=eager), columns([1.0, 1e7]), {"equity:A": level(*states)}, dates=days)
    expected = states[1:] * (1.0 + np.array(dates[1:])) - 10.0
    assert found.base_value.tolist() == [10.0, 1e8]
    assert (found.ticks[0] / 1024).tolist() == expected.tolist()
    assert found.wide.tolist() == [1]
    assert (found.wide_ticks[0] / 1024 / 1e7).tolist() == expected.tolist()


def picky(terms, market):
    if (terms.strike == 13.0).any():
        raise ZeroDivisionError("thirteen")
    return terms.strike * market.spot(terms.underlying)


@pytest.mark.parametrize("dates", [None, [TODAY, LATER, TODAY]])
@pytest.mark.parametrize("eager", [False, True])
def test_block__fails_the_trades_at_fault_and_no_other(instrument, columns, level, dates, eager):
    strikes = np.arange(1.0, 301.0)
    objects = {"equity:A": level(10.0, 11.0, 9.5)}
    found = priced(instrument(picky, eager=eager), columns(strikes), objects, dates=dates)
    good = strikes != 13.0
    whole = priced(instrument(), columns(strikes), objects, dates=dates)
    assert found.problems == {12: "ZeroDivisionError: thirteen"}
    assert found.status.tolist() == np.where(good, Status.PRICED, Status.FAILED).tolist()
    assert np.isnan(found.base_value[12])
    assert (found.ticks[12] == LEAST).all()
    assert found.ticks[good].tobytes() == whole.ticks[good].tobytes()
    assert found.base_value[good].tobytes() == whole.base_value[good].tobytes()


def late(terms, market):
    """Fails on the later date alone."""
    if market.date != market.base_date and (terms.strike == 1e9).any():
        raise ZeroDivisionError("late")
    return terms.strike * market.spot(terms.underlying)


def test_block__keeps_nothing_of_a_wide_row_that_fails_on_another_date(instrument, columns, level):
    found = priced(
        instrument(late), columns([1.0, 1e9]), {"equity:A": level(10.0, 11.0, 9.0)}, dates=[TODAY, TODAY, LATER]
    )
    assert found.problems == {1: "ZeroDivisionError: late"}
    assert found.wide.tolist() == []
    assert found.ticks.tolist() == [[1024, -1024], [LEAST, LEAST]]
    assert found.checksums.tolist() == row_checksums(found.ticks).tolist()


def test_block__fails_all_trades_of_a_pricer_that_needs_numbers(instrument, columns, level):
    def asks(terms, market):
        return 1.0 if market.spot(terms.underlying) > 5.0 else 0.0

    found = priced(instrument(asks), columns([1.0, 2.0]), {"equity:A": level(10.0, 11.0)})
    assert found.status.tolist() == [Status.FAILED, Status.FAILED]
    assert found.problems[1].startswith("a pricer used a market quantity as the condition of an 'if'")
    eager = priced(instrument(asks, eager=True), columns([1.0]), {"equity:A": level(10.0)})
    assert eager.base_value.tolist() == [1.0]


def test_block__raises_what_its_plan_did_not_record(instrument, columns, level):
    with pytest.raises(UnrecordedRead, match="equity:A"):
        priced(instrument(), columns([1.0]), {"equity:B": level(10.0)})


def test_block__of_an_eager_pricer_has_the_same_bits(instrument, columns, level):
    rng = np.random.default_rng(3)
    objects = {"equity:A": level(*rng.uniform(5.0, 15.0, 40)), "fx:EUR": level(*rng.uniform(1.0, 1.3, 40))}
    table = columns(rng.uniform(1.0, 9.0, 700), quantity=rng.normal(size=700), currency="EUR")
    ours, eager = (priced(instrument(eager=flag), table, objects, bits=20) for flag in (False, True))
    assert ours.ticks.tobytes() == eager.ticks.tobytes()
    assert ours.base_value.tobytes() == eager.base_value.tobytes()


@pytest.mark.parametrize("cache", [1 << 10, 1 << 16, 1 << 26])
def test_block__does_not_depend_on_the_size_of_the_cache(instrument, columns, level, monkeypatch, cache):
    rng = np.random.default_rng(4)
    objects = {"equity:A": level(*rng.uniform(5.0, 15.0, 3000))}
    table = columns(rng.uniform(1.0, 1e7, 50))
    expected = priced(instrument(), table, objects)
    monkeypatch.setattr(module, "cache_bytes", lambda: cache)
    found = priced(instrument(), table, objects)
    assert found.ticks.tobytes() == expected.ticks.tobytes()
    assert found.wide_ticks.tobytes() == expected.wide_ticks.tobytes()
    assert len(found.wide) > 0


@pytest.fixture
def two_cells():
    ticks = np.array([[1, 2], [LEAST, LEAST], [LEAST, 5], [7, 8]], np.int32)
    status = np.array([Status.PRICED, Status.PRICED, Status.NO_NUMBER, Status.EXPIRED], np.uint8)
    return Priced(ticks, np.array([1.5, -2.0, 4.0, 0.0]), status, np.array([1]), np.array([[2**40, -(2**40)]]))


def test_sum_block__leaves_a_trade_with_a_missing_pair_out_as_a_whole(two_cells):
    sums = sum_block(two_cells, np.array([0, 0, 0, 1]), 2)
    assert sums["pnl"].tolist() == [[2**40 + 1, 2 - 2**40], [7, 8]]
    assert (sums["base"] / 2**BASE_BITS).tolist() == [-0.5, 0.0]
    assert (sums["gross"] / 2**BASE_BITS).tolist() == [3.5, 0.0]
    assert (sums["gross_known"] / 2**BASE_BITS).tolist() == [7.5, 0.0]
    assert sums["trades"].tolist() == [3, 1]
    assert sums["unpriced"].tolist() == [1, 0]


def test_sum_block__knows_more_value_than_it_has_where_a_trade_is_beyond_the_range(instrument, columns, level):
    found = priced(instrument(), columns([1e6, -1e17, 1e300, np.nan]), {"equity:A": level(10.0, 10.0)})
    assert found.status.tolist()[:3] == [Status.PRICED, Status.OUT_OF_RANGE, Status.OUT_OF_RANGE]
    sums = sum_block(found, np.zeros(4, np.int64), 1)
    assert sums["unpriced"].tolist() == [3]
    assert (sums["gross"] / 2**BASE_BITS).tolist() == [1e7]
    assert (sums["gross_known"] / 2**BASE_BITS).tolist() == [1e7 + 2 * 2**42]


def test_sum_block__refuses_a_sum_that_leaves_64_bits():
    wide = np.full((2, 1), 2**62)
    status = np.zeros(2, np.uint8)
    narrow = np.full((2, 1), LEAST, np.int32)
    with pytest.raises(OverflowError, match="money of a cell leaves the range of 64-bit ticks; run with fewer"):
        sum_block(Priced(narrow, np.zeros(2), status, np.arange(2), wide), np.zeros(2, np.int64), 1)
    apart = sum_block(Priced(narrow, np.zeros(2), status, np.arange(2), wide), np.arange(2), 2)
    assert apart["pnl"].tolist() == [[2**62], [2**62]]


@pytest.mark.parametrize(
    ("text", "size"), [("512K\n", 512 << 10), ("2M\n", 2 << 20), ("4096\n", 4096), ("", 1 << 20), ("?", 1 << 20)]
)
def test_cache_bytes__are_what_the_system_says(monkeypatch, tmp_path, text, size):
    (tmp_path / "size").write_text(text)
    monkeypatch.setattr(module, "Path", lambda _: tmp_path / "size")
    try:
        cache_bytes.cache_clear()
        assert cache_bytes() == size
        (tmp_path / "size").unlink()
        cache_bytes.cache_clear()
        assert cache_bytes() == 1 << 20
    finally:
        cache_bytes.cache_clear()

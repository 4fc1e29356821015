import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.market.bootstrap import par_quotes
from riskgrid.market.history import MarketHistory
from riskgrid.market.objects import Fixings
from tests.tables import rows_of

DAYS = np.array(["2016-06-23", "2016-06-24", "2016-06-27", "2016-06-28"], dtype="datetime64[D]")
FACTORS = ("fx:GBP", "par:USD:10Y", "par:USD:6M", "index:VIX", "par:USD:2Y")
VALUES = np.array(
    [
        [1.4800, 0.0174, 0.0041, 17.25, 0.0078],
        [1.3660, 0.0157, 0.0039, 25.76, 0.0064],
        [1.3220, 0.0146, np.nan, np.nan, 0.0061],
        [1.3340, 0.0146, 0.0036, 18.75, 0.0061],
    ]
)
STALE = np.zeros((4, 5), dtype=bool)
STALE[3, 0] = True
CONVENTIONS = {"curves": {"USD": {"quotes": "par"}, "EUR": {"quotes": "zero"}}, "discount": {"USD": "USD"}}
ORIGIN = {"*": "real: closing levels", "fx:*": "real: ECB fixes"}


def history(dates=DAYS, factors=FACTORS, values=VALUES, stale=STALE, numeraire="USD", **more):
    fixings = {"USD-3M": Fixings(DAYS, np.array([0.0062, 0.0062, 0.0063, 0.0063]))}
    settings = {"conventions": CONVENTIONS, "fixings": fixings, "origin": ORIGIN} | more
    return MarketHistory(dates, factors, values, stale, numeraire, **settings)


def test_history__columns_follow_their_sorted_factors():
    made = history()
    assert made.factors == ("fx:GBP", "index:VIX", "par:USD:10Y", "par:USD:2Y", "par:USD:6M")
    np.testing.assert_array_equal(made.values[0], [1.4800, 17.25, 0.0174, 0.0078, 0.0041])
    assert np.argwhere(made.stale).tolist() == [[3, 0]]
    with pytest.raises(ValueError, match="read-only"):
        made.values[0, 0] = 1.0


def test_snapshot__has_the_levels_of_its_day_without_those_that_are_missing():
    made = history().snapshot("2016-06-27")
    assert made.date == np.datetime64("2016-06-27")
    assert made.factors == ("fx:GBP", "par:USD:10Y", "par:USD:2Y")
    assert made.level("fx:GBP") == 1.3220
    assert made.origin["fx:GBP"] == "real: ECB fixes"
    assert made.conventions == history().conventions


def test_snapshot__knows_no_fixing_of_a_later_day():
    np.testing.assert_array_equal(history().snapshot("2016-06-24").fixings["USD-3M"].dates, DAYS[:2])


def test_snapshot__takes_extra_levels_but_none_twice():
    made = history().snapshot(DAYS[2], {"index:VIX": 20.0, "zero:EUR:1Y": -0.004})
    assert made.level("index:VIX") == 20.0
    with pytest.raises(BadMarket, match="factor 'fx:GBP' is there 2 times"):
        history().snapshot(DAYS[2], {"fx:GBP": 1.5})


@pytest.mark.parametrize(
    ("date", "near"),
    [("2016-06-25", "2016-06-24 and 2016-06-27"), ("2016-06-01", "2016-06-23"), ("2016-07-01", "2016-06-28")],
)
def test_snapshot__names_the_neighbours_of_a_date_that_is_not_there(date, near):
    with pytest.raises(BadMarket, match=f"the history has no date {date}; nearest: {near}$"):
        history().snapshot(date)


def test_select__includes_both_ends():
    some = history().select("2016-06-24", "2016-06-27")
    np.testing.assert_array_equal(some.dates, DAYS[1:3])
    np.testing.assert_array_equal(some.values, history().values[1:3])
    assert some.snapshot(DAYS[1]) == history().snapshot(DAYS[1])
    with pytest.raises(BadMarket, match="no date from 2017-01-01 to 2018-01-01; it has 2016-06-23 to 2016-06-28"):
        history().select("2017-01-01", "2018-01-01")


def test_zero_rates__reprice_the_quotes_of_every_day_that_has_them():
    zeros = history().zero_rates("USD")
    assert zeros.shape == (4, 3)
    quotes = par_quotes(np.array([0.5, 2.0, 10.0]), zeros[[0, 1, 3]].T, interpolation="linear_zero")
    np.testing.assert_allclose(quotes.T, VALUES[[0, 1, 3]][:, [2, 4, 1]], rtol=0, atol=1e-12)
    assert np.isnan(zeros[2]).all()


def test_zero_rates__of_one_day_are_those_of_all_days_in_bits():
    every = history().zero_rates("USD")
    np.testing.assert_array_equal(history().select(DAYS[1], DAYS[1]).zero_rates("USD")[0], every[1])


def test_zero_rates__of_zero_quotes_are_the_quotes():
    values = np.array([[-0.004, -0.005]] * 4)
    made = history(factors=("zero:EUR:2Y", "zero:EUR:1Y"), values=values, stale=np.zeros((4, 2), bool))
    np.testing.assert_array_equal(made.zero_rates("EUR"), values[:, ::-1])


def test_zero_rates__need_a_curve_that_is_defined():
    assert history().zero_rates("EUR").shape == (4, 0)
    with pytest.raises(UnknownName, match="unknown curve 'GBP'"):
        history().zero_rates("GBP")


def test_to_dataset__labels_every_level():
    made = history().to_dataset()
    assert made["value"].dims == ("date", "factor")
    assert float(made["value"].sel(date="2016-06-24", factor="fx:GBP")) == 1.3660
    assert bool(made["stale"].sel(date="2016-06-28", factor="fx:GBP"))
    assert str(made["origin"].sel(factor="fx:GBP").item()) == "real: ECB fixes"
    assert made.attrs == {"numeraire": "USD"}
    made["value"][:] = 0.0  # a copy: the history keeps its own


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dates": DAYS[::-1]}, "the dates do not increase"),
        ({"numeraire": ""}, "the numeraire is missing"),
        ({"numeraire": "GBP"}, "factor 'fx:GBP' is the numeraire"),
        ({"values": -VALUES[:, :1], "stale": STALE[:, :1], "factors": ("fx:GBP",)}, "-1.48 on 2016-06-23 and 3 times"),
        ({"conventions": {}}, "curve 'USD' has factors but no entry"),
        ({"origin": {"fx:*": "ECB"}}, "the origin of 'fx:*' is 'ECB'"),
        ({"fixings": {"X": Fixings(DAYS, np.ones(3))}}, "fixings of 'X' need one value per date"),
        ({"values": VALUES[:3]}, "values of shape (3, 5) and a stale mask of shape (4, 5); (4, 5) is right"),
        ({"dates": DAYS[:0], "values": VALUES[:0], "stale": STALE[:0]}, "there is no date"),
    ],
)
def test_history__says_what_is_wrong(change, sentence):
    with pytest.raises(BadMarket) as caught:
        history(**change)
    assert sentence in str(caught.value)


@st.composite
def histories(draw):
    count = draw(st.integers(1, 4))
    names = st.from_regex(r"index:[A-Z]{1,3}", fullmatch=True)
    factors = tuple(draw(st.lists(names, max_size=3, unique=True)))
    cells = st.lists(st.one_of(st.floats(allow_infinity=False, width=64), st.none()), min_size=count, max_size=count)
    columns = [[np.nan if cell is None else cell for cell in draw(cells)] for _ in factors]
    values = np.array(columns, dtype=float).reshape(len(factors), count).T
    masks = draw(st.lists(st.booleans(), min_size=values.size, max_size=values.size))
    origin = draw(st.sampled_from([{}, ORIGIN]))
    return history(DAYS[:count], factors, values, np.array(masks, dtype=bool).reshape(values.shape), origin=origin)


@given(histories(), st.sampled_from(["csv", "parquet"]))
def test_write__is_read_back_in_bits(tmp_path_factory, made, form):
    folder = tmp_path_factory.mktemp("history")
    made.write(folder, form)
    again = MarketHistory.read(folder)
    assert again == made
    np.testing.assert_array_equal(np.isnan(again.values), np.isnan(made.values))
    assert np.nan_to_num(again.values).tobytes() == np.nan_to_num(made.values).tobytes()


def test_read__without_a_stale_table_nothing_is_stale(tmp_path):
    history().write(tmp_path, "csv")
    (tmp_path / "stale.csv").unlink()
    assert not MarketHistory.read(tmp_path).stale.any()


def test_read__says_where_the_files_are_wrong(tmp_path):
    history().write(tmp_path, "csv")
    (tmp_path / "stale.csv").write_text("date,factor\n2016-06-25,fx:GBP\n")
    with pytest.raises(BadMarket, match=r"stale\.csv: the history has no 'fx:GBP' on 2016-06-25"):
        MarketHistory.read(tmp_path)
    (tmp_path / "stale.csv").unlink()
    (tmp_path / "history.csv").write_text("date,fx:GBP\n2016-06-24,-1.0\n")
    with pytest.raises(BadMarket, match=r"history: factor 'fx:GBP' is -1.0 on 2016-06-24") as caught:
        MarketHistory.read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    (tmp_path / "history.csv").unlink()
    with pytest.raises(BadMarket, match=r"no history\.parquet or history\.csv in"):
        MarketHistory.read(tmp_path)
    (tmp_path / "history.csv").write_text("date\n2016-06-24\n")
    (tmp_path / "conventions.yaml").write_text("numeraire: USD\norigin: real\n")
    with pytest.raises(BadMarket, match="key 'origin' is 'real'; factor: sentence is right"):
        MarketHistory.read(tmp_path)


def test_digest__counts_levels_and_staleness_but_no_origin():
    base = history()
    fresh = history(stale=np.zeros_like(STALE))
    assert len({base.digest, fresh.digest, history(values=VALUES * 2).digest}) == 3
    assert history(origin={}).digest == base.digest
    assert history(origin={}) != base
    assert len({base, history()}) == 1


def test_history__travels_to_another_process():
    assert pickle.loads(pickle.dumps(history())) == history()


def test_repr__says_span_and_what_it_holds():
    assert repr(history()).startswith(
        "MarketHistory(2016-06-23 to 2016-06-28, 4 dates, USD, 5 factors: 1 fx, 1 index, 3 par, "
    )
    page = history()._repr_html_()
    assert ["fx", "1", "1", "real", "ECB fixes"] in rows_of(page)
    assert "Market history, 2016-06-23 to 2016-06-28, 4 dates, in USD" in page

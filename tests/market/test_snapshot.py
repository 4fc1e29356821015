import pickle
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from tests.tables import rows_of

CONVENTIONS = {"curves": {"USD-TREASURY": {"quotes": "par"}}, "calendars": {"US": [date(2016, 7, 4)]}}
LEVELS = {
    "fx:EUR": 1.1135,
    "equity:SPX": 2102.95,
    "par:USD-TREASURY:6M": 0.0037,
    "par:USD-TREASURY:10Y": 0.0146,
    "commodity:WTI:0D": -36.98,
    "vol:SPX:1Y:1.00": 0.17,
    "index:VIX": 14.77,
}
ORIGIN = {"*": "real: closing levels", "vol:*": "derived: moves with VIX", "vol:SPX:1Y:1.00": "synthetic: a shape"}
DAYS = np.array(["2016-06-29", "2016-06-30"], dtype="datetime64[D]")


def snapshot(levels=LEVELS, numeraire="USD", conventions=CONVENTIONS, fixings=None, origin=ORIGIN):
    published = {"USD-3M": Fixings(DAYS, np.array([0.0065, 0.0066]))} if fixings is None else fixings
    day = np.datetime64("2016-07-01")
    return MarketSnapshot(day, numeraire, tuple(levels), list(levels.values()), conventions, published, origin)


def test_snapshot__is_sorted_and_read_only():
    made = snapshot()
    assert made.factors == tuple(sorted(LEVELS))
    assert {factor: made.level(factor) for factor in made.factors} == LEVELS
    with pytest.raises(ValueError, match="read-only"):
        made.levels[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        made.fixings["USD-3M"].values[0] = 1.0


def test_snapshot__keeps_no_hold_on_the_array_it_was_made_of():
    levels = np.array([1.1])
    made = MarketSnapshot(np.datetime64("2016-07-01"), "USD", ("fx:EUR",), levels)
    levels[0] = 2.0
    assert made.level("fx:EUR") == 1.1


def test_origin__is_that_of_the_id_else_of_the_longest_pattern():
    origin = snapshot().origin
    assert origin["fx:EUR"] == "real: closing levels"
    assert origin["vol:SPX:1Y:1.00"] == "synthetic: a shape"
    assert snapshot(origin={"*": "real", "vol:*": "derived: x"}).origin["vol:SPX:1Y:1.00"] == "derived: x"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"levels": {**LEVELS, "fx:GBP": np.nan}}, "factor 'fx:GBP' has no level"),
        ({"levels": {**LEVELS, "fx:GBP": np.inf}}, "factor 'fx:GBP' is inf; a level that is finite is right"),
        ({"levels": {**LEVELS, "fx:GBP": 0.0}}, "factor 'fx:GBP' is 0.0; a level that is above 0 is right"),
        ({"levels": {**LEVELS, "equity:A": -1.0}}, "factor 'equity:A' is -1.0; a level that is above 0 is right"),
        ({"levels": {**LEVELS, "vol:A:1Y:1": -0.1}}, "'vol:A:1Y:1' is -0.1; a level that is 0 or above is right"),
        ({"levels": {**LEVELS, "fx:USD": 1.0}}, "factor 'fx:USD' is the numeraire, which is 1 and no factor"),
        ({"levels": {**LEVELS, "rates:USD": 1.0}}, "unknown factor kind in 'rates:USD'"),
        ({"levels": {**LEVELS, "par:USD-TREASURY:120M": 0.01}}, "10Y' and 'par:USD-TREASURY:120M' are the same node"),
        ({"levels": {**LEVELS, "vol:SPX:12M:1.0": 0.2}}, "'vol:SPX:1Y:1.00' are the same node"),
        ({"levels": {**LEVELS, "par:USD-TREASURY:0D": 0.01}}, "a curve's nodes lie above 0D"),
        (
            {"levels": {**LEVELS, "zero:USD-TREASURY:1Y": 0.01}},
            "curve 'USD-TREASURY' has both par and zero factors; one kind of quote is right",
        ),
        (
            {"levels": {**LEVELS, "zero:EUR:1Y": 0.01}},
            "curve 'EUR' has factors but no entry in the conventions' curves; known: USD-TREASURY",
        ),
        (
            {"conventions": {"curves": {"USD-TREASURY": {"quotes": "zero"}}}},
            "curve 'USD-TREASURY' has par factors where its conventions say quotes: zero",
        ),
        ({"numeraire": ""}, "the numeraire is missing"),
        ({"origin": {"fx:EUR": "Reuters"}}, "the origin of 'fx:EUR' is 'Reuters'; it begins with real, derived"),
        ({"fixings": {"X": Fixings(DAYS[::-1], np.ones(2))}}, "fixings of 'X' need one value per date"),
        ({"fixings": {"X": Fixings(DAYS, np.array([1.0, np.nan]))}}, "the fixing of 'X' on 2016-06-30 is no number"),
    ],
)
def test_snapshot__says_what_is_wrong(change, sentence):
    with pytest.raises(BadMarket) as caught:
        snapshot(**change)
    assert str(caught.value).startswith("snapshot of 2016-07-01: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_snapshot__lists_everything_wrong_in_one_error():
    factors, levels = ("fx:EUR", "fx:EUR", "fx:GBP", "equity"), [1.1, 1.2, np.nan, 5.0]
    with pytest.raises(BadMarket, match=r"3 problems:\n.*'fx:EUR' is there 2.*\n.*'equity' is no.*\n.*'fx:GBP' has"):
        MarketSnapshot(np.datetime64("2016-07-01"), "USD", factors, levels)


def test_snapshot__needs_a_date_and_a_level_each():
    with pytest.raises(BadMarket, match="the date is missing"):
        MarketSnapshot(np.datetime64("NaT", "D"), "USD", (), [])
    with pytest.raises(BadMarket, match=r"1 factors have levels of shape \(2,\)"):
        MarketSnapshot(np.datetime64("2016-07-01"), "USD", ("fx:EUR",), [1.0, 2.0])


def test_level__suggests_the_id_that_was_meant():
    with pytest.raises(UnknownName, match="unknown factor 'fx:EUT'; did you mean 'fx:EUR'"):
        snapshot().level("fx:EUT")


def test_replace__moves_one_level_and_leaves_the_rest():
    before = snapshot()
    after = before.replace({"fx:EUR": 1.2})
    assert after.level("fx:EUR") == 1.2
    assert after.replace({"fx:EUR": LEVELS["fx:EUR"]}) == before
    assert after.digest != before.digest
    with pytest.raises(UnknownName, match="unknown factor 'fx:GBP'"):
        before.replace({"fx:GBP": 1.3})
    with pytest.raises(BadMarket, match=r"factor 'fx:EUR' is -1\.0"):
        before.replace({"fx:EUR": -1.0})


def test_with_factors__adds_with_an_origin_and_refuses_what_is_there():
    made = snapshot().with_factors({"fx:GBP": 1.3, "fx:AUD": 0.75}, "derived: a guess")
    assert made.level("fx:AUD") == 0.75
    assert made.origin["fx:GBP"] == "derived: a guess"
    assert made.origin["fx:EUR"] == "real: closing levels"
    with pytest.raises(BadMarket, match="factor 'fx:EUR' is there 2 times"):
        made.with_factors({"fx:EUR": 1.3}, "derived: a guess")


def test_digest__counts_what_can_move_a_value():
    base = snapshot()
    assert snapshot(dict(reversed(LEVELS.items()))).digest == base.digest
    assert snapshot(origin={}).digest == base.digest
    assert snapshot(origin={}) != base
    others = [
        snapshot(numeraire="CHF"),
        snapshot(conventions={"curves": {"USD-TREASURY": {"quotes": "par", "payments_per_year": 4}}}),
        snapshot(fixings={}),
        base.replace({"index:VIX": 14.78}),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 5


@st.composite
def snapshots(draw):
    amounts = st.floats(-1e9, 1e9, allow_subnormal=True)
    levels = draw(st.dictionaries(st.from_regex(r"index:[A-Z]{1,3}", fullmatch=True), amounts, max_size=5))
    levels |= draw(st.fixed_dictionaries({}, optional={"fx:EUR": st.floats(1e-300, 1e300)}))
    levels |= draw(st.fixed_dictionaries({}, optional={"par:USD-TREASURY:5Y": st.floats(-0.1, 0.2)}))
    days = np.array(sorted(draw(st.sets(st.integers(0, 40_000), max_size=4))), dtype="datetime64[D]")
    published = draw(st.lists(amounts, min_size=len(days), max_size=len(days)))
    fixings = {"A,B": Fixings(days, np.array(published))} if len(days) else {}
    origin = draw(st.sampled_from([{}, {"index:*": 'derived: "quoted", and so on', "fx:EUR": "real"}]))
    return snapshot(levels, fixings=fixings, origin=origin)


@given(snapshots(), st.sampled_from(["csv", "parquet"]))
def test_write__is_read_back_in_bits(tmp_path_factory, made, form):
    folder = tmp_path_factory.mktemp("market")
    made.write(folder, form)
    again = MarketSnapshot.read(folder)
    assert again == made
    assert again.levels.tobytes() == made.levels.tobytes()


def test_write__replaces_the_other_form(tmp_path):
    snapshot().write(tmp_path, "parquet")
    snapshot(numeraire="CHF").write(tmp_path)
    assert MarketSnapshot.read(tmp_path).numeraire == "CHF"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conventions.yaml", "factors.csv", "fixings.csv"]
    with pytest.raises(BadMarket, match="written as csv or parquet, not as 'xlsx'"):
        snapshot().write(tmp_path, "xlsx")


YAML = "date: 2016-07-01\nnumeraire: USD\n"


@pytest.mark.parametrize(
    ("yaml", "factors", "sentence"),
    [
        (YAML, "", "factors.csv is empty; a line of column names is right"),
        (YAML, "factor\nfx:EUR\n", "factors.csv has no column 'level'; it has factor"),
        (YAML, "factor,level\nfx:EUR,1.1\nfx:GBP,1;3\n", "factors.csv, line 3, column 'level': '1;3' is not a number"),
        (YAML, "factor,level\nfx:EUR\n", "factors.csv, line 2: 1 cells under 2 column names"),
        (YAML, "factor,level,level\n", "factors.csv has two columns 'level'"),
        (YAML, "factor,level\nfx:EUR,\n", "factor 'fx:EUR' has no level"),
        ("date: soon\nnumeraire: USD\n", "factor,level\n", "key 'date' is 'soon'; 2016-07-01 is right"),
        ("date: 2016\nnumeraire: USD\n", "factor,level\n", "key 'date' is 2016; 2016-07-01 is right"),
        ("numeraire: USD\n", "factor,level\n", "key 'date' is None; 2016-07-01 is right"),
        ("date: 2016-07-01\n", "factor,level\n", "the numeraire is missing"),
        (YAML + "curve: {}\n", "factor,level\n", "conventions.yaml: key 'curve' is unknown"),
    ],
)
def test_read__says_where_the_files_are_wrong(tmp_path, yaml, factors, sentence):
    (tmp_path / "conventions.yaml").write_text(yaml)
    (tmp_path / "factors.csv").write_text(factors)
    with pytest.raises(BadMarket) as caught:
        MarketSnapshot.read(tmp_path)
    assert sentence in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_read__takes_a_file_from_a_spreadsheet(tmp_path):
    (tmp_path / "conventions.yaml").write_text(YAML)
    (tmp_path / "factors.csv").write_bytes("\ufefffactor, level\r\nfx:EUR, 1.1\r\n\r\n".encode())
    assert MarketSnapshot.read(str(tmp_path)).level("fx:EUR") == 1.1


def test_read__says_which_files_are_there_or_not(tmp_path):
    (tmp_path / "conventions.yaml").write_text(YAML)
    with pytest.raises(BadMarket, match=r"no factors\.csv or factors\.parquet in"):
        MarketSnapshot.read(tmp_path)
    (tmp_path / "factors.parquet").write_bytes(b"not parquet")
    with pytest.raises(BadMarket, match=r"factors\.parquet: not Parquet"):
        MarketSnapshot.read(tmp_path)
    (tmp_path / "factors.csv").write_text("factor,level\n")
    with pytest.raises(BadMarket, match=r"both factors\.csv and factors\.parquet"):
        MarketSnapshot.read(tmp_path)


def test_read__refuses_a_fixing_without_a_date(tmp_path):
    snapshot().write(tmp_path)
    (tmp_path / "fixings.csv").write_text("index,date,value\nUSD-3M,2016-06-31,0.01\n")
    with pytest.raises(BadMarket, match=r"fixings\.csv, line 2, column 'date': '2016-06-31' is not a date"):
        MarketSnapshot.read(tmp_path)


def test_snapshot__travels_to_another_process():
    made = snapshot()
    assert pickle.loads(pickle.dumps(made)) == made
    assert len({made, snapshot()}) == 1


def test_repr__says_date_numeraire_and_what_it_holds():
    made = snapshot(origin={"fx:*": "real: <ECB>"})
    assert repr(made).startswith("MarketSnapshot(2016-07-01, USD, 7 factors: 1 commodity, 1 equity, 1 fx, ")
    page = made._repr_html_()
    assert ["fx", "1", "1", "real", "&lt;ECB&gt;"] in rows_of(page)
    assert ["par", "1", "2", "not stated", ""] in rows_of(page)
    assert "Market of 2016-07-01, in USD" in page


def test_repr__shows_one_row_per_kind_and_origin():
    origin = {"par:*:6M": "real: bills.", "par:*:10Y": "real: notes.", "fx:*": "derived: <a guess>."}
    page = snapshot({**LEVELS, "fx:GBP": 1.3, "par:USD-TREASURY:30Y": 0.02}, origin=origin)._repr_html_()
    rows = rows_of(page)
    assert ["fx", "2", "2", "derived", "&lt;a guess&gt;."] in rows
    assert ["par", "1", "2", "real", "notes; and others"] in rows
    assert ["par", "1", "1", "not stated", ""] in rows
    assert [row[0] for row in rows].count("par") == 2

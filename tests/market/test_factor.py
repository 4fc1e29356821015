import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.market.factor import KINDS, Factor, curve_nodes, match, parse

COORDINATES = {"tenor": st.from_regex(r"[0-9]{1,2}[DWMY]", fullmatch=True), "moneyness": st.sampled_from(["0.80", "1"])}


@st.composite
def factors(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    name = draw(st.from_regex(r"[A-Z][A-Za-z0-9.\-]{0,9}", fullmatch=True))
    return Factor(kind, name, tuple(draw(COORDINATES[coordinate]) for coordinate in KINDS[kind]))


@given(factors())
def test_parse__reads_what_str_writes(factor):
    assert parse(str(factor)) == factor


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zero:USD", "factor 'zero:USD' is no zero:NAME:TENOR"),
        ("fx:EUR:1Y", "factor 'fx:EUR:1Y' is no fx:NAME"),
        ("equity:", "factor 'equity:' has the name ''"),
        ("equity:A*", "a name has no blanks, commas or wildcards"),
        ("par:USD:1Q", "has '1Q' where a tenor such as 6M or 10Y belongs"),
        ("vol:SPX:1Y:ATM", "has 'ATM' where a moneyness K/F such as 1.00 belongs"),
    ],
)
def test_parse__says_what_is_wrong_with_an_id(text, sentence):
    with pytest.raises(BadMarket, match=sentence.replace("*", r"\*")):
        parse(text)


def test_parse__lists_the_known_kinds():
    with pytest.raises(UnknownName, match="did you mean 'equity'"):
        parse("equty:AAPL")


def test_match__keeps_the_order_and_minds_case():
    assert match("equity:*", ["equity:B", "Equity:C", "fx:EUR", "equity:A"]) == ("equity:B", "equity:A")


def test_curve_nodes__stand_in_order_of_time_and_take_no_other_curve():
    names, times = curve_nodes("par", "USD", ["par:USD:10Y", "par:USD:2Y", "par:USD:18M", "par:USD2:1Y", "zero:USD:1Y"])
    assert names == ("par:USD:18M", "par:USD:2Y", "par:USD:10Y")
    np.testing.assert_array_equal(times, [1.5, 2.0, 10.0])

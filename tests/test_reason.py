import pytest

from riskgrid.errors import BadChanges, BadRows, BadSpec, UnknownName
from riskgrid.reason import reasons, with_reasons
from tests.run import made

BOOK, MARKET = made.portfolio(2, only=("equity",)), made.market()


def test_reasons__of_changes_that_can_be_made_are_none():
    form = {"drop": ["equity-0"], "shift": {"fx:EUR": "-5%"}, "overlay": {"crash": {"equity:*": "-5%"}}}
    assert reasons(form, BOOK, MARKET) == []


def test_reasons__name_every_part_once_and_every_bad_cell():
    rows = [{"trade_id": f"N-{at}", "underlying": "", "currency": "USD", "trade_date": "soon"} for at in range(2)]
    found = reasons({"drop": ["A", "A", "B"], "add": {"equity": rows}, "shift": {"fx:*": "x0"}}, BOOK, MARKET)
    assert sum("unknown trade" in each for each in found) == 2
    assert sum("column 'trade_date'" in each for each in found) == 2
    assert sum("'x0'" in each for each in found) == 1


def test_reasons__are_told_up_to_a_hundred():
    assert len(reasons({"drop": [f"N-{at}" for at in range(500)]}, BOOK, MARKET)) == 100


def test_error__with_one_reason_stays_what_it_was():
    error = UnknownName("trade", "A", BOOK.places())
    assert with_reasons(error, {"drop": ["A"]}, BOOK, MARKET) is error
    elsewhere = BadSpec("something else")
    assert with_reasons(elsewhere, {"drop": ["equity-0"]}, BOOK, MARKET) is elsewhere
    cells = BadRows([])
    assert with_reasons(cells, {"drop": ["A", "B"]}, BOOK, MARKET) is cells


def test_error__with_several_reasons_tells_them_all():
    made_of = with_reasons(BadSpec("first"), {"drop": ["A", "B", "C", "D"]}, BOOK, MARKET)
    assert isinstance(made_of, BadChanges)
    assert len(made_of.reasons) == 4
    assert str(made_of).startswith("the changes cannot be made for 4 reasons: unknown trade 'A'")
    assert str(made_of).endswith("; and 1 more")
    with pytest.raises(BadChanges):
        raise made_of

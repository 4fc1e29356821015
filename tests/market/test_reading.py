import numpy as np
import pytest

from riskgrid.errors import MissingMarketData, UnrecordedRead
from riskgrid.market.objects import Fixings, Holidays, Level, Surface
from riskgrid.market.reading import Reading, codes_of
from riskgrid.terms import Names

ONE = Level(np.array([[1.0, 2.0]]))
NEW_YEAR = np.array(["2016-01-01"], "datetime64[D]")


def surface(level):
    return Surface(np.array([1.0]), np.array([1.0]), np.array([[level]]), "sticky_strike")


class Objects(dict):
    """Market objects by role; a role that is not there has no answer."""

    def __missing__(self, role):
        return None

    def known(self, family):
        return sorted(role for role in self if role.startswith(f"{family}:"))


def reading(objects, trades, recording=True):
    return Reading(Objects(objects), trades, recording=recording)


def test_read__gives_each_trade_the_place_of_its_object():
    found, place = reading({"fx:EUR": ONE, "fx:JPY": ONE}, 4).read(
        Names.of(["JPY", "EUR", "USD", "JPY"]), "fx", skip=("USD",)
    )
    assert [list(found)[at] if at >= 0 else None for at in place] == ["fx:JPY", "fx:EUR", None, "fx:JPY"]


def test_read__records_who_asked_for_what():
    asked = reading({"spread:ACME": ONE}, 3)
    asked.read(Names.of(["", "ACME", ""]), "spread")
    [(roles, codes)] = asked.reads
    assert roles == ("spread:ACME",)
    assert codes.tolist() == [-1, 0, -1]


def test_read__absence_is_a_read():
    asked = reading({}, 2)
    found, place = asked.read(Names.of(["AAPL", "SAP"]), "dividend", optional=True)
    [(roles, codes)] = asked.reads
    assert not found
    assert place.tolist() == [-1, -1]
    assert [roles[code] for code in codes] == ["dividend:AAPL", "dividend:SAP"]
    assert not asked.problems


def test_read__one_name_stands_for_all_trades():
    found, place = reading({"curve:USD": ONE}, 3).read(Names(np.zeros((1, 1), np.int32), ("USD",)), "curve")
    assert list(found) == ["curve:USD"]
    assert place.tolist() == [0, 0, 0]


def test_read__two_codes_of_one_name_are_one_object():
    names = Names(np.array([[0], [1], [2]], np.int32), ("USD", "EUR", "USD"))
    found, place = reading({"curve:USD": ONE, "curve:EUR": ONE}, 3).read(names, "curve")
    assert list(found) == ["curve:USD", "curve:EUR"]
    assert place.tolist() == [0, 1, 0]


def test_read__a_name_that_no_trade_bears_is_not_read():
    asked = reading({"fx:EUR": ONE}, 1)
    asked.read(Names(np.array([[1]], np.int32), ("GHOST", "EUR")), "fx")
    assert asked.reads[0][0] == ("fx:EUR",)
    assert not asked.problems


def test_read__what_is_missing_is_a_problem_of_its_trades_while_recording():
    asked = reading({f"fx:C{i}": ONE for i in range(10)}, 3)
    asked.read(Names.of(["C1", "GHOST", "C2"]), "fx")
    listed = ", ".join(f"'fx:C{i}'" for i in range(8))
    assert asked.problems == {1: f"no FX rate 'fx:GHOST'; known: {listed} and more"}


def test_read__what_is_missing_is_raised_in_a_block():
    with pytest.raises(MissingMarketData, match="no equity price 'equity:GHOST'; known: none"):
        reading({}, 1, recording=False).read(Names.of(["GHOST"]), "equity")


def test_read__outside_the_plan_is_refused():
    asked = Reading({"fx:EUR": ONE}, 1, recording=False)
    with pytest.raises(UnrecordedRead, match="fx:JPY"):
        asked.read(Names.of(["JPY"]), "fx")


def test_pair_surfaces__are_found_either_way_round_and_the_direct_one_first():
    low, high, turned = surface(0.01), surface(0.04), surface(0.09)
    asked = reading({"vol:EURUSD": low, "vol:USDEUR": high, "vol:USDJPY": turned}, 4)
    found, place, inverse = asked.pair_surfaces(
        Names.of(["EUR", "USD", "JPY", "USD"]), Names.of(["USD", "EUR", "USD", "JPY"])
    )
    assert [found[at] for at in place] == [low, high, turned, turned]
    assert inverse.ravel().tolist() == [False, False, True, False]


def test_pair_surfaces__both_ways_are_recorded_where_the_direct_one_is_absent():
    asked = reading({"vol:USDJPY": surface(0.09)}, 1)
    asked.pair_surfaces(Names.of(["JPY"]), Names.of(["USD"]))
    assert {role for roles, _ in asked.reads for role in roles} == {"vol:JPYUSD", "vol:USDJPY"}


def test_pair_surfaces__of_a_pair_without_one_is_a_problem():
    asked = reading({"vol:EURUSD": surface(0.01)}, 2)
    asked.pair_surfaces(Names.of(["EUR", "EUR"]), Names.of(["USD", "JPY"]))
    assert asked.problems == {1: "no surface 'vol:EURJPY'; known: 'vol:EURUSD'"}


def test_holidays__an_empty_name_has_none():
    index, dates = reading({"calendar:US": Holidays(NEW_YEAR)}, 3).holidays(Names.of(["US", "", "US"]))
    assert [dates[at].tolist() for at in index] == [NEW_YEAR.tolist(), [], NEW_YEAR.tolist()]


def test_problem__the_first_sentence_stays():
    asked = reading({}, 3)
    asked.problem(np.array([2, 0, 2]), lambda at: f"first of {at}")
    asked.problem(np.array([2, 1]), lambda at: f"second of {at}")
    assert asked.problems == {0: "first of 0", 2: "first of 2", 1: "second of 1"}


def test_codes_of__stretches_a_shared_name():
    assert codes_of(Names(np.array([[1]], np.int32), ("a", "b")), 3).tolist() == [1, 1, 1]


def test_read__fixings_are_an_object_like_any_other():
    series = Fixings(NEW_YEAR, np.array([0.01]))
    found, place = reading({"fixing:USD-3M": series}, 2).read(Names.of(["USD-3M", "EUR-3M"]), "fixing", optional=True)
    assert found == {"fixing:USD-3M": series}
    assert sorted(place.tolist()) == [-1, 0]

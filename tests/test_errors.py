import pickle

import pytest

from riskgrid import errors
from riskgrid.errors import BadRow, BadRows, RiskgridError, UnknownName

ROW = BadRow("equity.csv", 7, "multiplier", "-1", "is not above 0")


def samples():
    for name in errors.__all__:
        kind = getattr(errors, name)
        if kind is UnknownName:
            yield kind("desk", "Rats", ["Rates", "FX"])
        elif kind is BadRows:
            yield kind([ROW])
        elif issubclass(kind, Exception):
            yield kind("a sentence")


@pytest.mark.parametrize("error", list(samples()), ids=lambda error: type(error).__name__)
def test_error__survives_a_trip_between_processes(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


@pytest.mark.parametrize("error", list(samples()), ids=lambda error: type(error).__name__)
def test_error__is_of_the_one_tree(error):
    assert isinstance(error, RiskgridError)
    assert type(error).__name__ in errors.__doc__ or type(error) is RiskgridError


def test_unknown_name__lists_what_is_known():
    assert str(UnknownName("measure", "zzz", [])) == "unknown measure 'zzz'; known: none"
    many = UnknownName("book", "zzz", [f"B{at:02}" for at in range(15)])
    assert str(many).endswith("'B11' and 3 more")
    assert many.known[-1] == "B14"


def test_bad_rows__name_file_line_column_and_reason():
    assert str(ROW) == "equity.csv, line 7, column 'multiplier': '-1' is not above 0"
    assert str(BadRow("equity.csv", None, "x", "", "is missing")).startswith("equity.csv, column 'x'")


def test_bad_rows__show_twenty_and_count_the_rest():
    assert str(BadRows([ROW])).startswith("1 problem in")
    shown = str(BadRows([ROW] * 23))
    assert shown.startswith("23 problems in")
    assert shown.count("line 7") == 20
    assert shown.endswith("and 3 more")

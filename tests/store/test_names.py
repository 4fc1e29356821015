import pytest

from riskgrid.errors import UnknownName
from riskgrid.store import Journal, Names


def test_name__of_an_input_is_that_of_the_latest(where):
    names = Names(where)
    names.keep("market", "close", "k1", "ann")
    names.keep("market", "open", "k2", "ann")
    names.keep("market", "close", "k3", "bob")
    names.keep("portfolio", "close", "k4", "bob")
    assert names.key("market", "close") == "k3"
    assert names.known("market") == {"close": "k3", "open": "k2"}
    assert names.known("scenarios") == {}
    assert [line.principal for line in Journal(where).audit(subject="close")] == ["bob", "bob", "ann"]
    with pytest.raises(UnknownName, match=r"unknown named market 'clos'; did you mean 'close'"):
        names.key("market", "clos")
    with pytest.raises(
        UnknownName, match=r"unknown kind of input 'trades'; .*known: 'market', 'portfolio', 'scenarios'"
    ):
        names.known("trades")

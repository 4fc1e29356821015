"""Pieces of P&L at nodes: integers in, exact sums out."""

import numpy as np
import pytest

from riskgrid.analysis.attribution import Attribution
from riskgrid.errors import BadSpec, MoneyOverflow, UnknownName
from riskgrid.terms import Names

LABELS = {
    "trade_id": Names(np.arange(4, dtype=np.int32), ("a", "b", "c", "d")),
    "desk": Names(np.array([1, 0, 1, 1], np.int32), ("FX", "Rates")),
    "book": Names(np.array([0, 0, 1, 0], np.int32), ("", "one")),
}
TICKS = np.array([[2**52 + 1, -3], [5, 0], [-(2**52), 4], [-7, 0]], np.int64)


def attribution(ticks=TICKS, labels=LABELS, bits=2):
    return Attribution(np.asarray(ticks, np.int64), ("spot", "rates"), labels, bits, "USD")


def test_by__adds_ticks_and_not_floats():
    """As floats the first and third trade would lose the tick between them."""
    table = attribution().by(["desk", "book"])
    assert table["desk"].values.tolist() == ["", "FX", "FX", "Rates", "Rates", "Rates"]
    assert table["book"].values.tolist() == ["", "", "", "", "", "one"]
    assert (table["pnl"].values[0] * 4).tolist() == [-1.0, 1.0]
    assert (table["total"].values * 4).tolist() == [0.0, 5.0, 5.0, -5.0, 2.0**52 - 9.0, -(2.0**52) + 4.0]
    assert table["trades"].values.tolist() == [4, 1, 1, 3, 2, 1]


def test_by__of_chosen_trades_has_their_nodes_alone():
    table = attribution().by("book", where={"desk": ["Rates"], "trade_id": ["a", "c"]})
    assert (table["total"].values * 4).tolist() == [2.0, 2.0**52 - 2.0, -(2.0**52) + 4.0]
    assert table.attrs["by"] == ["book"]


def test_by__of_no_trade_is_nothing():
    none = attribution(np.zeros((0, 2)), {name: column[:0] for name, column in LABELS.items()})
    assert none.by("desk")["total"].values.tolist() == [0.0]
    assert none.trades().sizes["trade"] == 0


def test_by__refuses_what_leaves_64_bits_and_labels_that_cannot_be():
    with pytest.raises(MoneyOverflow, match="the pieces of P&L of a node"):
        attribution([[2**62, 0]] * 4).by()
    with pytest.raises(UnknownName, match=r"unknown label 'trader'; .*known: 'book', 'desk', 'trade_id'"):
        attribution().by("trader")
    with pytest.raises(BadSpec, match="labels desk, desk name one twice"):
        attribution().by(["desk", "desk"])


def test_trades__are_the_worst_first_and_ties_keep_their_order():
    ticks = [[-4, 1], [-4, -8], [0, 0], [-4, 1]]
    assert attribution(ticks).trades(3)["trade_id"].values.tolist() == ["b", "a", "d"]
    assert attribution(ticks).trades(2, piece="spot")["trade_id"].values.tolist() == ["a", "b"]
    assert attribution(ticks).trades(9, where={"desk": "Rates"})["trade_id"].values.tolist() == ["a", "d", "c"]


def test_to_dataset__is_in_currency_with_every_label():
    table = attribution().to_dataset()
    assert table["pnl"].sel(piece="rates").values.tolist() == [-0.75, 0.0, 1.0, 0.0]
    assert set(table.coords) == {"piece", *LABELS}
    assert table.attrs == {"currency": "USD", "rounding_bound": 0.125}


def test_rounding_bound__of_a_trade_is_not_told_of_sums():
    assert attribution().by("desk").attrs == {"currency": "USD", "by": ["desk"]}

from typing import Any

from riskgrid.portfolio import Portfolio
from tests.tables import rows_of

type Columns = dict[str, list[Any]]


def test_contents__count_trades_and_the_different_values_of_labels(options: Columns, forwards: Columns) -> None:
    shown = Portfolio.from_tables({"option": options, "forward": forwards})._repr_html_()
    rows = {row[0]: row[1:] for row in rows_of(shown)}
    assert list(rows) == ["Total", "forward", "option"]
    assert [rows[name][0] for name in rows] == ["3", "1", "2"]
    assert "Portfolio of 3 trades" in shown


def test_contents__leave_out_labels_that_no_trade_has(options: Columns) -> None:
    columns = {name: values for name, values in options.items() if name != "desk"}
    assert "Desk" not in Portfolio.from_tables({"option": columns})._repr_html_()


def test_contents__tell_of_rejected_rows(options: Columns) -> None:
    kept = Portfolio.from_tables({"option": options | {"strike": [1.0, -1.0]}}, on_bad="keep")
    assert "* 1 bad cell in the files, whose rows are left out" in kept._repr_html_()


def test_contents__of_no_trades_are_a_total_of_none() -> None:
    assert rows_of(Portfolio({})._repr_html_()) == [["Total", "0"]]

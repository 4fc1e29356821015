"""Sections are shown as text, in a notebook and on a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from riskgrid.page import Column, Row, Section, Shown

ROWS = [Row("EMEA", ["-5"])]
COLUMNS = [Column("P&L", "USD")]


@dataclass(repr=False)
class Result(Shown):
    told: Sequence[Section]

    def sections(self):
        return self.told


def section(title, rows=ROWS, columns=COLUMNS, **rest):
    return Section(title, "Node", columns, rows, **rest)


def test_a_section__without_rows_shows_its_title_and_sentences_and_no_table():
    made = Result([section("First"), section("Days beyond VaR", rows=(), sentences=["There is none."])])
    text, page, notebook = str(made), made.to_html(), made._repr_html_()
    assert text.count("Node") == 1
    assert text.splitlines()[-3:] == ["Days beyond VaR", "", "There is none."]
    for shown in (page, notebook):
        assert shown.count("<table") == 1
        assert "Days beyond VaR" in shown
        assert "There is none." in shown


def test_a_long_title__of_a_section_without_rows_stands_on_one_line():
    title = "Days on which the total lost more than its VaR, " * 5
    assert title.rstrip() in str(Result([section(title, rows=())]))


def test_a_terminal__gets_the_title_of_a_section_without_rows():
    console = Console(width=80)
    with console.capture() as capture:
        console.print(Result([section("First"), section("Days beyond VaR", rows=())]))
    assert "Days beyond VaR" in capture.get()
    assert capture.get().count("Node") == 1

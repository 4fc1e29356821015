"""Sections are shown as text, in a notebook and on a page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from riskgrid.page import Column, Front, Row, Section, Shown
from riskgrid.plots import canvas

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


def test_sentences__below_figures_have_a_heading_of_their_own():
    drawn = section("Risk", sentences=["A loss is positive."], drawings=lambda: {"Coverage": "All of it."})
    page = Result([drawn, section("Tail", sentences=["Worst first."])]).to_html()
    assert re.search(r"<h3>Notes</h3>\s*<ul[^>]*>\s*<li>A loss is positive", page)
    assert page.count("<h3>Notes</h3>") == 1


def test_a_page__tells_a_convention_of_several_results_once():
    def result(*said, tail=()):
        return Result([section("Risk", sentences=said), section("Tail", sentences=tail)])

    page = result("VaR is so.", tail=["2 more."]).to_html(also=[result("VaR is so.", "ES is so.", tail=["2 more."])])
    assert [page.count(f"<li>{said}</li>") for said in ("VaR is so.", "ES is so.", "2 more.")] == [1, 1, 2]


def test_a_notice__above_a_page_is_not_said_again_below():
    @dataclass(repr=False)
    class Partial(Result):
        def front(self):
            return Front("Risk", notices=["* A gap."])

    assert Partial([section("Risk", sentences=["* A gap.", "In USD."])]).to_html().count("A gap.") == 1


def test_a_table__of_more_than_nine_columns_is_set_closer():
    for count, wide in ((9, False), (10, True)):
        made = Result([section("Risk", rows=[Row("EMEA", ["0"] * count)], columns=COLUMNS * count)])
        for shown in (made.to_html(), made._repr_html_()):
            assert ('<table class="tree wide"' in shown) == wide


def drawn():
    return section("Risk", drawings=lambda: {"Bars": canvas(120, "", ""), "Coverage": "All of it."})


def test_notebook__has_a_place_for_each_figure_and_the_sentence_that_stands_for_one():
    shown = Result([drawn()])._repr_html_()
    assert shown.count('id="riskgrid-') == 1
    assert "All of it." in shown
    assert shown.count("embed_item(item)") == 1


def test_notebook__without_figures_has_no_script():
    assert "<script" not in Result([section("Risk")])._repr_html_()


def test_notebook__carries_nothing_that_draws():
    """An output would be 1.4 MB, and a server that bounds the rate of outputs would drop some."""
    assert len(Result([drawn()])._repr_html_()) < 300_000  # of them 120,000 where Panel is imported, with its models


def test_notebook__names_every_section():
    shown = Result([section("Risk of today")])._repr_html_()
    assert "<h3>Risk of today</h3>" in shown


def test_notebook__takes_the_theme_of_jupyter_before_that_of_the_machine():
    shown = Result([section("Risk")])._repr_html_()
    machine, light, dark = (
        shown.index(at) for at in ("prefers-color-scheme", 'theme-light="true"', 'theme-light="false"')
    )
    assert machine < light < dark


def test_a_cell_that_is_a_sentence__may_break_over_lines():
    made = Result(
        [section("Market", rows=[Row("fx", ["Fixed at 14:15."])], columns=[Column("Origin", kind="sentence")])]
    )
    assert '<td class="sentence">Fixed at 14:15.</td>' in made._repr_html_()
    assert "Fixed at 14:15." in str(made)

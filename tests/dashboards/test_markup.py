from __future__ import annotations

from html.parser import HTMLParser

from riskgrid.dashboards.card import Card, Table, Word
from riskgrid.dashboards.markup import card_html, table_html
from riskgrid.dashboards.state import State
from riskgrid.page import Column, Row, Section

HOSTILE = '<script>alert("x")</script>&'


class Seen(HTMLParser):
    """Tags and texts of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def section(name: str = "Rates", cell: str = "-1,234") -> Section:
    return Section("Who", "Desk", [Column("VaR", "USD")], [Row(name, [cell])])


def test_table__escapes_every_name() -> None:
    hostile = Section(HOSTILE, HOSTILE, [Column(HOSTILE, HOSTILE, "text")], [Row(HOSTILE, [HOSTILE])], [f"*{HOSTILE}"])
    for seen in (
        Seen(table_html(Table(hostile, [State(where=(("desk", HOSTILE),))]))),
        Seen(card_html(Card(HOSTILE, Table(hostile), HOSTILE, data=dict), HOSTILE)),
    ):
        assert "script" not in seen.tags
        assert any(HOSTILE in text for text in seen.texts)


def test_row__leads_where_it_says() -> None:
    seen = Seen(table_html(Table(section(), [State(where=(("desk", "Rates"),))])))
    assert [State.of(link).where for link in seen.links] == [(("desk", "Rates"),)]
    assert "th" in seen.tags


def test_number__has_a_true_minus_sign_and_the_colour_of_losses() -> None:
    html = table_html(Table(section()))
    assert '<span class="loss">\N{MINUS SIGN}1,234</span>' in html


def test_text_cell__keeps_its_hyphen() -> None:
    html = table_html(Table(Section("Who", "Desk", [Column("Book", kind="text")], [Row("x", ["-A"])])))
    assert "-A" in html
    assert "loss" not in html


def test_card_of_words__offers_nothing_to_take_along_without_numbers() -> None:
    assert "data-take" not in card_html(Card("Facts", Word("<p>none</p>")), "facts")
    assert card_html(Card("Who", Table(section()), data=dict), "who").count("data-take") == 3

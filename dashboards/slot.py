"""A place on a page that holds one card after another, changed in place."""

from __future__ import annotations

import panel as pn

from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.drawing import recoloured, redrawn, with_links
from riskgrid.dashboards.markup import card_html, waiting_html
from riskgrid.dashboards.theme import SLOT_CSS

__all__ = ["Slot"]

_WIDE = 460  # pixels below which slots beside each other stand below each other


class Slot:
    """One place. ``card`` is what it holds, None where it holds nothing.

    place : the variable of the page's styles that says whether it is there: a change of Bokeh's own ``visible`` has all
    of the page laid out anew, each one for itself.
    """

    def __init__(self, key: str, place: str, *, alone: bool) -> None:
        self.key = key
        self.card: Card | None = None
        self._words = pn.pane.HTML("", stylesheets=[SLOT_CSS], sizing_mode="stretch_width", margin=0)
        # no stylesheet: one of ours would undo that by which a figure finds its size
        self._figure = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0, styles={"opacity": "var(--fresh, 1)"})
        self.view = pn.Column(
            self._words,
            self._figure,
            sizing_mode="stretch_width",
            margin=0,
            styles={
                "display": f"var({place}, none)",
                "flex": "1 1 100%" if alone else f"1 1 {_WIDE}px",
                "min-width": "0",
                "overflow": "hidden",
            },
        )

    def show(self, content: Card | Later | None, *, dark: bool) -> None:
        """Hold something else."""
        if content is None:
            self.card = None
            return
        if isinstance(content, Later):
            self.card, self._figure.visible = None, False
            self._put(waiting_html(content))
        else:
            self.card = content
            self._put(card_html(content, self.key))
            drawn = not isinstance(content.body, Table | Word)
            self._figure.visible = drawn  # before it is drawn: what is made unseen stays so
            if drawn:
                self._draw(content, dark=dark)

    def recolour(self, *, dark: bool) -> None:
        """In the other theme."""
        if self._figure.object is not None:
            recoloured(self._figure.object, dark=dark)

    def _put(self, html: str) -> None:
        if self._words.object != html:
            self._words.object = html

    def _draw(self, card: Card, *, dark: bool) -> None:
        made = with_links(card.body, card.links)
        if dark:  # figures are made in light
            recoloured(made, dark=True)
        if self._figure.object is None or not redrawn(self._figure.object, made):
            self._figure.object = made

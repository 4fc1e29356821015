"""What a browser holds of a visit: the shell of the page, its slots, and the line on which both sides speak."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, CustomJS, Spacer

from riskgrid.dashboards.card import Card, Later, Live
from riskgrid.dashboards.page import Content, Page
from riskgrid.dashboards.slot import Slot
from riskgrid.dashboards.theme import ICON, OWN, PAGE_CSS, SHELL, SLOT_CSS, THEMES, text_of

__all__ = ["Screen", "View"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """One view, worked out and not yet painted.   navigation, bar : HTML of the head.   cards : by slot.

    rights : of whoever it was made for; None where nobody may look.
    """

    page: Page
    navigation: str
    bar: str
    cards: Content
    rights: str | None


class Screen:
    """The page in one browser, painted in place. ``view`` is what is served; hear : called with each text it says."""

    def __init__(self, hear: Callable[[str], None], *, dark: bool) -> None:
        self.dark = dark
        self._told = 0
        self._document: Any = None
        self._places: dict[str, dict[str, Slot]] = {}
        self._cards: dict[str, Any] = {}
        self._asked = ColumnDataSource(data={"message": [""]})
        self._answer = ColumnDataSource(data={"message": ["{}"]})
        self._asked.on_change("data", lambda _attribute, _old, new: hear(new["message"][0]))
        self._navigation = _html()
        self._bar = _html()
        self._main = pn.Column(sizing_mode="stretch_width", margin=0)
        line = Spacer(visible=False, tags=[self._asked, self._answer])
        self.view = pmui.Page(
            title="riskgrid",
            favicon=ICON,
            header=[self._navigation],
            main=[self._bar, self._main, pn.pane.Bokeh(line, height=0, margin=0)],
            theme_config=THEMES,
            theme_toggle=False,
            busy_indicator=None,
            dark_theme=dark,
            sx=SHELL,
        )

    @property
    def asked(self) -> str:
        """Id of the model through which a page says what somebody asks, the only one that a browser may change."""
        return str(self._asked.id)

    def begin(self, view: View, end: Callable[[], None]) -> None:
        """The first view: its numbers stand in the page as it arrives. end : called when the browser has gone."""
        self._document = pn.state.curdoc
        if self._document is not None:
            self._document.theme = OWN
        self._paint(view)
        shown = _places(view.page, self._cards)
        first = "".join(f"{name}: {display}; " for name, display in shown.items())
        self.view.config.raw_css = [PAGE_CSS, f":root {{ {first}}}"]
        if self._document is not None:
            start = {"dark": self.dark, "shown": shown}
            code = CustomJS(args={"asked": self._asked, "told": self._answer, "start": start}, code=text_of("desk.js"))
            self._document.js_on_event("document_ready", code)
            self._document.js_on_event("connection_lost", CustomJS(code="window.riskgridLostNow?.()"))
            self._document.on_session_destroyed(lambda _: end())

    def show(self, view: View, said: Mapping[str, Any]) -> None:
        """Another view in place of the one before. said : what else the browser is told of it."""
        with pn.io.hold(self._document):
            # first: what is drawn unseen has no size
            self.tell({**said, "fresh": 1, "shown": _places(view.page, view.cards)})
            self._paint(view)

    def put(self, page: Page, key: str, card: Card | None) -> None:
        """One card of the view that is shown."""
        self._cards = {**self._cards, key: card}
        with pn.io.hold(self._document):
            self.tell({"shown": _places(page, self._cards)})
            self._slots(page)[key].show(card, dark=self.dark)

    def shade(self, *, dark: bool) -> None:
        """In light or dark."""
        self.dark = dark
        with pn.io.hold(self._document):
            self.view.dark_theme = dark
            for slots in self._places.values():
                for slot in slots.values():
                    slot.recolour(dark=dark)
            self.tell({"shaded": True})

    def card(self, page: Page, key: str) -> Card | None:
        """What a slot holds, None for nothing."""
        slot = self._places.get(page.key, {}).get(key)
        return None if slot is None else slot.card

    def tell(self, message: Mapping[str, Any]) -> None:
        """Have the browser do something, by the names that desk.js has for it."""
        self._told += 1
        self._answer.data = {"message": [json.dumps({**message, "count": self._told})]}

    def later(self, do: Callable[[], object]) -> None:
        """On the page's own loop, as soon as it is free; a page that is gone is left alone."""
        if self._document is None or self._document.session_context is None:
            return

        async def safely() -> None:  # on the loop: there what is held goes out as one message, else each on its own
            try:
                do()
            except Exception:
                _LOG.exception("a view could not be painted")
                self.tell({"fresh": 1, "notice": "This view could not be painted; reload the page"})

        self._document.add_next_tick_callback(safely)

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Once some time has passed, unless the page is gone by then."""
        if self._document is not None:
            self._document.add_timeout_callback(do, int(seconds * 1000))

    def _paint(self, view: View) -> None:
        self._cards = dict(view.cards)
        self._navigation.object = view.navigation
        self._bar.object = view.bar
        for key, slot in self._slots(view.page).items():
            slot.show(_now(view.cards.get(key)), dark=self.dark)

    def _slots(self, page: Page) -> dict[str, Slot]:
        """The places of a page, made when it is first seen."""
        if page.key not in self._places:
            slots = {key: Slot(key, f"--{page.key}-{key}", alone=len(row) == 1) for row in page.rows for key in row}
            rows = [
                pn.FlexBox(
                    *(slots[key].view for key in row),
                    sizing_mode="stretch_width",
                    gap="16px 32px",
                    align_content="flex-start",
                    styles={"display": f"var(--{page.key}-row-{at}, none)"},
                )
                for at, row in enumerate(page.rows)
            ]
            self._places[page.key] = slots
            styles = {"gap": "16px", "display": f"var(--{page.key}, none)"}
            self._main.append(pn.Column(*rows, sizing_mode="stretch_width", margin=0, styles=styles))
        return self._places[page.key]


def _now(card: Card | Later | Live | None) -> Card | Later | None:
    return card.card if isinstance(card, Live) else card


def _places(page: Page, cards: Mapping[str, Any]) -> dict[str, str]:
    """What of a page is there, by the variables of its styles: the page, its rows, its slots."""
    there = {key for key, card in cards.items() if _now(card) is not None}
    rows = {f"--{page.key}-row-{at}": "block" for at, row in enumerate(page.rows) if there & set(row)}
    return {f"--{page.key}": "flex", **rows, **{f"--{page.key}-{key}": "flex" for key in there}}


def _html() -> Any:
    return pn.pane.HTML("", stylesheets=[SLOT_CSS], sizing_mode="stretch_width", margin=0)

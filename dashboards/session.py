"""One browser's visit: what it asks is worked out away from the page, and painted in place when it is there."""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, CustomJS, Spacer

from riskgrid.dashboards.card import Card, Later, Live
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.failing import failed, refused
from riskgrid.dashboards.finding import found
from riskgrid.dashboards.heading import navigation, run_bar
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.page import Page
from riskgrid.dashboards.pages import PAGES
from riskgrid.dashboards.slot import Slot
from riskgrid.dashboards.state import State
from riskgrid.dashboards.taking import taken
from riskgrid.dashboards.theme import ICON, OWN, PAGE_CSS, SHELL, SLOT_CSS, THEMES, text_of
from riskgrid.errors import Forbidden, RiskgridError, Unauthenticated
from riskgrid.principal import Principal

__all__ = ["Session", "open_session"]

_LOG = logging.getLogger(__name__)

#: Milliseconds between two looks at what changes by itself, at least.
_LEAST_PAUSE = 250

#: Characters of a name that somebody looks for.
_LONGEST = 200

#: Seconds between two looks for a first run.
_SELDOM = 1.5

_TITLES = {page.key: page.title for page in PAGES.values()}


def open_session(desk: Desk, who: Callable[[], Principal], query: str = "", *, dark: bool = False) -> Session:
    """What a browser is given: its ``view``. who : asked again for every view; raises where the right has gone."""
    return Session(desk, who, query, dark=dark)


class Session:
    """State of one visit. ``view`` is what the browser holds of it."""

    def __init__(self, desk: Desk, who: Callable[[], Principal], query: str, *, dark: bool) -> None:
        self.desk, self.who, self.dark = desk, who, dark
        self.state = State.of(query)
        self._wanted = self.state
        self._acting = threading.Lock()
        self._turn = 0
        self._pinned = ""
        self._name = ""
        self._rights: str | None = None
        self._told = 0
        self._document: Any = None
        self._places: dict[str, dict[str, Slot]] = {}
        self._cards: dict[str, Any] = {}
        self._asked = ColumnDataSource(data={"message": [""]})
        self._answer = ColumnDataSource(data={"message": ["{}"]})
        self._asked.on_change("data", self._hear)
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
        self._begin()

    @property
    def asked(self) -> str:
        """Id of the model through which a page says what somebody asks, the only one that a browser may change."""
        return str(self._asked.id)

    # -- what the browser says -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The first view, worked out before anything is sent: the numbers stand in the page as it arrives."""
        self._document = pn.state.curdoc
        if self._document is not None:
            self._document.theme = OWN
        content = self._content(self.state)
        self._paint(self.state, content)
        places = _places(_page(self.state), content["cards"])
        first = "".join(f"{name}: {display}; " for name, display in places.items())
        self.view.config.raw_css = [PAGE_CSS, f":root {{ {first}}}"]
        if self._document is not None:
            start = {"dark": self.dark, "shown": places}
            code = CustomJS(args={"asked": self._asked, "told": self._answer, "start": start}, code=text_of("desk.js"))
            self._document.js_on_event("document_ready", code)
            self._document.js_on_event("connection_lost", CustomJS(code="window.riskgridLostNow?.()"))
            self._document.on_session_destroyed(self._end)
        self._price(self.state, content)
        self._watch(self.state, content["cards"])

    def _end(self, _: Any) -> None:
        self._turn += 1

    def _hear(self, _attribute: str, _old: Any, new: Mapping[str, Any]) -> None:
        try:
            message = json.loads(new["message"][0])
            match message:
                case {"go": str(query)}:
                    self.go(State.of(query))
                case {"find": str(text)}:
                    self._find(text[:_LONGEST])
                case {"dark": bool(dark)}:
                    self._shade(dark)
                case {"take": str(form), "slot": str(slot)}:
                    self._take(form, slot)
                case {"act": str(name), "fields": dict(fields)}:
                    self._act(name, {str(field): str(value) for field, value in fields.items()})
        except (ValueError, RecursionError):
            _LOG.info("a page said what none says")

    def go(self, state: State, *, notice: str = "") -> None:
        """Show something else. What is asked later overtakes what is still being worked out."""
        self._turn += 1
        turn = self._turn
        self._wanted = state

        def work() -> None:
            if turn != self._turn:
                return
            content = self._content(state)
            self._later(functools.partial(self._arrive, turn, state, content, notice))

        self.desk.views.submit(self._name, work)

    def _find(self, text: str) -> None:
        def work() -> None:
            try:
                state, notice = found(text, self.state, Look(self.desk, self.who()))
            except RiskgridError as error:
                state, notice = self.state, str(error)
            self._later(lambda: self.go(state, notice=notice))

        self.desk.views.submit(self._name, work)

    def _shade(self, dark: bool) -> None:
        self.dark = dark
        with pn.io.hold(self._document):
            self.view.dark_theme = dark
            for slots in self._places.values():
                for slot in slots.values():
                    slot.recolour(dark=dark)
            self._tell({"shaded": True})

    def _take(self, form: str, slot: str) -> None:
        place = self._places.get(_page(self.state).key, {}).get(slot)
        card = None if place is None else place.card

        def work() -> None:
            try:
                self._check(self._rights)
                message = taken(card, form)
            except RiskgridError as error:
                message = {"notice": str(error)}
            self._later(lambda: self._tell(message))

        self.desk.views.submit(self._name, work)

    def _act(self, name: str, fields: Mapping[str, str]) -> None:
        """Do what a form says. What is done one after another starts from what was done before, seen yet or not."""
        act = _page(self.state).acts.get(name)
        if act is None:
            return

        pressed = self._wanted  # what stood there: whoever goes on meanwhile has not asked it of what comes next

        def work() -> None:
            try:
                look = Look(self.desk, self.who())
                if act.prices:
                    changes = act.do(pressed, look, fields)
                else:
                    with self._acting:
                        now = self._wanted if self._is_there(pressed) else pressed
                        changes = act.do(now, look, fields)
                        if now is self._wanted:
                            self._pinned = str(changes.get("run", "")) if not now.run else self._pinned
                            self._wanted = now.but(**changes)
            except Exception as error:
                message = {"refused": {"act": name, **refused(error, fields)}}
                self._later(lambda: self._tell(message))
            else:
                self._later(functools.partial(self._done, pressed, changes))

        (self.desk.pricing if act.prices else self.desk.views).submit(self._name, work)

    def _is_there(self, pressed: State) -> bool:
        """Whether somebody is still at the page and the run at which a button was pressed."""
        now = self._wanted
        # the first change pins a draft to the run that was the latest when it was made
        same = now.run == pressed.run or (not pressed.run and now.run == self._pinned)
        return now.page == pressed.page and same

    def _done(self, pressed: State, changes: Mapping[str, Any]) -> None:
        if self._is_there(pressed):
            self.go(self._wanted.but(**changes))
        else:
            self._tell({"notice": "Done, on the page that you have left"})

    # -- what it is shown ----------------------------------------------------------------------------------------

    def _content(self, state: State) -> dict[str, Any]:
        """Everything that a view needs, as plain values."""
        page = _page(state)
        try:
            look = Look(self.desk, self.who())
        except RiskgridError as error:
            return {
                "navigation": navigation(state, _TITLES, ""),
                "bar": "",
                "rights": None,
                "cards": {page.rows[0][0]: failed(error, state)},
            }
        made: dict[str, Any] = {
            "navigation": navigation(state, _TITLES, look.who.name, leaves=not self.desk.development),
            "rights": look.who.rights,
        }
        try:
            made["cards"] = dict(page.show(state, look))
        except Exception as error:
            card = failed(error, state)
            # the first run shows itself as soon as it is there
            made["cards"] = {page.rows[0][0]: card if state.run or look.finished else _awaited(card)}
        made["bar"] = run_bar(state, look)
        return made

    def _check(self, rights: str | None) -> None:
        """Forbidden where somebody may look no more, or not at all that a view was made of."""
        who = self.who()
        who.require("read")
        if who.rights != rights:
            raise Forbidden("what you may see has changed since this was shown; open it again")

    def _arrive(self, turn: int, state: State, content: Mapping[str, Any], notice: str) -> None:
        if turn != self._turn:
            return
        page = _page(state)
        said: dict[str, Any] = {"fresh": 1, "at": state.query, "title": f"{_TITLES[page.key]} - riskgrid"}
        said["shown"] = _places(page, content["cards"])
        with pn.io.hold(self._document):
            self._tell({**said, **({"notice": notice} if notice else {})})  # first: what is drawn unseen has no size
            self._paint(state, content)
        self._price(state, content)
        self._watch(state, content["cards"])

    def _paint(self, state: State, content: Mapping[str, Any]) -> None:
        page = _page(state)
        self.state, self._rights, self._cards = state, content["rights"], dict(content["cards"])
        self._navigation.object = content["navigation"]
        self._bar.object = content["bar"]
        slots = self._slots(page)
        for key, slot in slots.items():
            slot.show(_now(content["cards"].get(key)), dark=self.dark)

    def _price(self, state: State, content: Mapping[str, Any]) -> None:
        """Work out the cards that have to be priced, one after the other, and put each in its place."""
        turn = self._turn
        waiting = {key: card for key, card in content["cards"].items() if isinstance(card, Later)}

        def work(key: str, later: Later) -> None:
            if turn != self._turn:
                return
            try:
                with self.desk.slots():
                    self._check(content["rights"])
                    card = later.make()
                    self._check(content["rights"])  # it may have taken a while
            except Exception as error:
                card = failed(error, state)
                card = Card(later.title, card.body)
            self._later(functools.partial(self._put, turn, state, key, card))

        for key, later in waiting.items():
            self.desk.pricing.submit(self._name, functools.partial(work, key, later))

    def _put(self, turn: int, state: State, key: str, card: Card | None) -> None:
        if turn != self._turn:
            return
        page = _page(state)
        self._cards = {**self._cards, key: card}
        with pn.io.hold(self._document):
            self._tell({"shown": _places(page, self._cards)})
            self._slots(page)[key].show(card, dark=self.dark)

    def _watch(self, state: State, cards: Mapping[str, Card | Later | Live]) -> None:
        """Look again at what changes by itself, for as long as this view is open."""
        for key, live in cards.items():
            if isinstance(live, Live) and self._document is not None:
                look = functools.partial(self._look_again, self._turn, state, key, live)
                again = functools.partial(self.desk.views.submit, self._name, look)
                self._document.add_timeout_callback(again, max(int(live.every * 1000), _LEAST_PAUSE))

    def _look_again(self, turn: int, state: State, key: str, live: Live) -> None:
        if turn != self._turn:
            return
        made: Card | Live | None
        try:
            made = live.again(Look(self.desk, self.who()))
        except (Unauthenticated, Forbidden):
            made = None  # nothing else on the page may stay either
        except Exception as error:
            made = failed(error, state)
        self._later(functools.partial(self._renew, turn, state, key, made))

    def _renew(self, turn: int, state: State, key: str, made: Card | Live | None) -> None:
        if turn != self._turn:
            return
        if made is None:
            self.go(self._wanted)  # with what was done since, if it is not seen yet
            return
        self._put(turn, state, key, made.card if isinstance(made, Live) else made)
        self._watch(state, {key: made})

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

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._told += 1
        self._answer.data = {"message": [json.dumps({**message, "count": self._told})]}

    def _later(self, do: Callable[[], object]) -> None:
        """On the page's own thread, as soon as it is free; a page that is gone is left alone."""
        if self._document is None or self._document.session_context is None:
            return

        async def safely() -> None:  # on the loop: there what is held goes out as one message, else each on its own
            try:
                do()
            except Exception:
                _LOG.exception("a view could not be painted")
                self._tell({"fresh": 1, "notice": "This view could not be painted; reload the page"})

        self._document.add_next_tick_callback(safely)


def _now(card: Card | Later | Live | None) -> Card | Later | None:
    return card.card if isinstance(card, Live) else card


def _places(page: Page, cards: Mapping[str, Any]) -> dict[str, str]:
    """What of a page is there, by the variables of its styles: the page, its rows, its slots."""
    there = {key for key, card in cards.items() if _now(card) is not None}
    rows = {f"--{page.key}-row-{at}": "block" for at, row in enumerate(page.rows) if there & set(row)}
    return {f"--{page.key}": "flex", **rows, **{f"--{page.key}-{key}": "flex" for key in there}}


def _awaited(card: Card) -> Live:
    return Live(card, lambda look: None if look.finished else _awaited(card), _SELDOM)


def _page(state: State) -> Page:
    return PAGES.get(state.page, PAGES["overview"])


def _html() -> Any:
    return pn.pane.HTML("", stylesheets=[SLOT_CSS], sizing_mode="stretch_width", margin=0)

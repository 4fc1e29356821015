"""One browser's visit: what it asks is worked out away from the page, and shown when it is there."""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from riskgrid.dashboards.card import Card, Later, Live
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.failing import failed, refused
from riskgrid.dashboards.finding import found
from riskgrid.dashboards.heading import navigation, run_bar
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.page import Content, Page
from riskgrid.dashboards.pages import PAGES
from riskgrid.dashboards.screen import Screen, View
from riskgrid.dashboards.state import State
from riskgrid.dashboards.taking import taken
from riskgrid.errors import Forbidden, RiskgridError, Unauthenticated
from riskgrid.principal import Principal

__all__ = ["Session"]

_LOG = logging.getLogger(__name__)

#: Seconds between two looks at what changes by itself, at least.
_LEAST_PAUSE = 0.25

#: Characters of a name that somebody looks for.
_LONGEST = 200

#: Seconds between two looks for a first run.
_SELDOM = 1.5

_TITLES = {page.key: page.title for page in PAGES.values()}


class Session:
    """State of one visit, and its screen. who : asked again for every view; raises where the right has gone.

    query : of the address that is opened.
    """

    def __init__(self, desk: Desk, who: Callable[[], Principal], query: str = "", *, dark: bool = False) -> None:
        self.desk, self.who = desk, who
        self.state = State.of(query)
        self.screen = Screen(self._hear, dark=dark)
        self._wanted = self.state
        self._acting = threading.Lock()
        self._turn = 0
        self._pinned = ""
        self._name = ""
        view = self._view(self.state)
        self._rights = view.rights
        self.screen.begin(view, self._end)
        self._price(self.state, view)
        self._watch(self.state, view.cards)

    # -- what the browser says -----------------------------------------------------------------------------------

    def _end(self) -> None:
        self._turn += 1

    def _hear(self, said: str) -> None:
        try:
            match json.loads(said):
                case {"go": str(query)}:
                    self.go(State.of(query))
                case {"find": str(text)}:
                    self._find(text[:_LONGEST])
                case {"dark": bool(dark)}:
                    self.screen.shade(dark=dark)
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
            view = self._view(state)
            self.screen.later(functools.partial(self._arrive, turn, state, view, notice))

        self.desk.views.submit(self._name, work)

    def _find(self, text: str) -> None:
        def work() -> None:
            try:
                state, notice = found(text, self.state, Look(self.desk, self.who()))
            except RiskgridError as error:
                state, notice = self.state, str(error)
            self.screen.later(lambda: self.go(state, notice=notice))

        self.desk.views.submit(self._name, work)

    def _take(self, form: str, slot: str) -> None:
        card, rights = self.screen.card(_page(self.state), slot), self._rights

        def work() -> None:
            try:
                self._check(rights)
                message = taken(card, form)
            except RiskgridError as error:
                message = {"notice": str(error)}
            self.screen.later(lambda: self.screen.tell(message))

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
                self.screen.later(lambda: self.screen.tell(message))
            else:
                self.screen.later(functools.partial(self._done, pressed, changes))

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
            self.screen.tell({"notice": "Done, on the page that you have left"})

    # -- what it is shown ----------------------------------------------------------------------------------------

    def _view(self, state: State) -> View:
        """Everything that is to be shown, as plain values."""
        page = _page(state)
        try:
            look = Look(self.desk, self.who())
        except RiskgridError as error:
            return View(page, navigation(state, _TITLES, ""), "", {page.rows[0][0]: failed(error, state)}, None)
        self._name = look.who.name
        cards: Content
        try:
            cards = page.show(state, look)
        except Exception as error:
            card = failed(error, state)
            # the first run shows itself as soon as it is there
            cards = {page.rows[0][0]: card if state.run or look.finished else _awaited(card)}
        head = navigation(state, _TITLES, look.who.name, leaves=not self.desk.development)
        return View(page, head, run_bar(state, look), cards, look.who.rights)

    def _check(self, rights: str | None) -> None:
        """Forbidden where somebody may look no more, or not at all that a view was made of."""
        who = self.who()
        who.require("read")
        if who.rights != rights:
            raise Forbidden("what you may see has changed since this was shown; open it again")

    def _arrive(self, turn: int, state: State, view: View, notice: str) -> None:
        if turn != self._turn:
            return
        self.state, self._rights = state, view.rights
        said = {"at": state.query, "title": f"{view.page.title} - riskgrid"}
        self.screen.show(view, {**said, **({"notice": notice} if notice else {})})
        self._price(state, view)
        self._watch(state, view.cards)

    def _price(self, state: State, view: View) -> None:
        """Work out the cards that have to be priced, one after the other, and put each in its place."""
        turn = self._turn

        def work(key: str, later: Later) -> None:
            if turn != self._turn:
                return
            made: Card | None
            try:
                with self.desk.slots():
                    self._check(view.rights)
                    made = _made(later, state)
                    self._check(view.rights)  # it may have taken a while
            except (Unauthenticated, Forbidden):
                made = None  # nothing else on the page may stay either
            except Exception as error:
                made = Card(later.title, failed(error, state).body)
            self.screen.later(functools.partial(self._renew, turn, state, key, made))

        for key, card in view.cards.items():
            if isinstance(card, Later):
                self.desk.pricing.submit(self._name, functools.partial(work, key, card))

    def _watch(self, state: State, cards: Content) -> None:
        """Look again at what changes by itself, for as long as this view is open."""
        for key, live in cards.items():
            if isinstance(live, Live):
                look = functools.partial(self._look_again, self._turn, state, key, live)
                again = functools.partial(self.desk.views.submit, self._name, look)
                self.screen.after(max(live.every, _LEAST_PAUSE), again)

    def _look_again(self, turn: int, state: State, key: str, live: Live) -> None:
        if turn != self._turn:
            return
        made: Card | Live | None
        try:
            made = live.again(Look(self.desk, self.who()))
        except (Unauthenticated, Forbidden):
            made = None
        except Exception as error:
            made = failed(error, state)
        self.screen.later(functools.partial(self._renew, turn, state, key, made))

    def _renew(self, turn: int, state: State, key: str, made: Card | Live | None) -> None:
        """One card anew; all of the view for None, with what was done since, if it is not seen yet."""
        if turn != self._turn:
            return
        if made is None:
            self.go(self._wanted)
        elif isinstance(made, Live):
            self.screen.put(_page(state), key, made.card)
            self._watch(state, {key: made})
        else:
            self.screen.put(_page(state), key, made)


def _made(later: Later, state: State) -> Card:
    try:
        return later.make()
    except Exception as error:
        return Card(later.title, failed(error, state).body)


def _awaited(card: Card) -> Live:
    return Live(card, lambda look: None if look.finished else _awaited(card), _SELDOM)


def _page(state: State) -> Page:
    return PAGES.get(state.page, PAGES["overview"])

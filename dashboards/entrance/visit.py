"""Pages that are open, and who has opened each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers

from riskgrid.errors import TooMany, Unauthenticated
from riskgrid.principal import Principal

__all__ = ["Known", "Visit", "Visits"]

#: Who shows these headers from an address. Unauthenticated, TooMany, IssuerAway.
type Known = Callable[[Mapping[str, str], str], Principal]

#: Pages that one principal may have open in one process: each holds one to two megabytes of it.
_MOST = 50


@dataclass
class Visit:
    """Somebody at one page. headers : by which he said who he is, at the latest request.   address : of the browser.

    query : what the page was asked.   dark : whether it is to be.   ended : whether it was signed out.   asked : id of
    the one model that its browser may change.
    """

    headers: Headers = field(repr=False)
    address: str
    name: str
    known: Known = field(repr=False)
    query: str = ""
    dark: bool = False
    ended: bool = False
    asked: str = ""

    def who(self) -> Principal:
        """Who it is, found out again. Unauthenticated, Forbidden where the right to look has gone."""
        if self.ended:
            raise Unauthenticated("this page was signed out; sign in again")
        who = self.known(self.headers, self.address)
        if who.name != self.name:
            raise Unauthenticated("this page was opened by somebody else; open it again")
        who.require("read")
        return who


class Visits:
    """All of one process, by their sessions, whose ids alone prove nothing: each belongs to who opened its page.

    >>> visits = Visits(most=1)
    >>> kim = Visit(Headers({}), "192.0.2.7", "kim", lambda headers, address: Principal("kim"))
    >>> visits.begun("s1", kim)
    >>> lee = Visit(Headers({}), "192.0.2.8", "lee", lambda headers, address: Principal("lee"))
    >>> visits.joined("s1", kim) is kim, visits.joined("s1", lee), visits.joined("s2", lee)
    (True, None, None)
    >>> visits.check_room("kim")
    Traceback (most recent call last):
    ...
    riskgrid.errors.TooMany: 'kim' has 1 pages open in this process, as many as may be; close one and wait a minute
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._by_session: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_session)

    def begun(self, session: str, visit: Visit) -> None:
        """A page was opened."""
        with self._lock:
            self._by_session[session] = visit

    def joined(self, session: str, visit: Visit) -> Visit | None:
        """The visit that a session is of, which says anew who it is. None where it is another's, or gone."""
        with self._lock:
            held = self._by_session.get(session)
            if held is None or held.name != visit.name:
                return None
            held.headers, held.address = visit.headers, visit.address
            return held

    def left(self, session: str) -> None:
        """A page was closed."""
        with self._lock:
            self._by_session.pop(session, None)

    def sign_out(self, headers: Headers) -> None:
        """End every visit that these headers have let in: nobody is to go on at a page that is still open."""
        shown = headers.get("authorization")
        with self._lock:
            for visit in self._by_session.values():
                if shown is not None and visit.headers.get("authorization") == shown:
                    visit.ended = True

    def check_room(self, name: str) -> None:
        """TooMany for somebody who has as many pages open as may be."""
        with self._lock:
            count = sum(visit.name == name for visit in self._by_session.values())
        if count >= self._most:
            raise TooMany(
                f"'{name}' has {count} pages open in this process, as many as may be; close one and wait a minute", 60
            )

"""Keys of services: made, and recognised when they are shown."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from riskgrid.books import Books
from riskgrid.errors import BadSpec, Unauthenticated
from riskgrid.hashing import digest
from riskgrid.identity.naming import name_of_key
from riskgrid.principal import Principal, scopes_of
from riskgrid.store import KeyRow, Keys

__all__ = ["BEGINNING", "DAYS", "FRESH_SECONDS", "KnownKeys", "make_key"]

#: What the text of every key begins with.
BEGINNING = "rgk_"

#: Days that a key is valid where nobody says how many.
DAYS = 90.0

#: Seconds within which every process has noticed that a key was revoked.
FRESH_SECONDS = 5.0

_LONGEST_DAYS = 3660.0
_KEPT = 1024
_TEXT = re.compile(r"rgk_([0-9a-f]{16})_([0-9a-f]{64})")


def make_key(
    keys: Keys,
    name: str,
    books: Books | None,
    *,
    scopes: Iterable[str] = ("read",),
    days: float = DAYS,
    note: str = "",
    by: str,
) -> tuple[str, KeyRow]:
    """A new key: its text, which is kept nowhere, and what is kept of it.

    books : those it may see, None for all.   days : until it expires.   by : who makes it, for the audit trail.
    UnknownName for a scope, BadSpec for a name or a time that is none.
    """
    if not 0.0 < days <= _LONGEST_DAYS:
        raise BadSpec(f"a key is to be valid for {days:g} days; more than 0 and at most {_LONGEST_DAYS:g} are right")
    allowed = scopes_of(scopes)
    if not allowed:
        raise BadSpec("a key has no scope; one or more of read, run and admin are right")
    key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    who = Principal(name_of_key(name), allowed, books)
    row = KeyRow(
        key_id,
        who.name,
        " ".join(sorted(allowed)),
        who.rights,
        _digest(key_id, secret),
        note=note,
        left=days * 86_400.0,
    )
    return f"{BEGINNING}{key_id}_{secret}", keys.add(row, by)


class KnownKeys:
    """Keys as they are shown to a process, which looks each up every few seconds only.

    fresh : seconds for which what was looked up is taken to be so.
    """

    def __init__(
        self, keys: Keys, *, fresh: float = FRESH_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys, self._fresh, self._clock = keys, fresh, clock
        self._seen: OrderedDict[str, tuple[float, KeyRow | None]] = OrderedDict()
        self._lock = threading.Lock()

    def principal(self, text: str) -> Principal:
        """Whose key this is. Unauthenticated for one that nobody knows, that was revoked or has expired."""
        shown = _TEXT.fullmatch(text)
        key_id, secret = shown.groups() if shown else ("", "")
        read, row = self._row(key_id) if shown else (0.0, None)
        # as long and as loud for an id that is not there as for a secret that is wrong
        right = hmac.compare_digest(_digest(key_id, secret), row.digest if row else _digest("", ""))
        if row is None or not right:
            raise Unauthenticated("the API key is unknown; one that 'riskgrid keys make' has printed is right")
        if row.revoked is not None:
            raise Unauthenticated(f"the API key '{key_id}' was revoked at {row.revoked}; another one is right")
        if row.left <= self._clock() - read:
            raise Unauthenticated(f"the API key '{key_id}' expired at {row.expires}; another one is right")
        books = Books.read(row.rights)
        return Principal(row.principal, frozenset(row.scopes.split()), books)

    def _row(self, key_id: str) -> tuple[float, KeyRow | None]:
        now = self._clock()
        with self._lock:
            found = self._seen.get(key_id)
        if found is not None and now - found[0] < self._fresh:
            return found
        found = now, self._keys.get(key_id)
        with self._lock:
            self._seen[key_id] = found
            self._seen.move_to_end(key_id)
            while len(self._seen) > _KEPT:
                self._seen.popitem(last=False)
        return found


def _digest(key_id: str, secret: str) -> str:
    """256 random bits cannot be guessed, so a fast digest does; it holds for this id alone."""
    return digest("api key", key_id, secret).hex()

"""The keys by which an issuer signs: fetched when they are needed, kept while it is away."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet
from joserfc.util import base64_to_int

from riskgrid.errors import IssuerAway
from riskgrid.identity.fetching import Unreachable, check_address, fetched

__all__ = ["AGE_SECONDS", "KEPT_SECONDS", "PAUSE_SECONDS", "SigningKeys"]

#: Seconds after which keys are fetched again though nobody missed one: those that the issuer has withdrawn go.
AGE_SECONDS = 600.0

#: Seconds for which the last keys are used while the issuer does not answer.
KEPT_SECONDS = 86_400.0

#: Seconds from one request to the issuer to the next, however many tokens name keys that nobody knows.
PAUSE_SECONDS = 5.0

#: Seconds to wait for keys that another thread is fetching: while an issuer is slow, others are still to be served.
_WAIT = 1.0

_LEAST_BITS = 2048
_KINDS = ("RSA", "EC", "OKP")
_DISCOVERY = "/.well-known/openid-configuration"
_LOG = logging.getLogger(__name__)


class SigningKeys:
    """The keys of an issuer, by their ids.

    issuer : its address, whose discovery document says where the keys are.   where : a URL or file that has them.
    InputError for an address that is neither https nor of this machine.
    """

    def __init__(self, issuer: str, where: str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer, self._where, self._clock = issuer, where, clock
        if where is None or "://" in where:
            check_address(where or issuer)
        self._last: tuple[KeySet, float] | None = None  # the keys, and when they were had
        self._tried = -float("inf")
        self._lock = threading.Lock()

    def of(self, kid: str | None) -> KeySet | None:
        """The keys that may have this id, all where there is one only and none is asked for; None where none has.

        IssuerAway where no keys were ever had, or those there were are too old.
        """
        if self._last is None:
            self._refresh(_WAIT)
        elif self._clock() - self._last[1] >= AGE_SECONDS:
            self._refresh(0.0)  # those that are here will do while another thread fetches them
        found = self._held(kid)
        if found is None:
            self._refresh(_WAIT)
            found = self._held(kid)
        return found

    def _held(self, kid: str | None) -> KeySet | None:
        if self._last is None or self._clock() - self._last[1] >= KEPT_SECONDS:
            raise IssuerAway("who asks cannot be found out, as the issuer of tokens does not answer; ask again soon")
        known = self._last[0]
        found = [key for key in known if key.kid == kid]
        if kid is None and len(known.keys) == 1:
            return known
        return KeySet(found) if found else None

    def _refresh(self, wait: float) -> None:
        """Fetch the keys, one thread for all, unless the issuer was asked just before.

        wait : seconds to wait for another thread that fetches them.
        """
        if self._asked_lately() or not self._lock.acquire(timeout=wait):
            return
        try:
            if not self._asked_lately():  # by the thread that was waited for
                self._last = self._fetched(), self._clock()
        except Unreachable as error:
            kept = "those fetched before are used" if self._last is not None else "there are none yet"
            _LOG.warning("the keys of the issuer %s cannot be had: %s; %s", self._issuer, error, kept)
        finally:
            self._lock.release()

    def _asked_lately(self) -> bool:
        return self._clock() - self._tried < PAUSE_SECONDS

    def _fetched(self) -> KeySet:
        try:
            where = self._where if self._where is not None else self._discovered()
            return _key_set(where, _file(where) if "://" not in where else fetched(where))
        finally:
            self._tried = self._clock()  # at the end: an issuer that is slow is to have its pause, too

    def _discovered(self) -> str:
        place = self._issuer.rstrip("/") + _DISCOVERY
        found = _mapping(place, fetched(place))
        if found.get("issuer") != self._issuer:
            raise Unreachable(f"{place} is of the issuer {found.get('issuer')!r}, not of {self._issuer!r}")
        where = found.get("jwks_uri")
        if not isinstance(where, str):
            raise Unreachable(f"{place} has no jwks_uri")
        check_address(where, Unreachable)
        return where


def _key_set(place: str, content: bytes) -> KeySet:
    """The keys of a set that can verify a signature; others, and those that cannot be read, are passed over."""
    keys = _mapping(place, content).get("keys")
    if not isinstance(keys, list):
        raise Unreachable(f"{place} has no list of keys")
    found = []
    for form in keys:
        try:
            if form["kty"] in _KINDS and form.get("use", "sig") == "sig" and not _weak(form):
                found.append(JWKRegistry.import_key(form))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            _LOG.warning("a key of %s is passed over: %s", place, error)
    if not found:
        raise Unreachable(f"{place} has no public key that signatures can be verified by")
    return KeySet(found)


def _weak(form: Mapping[str, Any]) -> bool:
    return form["kty"] == "RSA" and base64_to_int(form["n"]).bit_length() < _LEAST_BITS


def _mapping(place: str, content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreachable(f"{place} is no JSON") from None
    if not isinstance(found, dict):
        raise Unreachable(f"{place} holds no mapping")
    return found


def _file(where: str) -> bytes:
    try:
        return Path(where).expanduser().read_bytes()
    except OSError as error:
        raise Unreachable(f"{where} cannot be read: {error.strerror}") from None

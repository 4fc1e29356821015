"""Small documents of an issuer over HTTPS, within bounds of time and size."""

from __future__ import annotations

import ipaddress
import time
from urllib.parse import urlsplit

import httpx2

from riskgrid.errors import InputError, RiskgridError

__all__ = ["Unreachable", "check_address", "fetched"]

_SECONDS = 5.0
_MOST_BYTES = 1_000_000


class Unreachable(RiskgridError):
    """What an issuer is asked for cannot be had."""


def check_address(url: str, kind: type[RiskgridError] = InputError) -> None:
    """An error of a kind where keys from an address could be anybody's.

    >>> check_address("https://id.bank.example")
    >>> check_address("http://127.0.0.1:8080/keys")
    >>> check_address("http://id.bank.example")
    Traceback (most recent call last):
    ...
    riskgrid.errors.InputError: 'http://id.bank.example' is no address for keys; https://... is right, or http of this \
machine
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        right = bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _of_this_machine(host)))
    except ValueError:
        right = False
    if not right:
        raise kind(f"{url!r} is no address for keys; https://... is right, or http of this machine")


def fetched(url: str) -> bytes:
    """A document. Unreachable where it is not there, comes too slowly, is too large or has moved elsewhere."""
    ends = time.monotonic() + 2 * _SECONDS
    # what is on this machine is not asked of a proxy
    direct = _of_this_machine(urlsplit(url).hostname or "")
    try:
        with (
            httpx2.Client(timeout=_SECONDS, follow_redirects=False, trust_env=not direct) as client,
            client.stream(
                "GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity"}
            ) as response,
        ):
            if response.status_code != 200:
                raise Unreachable(f"{url} answers {response.status_code}")
            return _body(url, response, ends)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise Unreachable(f"{url} does not answer: {type(error).__name__}") from error


def _body(url: str, response: httpx2.Response, ends: float) -> bytes:
    found = bytearray()
    for part in response.iter_bytes(1 << 14):
        found += part
        if len(found) > _MOST_BYTES:
            raise Unreachable(f"{url} has more than {_MOST_BYTES:,} bytes")
        if time.monotonic() > ends:
            raise Unreachable(f"{url} takes longer than {2 * _SECONDS:g} seconds")
    return bytes(found)


def _of_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

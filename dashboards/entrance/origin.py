"""Whether a request comes from a page of this very host."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

__all__ = ["is_from_elsewhere", "is_of_this_host"]

_PORTS = {"http": 80, "https": 443}


def is_of_this_host(headers: Headers) -> bool:
    """Whether a browser says that a page of the host that is asked makes this request.

    >>> is_of_this_host(Headers({"host": "risk.bank:443", "origin": "https://risk.bank"}))
    True
    >>> [is_of_this_host(Headers({"host": "risk.bank", "origin": each})) for each in ("https://a.bank", "null", "")]
    [False, False, False]
    """
    origins, hosts = headers.getlist("origin"), headers.getlist("host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    scheme = origins[0].partition("://")[0]
    found = _address(origins[0], scheme)
    return found is not None and found == _address(f"{scheme}://{hosts[0]}", scheme)


def is_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that a page of another site has led here; such a request has no strict cookie."""
    return headers.get("sec-fetch-site") == "cross-site"


def _address(url: str, scheme: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(scheme)
    except ValueError:
        return None
    return (parts.hostname.lower(), port) if parts.hostname and port else None

"""By what a browser says who uses it: headers of a proxy, or the cookie of the sign-in page."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from riskgrid.errors import Unauthenticated

__all__ = ["LONGEST", "checked", "forgotten", "is_in_headers", "kept", "presented"]

_COOKIE = "riskgrid_desk"

#: Characters of a key or token that fit into a cookie, with its name and attributes: browsers keep 4,096 bytes.
LONGEST = 3800

_TEXT = re.compile(r"[A-Za-z0-9._~+/=-]+")


def is_in_headers(headers: Headers) -> bool:
    """Whether a request has a key or token of its own, from an authenticating proxy or a program."""
    return "authorization" in headers or "x-api-key" in headers


def presented(headers: Headers) -> Headers:
    """The headers by which a request says who asks: its own, or else what the sign-in page has put into a cookie.

    >>> presented(Headers({"cookie": "a=1; riskgrid_desk=rgk_1"}))["authorization"]
    'Bearer rgk_1'
    >>> presented(Headers({"cookie": "riskgrid_desk=rgk_1", "x-api-key": "rgk_2"}))["x-api-key"]
    'rgk_2'
    """
    shown = cookie_parser("; ".join(headers.getlist("cookie"))).get(_COOKIE, "")
    return headers if is_in_headers(headers) or not shown else _bearer(shown)


def checked(text: str) -> Headers:
    """What somebody has typed in, as headers. Unauthenticated where it can be no key and no token.

    >>> checked(" Bearer rgk_1 ")["authorization"]
    'Bearer rgk_1'
    """
    shown = text.strip().removeprefix("Bearer ").strip()
    if len(shown) > LONGEST:
        raise Unauthenticated(
            f"the token has {len(shown):,} characters and a browser keeps {LONGEST:,}; shorter ones are right, or a "
            "proxy in front that signs people in"
        )
    if not _TEXT.fullmatch(shown):
        raise Unauthenticated("this is no API key and no token; 'rgk_...' or a token of the issuer is right")
    return _bearer(shown)


def kept(shown: Headers, *, secure: bool) -> str:
    """The header ``Set-Cookie`` that keeps a credential while the browser is open, for the pages alone."""
    value = shown["authorization"].removeprefix("Bearer ")
    return f"{_COOKIE}={value}; Path=/desk; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def forgotten() -> str:
    """The header ``Set-Cookie`` that ends it."""
    return f"{_COOKIE}=; Path=/desk; HttpOnly; SameSite=Strict; Max-Age=0"


def _bearer(shown: str) -> Headers:
    return Headers({"authorization": f"Bearer {shown}"})

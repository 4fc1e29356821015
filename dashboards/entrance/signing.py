"""Signing in and out where nothing in front of the service does."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from riskgrid.dashboards.entrance import credential
from riskgrid.dashboards.entrance.notice import form, notice
from riskgrid.dashboards.entrance.origin import is_of_this_host
from riskgrid.dashboards.entrance.visit import Known, Visits
from riskgrid.errors import RiskgridError, TooMany, Unauthenticated

__all__ = ["Signing", "target"]

#: Bytes of a form that was filled in.
_MOST = 20_000

_TARGET = re.compile(r"/desk(?:[?#][^\x00-\x20\x7f\\]*)?")


def target(text: str) -> str:
    """Where to go once signed in: a view of the dashboard, which itself is all that an address from elsewhere gives.

    >>> target("/desk?run=1a&desk=Rates"), target("//evil.example"), target("/desk/../x"), target("/deskx")
    ('/desk?run=1a&desk=Rates', '/desk', '/desk', '/desk')
    """
    return text if _TARGET.fullmatch(text) else "/desk"


class Signing:
    """The routes ``/desk/sign-in`` and ``/desk/sign-out``."""

    def __init__(self, known: Known, visits: Visits, *, development: bool) -> None:
        self._known, self._visits, self._development = known, visits, development

    async def ask(self, request: Request) -> Response:
        """The form."""
        to = target(request.query_params.get("to", ""))
        if self._development:
            return RedirectResponse(to, 303)
        had = credential.presented(request.headers) is not request.headers
        return form(to, wrong="The sign-in has expired or was revoked; sign in again." if had else "")

    async def take(self, request: Request) -> Response:
        """The form as it was filled in: a cookie and the way to where somebody wanted to go, or what is wrong."""
        if not is_of_this_host(request.headers):
            return notice("Not signed in", "The form came from another site; the one at /desk/sign-in is right.", 403)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST:
                return notice("Not signed in", f"The form has more than {_MOST:,} bytes.", 413)
        given = {name: values[-1] for name, values in parse_qs(body.decode("latin-1")).items()}
        to = target(given.get("to", ""))
        try:
            shown = credential.checked(given.get("shown", ""))
            address = request.client.host if request.client else ""
            (await run_in_threadpool(self._known, shown, address)).require("read")
        except RiskgridError as error:
            status = 401 if isinstance(error, Unauthenticated) else 429 if isinstance(error, TooMany) else 403
            return form(to, status, wrong=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        made = RedirectResponse(to, 303, {"cache-control": "no-store"})
        made.headers["set-cookie"] = credential.kept(shown, secure=request.url.scheme == "https")
        return made

    async def end(self, request: Request) -> Response:
        """Signed out, at the pages that are still open, too."""
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return notice("Still signed in", "Another site has asked to sign you out.", 403)
        self._visits.sign_out(credential.presented(request.headers))
        made = RedirectResponse("/desk/sign-in", 303, {"cache-control": "no-store"})
        made.headers["set-cookie"] = credential.forgotten()
        return made

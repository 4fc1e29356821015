"""Pages of a sentence or a form: no script, no request to anywhere, light or dark as the browser is."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse

from riskgrid.plots import COLOURS, FONT

__all__ = ["FRAME", "again", "form", "notice"]

_SHADES = "".join(
    f"--{name.replace('_', '-')}: light-dark({light}, {dark}); " for name, (light, dark) in COLOURS.items()
)

_ROOT = f":root {{ color-scheme: light dark; --font: {FONT}; {_SHADES}}}"
_STYLE = (
    _ROOT
    + """
body { margin: 0; min-height: 100vh; font: 13px/20px var(--font); color: var(--ink); background: var(--paper); }
header { height: 40px; line-height: 40px; padding: 0 16px; font-weight: 600; border-bottom: 1px solid var(--rule); }
main { width: min(360px, calc(100vw - 32px)); margin: 15vh auto 0; }
h1 { font-size: 16px; line-height: 24px; margin: 0 0 8px; font-weight: 600; }
p { margin: 0 0 16px; overflow-wrap: anywhere; }
p.wrong { color: var(--loss); }
p.muted { margin-top: 12px; color: var(--muted); }
label { display: block; margin-bottom: 4px; }
input, button { font: inherit; box-sizing: border-box; width: 100%; height: 32px; padding: 0 8px; border-radius: 4px; }
input { border: 1px solid var(--muted); color: inherit; background: var(--panel); }
button { margin-top: 12px; font-weight: 600; cursor: pointer; color: var(--paper); background: var(--ink); border: 0; }
a { color: inherit; }
:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
"""
)

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: Headers of every page of the dashboard. The referrer's origin is what a browser says of a form in ``Origin``.
FRAME = {"cache-control": "no-store", "referrer-policy": "same-origin", "cross-origin-opener-policy": "same-origin"}

_HEADERS = {
    **FRAME,
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
}


def notice(title: str, sentence: str, status: int, *, seconds: float | None = None) -> HTMLResponse:
    """A page that says one thing. seconds : after which it may be otherwise."""
    made = _page(title, f'<h1>{escape(title)}</h1>\n<p>{escape(sentence)}</p>\n<a href="/desk">Try again</a>', status)
    if seconds is not None:
        made.headers["retry-after"] = str(max(round(seconds), 1))
    return made


def again() -> HTMLResponse:
    """A page that asks for itself once more: a link on another site brings no cookie with it, this page does."""
    return _page("riskgrid", '<p role="status">Opening …</p>', 200, '<meta http-equiv="refresh" content="0">')


def form(to: str, status: int = 200, *, wrong: str = "") -> HTMLResponse:
    """The page that asks for a key. to : where it leads.   wrong : what is wrong with what was shown before."""
    told = f'<p class="wrong" role="alert">{escape(wrong)}</p>\n' if wrong else ""
    body = f"""<h1>Sign in</h1>
{told}<form method="post" action="/desk/sign-in">
<input type="hidden" name="to" value="{escape(to)}">
<label for="shown">API key or token</label>
<input id="shown" name="shown" type="password" autocomplete="current-password" spellcheck="false" required autofocus>
<button>Sign in</button>
</form>
<p class="muted">It is kept by this browser until it is closed, for these pages alone.</p>"""
    return _page("Sign in", body, status)


def _page(title: str, body: str, status: int, head: str = "") -> HTMLResponse:
    content = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)} · riskgrid</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/favicon.ico">
<style>{_STYLE}</style>{head}
</head>
<body>
<header>riskgrid</header>
<main>
{body}
</main>
</body>
</html>
"""
    return HTMLResponse(content, status, _HEADERS)

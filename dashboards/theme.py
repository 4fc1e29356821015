"""How pages look: colours in light and dark, type, the shell of panel-material-ui brought down to them, the icon."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any
from urllib.parse import quote

from bokeh.themes import Theme

from riskgrid.plots import COLOURS, FONT

__all__ = ["ICON", "OWN", "PAGE_CSS", "SHELL", "SLOT_CSS", "THEMES", "swapped", "text_of"]

_GOOD = ("#2e7d4f", "#6fbf8f")
_SHADES = {**COLOURS, "good": _GOOD}

#: The icon: bars of a distribution, its tail in the colour of losses.
ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#30475e"/>'
    '<path d="M6 12V7h2v5zM9 12V4h2v8zM12 12V8h2v4z" fill="#fff"/><path d="M2 12v-2h2v2z" fill="#ff8f86"/></svg>'
)


def text_of(name: str) -> str:
    """One of the files beside this one."""
    return resources.files("riskgrid.dashboards").joinpath(name).read_text(encoding="utf-8")


def _variables(dark: bool) -> str:
    return "".join(f"--{name.replace('_', '-')}: {shades[dark]}; " for name, shades in _SHADES.items())


#: Of the document itself: the colours that all slots take theirs from.
PAGE_CSS = (
    f":root {{ {_variables(False)}--font: {FONT}; color-scheme: light; }}\n"
    f":root[data-theme='dark'] {{ {_variables(True)}color-scheme: dark; }}\n"
    "html, body { margin: 0; background: var(--paper); }\n"
    ".lost { position: fixed; left: 0; right: 0; bottom: 0; z-index: 2000; padding: 8px 16px; "
    "font: 13px/20px var(--font); color: var(--paper); background: var(--warning); }\n"
)

#: Of each slot.
SLOT_CSS = text_of("desk.css")


def _palette(dark: bool) -> dict[str, Any]:
    def shade(name: str) -> str:
        return _SHADES[name][dark]

    return {
        "palette": {
            "mode": "dark" if dark else "light",
            "primary": {"main": shade("bar")},
            "error": {"main": shade("loss")},
            "warning": {"main": shade("warning")},
            "success": {"main": shade("good")},
            "background": {"default": shade("paper"), "paper": shade("paper")},
            "text": {"primary": shade("ink"), "secondary": shade("muted")},
            "divider": shade("rule"),
        },
        "typography": {"fontFamily": FONT, "fontSize": 13, "button": {"textTransform": "none"}},
        "shape": {"borderRadius": 3},
    }


#: Light and dark, as panel-material-ui takes them.
THEMES = {"light": _palette(False), "dark": _palette(True)}

#: The shell's bar made 40 pixels high, neutral and flat.
SHELL: dict[str, Any] = {
    "& .MuiAppBar-root": {
        "backgroundColor": "background.paper",
        "backgroundImage": "none",
        "color": "text.primary",
        "boxShadow": "none",
        "borderBottom": "1px solid",
        "borderColor": "divider",
    },
    "& .MuiToolbar-root": {"minHeight": "40px !important", "height": "40px", "padding": "0 12px"},
    # the head says the name, and views dim instead of a bar that runs
    "& .MuiToolbar-root > .MuiBox-root:has(.title), & .MuiLinearProgress-root": {"display": "none"},
    # the document scrolls, not a box in it: pages print whole, and the space bar works
    "&, & main, & .main-content": {"height": "auto", "minHeight": "0", "overflow": "visible"},
    "& main > .MuiBox-root": {"height": "auto", "padding": "0", "margin": "0 16px 24px"},
}


#: Figures come as they are to look. A kind of model that a theme of Bokeh names is left alone by panel-material-ui,
#: which otherwise changes it in the browser: a figure drawn anew would then look other than one drawn into its place.
OWN = Theme(json={"attrs": {name: {} for name in ("Axis", "Figure", "Grid", "Legend", "Plot", "Title")}})


@functools.cache
def swapped(dark: bool) -> dict[str, str]:
    """Each colour of the other theme to that of this one."""
    return {shades[not dark]: shades[dark] for shades in _SHADES.values()}

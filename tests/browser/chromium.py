"""A browser of this machine, wherever it has one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

__all__ = ["MISSING", "launched"]

#: What to do where there is none.
MISSING = "no Chromium was found; RISKGRID_CHROMIUM names one, or 'playwright install chromium' gets one"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "msedge")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)

#: Nothing that asks anything of the network, or of a screen.
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launched(playwright: Playwright) -> Browser | None:
    """A browser that was started; None where this machine has none. Close it."""
    own = playwright.chromium.executable_path
    for place in (os.environ.get("RISKGRID_CHROMIUM"), *map(shutil.which, _NAMES), *_PLACES, own):
        if place and Path(place).exists():
            return playwright.chromium.launch(executable_path=place, args=list(_ARGUMENTS))
    return None

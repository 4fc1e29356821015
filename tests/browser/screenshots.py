"""Every view, light and dark, wide and narrow, as pictures: ``make screenshots``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, StorageState, sync_playwright

from tests.browser.chromium import MISSING, launched
from tests.browser.served import Filled, Serving, filled
from tests.browser.views import VIEWS
from tests.browser.visiting import Visit

_ROOT = Path(__file__).parents[2]

#: Where all of them go, and where those go that the README shows.
ALL, SHOWN = _ROOT / "build" / "screenshots", _ROOT / "docs" / "images"

#: Pictures of the README and their views: as they stand, light and 1440 pixels wide.
OF_THE_README = {"overview": "overview", "drill-down": "drill-down", "what-if": "what-if-compared"}

# of a palette: enough for the edges of letters, in half the bytes
_COLOURS = 256

_WIDTHS, _HEIGHT, _MOST = (1440, 900), 900, 4000
_TRADES = 10_000


def main() -> None:
    """Run the sample, look at it, and say where the pictures are."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = launched(playwright)
        if browser is None:
            sys.exit(MISSING)
        store = filled(Path(folder) / "store", _TRADES, None, known=False)
        serving = Serving(store.store, Path(folder), ("--development",))
        serving.start()
        try:
            made = taken(browser, serving.place, store, ALL)
        finally:
            browser.close()
            serving.end()
    SHOWN.mkdir(parents=True, exist_ok=True)
    for name, view in OF_THE_README.items():
        with Image.open(ALL / f"{view}-1440-light.png") as picture:
            few = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        few.save(SHOWN / f"{name}.png", optimize=True)
    print(f"{len(made)} pictures are in {ALL.relative_to(_ROOT)}, {len(OF_THE_README)} in {SHOWN.relative_to(_ROOT)}")


def taken(browser: Browser, place: str, store: Filled, folder: Path, kept: StorageState | None = None) -> list[Path]:
    """Pictures of every view. kept : what the browser keeps of somebody who has signed in."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for theme in ("light", "dark"):
        for width in _WIDTHS:
            context = browser.new_context(
                storage_state=kept,
                viewport={"width": width, "height": _HEIGHT},
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            visit = Visit.begun(context, place)
            for name, query in VIEWS.items():
                visit.page.set_viewport_size({"width": width, "height": _HEIGHT})
                visit.open(query(store))
                visit.page.set_viewport_size({"width": width, "height": visit.tall(_MOST)})
                visit.settle()
                path = folder / f"{name}-{width}-{theme}.png"
                visit.page.screenshot(path=path)
                made.append(path)
            context.close()
    return made


if __name__ == "__main__":
    main()

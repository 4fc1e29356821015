"""Somebody at a browser: what he sees, clicks and types, and what the browser complains of meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, Page

__all__ = ["Visit"]

#: Milliseconds that a page has for what it is asked.
_PATIENCE = 15_000

# all that can be read on the page, also within shadow roots
_TEXT = """() => {
  const read = node => {
    if (node.nodeType == Node.TEXT_NODE) return node.textContent
    if (node.nodeType == Node.ELEMENT_NODE) {
      if (["STYLE", "SCRIPT", "OPTION"].includes(node.tagName) || getComputedStyle(node).display == "none") return ""
    }
    return [...(node.shadowRoot || node).childNodes].map(read).join(" ")
  }
  return read(document.body).replace(/\\s+/g, " ").trim()
}"""

# painted, no card still being made, every figure drawn
_SETTLED = """() => {
  const all = (from, selector) => [...from.querySelectorAll(selector),
    ...[...from.querySelectorAll("*")].filter(each => each.shadowRoot).flatMap(each => all(each.shadowRoot, selector))]
  const style = document.documentElement.style
  return window.riskgridDesk && style.getPropertyValue("--fresh") != "0.5"
    && all(document, "input[data-find]").length > 0
    && all(document, "table, dl, .empty").some(each => each.offsetParent)
    && all(document, ".waiting").filter(each => each.offsetParent).length == 0
}"""


@dataclass
class Visit:
    """One page of a browser.   place : address of the service.   complaints : errors on the console and in scripts,
    and requests that left this machine."""

    context: BrowserContext
    page: Page
    place: str
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def begun(cls, context: BrowserContext, place: str) -> Visit:
        """A new page of a context."""
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        made = cls(context, page, place)
        page.on(
            "console", lambda said: made.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: made.complaints.append(str(error)))
        page.on("request", lambda asked: made._asked(asked.url))
        return made

    def _asked(self, url: str) -> None:
        if not url.startswith((self.place, "data:", "blob:", self.place.replace("http", "ws", 1))):
            self.complaints.append(f"asked {url}")

    def open(self, query: str = "?") -> Visit:
        """Open a view by its address, and wait until all of it is there."""
        self.page.goto(f"{self.place}/desk{query}")
        self.settle()
        return self

    def settle(self) -> None:
        """Wait until the page shows what was asked of it."""
        self.page.wait_for_function(_SETTLED)
        before = ""
        while (now := self.text) != before:  # slots are drawn one after another
            before = now
            self.page.wait_for_timeout(150)

    @contextlib.contextmanager
    def painting(self) -> Iterator[None]:
        """Whatever is done within leads to another view, which stands there after it."""
        before = self.page.url
        yield
        self.page.wait_for_function("before => location.href != before", arg=before)
        self.settle()

    @property
    def text(self) -> str:
        """All that can be read."""
        return str(self.page.evaluate(_TEXT))

    @property
    def query(self) -> str:
        """Of the address."""
        return self.page.url.partition("/desk")[2]

    def click(self, name: str) -> None:
        """Follow a link, to another view."""
        with self.painting():
            self.page.get_by_role("link", name=name, exact=True).first.click()

    def press(self, *keys: str) -> None:
        """Keys, one after another, of which the last leads to another view."""
        for key in keys[:-1]:
            self.page.keyboard.press(key)
        with self.painting():
            self.page.keyboard.press(keys[-1])

    def taken(self, title: str, button: str) -> bytes:
        """The file that a button of a card hands over."""
        with self.page.expect_download() as handed:
            self.card(title).get_by_role("button", name=button, exact=True).click()
        return handed.value.path().read_bytes()

    def darken(self) -> None:
        """From light to dark, by the button, until nothing changes its colour any more."""
        self.page.get_by_role("button", name="Light or dark").click()
        self.page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
        self.page.wait_for_timeout(400)

    def tall(self, most: int) -> int:
        """Pixels that all of the page takes, at most so many."""
        return min(int(self.page.evaluate("document.scrollingElement.scrollHeight")), most)

    def card(self, title: str):
        """The head of the card that is called so."""
        return self.page.locator("header").filter(has=self.page.get_by_role("heading", name=title)).first

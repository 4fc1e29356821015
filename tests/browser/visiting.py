"""Somebody at a browser: what he sees, clicks and types, and what the browser complains of meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from playwright.sync_api import BrowserContext, Page

__all__ = ["Visit"]

#: Milliseconds that a page has for what it is asked.
_PATIENCE = 30_000

# all that can be read on the page, also within shadow roots
_TEXT = """
  const read = node => {
    if (node.nodeType == Node.TEXT_NODE) return node.textContent
    if (node.nodeType == Node.ELEMENT_NODE) {
      if (["STYLE", "SCRIPT", "OPTION"].includes(node.tagName) || getComputedStyle(node).display == "none") return ""
    }
    return [...(node.shadowRoot || node).childNodes].map(read).join(" ")
  }
  const text = () => read(document.body).replace(/\\s+/g, " ").trim()
"""

# painted, no card still being made, and the same a moment later: slots are drawn one after another
_SETTLED = f"""async patience => {{
  {_TEXT}
  const hosts = from => [...from.querySelectorAll("*")].filter(each => each.shadowRoot)
  const roots = from => [from, ...hosts(from).flatMap(each => roots(each.shadowRoot))]
  const settled = () => {{
    if (!window.riskgridDesk || document.documentElement.style.getPropertyValue("--fresh") == "0.5") return false
    const places = roots(document), all = selector => places.flatMap(place => [...place.querySelectorAll(selector)])
    return all("input[data-find], .empty[role=alert]").length > 0
      && all("table, dl, form, .empty").some(each => each.offsetParent)
      && !all(".waiting").some(each => each.offsetParent)
  }}
  const until = performance.now() + patience
  for (let before = null, now; performance.now() < until; before = now) {{
    now = settled() ? text() : null
    if (now !== null && now === before) return true
    await new Promise(done => setTimeout(done, 150))
  }}
  return false
}}"""

# by the hands of the page, as a link of it is followed
_FOLLOW = """query => {
  const link = document.createElement("a")
  link.setAttribute("href", query)
  document.body.append(link)
  link.click()
  link.remove()
}"""

# what every canvas that is seen holds: text around it may lie on other parts of a pixel
_DRAWN = """() => {
  const all = from => [...from.querySelectorAll("canvas"),
    ...[...from.querySelectorAll("*")].filter(each => each.shadowRoot).flatMap(each => all(each.shadowRoot))]
  return all(document).filter(each => each.getClientRects().length).map(each => each.toDataURL())
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
        return self.settle()

    def follow(self, query: str) -> Visit:
        """Have a view painted over the one that stands there; open it where none does."""
        if not self.alive:
            return self.open(query)
        self.page.evaluate(_FOLLOW, query)
        return self.settle()

    def sign_in(self, key: str, query: str = "?") -> Visit:
        """Show a key at the form, on the way to a view."""
        self.page.goto(f"{self.place}/desk/sign-in?to={quote(f'/desk{query}', safe='')}")
        self.page.locator("input[name=shown]").fill(key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.place}/desk{query}")
        return self.settle()

    @property
    def alive(self) -> bool:
        """Whether the dashboard is open, and connected."""
        return bool(self.page.evaluate("Boolean(window.riskgridDesk && !window.riskgridLost)"))

    def settle(self) -> Visit:
        """Wait until the page shows what was asked of it."""
        if not self.page.evaluate(_SETTLED, _PATIENCE):
            raise AssertionError(f"{self.page.url} does not come to rest; it shows: {self.text[:2000]}")
        return self

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
        return str(self.page.evaluate(f"() => {{ {_TEXT} return text() }}"))

    @property
    def drawn(self) -> list[str]:
        """What every canvas that is seen holds."""
        self.page.wait_for_timeout(300)  # until each has been painted
        return list(self.page.evaluate(_DRAWN))

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
        """From light to dark, by the button."""
        self._shade("dark")

    def lighten(self) -> None:
        """From dark to light, by the button."""
        self._shade("light")

    def _shade(self, theme: str) -> None:
        self.page.get_by_role("button", name="Light or dark").click()
        self.page.wait_for_function("theme => document.documentElement.dataset.theme == theme", arg=theme)
        self.page.wait_for_timeout(300)  # until nothing changes its colour any more
        self.settle()

    def tall(self, most: int) -> int:
        """Pixels that all of the page takes, at most so many."""
        return min(int(self.page.evaluate("document.scrollingElement.scrollHeight")), most)

    def card(self, title: str):
        """The head of the card that is called so."""
        return self.page.locator("header:visible").filter(has=self.page.get_by_role("heading", name=title)).first

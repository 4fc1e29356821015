"""How long does somebody at the dashboard wait after a click, alone and with nineteen others on the same two cores?

`riskgrid serve` on a store with two days of a book, in processes of its own: the sample's 10,000 trades under all its
scenarios, then 100,000 trades under 1,000. A browser walks from the firm down to trades and back, three desks of them.
From the click to the painted numbers: the view has arrived, and two frames have been drawn since; what has to be
revalued first (sensitivities, stress) comes into its place later, and delays the next click if it is still being made.
Then twenty pages of one browser at once, each of which follows a link every few seconds; browser and service share the
cores. Bytes are those of a first visit with nothing kept, on the wire.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

import riskgrid as rg
from riskgrid.dashboards.state import State
from tests.benchmarks.measure import Figure, cold_store
from tests.browser.chromium import MISSING, launched
from tests.browser.served import Serving
from tests.browser.visiting import Visit

_SESSIONS = 20

#: Milliseconds that somebody looks at a view before the next click.
_LOOK = 300

#: Seconds between two clicks of one of many, on average.
_THINK = 4.0

# follows a link as a click does, and waits until what it leads to is painted; milliseconds
_CLICK = """async query => {
  const link = document.createElement("a")
  link.setAttribute("href", query)
  document.body.append(link)
  const begun = performance.now(), frame = () => new Promise(requestAnimationFrame)
  link.click()
  link.remove()
  const fresh = () => document.documentElement.style.getPropertyValue("--fresh") != "0.5"
  while (!fresh()) await new Promise(done => setTimeout(done, 2))
  await frame(); await frame()
  return performance.now() - begun
}"""

# the same again and again, with time to think between; milliseconds of each
_WALK = f"""async ([queries, seconds, think, at]) => {{
  const click = {_CLICK}, spent = [], until = performance.now() + 1000 * seconds
  while (performance.now() < until) {{
    await new Promise(done => setTimeout(done, -1000 * think * Math.log(1 - Math.random())))
    spent.push(await click(queries[at++ % queries.length]))
  }}
  return spent
}}"""


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    rounds, seconds, sessions = (1, 5.0, 4) if quick else (6, 60.0, _SESSIONS)
    with sync_playwright() as playwright:
        browser = launched(playwright)
        if browser is None:
            raise RuntimeError(MISSING)
        with _served(*((300, 50) if quick else (10_000, None))) as place:
            size = _first_load(browser, place)
            alone = _tour(browser, place, rounds)
            many = _crowd(browser, place, seconds, sessions)
        with _served(*((600, 60) if quick else (100_000, 1_000))) as place:
            large = _tour(browser, place, rounds)
        browser.close()
    return [
        *_of_clicks(alone, "sample", 300.0, 700.0),
        *_of_clicks(large, "100,000 x 1,000", 400.0, None),
        _of_crowd(many, alone, sessions),
        _of_bytes(size),
    ]


@contextmanager
def _served(trades: int, scenarios: int | None) -> Iterator[str]:
    """The address of a service on two days of a book."""
    with cold_store() as folder:
        store, book = rg.Store(folder / "store"), rg.sample.portfolio(trades=trades)
        for day in ("2016-06-23", "2016-06-24"):
            # a thousand days reach back to where not every factor has a history
            given = rg.sample.scenarios(day, count=scenarios, on_missing="unshocked")
            rg.run(book, rg.sample.market(day), given, store=store, progress=None)
        serving = Serving(store, folder, ("--development",))
        serving.start()
        try:
            yield serving.place
        finally:
            serving.end()


def _views() -> list[str]:
    """From the firm down and back up, by desk and by region, through tail and trades."""
    states = []
    for desk in ("Rates", "FX Options", "Equity Derivatives"):
        state = State(page="drill-down")
        states += [State(), state]
        for label, value in (("desk", desk), ("region", "EMEA")):
            state = state.within(label, value)
            states.append(state)
        states += [state.but(part="tail"), state.but(part="trades"), state.up, State(page="runs")]
    return [state.query for state in states]


def _visit(browser: Browser, place: str) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    return Visit.begun(context, place).open().page


def _first_load(browser: Browser, place: str) -> float:
    """Bytes on the wire until a browser that knows nothing shows the first page."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    visit, size = Visit.begun(context, place), [0.0]
    line = context.new_cdp_session(visit.page)
    line.send("Network.enable")
    line.on("Network.loadingFinished", lambda told: size.append(told["encodedDataLength"]))
    line.on("Network.webSocketFrameReceived", lambda told: size.append(len(told["response"]["payloadData"])))
    visit.open()
    context.close()
    return sum(size)


def _tour(browser: Browser, place: str, rounds: int) -> list[float]:
    """Milliseconds of every click of a tour, of which a first round warms up."""
    page, spent = _visit(browser, place), []
    for _ in range(rounds + 1):
        for query in _views():
            page.wait_for_timeout(_LOOK)
            spent.append(float(page.evaluate(_CLICK, query)))
    page.context.close()
    return spent[len(_views()) :]


def _crowd(browser: Browser, place: str, seconds: float, sessions: int) -> list[float]:
    """Milliseconds of every click while so many walk at once."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    pages = [Visit.begun(context, place).open().page for _ in range(sessions)]
    begin = f"options => {{ window.walked = ({_WALK})(options) }}"
    for at, page in enumerate(pages):
        page.evaluate(begin, [_views(), seconds, _THINK, 3 * at])
    spent = [float(each) for page in pages for each in page.evaluate("() => window.walked")]
    context.close()
    return spent


def _of_clicks(spent: Sequence[float], of: str, middle: float, nearly_all: float | None) -> list[Figure]:
    note, rounds = f"{len(spent)} clicks of a tour, one session", tuple(spent)
    p50, p95 = statistics.median(spent), float(np.percentile(spent, 95))
    return [
        Figure("dashboard", f"click p50, {of}", p50, "ms", note=note, at_most=middle, rounds=rounds),
        Figure("dashboard", f"click p95, {of}", p95, "ms", note=note, at_most=nearly_all, rounds=rounds),
    ]


def _of_crowd(many: Sequence[float], alone: Sequence[float], sessions: int) -> Figure:
    middle = statistics.median(many)
    return Figure(
        "dashboard",
        f"click p50 of {sessions} sessions at once",
        middle,
        "ms",
        middle / statistics.median(alone),
        "one session",
        note=f"{len(many)} clicks, p95 {float(np.percentile(many, 95)):,.0f} ms",
        at_most=2.0,
        less_is_better=True,
    )


def _of_bytes(size: float) -> Figure:
    return Figure("dashboard", "first load", size / 1e6, "MB", note="on the wire, nothing kept", at_most=2.0)

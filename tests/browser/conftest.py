"""A browser, a service, and visits to it."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.chromium import MISSING, launched
from tests.browser.served import Serving, filled
from tests.browser.visiting import Visit


@pytest.fixture(scope="package")
def browser():
    with sync_playwright() as playwright:
        found = launched(playwright)
        if found is None:
            if os.environ.get("CI") == "true":
                pytest.fail(MISSING)
            pytest.skip(MISSING)
        yield found
        found.close()


@pytest.fixture(scope="package")
def store(tmp_path_factory):
    """Two dates, a run with gaps and a what-if; two people."""
    return filled(tmp_path_factory.mktemp("browser") / "store")


@pytest.fixture(scope="package")
def service(browser, store, tmp_path_factory):
    serving = Serving(store.store, tmp_path_factory.mktemp("service"))
    serving.start()
    yield serving
    serving.end()


@pytest.fixture(scope="package")
def signed_in(browser, service, store):
    """What a browser keeps of each person who has signed in at the form."""
    kept = {}
    for who, key in store.keys.items():
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{service.place}/desk")
        page.locator("input[name=shown]").fill(key)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{service.place}/desk")
        kept[who] = context.storage_state()
        context.close()
    return kept


@pytest.fixture
def visit(browser, service, signed_in):
    """Begins a visit; none may end with a complaint of the browser that was not taken."""
    begun = []

    def begin(who="ann", *, width=1440, height=1000, dark=False):
        context = browser.new_context(
            storage_state=signed_in[who],
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        begun.append(Visit.begun(context, service.place))
        return begun[-1]

    yield begin
    complaints = [each for one in begun for each in one.complaints]
    for one in begun:
        one.context.close()
    assert complaints == []

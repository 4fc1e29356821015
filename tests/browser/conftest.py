"""A browser, a service, and one page of it on which people follow each other: each first load costs seconds."""

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
    """Two dates, a run with gaps and a what-if; people."""
    return filled(tmp_path_factory.mktemp("browser") / "store")


@pytest.fixture(scope="package")
def service(browser, store, tmp_path_factory):
    serving = Serving(store.store, tmp_path_factory.mktemp("service"), settings=store.people.settings)
    serving.start()
    yield serving
    serving.end()


@pytest.fixture(scope="package")
def lasting(browser, service):
    """The page, and who is signed in there."""
    context = browser.new_context(
        accept_downloads=True, permissions=["clipboard-read", "clipboard-write"], reduced_motion="reduce"
    )
    yield Visit.begun(context, service.place), [""]
    context.close()


@pytest.fixture
def visit(lasting, store):
    """Lets somebody look at a view; none may end with a complaint of the browser that was not taken."""
    page, signed_in = lasting
    page.complaints.clear()

    def begin(query="?", *, who="ann", height=1000):
        page.page.set_viewport_size({"width": 1440, "height": height})
        if signed_in == [who]:
            return page.follow(query)
        signed_in[:] = [who]
        return page.sign_in(store.keys[who], query)

    yield begin
    assert page.complaints == []

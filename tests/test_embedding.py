"""Figures in the HTML of a notebook."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from riskgrid import charts, embedding, plots
from riskgrid.errors import BadSpec
from riskgrid.page import Section, notebook_html


@pytest.fixture
def figure():
    return plots.canvas(120, "</script> x", "")


def test_figures__of_two_outputs_have_places_of_their_own(figure):
    first, second = (embedding.in_notebook({"Risk": figure}) for _ in range(2))
    ids = [json.loads(items)[0]["target_id"] for items, _ in (first, second)]
    assert len(set(ids)) == 2
    for name, (_, places) in zip(ids, (first, second), strict=True):
        assert f'id="{name}"' in places["Risk"]


def test_place__is_as_high_as_its_figure_and_says_what_it_waits_for(figure):
    _, places = embedding.in_notebook({"Risk": figure})
    assert "min-height: 120px" in places["Risk"]
    assert "rg.show_figures()" in places["Risk"]


def test_text_of_a_figure__does_not_end_the_script_around_it(figure):
    items, _ = embedding.in_notebook({"Risk": figure})
    assert "</" not in items
    assert "</script> x" in json.dumps(json.loads(items))


def test_show_figures__outside_of_a_notebook_names_the_page():
    with pytest.raises(BadSpec, match=r"no notebook.*to_html\(path\)"):
        embedding.show_figures()


def test_show_figures__without_the_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh.models", None)
    with pytest.raises(BadSpec, match=r"pip install 'riskgrid\[plots\]'"):
        embedding.show_figures()


@pytest.mark.parametrize("beside", ["", "panel"])
def test_resources__ask_nothing_of_a_network(beside):
    if beside:
        pytest.importorskip(beside)  # which changes how Bokeh writes its scripts
    assert embedding.resources().startswith("<script>\n")
    assert "BEGIN bokeh.min.js" in embedding.resources()[:2000]
    assert "src=" not in embedding.resources()[:2000]


@pytest.fixture(scope="module")
def browser():
    names = (os.environ.get("RISKGRID_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        unseen = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        unseen("no browser: none of chromium, chromium-browser, google-chrome is installed")
    with sync_playwright() as made:
        yield made.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("first", ["results", "figures"])
def test_notebook__draws_its_figures_in_its_theme_whichever_output_comes_first(browser, monkeypatch, theme, first):
    """An opened notebook puts its outputs in place in any order. The machine is of the other theme."""
    shown: list[str] = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda html: shown.append(html.data))
    embedding.show_figures()
    bars = charts.bars_along(["A", "B"], np.array([1.0, -2.0]), "USD")
    outputs = [notebook_html([Section("Risk", "Node", [], [], drawings=lambda: {"Bars": bars})]), *shown]
    outputs = outputs if first == "results" else outputs[::-1]
    other = {"light": "dark", "dark": "light"}[theme]
    page = browser.new_page(color_scheme=other)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.set_content(f'<body data-jp-theme-light="{str(theme == "light").lower()}">{"".join(outputs)}</body>')
    page.wait_for_function("window.Bokeh?.documents[0]?.is_idle && !document.querySelector('.covered')")
    colours = "[...Bokeh.documents[0]._all_models.values()].map(model => model.fill_color?.value ?? '')"
    page.wait_for_function(f"{colours}.includes('{plots.COLOURS['bar'][theme == 'dark']}')")
    assert plots.COLOURS["bar"][theme != "dark"] not in page.evaluate(colours)
    assert said == []
    page.close()

"""Figures in the HTML of a notebook."""

import json
import sys

import pytest

from riskgrid import embedding, plots
from riskgrid.errors import BadSpec


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


def test_resources__ask_nothing_of_a_network():
    assert "<script" in embedding.resources()
    assert "src=" not in embedding.resources()[:2000]

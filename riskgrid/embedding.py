"""Figures in HTML: on a page that carries what draws them, and in a notebook, where one cell carries it for all."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping
from typing import Any

from riskgrid.errors import BadSpec
from riskgrid.plots import require

__all__ = ["in_notebook", "on_page", "resources", "show_figures"]

_LOADED = "riskgrid-figures"  # the event by which waiting figures learn that they can be drawn


def show_figures() -> None:
    """Let results show their figures in this notebook, from the cell that runs this on; nothing is asked of a network.

    The output of the cell carries BokehJS, 1.4 MB, once for all results: they would be large if each had its own.
    BadSpec where the extra ``plots`` is not installed, or where there is no notebook.
    """
    loaded = f"<script>window.dispatchEvent(new Event('{_LOADED}'))</script>"
    script = resources()
    if (python := sys.modules.get("IPython")) is None or python.get_ipython() is None:
        raise BadSpec("there is no notebook to show figures in; to_html(path) of a result writes a page with them")
    python.display.display(python.display.HTML(f"{script}{loaded}"))


def on_page(figures: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The script that draws figures, and the place of each as HTML. BadSpec where the extra ``plots`` is missing."""
    require()
    from bokeh.embed import components

    made: tuple[str, dict[str, str]] = components(dict(figures)) if figures else ("", {})
    return made


def in_notebook(figures: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The same for a part of a document that has what draws them elsewhere: figures as JSON, and a place for each.

    Until it is drawn, a place says what it waits for. BadSpec as of :func:`on_page`.
    """
    require()
    from bokeh.core.types import ID
    from bokeh.embed import json_item

    ids = {title: ID(f"riskgrid-{uuid.uuid4().hex}") for title in figures}  # unique among the outputs of any kernel
    items = [json_item(figure, ids[title]) for title, figure in figures.items()]
    places = {
        title: f'<div id="{ids[title]}" style="min-height: {figure.height}px">'
        '<p class="covered">Drawn in a notebook that has run <code>rg.show_figures()</code>.</p></div>'
        for title, figure in figures.items()
    }
    return json.dumps(items).replace("</", "<\\/"), places


def resources() -> str:
    """BokehJS, in a script element: nothing is asked of a network. BadSpec as of :func:`on_page`."""
    require()
    from bokeh.resources import Resources

    # not by their render(): where Panel is imported too, it adds a script of its own that is asked of a server
    scripts = Resources(mode="inline", components=["bokeh"]).js_raw
    return "\n".join(f"<script>\n{script}\n</script>" for script in scripts)

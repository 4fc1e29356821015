"""Figures on a page: a click on a name leads somewhere, and a new one is drawn into the old one's place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.model import Model
from bokeh.models import CustomJS, Plot, TapTool
from bokeh.models.renderers import GlyphRenderer

from riskgrid.dashboards.state import State

__all__ = ["redrawn", "with_links"]

# the first name below the pointer; the page's own hands follow the link
_CLICKED = """
const chosen = cb_data.source.selected.indices
cb_data.source.selected.indices = []
if (!chosen.length) return
for (const column of ["name", "y", "x"]) {
  const names = cb_data.source.data[column]
  const query = names && JSON.parse(links)[names[chosen[0]]]
  if (query) {
    const link = document.createElement("a")
    link.href = query
    link.setAttribute("href", query)
    document.body.append(link)
    link.click()
    link.remove()
    return
  }
}
"""

_KEPT = ("id", "name", "tags", "js_property_callbacks", "js_event_callbacks", "subscribed_events", "syncable")


def with_links(figure: Any, links: Mapping[str, State]) -> Any:
    """The figure with a tap tool where its names lead somewhere. links : by the names that its glyphs stand at."""
    if not links:
        return figure
    told = json.dumps({name: state.query for name, state in links.items()})
    tool = TapTool(callback=CustomJS(args={"links": told}, code=_CLICKED), name="links")
    figure.add_tools(tool)
    for each in figure.renderers:
        if isinstance(each, GlyphRenderer):  # what is clicked is not marked: the page goes on
            each.nonselection_glyph = each.selection_glyph = None
    return figure


def redrawn(old: Any, new: Any) -> bool:
    """Draw a figure into the place of one of the same build: only what differs goes to the browser.

    False, with nothing done, where the two are built differently.
    """
    if not isinstance(old, Plot) or not isinstance(new, Plot):
        return False
    pairs: list[tuple[Any, Any]] = []
    if not _matched(old, new, pairs, set()):
        return False
    for before, after in pairs:
        changed = {}
        for name, value in after.properties_with_values(include_defaults=True).items():
            if name in _KEPT or _refers(value):
                continue
            if not _same(getattr(before, name), value):
                changed[name] = value
        if changed:
            before.update(**changed)
    return True


def _refers(value: Any) -> bool:
    """Whether a property holds models, which are matched on their own."""
    if isinstance(value, Model):
        return True
    if isinstance(value, list | tuple):
        return any(_refers(each) for each in value)
    return isinstance(value, dict) and any(_refers(each) for each in value.values())


def _matched(old: Any, new: Any, pairs: list[tuple[Any, Any]], seen: set[str]) -> bool:
    """Pair the models of two figures by walking both; False where they are built differently."""
    if type(old) is not type(new):
        return False
    if old.id in seen:
        return True
    seen.add(old.id)
    pairs.append((old, new))
    for name in old.properties_with_refs():
        if name in _KEPT:
            continue
        if not _matched_values(getattr(old, name), getattr(new, name), pairs, seen):
            return False
    return True


def _matched_values(old: Any, new: Any, pairs: list[tuple[Any, Any]], seen: set[str]) -> bool:
    if isinstance(old, Model) or isinstance(new, Model):
        return isinstance(old, Model) and isinstance(new, Model) and _matched(old, new, pairs, seen)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        if not (_refers(old) or _refers(new)):
            return True
        return len(old) == len(new) and all(
            _matched_values(one, other, pairs, seen) for one, other in zip(old, new, strict=True)
        )
    if isinstance(old, dict) and isinstance(new, dict):
        if not (_refers(old) or _refers(new)):
            return True
        return old.keys() == new.keys() and all(_matched_values(old[key], new[key], pairs, seen) for key in old)
    return True


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        one, other = np.asarray(old), np.asarray(new)
        return one.shape == other.shape and bool((one == other).all())
    return bool(type(old) is type(new) and old == new)

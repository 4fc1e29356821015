"""Figures on a page: a click on a name leads somewhere, and a new one is drawn into the old one's place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.core.property.vectorization import Value
from bokeh.model import Model
from bokeh.models import CustomJS, DataRange1d, Plot, TapTool
from bokeh.models.renderers import GlyphRenderer

from riskgrid.dashboards.state import State
from riskgrid.dashboards.theme import swapped

__all__ = ["recoloured", "redrawn", "with_links"]

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

#: Properties by which a figure stands in its slot.
_PLACED = ("css_classes", "margin", "sizing_mode", "styles", "stylesheets", "visible")


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
    changes: list[tuple[Model, dict[str, Any]]] = []
    if not _matched(old, new, changes, set()):
        return False
    for model, changed in changes:
        model.update(**changed)
    return True


def recoloured(figure: Any, *, dark: bool) -> None:
    """Swap every colour of a figure for that of the other theme, in place."""
    pairs, seen, left = swapped(dark), set[str](), [figure]
    while left:
        model = left.pop()
        if model.id in seen:
            continue
        seen.add(model.id)
        changed = {}
        for name, value in _said(model).items():
            left += _models(value)
            colour = value.value if isinstance(value, Value) else value
            if isinstance(colour, str) and colour in pairs:
                changed[name] = pairs[colour]
        if changed:
            model.update(**changed)


def _models(value: Any) -> list[Model]:
    if isinstance(value, Model):
        return [value]
    if isinstance(value, list | tuple):
        return [model for each in value for model in _models(each)]
    return _models(list(value.values())) if isinstance(value, dict) else []


def _matched(old: Model, new: Model, changes: list[tuple[Model, dict[str, Any]]], seen: set[str]) -> bool:
    """Walk two figures side by side and note what differs; False where they are built differently."""
    if type(old) is not type(new):
        return False
    if old.id in seen:
        return True
    seen.add(old.id)
    before, after = _said(old), _said(new)
    changed = {}
    for name in before.keys() | after.keys():
        one = before[name] if name in before else getattr(old, name)
        other = after[name] if name in after else getattr(new, name)
        if _models(one) or _models(other):
            if not _matched_values(one, other, changes, seen):
                return False
        elif not _same(one, other):
            changed[name] = dict(other) if isinstance(other, dict) else other
    if changed:
        changes.append((old, changed))
    return True


def _matched_values(old: Any, new: Any, changes: list[tuple[Model, dict[str, Any]]], seen: set[str]) -> bool:
    if isinstance(old, Model) and isinstance(new, Model):
        return _matched(old, new, changes, seen)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        pairs = zip(old, new, strict=False)
        return len(old) == len(new) and all(_matched_values(one, other, changes, seen) for one, other in pairs)
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_matched_values(old[key], new[key], changes, seen) for key in old)
    return bool(_same(old, new))


def _said(model: Model) -> dict[str, Any]:
    """The properties of a model that were given a value, or made one of their own; not what a browser says of it."""
    # Bokeh's public query asks for the default of every property there is, which takes longer than drawing
    given = model._property_values | model._unstable_default_values
    if isinstance(model, DataRange1d):
        kept: tuple[str, ...] = (*_KEPT, "start", "end")
    else:
        kept = (*_KEPT, *_PLACED) if isinstance(model, Plot) else _KEPT
    return {name: value for name, value in given.items() if name not in kept and not model.lookup(name).readonly}


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        one, other = np.asarray(old), np.asarray(new)
        return one.shape == other.shape and bool((one == other).all())
    return bool(type(old) is type(new) and old == new)

"""Breaking one field of a manifest."""

from __future__ import annotations

from typing import Any

from tests.k8s.overlay import Objects, of_kind

API = "Deployment riskgrid-api"
SETTINGS = "ConfigMap riskgrid-settings"
CONTAINER = "spec.template.spec.containers.0"
WORKER = "spec.worker.spec.containers.0"
GONE = object()
MORE = "+"


def find(objects: Objects, thing: str) -> dict[str, Any]:
    """The object of ``KIND NAME``."""
    kind, name = thing.split()
    return next(each for each in of_kind(objects, kind) if each["metadata"]["name"] == name)


def write(thing: Any, path: str, value: Any) -> None:
    """Put a value where ``spec.rules.0`` says; ``GONE`` takes away what is there, ``+`` is the end of a list."""
    *above, last = path.split(".")
    for name in above:
        thing = thing[int(name)] if isinstance(thing, list) else thing[name]
    if last == MORE:
        thing.append(value)
    elif value is GONE:
        del thing[last]
    else:
        thing[int(last) if isinstance(thing, list) else last] = value

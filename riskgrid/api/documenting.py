"""What the OpenAPI document says beside the routes: how to ask, and what parameters mean that many routes share."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

__all__ = ["ABOUT", "documented"]

ABOUT = """
Ask a **run** by its id. Who asks says so with `Authorization: Bearer TOKEN` or `X-API-Key: KEY`, and sees its own
books: what it may not see is not there.

* **Forms.** Labelled answers come as JSON or Arrow (`application/vnd.apache.arrow.stream`), which hold the dimensions
  as `riskgrid.client` reads them, or as Parquet (`application/vnd.apache.parquet`) or CSV (`text/csv`), tables with a
  row for each combination of the labels; `Accept` chooses. Each has an ETag.
* **Narrowing.** `by=region&by=desk` is a tree of labels, `where=desk=Rates` keeps trades; one label given twice means
  either. Lists have a `limit` and an opaque `cursor`.
* **Errors** are problems (RFC 9457): `detail` is a sentence that says what would be right, `errors` lists every reason.
* **Work.** A run is accepted with 202 and its `Location`; its events are a stream (`text/event-stream`) that goes on
  after `Last-Event-ID`. A little what-if is finished in the answer (201). With an `Idempotency-Key` a request may be
  sent again.
"""

_MEANING = {
    "limit": "At most so many.",
    "level": "Confidence, as a decimal; by default that of the measure.",
    "method": "Convention of the quantile or the tail; /measures has each measure's.",
    "confidence": "Of an interval, as a decimal.",
    "resamples": "Of a bootstrap.",
    "seed": "Of a bootstrap.",
    "measure": "A measure by its name; /measures lists them.",
    "space": "Where rates are bumped: par (quotes) or zero.",
    "order": "In which the steps are taken, each on top of those before it.",
    "spots": "Relative moves of the spot.",
    "vols": "Moves of all volatilities, 0.01 is a point.",
    "factor": "A factor, e.g. equity:SPX.",
    "scenario": "A scenario's label.",
    "count": "How many.",
    "instrument": "An instrument's name; /instruments lists them.",
    "name": "A name, as the list has it.",
}


def documented(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, every parameter with its meaning."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=ABOUT,
            routes=app.routes,
            openapi_version=app.openapi_version,
        )
        ways: list[dict[str, list[str]]] = [
            {scheme: []} for scheme in made.get("components", {}).get("securitySchemes", ())
        ]
        for path, operations in made["paths"].items():
            for operation in operations.values():
                if path == "/metrics" and ways:  # the one probe that asks who it is
                    operation["security"] = ways
                for parameter in operation.get("parameters", ()):
                    if parameter["name"] in _MEANING:
                        parameter.setdefault("description", _MEANING[parameter["name"]])
        app.openapi_schema = made
    return app.openapi_schema

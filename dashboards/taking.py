"""What somebody takes along of a card: its numbers in full, as text to paste or as a file."""

from __future__ import annotations

import base64
import re
from typing import Any

from riskgrid import sheet
from riskgrid.dashboards.card import Card
from riskgrid.errors import BadSpec

__all__ = ["taken"]

#: Bytes that a file may have: what goes over a page's own line has its bounds.
_MOST = 8_000_000

_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def taken(card: Card | None, form: str) -> dict[str, Any]:
    """The message that hands it over. form : ``tsv, csv, parquet``.   BadSpec for too much, or no numbers."""
    if card is None or card.data is None:
        raise BadSpec("there are no numbers here to take along")
    dataset = card.data()
    if form == "tsv":
        return {"copy": sheet.to_tsv(dataset)}
    body = sheet.to_parquet(dataset) if form == "parquet" else sheet.to_csv(dataset)
    if len(body) > _MOST:
        raise BadSpec(f"{len(body):,} bytes are more than a page hands over; the HTTP interface has no such bound")
    name = re.sub(r"[^a-z0-9]+", "-", card.title.casefold()).strip("-") or "riskgrid"
    kind = "csv" if form == "csv" else "parquet"
    return {"save": {"name": f"{name}.{kind}", "type": _TYPES[kind], "base64": base64.b64encode(body).decode()}}

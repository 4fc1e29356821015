"""What a client sends: inputs as files, changes in their plain form."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgrid.errors import BadChanges, BadSpec

if TYPE_CHECKING:
    import xarray as xr

    from riskgrid.change import Changes
    from riskgrid.market.snapshot import MarketSnapshot
    from riskgrid.portfolio import Portfolio

__all__ = ["content_name", "form_of", "packed", "plain"]

_ZIP = "application/zip"
_PARQUET = "application/vnd.apache.parquet"

#: Parts of changes that a service takes by the names of its own inputs.
_NAMED = ("snapshot", "scenarios", "overlay")


def packed(given: Portfolio | MarketSnapshot | xr.Dataset) -> tuple[str, str, str, bytes]:
    """Kind, resource, media type and bytes of an input, every number to its last bit. BadSpec for what is none."""
    import xarray as xr

    from riskgrid.market.snapshot import MarketSnapshot
    from riskgrid.portfolio import Portfolio
    from riskgrid.scenarios import file

    with tempfile.TemporaryDirectory(prefix="riskgrid-") as made:
        folder = Path(made)
        if isinstance(given, Portfolio):
            given.write(folder, "parquet")
            return "portfolio", "portfolios", _ZIP, _zipped(folder)
        if isinstance(given, MarketSnapshot):
            given.write(folder, "parquet")
            return "market", "markets", _ZIP, _zipped(folder)
        if isinstance(given, xr.Dataset):
            file.write(given, folder / "scenarios.parquet")
            return "scenarios", "scenario-sets", _PARQUET, (folder / "scenarios.parquet").read_bytes()
    raise BadSpec(f"a {type(given).__name__} is no input; a Portfolio, a MarketSnapshot or a scenario set is right")


def content_name(given: Portfolio | MarketSnapshot | xr.Dataset) -> str:
    """Twelve digits that are the same for equal inputs. BadSpec for what is none."""
    import xarray as xr

    from riskgrid.hashing import digest

    if isinstance(given, xr.Dataset):
        return digest("sent", packed(given)[3]).hex()[:12]
    if not hasattr(given, "digest"):
        packed(given)
    return given.digest.hex()[:12]


def form_of(changes: Changes | Mapping[str, Any]) -> dict[str, Any]:
    """Changes as JSON has them. BadChanges where they hold an input that the service does not know by a name."""
    form = dict(changes if isinstance(changes, Mapping) else changes.to_dict())
    for name in _NAMED:
        given = form.get(name) if isinstance(changes, Mapping) else getattr(changes, name)
        if given is not None and not isinstance(given, (str, Mapping)):
            raise BadChanges(
                f"'{name}' is a {type(given).__name__}; client.keep({name}, 'my {name}') and then its name is right"
            )
    if "add" in form and not isinstance(form["add"], Mapping):
        form["add"] = {name: table.to_pylist() for name, table in form["add"].tables.items()}
    return form


def plain(value: Any) -> Any:
    """What JSON does not know, as text and numbers."""
    import datetime

    import numpy as np

    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[D]"))
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if hasattr(value, "to_pylist"):  # an Arrow table of trades
        return value.to_pylist()
    if hasattr(value, "to_dict"):  # a frame of them
        return value.to_dict("records")
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    raise BadChanges(f"a {type(value).__name__} cannot be sent; text, numbers, dates, lists and mappings are right")


def _zipped(folder: Path) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return sink.getvalue()

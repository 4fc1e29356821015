"""Inputs of runs, kept once each in the store by their digest: portfolios, snapshots, scenario sets."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr

from riskgrid.errors import DamagedObject, StoreError
from riskgrid.hashing import digest
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios import file
from riskgrid.store import Store, explained

__all__ = ["load_portfolio", "load_scenarios", "load_snapshot", "save_inputs", "whole_inputs"]

#: Names and sizes of a folder's files, written last: without it, or with another file, the folder is not whole.
_SEAL = ".files.json"


def save_inputs(
    store: Store, portfolio: Portfolio, market: MarketSnapshot, scenarios: xr.Dataset, scenario_digest: bytes
) -> dict[str, str]:
    """Keep the three inputs of a run; returns the key of each."""
    keys = {
        "portfolio": portfolio.digest.hex(),
        "market": digest(market.digest, market.origin).hex(),  # where a number comes from is kept with it
        "scenarios": scenario_digest.hex(),
    }
    _keep(store, "portfolio", keys["portfolio"], lambda folder: portfolio.write(folder, "parquet"))
    _keep(store, "market", keys["market"], lambda folder: market.write(folder, "parquet"))
    _keep(store, "scenarios", keys["scenarios"], lambda folder: file.write(scenarios, folder / "scenarios.parquet"))
    return keys


def load_portfolio(store: Store, key: str) -> Portfolio:
    """The portfolio of that digest."""
    folder = _folder(store, "portfolio", key)
    return Portfolio.read(folder) if any(folder.glob("*.parquet")) else Portfolio({})


def load_snapshot(store: Store, key: str) -> MarketSnapshot:
    """The snapshot of that digest."""
    return MarketSnapshot.read(_folder(store, "market", key))


def load_scenarios(store: Store, key: str) -> xr.Dataset:
    """The scenario set of that digest."""
    return file.read(_folder(store, "scenarios", key) / "scenarios.parquet")


def whole_inputs(store: Store, keys: Mapping[str, str]) -> bool:
    """Whether the inputs of a run are kept as they were written."""
    return all(_whole(store.path("inputs", f"{key}-{what}")) for what, key in keys.items())


def _seal(folder: Path) -> None:
    """Write down which files the folder holds and how large they are, and see all of it onto the disk."""
    sizes = {written.name: written.stat().st_size for written in sorted(folder.iterdir())}
    (folder / _SEAL).write_text(json.dumps(sizes), encoding="utf-8")
    for written in folder.iterdir():
        with written.open("rb") as opened:
            os.fsync(opened.fileno())


def _whole(folder: Path) -> bool:
    try:
        sizes: dict[str, int] = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
        return {name: (folder / name).stat().st_size for name in sizes} == sizes
    except (OSError, ValueError):
        return False


def _folder(store: Store, what: str, key: str) -> Path:
    folder = store.path("inputs", f"{key}-{what}")
    if not folder.exists():
        raise StoreError(f"the store {store.root} has no {what} '{key[:12]}'; ask the same question again to keep it")
    if not _whole(folder):
        raise DamagedObject(f"{folder} is damaged; ask the same question again, it is made anew")
    return folder


def _keep(store: Store, what: str, key: str, write: Callable[[Path], None]) -> None:
    folder = store.path("inputs", f"{key}-{what}")
    if folder.exists():
        if _whole(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        partial.mkdir(parents=True)
        write(partial)
        _seal(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not _whole(folder):  # another process kept the same input meanwhile
                raise
    except OSError as error:
        raise explained("write", folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)

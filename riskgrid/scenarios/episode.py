"""Episodes: what a history did between the two dates of a documented market event, as one instantaneous shift each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.registry import scenario_set
from riskgrid.scenarios.compose import concatenate
from riskgrid.scenarios.driver import moves
from riskgrid.scenarios.returns import Rules, check_rules
from riskgrid.scenarios.stress import read_yaml
from riskgrid.scenarios.window import Pairs

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["episodes", "library"]

NO_VOLATILITY = "volatility not shocked"


def library() -> dict[str, dict[str, Any]]:
    """Episode name -> its dates ``start`` and ``end``, a ``sentence`` and a ``source``.

    >>> str(library()["franc_2015"]["end"])
    '2015-01-15'
    """
    text = resources.files("riskgrid.scenarios").joinpath("episodes.yaml").read_text(encoding="utf-8")
    return dict(read_yaml(text))


@scenario_set("episodes")
def episodes(
    history: MarketHistory, market: MarketSnapshot, *, names: Sequence[str] | None = None, **rules: Unpack[Rules]
) -> xr.Dataset:
    """One scenario per episode, by the same return rules as historical scenarios.

    names : of :func:`library`; by default every episode both of whose dates the history has. The coordinate ``note``
    (scenario) says ``volatility not shocked`` where the history has nothing that moves a volatility. A factor without
    a level at an episode is left where it is there, and ``unshocked``.
    """
    check_rules(rules, ("names",))
    known = library()
    names = [names] if isinstance(names, str) else names
    for name in names or ():
        if name not in known:
            raise UnknownName("episode", name, known)
    chosen = [name for name in known if _covers(history, known[name])] if names is None else list(names)
    if not chosen:
        raise BadScenarios(
            f"no episode lies within the history, {history.dates[0]} to {history.dates[-1]}, or none was named; "
            f"known: {', '.join(known)}"
        )
    found = concatenate([_episode(name, known[name], history, market, rules) for name in chosen])
    facts = json.loads(found.attrs["provenance"]) | {"kind": "episodes", "left_out": sorted(known.keys() - set(chosen))}
    return found.assign_attrs(name="episodes", kind="episodes", provenance=json.dumps(facts, sort_keys=True))


def _covers(history: MarketHistory, episode: dict[str, Any]) -> bool:
    return bool(np.isin([np.datetime64(episode["start"]), np.datetime64(episode["end"])], history.dates).all())


def _episode(
    name: str, episode: dict[str, Any], history: MarketHistory, market: MarketSnapshot, rules: Rules
) -> xr.Dataset:
    if not _covers(history, episode):
        raise BadScenarios(
            f"episode '{name}' needs the levels of {episode['start']} and {episode['end']}; the history, "
            f"{history.dates[0]} to {history.dates[-1]}, lacks one"
        )
    rows = (np.flatnonzero(history.dates == np.datetime64(episode[end], "D")) for end in ("start", "end"))
    # a series with one of the two levels says nothing of the change between them
    found = moves(history, market, Pairs(*rows), {**rules, "on_missing": rules.get("on_missing", "unshocked")})
    is_vol = np.array([factor.startswith("vol:") for factor in market.factors])
    moved = ((found.scale != 1.0) | (found.offset != 0.0)).any(axis=0)
    note = NO_VOLATILITY if is_vol.any() and not moved[is_vol].any() else ""
    made = found.scenarios([name], market, name=name, kind="episode", facts={"note": note, **_texts(episode)})
    return made.assign_coords(note=("scenario", np.array([note])))


def _texts(episode: dict[str, Any]) -> dict[str, str]:
    return {key: str(text) for key, text in episode.items()}

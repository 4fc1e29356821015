"""riskgrid: value a portfolio under every scenario, and ask any number of the result.

>>> import riskgrid as rg
>>> rg.value_at_risk  # doctest: +ELLIPSIS
<function value_at_risk at ...>
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riskgrid import sample
    from riskgrid.analysis.backtested import Backtest
    from riskgrid.analysis.backtesting import backtest
    from riskgrid.analysis.bumping import sensitivities, spot_vol_ladder
    from riskgrid.analysis.comparing import Comparison, compare
    from riskgrid.analysis.contributing import Contributions, contributions
    from riskgrid.analysis.decomposing import risk_classes
    from riskgrid.analysis.differing import Difference, diff
    from riskgrid.analysis.explaining import Explained, explain
    from riskgrid.analysis.reversing import reverse_stress
    from riskgrid.analysis.rolling import roll
    from riskgrid.analysis.stressing import stress_report
    from riskgrid.analysis.tracing import tail_view
    from riskgrid.change import Changes
    from riskgrid.client import AsyncClient, Client, connect
    from riskgrid.embedding import show_figures
    from riskgrid.engine.budget import Limits
    from riskgrid.errors import RiskgridError
    from riskgrid.inputs import keep, kept
    from riskgrid.jobs import submit, submit_what_if, wait
    from riskgrid.keeping import gc, verify
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot
    from riskgrid.measures.bucket import bucket
    from riskgrid.measures.contribution import component, diversification, incremental, marginal, tail_weights
    from riskgrid.measures.interval import expected_shortfall_interval, value_at_risk_interval
    from riskgrid.measures.tail import expected_shortfall, tail_scenarios, value_at_risk
    from riskgrid.portfolio import Portfolio
    from riskgrid.question import ask
    from riskgrid.registry import instrument, measure, scenario_set
    from riskgrid.replaying import replay
    from riskgrid.reporting import Report, report
    from riskgrid.result import Run, open_run
    from riskgrid.runner import Runner
    from riskgrid.running import price, run
    from riskgrid.scenarios.compose import concatenate, overlay, scale_shifts, select
    from riskgrid.scenarios.episode import episodes
    from riskgrid.scenarios.filtered import filtered_historical
    from riskgrid.scenarios.historical import historical
    from riskgrid.scenarios.ladder import grid, ladder
    from riskgrid.scenarios.monte_carlo import monte_carlo
    from riskgrid.scenarios.stress import stress
    from riskgrid.scenarios.volatility import volatility_scaled
    from riskgrid.scenarios.weighting import age_weighted
    from riskgrid.store import Store
    from riskgrid.whatif import what_if

__version__ = "0.1.0"

# names are imported when first used: `import riskgrid` and the command line start at once
_HOME = {
    "AsyncClient": "riskgrid.client",
    "Backtest": "riskgrid.analysis.backtested",
    "Changes": "riskgrid.change",
    "Client": "riskgrid.client",
    "Comparison": "riskgrid.analysis.comparing",
    "Contributions": "riskgrid.analysis.contributing",
    "Difference": "riskgrid.analysis.differing",
    "Explained": "riskgrid.analysis.explaining",
    "Limits": "riskgrid.engine.budget",
    "MarketHistory": "riskgrid.market.history",
    "MarketSnapshot": "riskgrid.market.snapshot",
    "Portfolio": "riskgrid.portfolio",
    "Report": "riskgrid.reporting",
    "RiskgridError": "riskgrid.errors",
    "Run": "riskgrid.result",
    "Runner": "riskgrid.runner",
    "Store": "riskgrid.store",
    "age_weighted": "riskgrid.scenarios.weighting",
    "ask": "riskgrid.question",
    "backtest": "riskgrid.analysis.backtesting",
    "bucket": "riskgrid.measures.bucket",
    "compare": "riskgrid.analysis.comparing",
    "component": "riskgrid.measures.contribution",
    "concatenate": "riskgrid.scenarios.compose",
    "connect": "riskgrid.client",
    "contributions": "riskgrid.analysis.contributing",
    "diff": "riskgrid.analysis.differing",
    "diversification": "riskgrid.measures.contribution",
    "episodes": "riskgrid.scenarios.episode",
    "expected_shortfall": "riskgrid.measures.tail",
    "expected_shortfall_interval": "riskgrid.measures.interval",
    "explain": "riskgrid.analysis.explaining",
    "filtered_historical": "riskgrid.scenarios.filtered",
    "gc": "riskgrid.keeping",
    "grid": "riskgrid.scenarios.ladder",
    "historical": "riskgrid.scenarios.historical",
    "incremental": "riskgrid.measures.contribution",
    "instrument": "riskgrid.registry",
    "keep": "riskgrid.inputs",
    "kept": "riskgrid.inputs",
    "ladder": "riskgrid.scenarios.ladder",
    "marginal": "riskgrid.measures.contribution",
    "measure": "riskgrid.registry",
    "monte_carlo": "riskgrid.scenarios.monte_carlo",
    "open_run": "riskgrid.result",
    "overlay": "riskgrid.scenarios.compose",
    "price": "riskgrid.running",
    "replay": "riskgrid.replaying",
    "report": "riskgrid.reporting",
    "reverse_stress": "riskgrid.analysis.reversing",
    "risk_classes": "riskgrid.analysis.decomposing",
    "roll": "riskgrid.analysis.rolling",
    "run": "riskgrid.running",
    "sample": "riskgrid.sample",
    "scale_shifts": "riskgrid.scenarios.compose",
    "scenario_set": "riskgrid.registry",
    "select": "riskgrid.scenarios.compose",
    "sensitivities": "riskgrid.analysis.bumping",
    "show_figures": "riskgrid.embedding",
    "spot_vol_ladder": "riskgrid.analysis.bumping",
    "stress": "riskgrid.scenarios.stress",
    "stress_report": "riskgrid.analysis.stressing",
    "submit": "riskgrid.jobs",
    "submit_what_if": "riskgrid.jobs",
    "tail_scenarios": "riskgrid.measures.tail",
    "tail_view": "riskgrid.analysis.tracing",
    "tail_weights": "riskgrid.measures.contribution",
    "value_at_risk": "riskgrid.measures.tail",
    "value_at_risk_interval": "riskgrid.measures.interval",
    "verify": "riskgrid.keeping",
    "volatility_scaled": "riskgrid.scenarios.volatility",
    "wait": "riskgrid.jobs",
    "what_if": "riskgrid.whatif",
}

__all__ = [
    "AsyncClient",
    "Backtest",
    "Changes",
    "Client",
    "Comparison",
    "Contributions",
    "Difference",
    "Explained",
    "Limits",
    "MarketHistory",
    "MarketSnapshot",
    "Portfolio",
    "Report",
    "RiskgridError",
    "Run",
    "Runner",
    "Store",
    "age_weighted",
    "ask",
    "backtest",
    "bucket",
    "compare",
    "component",
    "concatenate",
    "connect",
    "contributions",
    "diff",
    "diversification",
    "episodes",
    "expected_shortfall",
    "expected_shortfall_interval",
    "explain",
    "filtered_historical",
    "gc",
    "grid",
    "historical",
    "incremental",
    "instrument",
    "keep",
    "kept",
    "ladder",
    "marginal",
    "measure",
    "monte_carlo",
    "open_run",
    "overlay",
    "price",
    "replay",
    "report",
    "reverse_stress",
    "risk_classes",
    "roll",
    "run",
    "sample",
    "scale_shifts",
    "scenario_set",
    "select",
    "sensitivities",
    "show_figures",
    "spot_vol_ladder",
    "stress",
    "stress_report",
    "submit",
    "submit_what_if",
    "tail_scenarios",
    "tail_view",
    "tail_weights",
    "value_at_risk",
    "value_at_risk_interval",
    "verify",
    "volatility_scaled",
    "wait",
    "what_if",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'riskgrid' has no attribute {name!r}; known: {', '.join(__all__)}")
    module = importlib.import_module(_HOME[name])
    found = module if _HOME[name] == f"riskgrid.{name}" and name == "sample" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__

"""What the README prints works as printed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def blocks(language: str, file: str = "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / file).read_text(), re.S)


def test_python_example__runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RISKGRID_HOME", str(tmp_path))
    (example,) = blocks("python")
    assert example.count("trades=10_000") == 1
    smaller = example.replace("trades=10_000", "trades=2_000")  # what is printed has the same form, sooner
    scope: dict[str, object] = {}
    exec(compile(smaller, "README.md", "exec"), scope)
    said = capsys.readouterr().out
    assert "Total" in said
    assert "scenario_pnl" in said


def test_commands__are_those_of_the_command_line() -> None:
    from riskgrid.cli import cli

    named = {
        word
        for block in (*blocks("sh"), *blocks("sh", "docs/runs.md"))
        for word in re.findall(r"^riskgrid ([\w-]+)", block, re.M)
    }
    assert named <= set(cli.commands)
    assert {"run", "report", "runs", "schema"} <= named


def test_contributing__example_instrument_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    import riskgrid as rg
    from riskgrid.registry import INSTRUMENTS

    imports = (
        "from dataclasses import dataclass\nfrom typing import Annotated\nimport numpy as np\n"
        "from riskgrid.formulas import log, norm_cdf\nfrom riskgrid.market.view import Market\n"
        "from riskgrid.registry import instrument\n"
        "from riskgrid.terms import Currency, Date, Equity, Float, Positive, Unit, Values\n"
    )
    example, _ = blocks("python", "CONTRIBUTING.md")
    module = ModuleType("contributing_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(imports + example, "CONTRIBUTING.md", "exec"), module.__dict__)
    try:
        terms = {
            "underlying": ["AAPL"],
            "currency": ["USD"],
            "strike": [1e-3],
            "payout": [1e4],
            "expiry": ["2017-07-01"],
        }
        trades = {"trade_id": ["D1"], "trade_date": ["2016-06-01"], **terms}
        found = rg.price(rg.Portfolio.from_tables({"digital_option": trades}), rg.sample.market("2016-07-01"))
        assert 0.98e4 < float(found.base_value[0]) < 1e4  # certain to pay, discounted for a year
    finally:
        INSTRUMENTS.remove("digital_option")


def test_contributing__example_page_shows(tmp_path: Path) -> None:
    pytest.importorskip("panel")
    from riskgrid import run, sample
    from riskgrid.access import Door
    from riskgrid.dashboards.desk import Desk
    from riskgrid.dashboards.look import Look
    from riskgrid.dashboards.markup import card_html
    from riskgrid.dashboards.state import State
    from riskgrid.principal import EVERYTHING
    from riskgrid.store import Store

    imports = (
        "from riskgrid.dashboards.card import Card, Table\nfrom riskgrid.dashboards.convention import measures_of\n"
        "from riskgrid.dashboards.look import Look\nfrom riskgrid.dashboards.page import Content, Page\n"
        "from riskgrid.dashboards.state import State\nfrom riskgrid.reporting import report\n"
    )
    _, example = blocks("python", "CONTRIBUTING.md")
    scope: dict[str, Any] = {}
    exec(compile(imports + example, "CONTRIBUTING.md", "exec"), scope)
    store = Store(tmp_path)
    run(sample.portfolio(40), sample.market(), sample.scenarios(count=10), store=store, progress=None)
    page = scope["TODAY"]
    cards = page.show(State(), Look(Desk(Door(store)), EVERYTHING))
    assert set(cards) == {slot for row in page.rows for slot in row}
    assert "Rates" in card_html(cards["who"], "who")

"""The commands that stress answer in tables and single sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from riskgrid import run, sample
from riskgrid.cli import cli


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    scenarios = sample.scenarios("2016-06-24", count=40)
    run(sample.portfolio(200), sample.market("2016-06-24"), scenarios, name="friday", store=folder, progress=None)
    return folder


def call(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--store", str(home)])


def test_stress__prints_the_generic_scenarios_and_the_episodes_of_a_history(home: Path) -> None:
    said = call(home, "stress", "friday", "--history", "sample")
    assert said.exit_code == 0, said.output
    assert "flight to quality" in said.output
    assert "brexit_2016" in said.output
    assert "Stress by desk, USD" in said.output


def test_stress__of_a_file_narrows_and_writes_a_page(home: Path, tmp_path: Path) -> None:
    shocks, page = tmp_path / "mine.yaml", tmp_path / "stress.html"
    shocks.write_text("crash:\n  - 'equity:*': -20%\n", encoding="utf-8")
    sample.history().write(tmp_path / "history", "csv")
    where = ("--by", "region,book", "--where", "desk=Delta One")
    said = call(home, "stress", "friday", "--file", str(shocks), *where, "--html", str(page))
    assert said.exit_code == 0, said.output
    assert "crash" in said.output
    assert f"report written to {page}" in said.output
    assert "crash" in page.read_text(encoding="utf-8")
    past = call(home, "stress", "friday", "--file", str(shocks), "--history", str(tmp_path / "history"))
    assert "lehman_2008: volatility not shocked" in past.output


def test_stress__of_an_unknown_pattern_is_one_sentence(home: Path, tmp_path: Path) -> None:
    shocks = tmp_path / "mine.yaml"
    shocks.write_text("crash: {'equty:*': -20%}", encoding="utf-8")
    said = call(home, "stress", "friday", "--file", str(shocks))
    assert said.exit_code == 1
    assert "riskgrid: scenario 'crash': unknown factor 'equty:*'" in said.output


def test_reverse_stress__prints_the_move_that_loses_the_amount(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "reverse.html"
    said = call(home, "reverse-stress", "friday", "--loss", "5e5", "--components", "8", "--html", str(page))
    assert said.exit_code == 0, said.output
    assert "Reverse stress: a loss of 500,000 USD" in said.output
    assert "8 components" in said.output
    assert "Reverse stress" in page.read_text(encoding="utf-8")


def test_reverse_stress__of_no_loss_is_one_sentence(home: Path) -> None:
    said = call(home, "reverse-stress", "friday", "--loss", "-1")
    assert said.exit_code == 1
    assert said.output == "riskgrid: loss is -1.0; an amount above 0 is right, since a loss is positive\n"

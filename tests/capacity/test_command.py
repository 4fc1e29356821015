"""The command that says what a book needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import riskgrid as rg
from riskgrid.capacity import need_of_run
from riskgrid.cli import cli
from riskgrid.spec import read_spec
from riskgrid.store import Store

SPEC = "portfolio: {sample: {trades: 1000}}\nmarket: sample\nscenarios: {historical: {start: 2016-01-04}}\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's YAML file, of 1,000 trades."""
    made = tmp_path_factory.mktemp("book") / "run.yaml"
    made.write_text(SPEC, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Store:
    """With one run, 'small', of that book."""
    made = Store(tmp_path_factory.mktemp("capacity"))
    spec = read_spec(book)
    rg.run(spec.portfolio, spec.market, spec.scenarios, store=made, name="small", progress=None)
    return made


def asked(*arguments: str, store: Store | Path) -> Any:
    where = store.where if isinstance(store, Store) else store
    return CliRunner().invoke(cli, ["cluster", "capacity", *arguments, "--store", str(where)])


def test_need__of_a_run_has_its_trades_blocks_and_measured_costs(store: Store) -> None:
    run = rg.open_run("small", store=store)
    need = need_of_run(run, store)
    labour = run.manifest["labour"]["instruments"]
    assert {kind.name: kind.trades for kind in need.kinds} == {
        name: len(run.portfolio.columns(name)["quantity"]) for name in run.portfolio.instruments
    }
    for kind in need.kinds:
        assert kind.rows == kind.trades / labour[kind.name]["blocks"]
        known = labour[kind.name]["valuations"] >= 100_000
        assert kind.rests == ("measured" if known else "assumed")
    assert need.cells == run.cube.cells.base.size
    assert (need.scenarios, need.trades, need.source) == (run.row.scenarios, 1_000, "run 'small'")


def test_capacity__of_a_run_scales_it(store: Store) -> None:
    said = asked("--run", "small", "--trades", "1e6", "--scenarios", "500", "--json", store=store)
    assert said.exit_code == 0, said.output
    figures = {one["name"]: one for one in json.loads(said.output)["figures"]}
    assert figures["trades"]["value"] == 1_000_000
    assert figures["valuations"]["value"] == 1_000_000 * 501
    assert (figures["trades"]["rests"], figures["scenarios"]["rests"]) == ("asked", "asked")
    assert figures["planning"]["rests"] == "extrapolated"


def test_capacity__of_assumed_valuations_is_a_table_that_ends_with_what_binds(tmp_path: Path) -> None:
    said = asked("--valuations", "5e8", "--seconds-each", "1e-3", "--most", "10", store=tmp_path)
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[0].split() == ["figure", "value", "rests", "on"]
    assert any(line.split()[:3] == ["cluster", "workers", "10"] for line in lines)
    assert lines[-1] == "binds: most allowed; the deadline is not met"


def test_capacity__of_a_book_is_that_of_its_file(store: Store, book: Path) -> None:
    said = asked("--book", str(book), "--within", "10", "--json", store=store)
    assert said.exit_code == 0, said.output
    figures = {one["name"]: one["value"] for one in json.loads(said.output)["figures"]}
    run = rg.open_run("small", store=store)
    assert (figures["trades"], figures["scenarios"]) == (1_000, run.row.scenarios)
    assert figures["workers"] == 1


def test_capacity__takes_workers_and_deadline_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKGRID_WORKERS", "0-7x8")
    monkeypatch.setenv("RISKGRID_DEADLINE", "90")
    said = asked("--valuations", "5e8", "--seconds-each", "1e-3", "--json", store=tmp_path)
    figures = {one["name"]: one for one in json.loads(said.output)["figures"]}
    assert (figures["workers"]["value"], figures["threads"]["value"]) == (7, 56)
    assert figures["all"]["of"] == "asked: 90 s"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give one of --run RUN, --book SPEC.yaml, and --valuations N with --seconds-each S"),
        (("--valuations", "1e6"), "--valuations and --seconds-each go together"),
    ],
)
def test_capacity__of_nothing_in_particular_says_what_to_give(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    said = asked(*arguments, store=tmp_path)
    assert said.exit_code == 2
    assert told in said.output

"""A run in a YAML file: every key, and every mistake in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from riskgrid import sample
from riskgrid.cli import cli
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.scenarios import file
from riskgrid.spec import read_spec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("spec")
    sample.portfolio(200).write(made / "trades", "csv")
    sample.market("2016-07-01").write(made / "market")
    sample.history().select("2016-01-04", "2016-07-01").write(made / "history")
    file.write(sample.scenarios("2016-07-01", count=20), made / "scenarios.parquet")
    (made / "stress.yaml").write_text("crash:\n  - equity:*: -20%\n")
    return made


def write(folder: Path, **keys: Any) -> Path:
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(keys))
    return path


def test_run__from_folders_prints_and_writes_its_report(folder: Path, tmp_path: Path) -> None:
    asked = {"portfolio": "trades", "market": "market", "scenarios": "scenarios.parquet", "name": "eod"}
    path = write(folder, **asked, report={"by": ["desk"], "html": "eod.html"}, run={"cluster": "threads:1"})
    made = CliRunner().invoke(cli, ["run", str(path), "--store", str(tmp_path)])
    assert made.exit_code == 0, made.output
    assert "(eod)" in made.output
    assert "FX Options" in made.output
    assert (folder / "eod.html").exists()
    again = CliRunner().invoke(cli, ["run", str(path), "--store", str(tmp_path)])
    assert "found finished" in again.output


def test_run__says_which_rows_it_left_out(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "trades"
    sample.portfolio(200).write(bad, "csv")
    file_with_fault = bad / "fx_forward.csv"
    text = file_with_fault.read_text().splitlines()
    file_with_fault.write_text("\n".join([text[0], text[1].replace("2", "x"), *text[2:]]) + "\n")
    path = write(folder, portfolio=str(bad), market="market", scenarios="scenarios.parquet", on_bad="keep")
    made = CliRunner().invoke(cli, ["run", str(path), "--store", str(tmp_path / "store")])
    assert made.exit_code == 0, made.output
    assert "left out: " in made.output
    assert "fx_forward.csv, line 2" in made.output
    strict = write(folder, portfolio=str(bad), market="market", scenarios="scenarios.parquet")
    assert CliRunner().invoke(cli, ["run", str(strict)]).exit_code == 1


def test_scenarios__of_several_kinds_are_joined(folder: Path) -> None:
    scenarios = {"historical": {"count": 5, "proxies": sample.proxies()}, "stress": {"file": "stress.yaml"}}
    spec = read_spec(write(folder, portfolio="trades", history="sample", date="2016-07-01", scenarios=scenarios))
    assert spec.scenarios.sizes["scenario"] == 6
    assert "crash" in spec.scenarios["scenario"].values


def test_scenarios__scaled_and_filtered_by_volatility_are_made_on_the_spot(folder: Path) -> None:
    rules = {"count": 20, "horizon": 5, "proxies": "sample", "decay": 0.97, "warm_up": 60, "cap": 5.0}
    drawn = {**rules, "start": "2015-06-01", "seed": 3}
    for scenarios in ({"volatility_scaled": rules}, {"filtered_historical": drawn}):
        spec = read_spec(write(folder, portfolio="trades", history="sample", date="2016-06-24", scenarios=scenarios))
        assert spec.scenarios.attrs["kind"] == next(iter(scenarios))
        assert spec.scenarios.sizes["scenario"] == 20


def test_scenarios__are_drawn_from_the_history(folder: Path) -> None:
    options = {"count": 16, "seed": 1, "window": 60, "proxies": "sample", "model": "student_t", "degrees": 4}
    keys = {"portfolio": "trades", "history": "sample", "date": "2016-07-01"}
    spec = read_spec(write(folder, **keys, scenarios={"monte_carlo": options}))
    assert spec.scenarios.attrs["name"] == "monte carlo student_t, 16 draws"
    assert spec.scenarios["scenario"].values[-1] == "mc-000016"
    joined = read_spec(write(folder, **keys, scenarios={"monte_carlo": options, "stress": {"file": "stress.yaml"}}))
    assert joined.scenarios.sizes["scenario"] == 17
    with pytest.raises(BadSpec, match=r"'monte_carlo' has no option 'sed'; known: count, seed, .*horizon, .*proxies"):
        read_spec(write(folder, **keys, scenarios={"monte_carlo": {"count": 16, "sed": 1}}))
    with pytest.raises(BadSpec, match=r"scenario set 'monte_carlo' cannot be made: .*'seed'"):
        read_spec(write(folder, **keys, scenarios={"monte_carlo": {"count": 16}}))


def test_sample__serves_every_input(folder: Path) -> None:
    path = write(folder, portfolio={"sample": {"trades": 50}}, market="sample", date="2016-06-24", scenarios="sample")
    spec = read_spec(path)
    assert len(spec.portfolio) == 50
    assert str(spec.market.date) == "2016-06-24"
    assert read_spec(write(folder, portfolio="sample", market="sample", scenarios="sample")).name == "spec"


def test_history__alone_gives_the_market_of_its_date(folder: Path) -> None:
    scenarios = {"stress": {"file": "stress.yaml"}}
    spec = read_spec(write(folder, portfolio="trades", history="history", date="2016-06-24", scenarios=scenarios))
    assert str(spec.market.date) == "2016-06-24"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "no key 'portfolio'; no key 'scenarios'; no key 'market' and no key 'history'"),
        ({"portfolioo": "x"}, "unknown key 'portfolioo'; known: name, portfolio"),
        (
            {"portfolio": "trades", "market": "market", "scenarios": "scenarios.parquet", "run": {"bit": 4}},
            "unknown key 'run.bit'; known: reporting, cell_labels, bits, cut, store, cluster",
        ),
        (
            {"portfolio": "trades", "market": "market", "scenarios": "scenarios.parquet", "report": ["desk"]},
            "key 'report' is ['desk']; a mapping with by, var_level",
        ),
        (
            {"portfolio": "trades", "market": "market", "scenarios": "a.parquet", "report": {"chapters": ["clases"]}},
            "report.chapters: unknown chapter 'clases'; did you mean 'classes'?",
        ),
        (
            {"portfolio": "trades", "history": "history", "scenarios": "scenarios.parquet"},
            "key 'history' without 'date'",
        ),
        (
            {"portfolio": "trades", "market": "market", "scenarios": "scenarios.parquet", "on_bad": "drop"},
            "key 'on_bad' is 'drop'; 'raise' or 'keep' is right",
        ),
        ({"portfolio": "trades", "market": "market", "scenarios": 5}, "key 'scenarios' is 5; a Parquet file or"),
        (
            {"portfolio": "trades", "market": "market", "scenarios": {"historical": {}}},
            "scenario set 'historical' needs the key 'history'",
        ),
        (
            {"portfolio": "trades", "market": "sample", "scenarios": {"volatility_scaled": {"seed": 1}}},
            "scenario set 'volatility_scaled' has no option 'seed'; known: start, end, count, horizon, returns, "
            "proxies, skip, on_stale, on_missing, decay, warm_up, cap",
        ),
        (
            {"portfolio": "trades", "market": "market", "scenarios": {"stress": {"fil": "stress.yaml"}}},
            "scenario set 'stress' has no option 'fil'; known: ",
        ),
    ],
)
def test_mistakes__are_one_sentence(folder: Path, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadSpec) as caught:
        read_spec(write(folder, **keys))
    assert sentence in str(caught.value)


def test_scenario_set__unknown_lists_the_known(folder: Path) -> None:
    with pytest.raises(UnknownName, match="unknown scenario set 'historic'; did you mean 'historical'"):
        read_spec(write(folder, portfolio="trades", market="market", scenarios={"historic": {}}))


@pytest.mark.parametrize(("text", "sentence"), [("- a\n", "holds no mapping"), ("a: [\n", "not a YAML file")])
def test_file__that_holds_no_spec_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(BadSpec, match=sentence):
        read_spec(path)


def test_weights__fade_with_age(folder: Path) -> None:
    keys: dict[str, Any] = {"portfolio": "trades", "market": "sample", "date": "2016-07-01", "scenarios": "sample"}
    spec = read_spec(write(folder, **keys, weights={"decay": 0.97}))
    weight = spec.scenarios["weight"].values
    assert weight[-1] / weight[-2] == pytest.approx(1 / 0.97)
    with pytest.raises(BadSpec, match=r"key 'weights' is 0\.97; \{decay: 0\.97\} is right"):
        read_spec(write(folder, **keys, weights=0.97))


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        ({"by": ["dsk"]}, "report: unknown label 'dsk'; did you mean 'desk'?"),
        ({"var_level": 1.5}, "report: level 1.5 is not between 0 and 1"),
        ({"es_method": "linear"}, "report: unknown method 'linear'"),
    ],
)
def test_report__that_cannot_be_made_is_refused_before_anything_is_priced(
    folder: Path, report: dict[str, Any], sentence: str
) -> None:
    keys = {"portfolio": "trades", "market": "sample", "scenarios": "sample"}
    with pytest.raises(BadSpec) as caught:
        read_spec(write(folder, **keys, report=report))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("portfolio: {sample: {trade: 50}}\nmarket: sample\nscenarios: sample\n", "{trades: 1000} is right"),
        ("portfolio: sample\nmarket: sample\nscenarios: {historical: {start: 2016-07-99}}\n", "day is out of range"),
    ],
)
def test_values__that_python_refuses_are_told_with_their_file(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(BadSpec, match=sentence):
        read_spec(path)

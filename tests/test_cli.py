"""The command line answers in tables and single sentences."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from riskgrid.cli import cli


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    made = call("demo", "--trades", "300", "--store", str(folder))
    assert made.exit_code == 0, made.output
    return folder


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_help__imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from riskgrid.cli import cli; "
        "out = CliRunner().invoke(cli, ['--help']).output; assert 'demo' in out; "
        "print([m for m in ('numpy', 'pandas', 'xarray', 'numba', 'dask', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_demo__prices_three_dates_then_finds_every_block(home: Path) -> None:
    first = (home / "reports" / "demo-2016-07-01.html").read_text()
    assert "Risk of 2016-07-01" in first
    again = call("demo", "--trades", "300", "--store", str(home))
    assert again.exit_code == 0
    assert again.output.count("blocks found in the store, nothing priced") == 3
    assert "Equity Derivatives" in again.output


def test_runs__lists_what_the_store_holds(home: Path) -> None:
    listed = call("runs", "--store", str(home)).output
    assert listed.count("complete") == 3
    assert "demo-2016-06-24" in listed
    assert call("runs", "--limit", "1", "--store", str(home)).output.count("complete") == 1


def test_runs__leaves_out_what_measures_made_unless_asked(home: Path) -> None:
    assert call("report", "demo-2016-07-01", "--chapter", "classes", "--store", str(home)).exit_code == 0
    listed = call("runs", "--store", str(home)).output
    assert "risk classes of" not in listed
    assert "that measures made to revalue these; --all shows them" in listed
    assert "risk classes of" in call("runs", "--all", "--store", str(home)).output


def test_runs__of_an_empty_store_says_what_makes_some(tmp_path: Path) -> None:
    said = call("runs", "--store", str(tmp_path))
    assert said.exit_code == 0
    assert said.output == f"no runs in {tmp_path}; 'riskgrid demo' makes three\n"


def test_report__narrows_and_writes_a_page(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    arguments = ["report", "demo-2016-07-01", "--by", "desk,book", "--where", "region=EMEA", "--store", str(home)]
    made = call(*arguments, "--html", str(page))
    assert made.exit_code == 0, made.output
    assert f"report written to {page}" in made.output
    assert page.stat().st_size > 100_000


def test_report__adds_the_chapters_asked_for(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    chapters = [word for name in ("classes", "tail", "sensitivities", "stress") for word in ("--chapter", name)]
    asked = ["--by", "desk", "--es-level", "0.9", *chapters]
    made = call("report", "demo-2016-07-01", *asked, "--html", str(page), "--store", str(home))
    assert made.exit_code == 0, made.output
    for title in (
        "Risk by class",
        "Scenarios that make ES 90 %",
        "Trades that make ES 90 %",
        "Sensitivities of",
        "Stress by desk",
    ):
        assert title in made.output
        assert title in page.read_text(encoding="utf-8")
    wrong = call("report", "demo-2016-07-01", "--chapter", "tails", "--store", str(home))
    known = "'classes', 'contributions', 'sensitivities', 'stress', 'tail'"
    assert wrong.output == f"riskgrid: unknown chapter 'tails'; did you mean 'tail'? known: {known}\n"


def test_report__takes_levels_as_their_digits_read(home: Path) -> None:
    made = call("report", "demo-2016-07-01", "--var-level", "0.95", "--var-method", "linear", "--store", str(home))
    assert "VaR 95 % is minus the quantile of P&L, linear" in made.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "nope"], "riskgrid: unknown run 'nope'; known: "),
        (["report", "demo-2016-07-01", "--by", "dessk"], "riskgrid: unknown label 'dessk'; did you mean 'desk'?"),
        (["report", "demo-2016-07-01", "--var-level", "1.5"], "riskgrid: level"),
        (["run", "no.yaml"], "riskgrid: no file no.yaml; a run is described in a YAML file"),
        (["demo", "--cluster", "cloud"], "riskgrid: unknown cluster 'cloud'; known: 'threads'"),
        (["demo", "--cluster", "threads:0"], "riskgrid: cluster 'threads:0' asks for '0' workers"),
    ],
)
def test_errors__are_one_sentence_and_a_failing_exit(home: Path, arguments: list[str], sentence: str) -> None:
    made = call(*arguments, "--store", str(home))
    assert made.exit_code == 1
    assert sentence in made.output
    assert "Traceback" not in made.output


def test_where__that_is_no_pair_is_refused(home: Path) -> None:
    made = call("report", "demo-2016-07-01", "--where", "EMEA", "--store", str(home))
    assert made.exit_code == 2
    assert "'EMEA' is not LABEL=VALUE" in made.output


@pytest.mark.parametrize(("notes", "said"), [((), "stopped"), (("blocks are kept",) * 2, "stopped; blocks are kept")])
def test_a_command_that_is_stopped__says_what_is_kept_where_a_run_noted_it(notes: tuple[str, ...], said: str) -> None:
    @click.command()
    def work() -> None:
        stopped = KeyboardInterrupt()
        for note in notes:
            stopped.add_note(note)
        raise stopped

    done = CliRunner().invoke(type(cli)("riskgrid", {"work": work}), ["work"])
    assert (done.exit_code, done.stderr) == (130, f"riskgrid: {said}\n")


def test_debug__shows_where_an_error_comes_from(home: Path) -> None:
    made = CliRunner().invoke(cli, ["--debug", "report", "nope", "--store", str(home)])
    assert type(made.exception).__name__ == "UnknownName"


def test_store__that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    made = call("demo", "--trades", "50", "--store", str(blocked))
    assert made.exit_code == 1
    assert made.output.splitlines()[-1].startswith(f"riskgrid: cannot write {blocked}")


def test_sample__writes_a_folder_that_runs(tmp_path: Path) -> None:
    folder = tmp_path / "book"
    said = call("sample", str(folder), "--trades", "120")
    assert said.output == f"written; next: riskgrid run {folder / 'run.yaml'}\n"
    made = call("run", str(folder / "run.yaml"), "--store", str(tmp_path / "store"))
    assert made.exit_code == 0, made.output
    assert (folder / "report.html").exists()
    again = call("sample", str(folder))
    assert again.exit_code == 1
    assert f"{folder} is not empty; a new folder is right" in again.output


def test_schema__prints_every_name_and_is_the_page_in_docs() -> None:
    listed = call("schema").output
    assert "value + settled cash - base value" in listed
    page = Path(__file__).parents[1] / "docs" / "schema.md"
    assert call("schema", "--markdown").output == page.read_text()


def test_instruments__prints_terms_with_what_is_allowed() -> None:
    listed = call("instruments").output
    assert "fx_option" in listed
    assert "call, put" in listed
    assert "above 0" in listed


def test_module__runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "riskgrid", "--version"], capture_output=True, text=True, check=True)
    assert "riskgrid" in done.stdout or "version" in done.stdout

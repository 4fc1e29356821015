"""Jobs, what-ifs, proofs and the keeping of a store on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from riskgrid.cli import cli
from riskgrid.store import RunRow, Store


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book") / "sample"
    made = call("sample", str(folder), "--trades", "200")
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RISKGRID_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RISKGRID_USER", "tess")
    return tmp_path / "home"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def said(*arguments: str) -> str:
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    return done.output


def submitted(book: Path, *options: str) -> str:
    found = re.match(r"run (\w+) \(.*\) is queued", said("submit", str(book / "run.yaml"), *options))
    assert found is not None
    return found[1]


def ran(book: Path, *options: str) -> str:
    run = submitted(book, *options)
    said("runner", "--until-idle", "--cluster", "threads:1", "--no-interactive-lane")
    return run


def test_submit__with_a_key_is_one_run_that_a_runner_answers(book: Path, home: Path) -> None:
    run = submitted(book, "--key", "k")
    assert run in said("submit", str(book / "run.yaml"), "--key", "k")
    assert "queued" in said("runs", "--status", "queued")
    said("runner", "--until-idle", "--cluster", "threads:1")
    assert said("runs").count(run) == 1
    assert "no queued runs in" in said("runs", "--status", "queued")
    kinds = re.findall(r"^ +\d+  [\d: .-]+  (\w+)", said("events", run), re.M)
    assert [kind for kind in kinds if kind != "progress"] == ["queued", "running", "complete"]
    assert said("events", run, "--follow").count("complete") == 1
    told = said("audit", "--subject", run)
    assert "tess" in told
    assert "submit" in told
    assert home.is_dir()


def test_cancel__and_resume_a_queued_run(book: Path, home: Path) -> None:
    run = submitted(book)
    assert f"run {run} is cancelled" in said("cancel", run)
    assert "no runner" not in said("runner", "--until-idle", "--cluster", "threads:1")
    assert "cancelled" in said("runs")
    again = call("cancel", run)
    assert again.exit_code == 1
    assert "has ended already: it is cancelled" in again.output
    assert "is queued" in said("resume", run)
    said("runner", "--until-idle", "--cluster", "threads:1")
    assert "complete" in said("runs")
    finished = call("resume", run)
    assert finished.exit_code == 1
    assert "is complete; only one that failed" in finished.output
    assert home.is_dir()


def test_what_if__of_a_file_is_compared_with_its_run(book: Path, home: Path, tmp_path: Path) -> None:
    run = ran(book, "--name", "base")
    trades = Store(home).catalogue.get(run).trades
    (tmp_path / "changes.yaml").write_text(
        'shift: {"equity:*": -5%}\nrehang: [{where: {desk: Rates}, to: {desk: Treasury}}]\n'
    )
    (tmp_path / "changes.json").write_text(json.dumps({"shift": {"equity:*": "-5%"}}))
    told = said("what-if", "base", str(tmp_path / "changes.yaml"), "--name", "down", "--by", "desk")
    assert "Treasury" in told
    assert re.search(r"^run \w+: ", told)
    assert "down" in said("compare", "base", "down", "--by", "desk")
    assert trades == 200
    wrong = call("what-if", "base", str(tmp_path / "nothing.yaml"))
    assert wrong.exit_code == 1
    assert "no file" in wrong.output


def test_diff__says_which_input_made_the_difference(book: Path, home: Path, tmp_path: Path) -> None:
    ran(book, "--name", "base")
    (tmp_path / "changes.json").write_text(json.dumps({"shift": {"fx:EUR": "-5%"}}))
    said("what-if", "base", str(tmp_path / "changes.json"), "--name", "down")
    told = said("diff", "base", "down")
    assert "market" in told
    assert "fx:EUR" in told
    assert home.is_dir()


def test_replay__proves_a_run_and_verify_finds_what_was_spoilt(book: Path, home: Path) -> None:
    run = ran(book)
    assert f"run {run} is proven" in said("replay", run, "--cluster", "threads:1")
    assert "are as they were written" in said("verify", run)
    block = next(path for path in sorted((home / "blocks").glob("*/*")) if path.stat().st_size > 4096)
    content = bytearray(block.read_bytes())
    content[-8] ^= 1
    block.write_bytes(content)
    spoilt = call("verify")
    assert spoilt.exit_code == 1
    assert block.name in spoilt.output
    refuted = call("replay", run, "--cluster", "threads:1")
    assert refuted.exit_code == 1
    assert "is NOT proven" in refuted.output
    assert call("verify", "--repair").exit_code == 1
    said("run", str(book / "run.yaml"))
    assert call("verify").exit_code == 0


def test_gc__of_a_store_with_a_run_in_hand_says_so_and_fails(home: Path) -> None:
    store = Store(home)
    store.catalogue.add(RunRow("busy", "content", "", "2016-07-01", 1, 1), lease=60.0)
    for options in ((), ("--dry-run",)):
        done = call("gc", *options)
        assert (done.exit_code, "while run busy is being executed; ask again later" in done.output) == (1, True)
    Store(home / "idle").catalogue.add(RunRow("dead", "content", "", "2016-07-01", 1, 1), lease=-1.0)
    assert "removed 0 objects" in said("gc", "--store", str(home / "idle"))


def test_gc__after_remove_frees_what_nothing_needs(book: Path, home: Path) -> None:
    run = ran(book)
    blocks = len(list((home / "blocks").glob("*/*")))
    assert "would remove 0 objects" in said("gc", "--dry-run")
    assert "is forgotten" in said("remove", run)
    assert f"{blocks} blocks" in said("gc", "--grace-hours", "0")
    assert not list((home / "blocks").glob("*/*"))
    assert "no runs in" in said("runs")


def test_migrate__says_what_the_catalogue_is_at(book: Path, home: Path) -> None:
    ran(book)
    told = said("migrate")
    assert re.search(r"catalogue .*catalogue\.sqlite: (\w+) -> \1", told)
    assert home.is_dir()

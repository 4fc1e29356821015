"""The framework of the benchmarks: figures, targets, and comparisons of two results."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from riskgrid.cli import cli
from tests.benchmarks import kernel_share
from tests.benchmarks.__main__ import result, workloads
from tests.benchmarks.compare import compare
from tests.benchmarks.measure import Figure, Medians, ratio

CALM = (1.0, 1.0, 1.0, 1.0, 1.0)


def figure(what: str, **changes: Any) -> Figure:
    return Figure(**{"workload": "w", "what": what, "value": 2.0, "unit": "s", "rounds": CALM, **changes})


def made(*figures: Figure, quick: bool = False, **machine: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(result(figures, quick=quick)))
    told["machine"] |= machine
    return told


def verdicts(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    return {line.id: line.verdict for line in compare(old, new).lines}


def test_compare__of_a_result_with_itself_finds_nothing() -> None:
    one = made(figure("run"), figure("against NumPy", ratio=4.0, against="NumPy"))
    found = compare(one, one)
    assert [line.verdict for line in found.lines] == ["", ""]
    assert [line.change for line in found.lines] == [0.0, 0.0]
    assert found.remarks == found.regressions == ()


@pytest.mark.parametrize(("seconds", "verdict"), [(2.15, ""), (2.25, "REGRESSION"), (1.85, ""), (1.7, "better")])
def test_compare__takes_ten_per_cent_for_noise(seconds: float, verdict: str) -> None:
    assert verdicts(made(figure("run")), made(figure("run", value=seconds))) == {"w-run": verdict}


def test_compare__widens_the_band_by_the_spread_of_the_rounds_of_either_side() -> None:
    noisy = (0.8, 0.9, 1.0, 1.1, 1.2)  # spread 1.4826 x 0.1
    old, new = figure("run"), figure("run", value=2.7)
    assert verdicts(made(old), made(new)) == {"w-run": "REGRESSION"}
    for pair in ((figure("run", rounds=noisy), new), (old, figure("run", value=2.7, rounds=noisy))):
        (line,) = compare(*map(made, pair)).lines
        assert line.verdict == ""
        assert line.band == pytest.approx(3 * 0.14826)


def test_compare__knows_that_less_seconds_and_more_values_are_better() -> None:
    rate = {"unit": "M values/s"}
    assert verdicts(made(figure("a", **rate)), made(figure("a", value=1.0, **rate))) == {"w-a": "REGRESSION"}
    assert verdicts(made(figure("a")), made(figure("a", value=1.0))) == {"w-a": "better"}
    share = {"unit": "s", "ratio": 1.0, "less_is_better": True}
    assert verdicts(made(figure("a", **share)), made(figure("a", **share | {"ratio": 2.0}))) == {"w-a": "REGRESSION"}


def test_compare__judges_a_ratio_where_there_is_one_whatever_the_seconds_are() -> None:
    old, new = figure("a", ratio=4.0, value=1.0), figure("a", ratio=3.0, value=0.5)
    assert verdicts(made(old), made(new)) == {"w-a": "REGRESSION"}
    assert verdicts(made(old), made(figure("a", ratio=4.0, value=9.0))) == {"w-a": ""}


def test_compare__across_machines_judges_ratios_alone_and_says_so() -> None:
    slow = made(figure("run", value=9.0), figure("r", ratio=1.0), processor="another", cores=64)
    found = compare(made(figure("run"), figure("r", ratio=2.0)), slow)
    assert [line.verdict for line in found.lines] == ["", "REGRESSION"]
    assert found.remarks[0].startswith("The machines differ (then ")
    assert "now 64 cores of another" in found.remarks[0]


def test_compare__judges_nothing_between_a_quick_result_and_a_whole_one() -> None:
    found = compare(made(figure("run"), quick=True), made(figure("run", value=9.0)))
    assert not found.regressions
    assert found.remarks[0].startswith("Only one of the two results is of --quick")


def test_compare__lists_what_is_new_and_what_is_gone() -> None:
    found = compare(made(figure("old")), made(figure("new")))
    assert [(line.id, line.verdict) for line in found.lines] == [("w-new", "new"), ("w-old", "gone")]
    assert not found.regressions


def test_figure__meets_its_target_by_its_ratio_where_it_has_one() -> None:
    assert figure("a").met is None
    assert figure("a", at_most=2.0).met is True
    assert figure("a", at_least=4.0, ratio=4.0).met is True
    assert figure("a", at_least=4.0, ratio=3.9).met is False
    assert figure("a", at_least=4.0).target == "at least 4"


def test_ratio__is_the_median_over_rounds() -> None:
    one, other = Medians(1.0, 1.0, (1.0, 2.0, 4.0)), Medians(1.0, 1.0, (3.0, 4.0, 40.0))
    assert ratio(one, other) == 3.0


def test_workloads__each_ask_a_question() -> None:
    known = workloads()
    assert {"chain_equity_options", "kernel_black", "mixed_100k", "nodes", "growth", "startup"} <= set(known)
    assert {name: question[-1:] for name, question in known.items()} == dict.fromkeys(known, "?")


@pytest.mark.slow
def test_bench__measures_writes_and_compares(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    first = bench("kernel_black", "--quick", "--json", str(file), cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    kept = json.loads(file.read_text())
    assert kept["quick"] is True
    assert {"python", "numpy", "riskgrid"} <= set(kept["versions"])
    for one in kept["figures"]:
        if one["ratio"] is not None:
            one["ratio"], one["rounds"] = one["ratio"] * 100.0, []
    file.write_text(json.dumps(kept))
    second = bench("kernel_black", "--quick", "--compare", "old.json", "--markdown", cwd=tmp_path)
    assert second.returncode == 1, second.stderr
    assert "REGRESSION" in second.stdout
    assert second.stdout.startswith("| figure | ratio | against | target | met |")


def test_bench__names_the_workloads_it_knows(tmp_path: Path) -> None:
    said = bench("nope", cwd=tmp_path)
    assert said.returncode == 2
    assert "unknown workload nope; known: chain_bonds," in said.stderr
    missing = bench("nodes", "--compare", "none.json", cwd=tmp_path)
    assert missing.returncode == 2
    assert "no file none.json; --json of an earlier run writes one" in missing.stderr


def test_bench__refuses_files_it_cannot_use_before_it_measures(tmp_path: Path) -> None:
    said = bench("nodes", "--json", "none/new.json", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "no folder none for --json; make it first" in said.stderr
    (tmp_path / "empty.json").write_text("{}")
    said = bench("nodes", "--compare", "empty.json", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (1, "")
    assert "empty.json holds no figures; --json of an earlier run writes them" in said.stderr


def test_bench__without_the_source_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riskgrid.cli.reference.__file__", str(tmp_path / "riskgrid" / "cli" / "reference.py"))
    said = CliRunner().invoke(cli, ["bench", "--quick"])
    assert said.exit_code == 1
    assert said.output.startswith("Error: the benchmarks come with the source, not with the installed package; ")


def bench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "riskgrid", "bench", *arguments]
    where = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=cwd, env=where, capture_output=True, text=True, check=False)


def test_kernel_share__watches_functions_that_are_there() -> None:
    assert all(callable(pkgutil.resolve_name(path)) for path in kernel_share.PARTS.values())

"""A profile accounts for every worker-second of a run, and speaks up where one was wasted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import riskgrid as rg
from riskgrid.cli import cli
from riskgrid.errors import BadSpec
from riskgrid.profiling import Profile, profile
from tests.run import made

MARKET, SCENARIOS, BOOK = made.market(), made.scenarios(count=40), made.portfolio(2000)


def ran(store: Path, cluster: str = "threads:2", **options: Any) -> rg.Run:
    return rg.run(BOOK, MARKET, SCENARIOS, store=store, cluster=cluster, progress=None, **options)


def parts_add_up(told: Profile) -> None:
    assert all(part.seconds >= 0.0 for part in told.parts)
    workers = told.seconds("workers")
    idle = told.seconds("workers", "idle") + told.seconds("workers", "scheduler")
    assert workers - idle <= told.workers * told.wall
    assert workers == pytest.approx(told.workers * told.wall, abs=1e-4)  # times are kept to the microsecond
    assert told.seconds("caller") == pytest.approx(told.wall, abs=1e-4)
    assert sum(part.share for part in told.parts if part.where == "workers") == pytest.approx(1.0, abs=1e-3)


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> rg.Run:
    folder = tmp_path_factory.mktemp("normal")
    ran(folder / "warm")  # loads compiled kernels
    return ran(folder / "store")


def test_profile__of_threads_accounts_for_every_second(normal: rg.Run) -> None:
    told = profile(normal)
    assert told.workers == 2
    parts_add_up(told)
    priced = {part.name.removeprefix("pricing ") for part in told.parts if part.name.startswith("pricing ")}
    assert priced == set(BOOK.instruments)
    assert told.seconds("caller", "planning: hashing") > 0.0


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_profile__of_processes_accounts_for_every_second(tmp_path: Path) -> None:
    told = profile(ran(tmp_path, "processes:2"))
    assert told.workers == 2
    parts_add_up(told)
    assert told.seconds("workers", "scheduler") > 0.0


def test_profile__speaks_up_about_tiny_blocks_only_where_they_are_tiny(normal: rg.Run, tmp_path: Path) -> None:
    told = profile(ran(tmp_path, cut=16))
    (sentence,) = (sentence for sentence in told.advice if sentence.startswith("Blocks are tiny"))
    assert sentence.endswith("raise cut (it is 16).")
    assert "Blocks are tiny" not in str(profile(normal))
    parts_add_up(told)


def test_profile__says_that_nothing_was_priced_where_all_was_found(normal: rg.Run) -> None:
    again = rg.run(BOOK, MARKET, SCENARIOS, store=normal.store, cell_labels=("desk",), progress=None)
    told = profile(again)
    parts_add_up(told)
    assert told.seconds("workers", "pricing") >= 0.0
    assert told.advice[0] == "Every block was found in the store; nothing was priced."


def test_profile__is_a_table_of_workers_and_caller(normal: rg.Run) -> None:
    text = str(profile(normal))
    assert text.startswith(f"Run {normal.run_id}: ")
    for words in ("share of wall x workers", "pricing equity_option", "ns each", "MB/s", "planning: recording", "\n* "):
        assert words in text


def test_profile__as_a_dataset_holds_every_part_in_its_order(normal: rg.Run) -> None:
    told = profile(normal)
    table = told.to_dataset()
    assert table.sizes == {"part": len(told.parts)}
    for name in ("where", "name", "seconds", "share", "note"):
        assert table[name].values.tolist() == [getattr(part, name) for part in told.parts]
    assert set(table.coords) == {"where", "name"}
    of_caller = table["seconds"].values[table["where"].values == "caller"]
    assert of_caller.sum() == pytest.approx(told.wall, abs=1e-4)


def test_profile__of_a_run_without_times_says_so(normal: rg.Run) -> None:
    manifest = {name: kept for name, kept in normal.manifest.items() if name != "labour"}
    old = dataclasses.replace(normal, row=dataclasses.replace(normal.row, manifest=manifest))
    with pytest.raises(BadSpec, match=f"run '{normal.run_id}' has kept no times"):
        profile(old)


def test_profile__on_the_command_line(normal: rg.Run) -> None:
    shown = CliRunner().invoke(cli, ["profile", normal.run_id[:8], "--store", str(normal.store.root)])
    assert shown.exit_code == 0, shown.output
    assert shown.output == str(profile(normal))


CALM = {
    "all": 10.0,
    "planning": 0.5,
    "hashing": 0.1,
    "pricing equity": 6.0,
    "pricing equity_option": 10.0,
    "writing": 1.0,
    "summing": 0.5,
    "waiting": 9.0,
    "short while planning": 0.5,
    "short at the end": 0.5,
}


def told_of(*, seconds: dict[str, float], equity: float = 1.0, blocks: int = 40, median: float = 0.2) -> str:
    instruments = {
        "equity": {"valuations": 10**8, "seconds": 6.0, "blocks": blocks // 2, "median": median},
        "equity_option": {"valuations": int(10**8 * equity), "seconds": 10.0, "blocks": blocks // 2, "median": median},
    }
    labour = {"workers": 2, "tasks": 40, "bytes": 8 * 10**8, "instruments": instruments}
    counts = {"priced": blocks, "found": 0, "failed": 0}
    manifest = {"seconds": CALM | seconds, "labour": labour, "blocks": counts, "cut": 4096}
    return "\n".join(profile(SimpleNamespace(run_id="r", manifest=manifest, row=SimpleNamespace(seconds=10.1))).advice)


def test_advice__is_calm_where_all_is_well() -> None:
    assert told_of(seconds={}) == "Nothing stands out: 79% of the workers' time is pricing."


@pytest.mark.parametrize(
    ("seconds", "begins"),
    [
        ({"writing": 8.0, "pricing equity_option": 3.0}, "The store is slow: workers spend 46% of their busy time"),
        ({"short at the end": 6.0, "pricing equity_option": 4.0}, "Workers ran out of work: 30% of their time"),
        ({"short while planning": 6.0, "planning": 4.0}, "Workers waited for the plan: planning takes 4.00 of 10.10 s"),
        ({"compiling": 8.0, "pricing equity_option": 3.0}, "Kernels were compiled for 8.0 s"),
        ({"pricing equity_option": 2.0}, "Scheduler and transport take 47% of the workers' time"),
        ({"all": 4.0, "pricing equity_option": 0.0}, "6.1 of 10.1 s passed before any work could start"),
        ({"reducing": 5.0}, ""),
    ],
)
def test_advice__names_what_stands_out(seconds: dict[str, float], begins: str) -> None:
    assert begins in told_of(seconds=seconds)
    assert begins == "" or begins not in told_of(seconds={})


def test_advice__names_an_instrument_that_dominates() -> None:
    said = told_of(seconds={"pricing equity": 1.0, "pricing equity_option": 15.0}, equity=0.1)
    assert said.startswith("One instrument dominates: equity_option takes 94% of all pricing, 1500 ns a valuation")
    assert "dominates" not in told_of(seconds={"pricing equity": 1.0, "pricing equity_option": 15.0}, equity=10.0)


def test_advice__on_blocks_needs_many_and_small_ones() -> None:
    assert told_of(seconds={"reducing": 1.0}, blocks=400, median=0.001).startswith("Blocks are tiny: half of 400 price")
    assert "tiny" not in told_of(seconds={"reducing": 1.0}, blocks=400, median=0.1)
    assert "tiny" not in told_of(seconds={"reducing": 1.0}, blocks=20, median=0.001)
    assert "tiny" in told_of(seconds={}, blocks=10**5, median=0.1)  # of a few valuations each

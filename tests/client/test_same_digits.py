"""Library, client and plain HTTP say the same numbers when they are asked the same."""

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import riskgrid as rg

CHANGES = {"resize": {"FF-000002": 3.0}, "shift": {"fx:EUR": "-2%"}}


@pytest.fixture(scope="module")
def raw(served, run):
    """A variable of an answer in JSON, as it is after parsing."""

    def asked(path, name, *params):
        url = f"{served.url}/api/v1/runs/{run.run_id}/{path}?{urllib.parse.urlencode(params)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            form = json.load(answer)
        return np.array((form["variables"] | form["coords"])[name]["values"])

    return asked


def same(*values):
    first, *rest = (np.asarray(value) for value in values)
    assert first.size
    return all(first.tolist() == other.tolist() for other in rest)


def test_pnl_and_value_at_risk(run, remote, raw):
    there = raw("pnl", "pnl", ("by", "desk"))
    assert same(run.aggregate("desk")["pnl"], remote.aggregate("desk")["pnl"], there)
    by_hand = np.sort(-there, axis=1)[:, -2]  # of 40 scenarios, 0.96 is the second largest loss
    assert same(rg.value_at_risk(run.pnl("desk"), 0.96), rg.value_at_risk(remote.pnl("desk"), 0.96), by_hand[1:])


@pytest.mark.parametrize("name", ["base_value", "value_at_risk", "component_expected_shortfall", "coverage"])
def test_report(run, remote, raw, name):
    asked = [("by", "region"), ("by", "desk")]
    assert same(rg.report(run).table[name], remote.report().table[name], raw("report", name, *asked))


def test_trade_table(run, remote, raw):
    for name in ("trade_id", "base_value", "status"):
        assert same(run.trade_table()[name], remote.trade_table()[name], raw("trades", name, ("limit", 1000)))


def test_tail(run, remote, raw):
    mine, theirs = rg.tail_view(run), remote.tail_view()
    assert same(mine.scenarios["weight"], theirs.scenarios["weight"], raw("tail", "weight"))
    for part in ("factors", "trades"):
        components = (getattr(one, part)["component"] for one in (mine, theirs))
        assert same(*components, raw("tail", "component", ("part", part)))


def test_contributions(run, remote, raw):
    for name in ("incremental_value_at_risk", "component_expected_shortfall"):
        there = raw("contributions", name, ("by", "desk"))
        assert same(rg.contributions(run, "desk").table[name], remote.contributions("desk").table[name], there)


def test_what_if(run, remote, served):
    request = urllib.request.Request(
        f"{served.url}/api/v1/runs/{run.run_id}/what-ifs",
        json.dumps({"changes": CHANGES}).encode(),
        {"Content-Type": "application/json", "Prefer": "wait=30"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        made = json.load(answer)["run_id"]
    with urllib.request.urlopen(f"{served.url}/api/v1/runs/{made}/pnl?by=desk", timeout=60) as answer:
        there = json.load(answer)["variables"]["pnl"]["values"]
    mine, theirs = rg.what_if(run, CHANGES), remote.what_if(CHANGES)
    assert same(mine.aggregate("desk")["pnl"], theirs.aggregate("desk")["pnl"], there)


def test_readme__example_runs_as_printed(served, store, run, capsys):
    text = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(r"```py\n(.*?)```", text, re.S)
    example = example.replace("http://127.0.0.1:8000", served.url).replace("2016-06-24", str(run.cube.scenarios[0]))
    example = example.replace("client.runs()[0]", f"client.run({run.run_id!r})")  # others are made meanwhile
    *before, last = example.strip().splitlines()
    asked = last.partition("#")[0].strip().removesuffix(".wait()")
    scope = {"rg": rg}
    exec(compile("\n".join([*before, f"asked = {asked}"]), "README.md", "exec"), scope)
    with rg.Runner(store) as runner:
        runner.work(until_idle=True)
    assert scope["asked"].wait(progress=None).status == "complete"
    assert "Total" in capsys.readouterr().out
    scope["client"].close()

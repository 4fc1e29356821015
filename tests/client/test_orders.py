"""Runs, what-ifs and inputs that are asked for over HTTP come out as the library's."""

import asyncio
import threading

import numpy as np
import pytest
import xarray as xr

import riskgrid as rg
from riskgrid.errors import BadChanges, BadSpec, RiskgridError, UnknownName
from riskgrid.registry import INSTRUMENTS, MEASURES

CHANGES = {"drop": ["EO-000001"], "resize": {"FF-000002": 2.0}, "shift": {"equity:*": "-5%"}}


@pytest.fixture
def runner(store):
    """A runner in a thread, which answers what is queued."""
    with rg.Runner(store, lanes=(None,)) as made:
        thread = threading.Thread(target=made.work, daemon=True)
        thread.start()
        yield made
        made.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def inputs(store):
    """What is kept under the name 'day'."""
    made = rg.sample.portfolio(60), rg.sample.market(), rg.sample.scenarios(count=12)
    for given in made:
        rg.keep(given, "day", store=store)
    return made


def test_what_if__is_the_librarys(run, remote):
    mine, theirs = remote.what_if(CHANGES, name="hedged"), rg.what_if(run, CHANGES)
    xr.testing.assert_equal(mine.pnl("desk"), theirs.pnl("desk"))
    assert mine.parent_id == run.run_id
    assert mine.status == "complete"
    assert [one.run_id for one in remote.what_ifs()].count(mine.run_id) == 1


def test_what_if__of_the_librarys_changes(run, remote):
    changes = rg.Changes(
        resize={"FF-000002": np.float64(3.0)}, amend={"EO-000001": {"expiry": np.datetime64("2018-01-02")}}
    )
    mine = remote.what_if(changes)
    xr.testing.assert_equal(mine.pnl("desk"), rg.what_if(run, changes).pnl("desk"))


def test_what_if__that_adds_trades_as_the_library_has_them(run, remote):
    table = rg.sample.portfolio(200).tables["equity"]
    known = set(run.portfolio.tables["equity"]["trade_id"].to_pylist())
    new = table.filter([trade not in known for trade in table["trade_id"].to_pylist()])
    for given in (new, new.to_pandas(), new.to_pylist()):
        mine = remote.what_if({"add": {"equity": given}})
        xr.testing.assert_equal(mine.pnl("desk"), rg.what_if(run, {"add": {"equity": new}}).pnl("desk"))


def test_what_if__with_an_input_that_has_no_name_there_is_refused(remote):
    with pytest.raises(BadChanges, match=r"'snapshot' is a MarketSnapshot; client.keep\(snapshot, 'my snapshot'\)"):
        remote.what_if({"snapshot": rg.sample.market()})


def test_what_if__of_an_unknown_trade_says_what_the_library_says(run, remote):
    with pytest.raises(UnknownName) as theirs:
        rg.what_if(run, {"drop": ["T-1"]})
    with pytest.raises(UnknownName) as mine:
        remote.what_if({"drop": ["T-1"]})
    assert str(mine.value) == str(theirs.value)


def test_key__makes_a_what_if_that_is_asked_again_the_same(remote):
    first, again = (remote.what_if({"drop": ["EO-000001"]}, key="k-1") for _ in range(2))
    assert first.run_id == again.run_id
    assert remote.what_if({"drop": ["EO-000001"]}).run_id  # another key, whatever run it finds


def test_run__is_queued_answered_and_the_librarys(client, store, runner, inputs, tmp_path):
    asked = client.submit(portfolio="day", market="day", scenarios="day", name="over there", bits=10)
    done = asked.wait(progress=None)
    assert (asked.run_id, done.status, done.name) == (done.run_id, "complete", "over there")
    theirs = rg.run(*inputs, bits=10, store=tmp_path, progress=None)
    xr.testing.assert_equal(done.pnl("desk"), theirs.pnl("desk"))


def test_run__of_the_inputs_of_another(client, runner, run):
    remote = client.run(run.run_id)
    again = client.submit(portfolio=remote, market=remote, scenarios=remote, bits=4).wait(progress=None)
    assert again.as_of == remote.as_of
    assert again.facts["trades"] == 150


def test_run__of_inputs_that_are_sent_along(client, runner, inputs, tmp_path):
    portfolio, market, scenarios = inputs
    sent = {"portfolio": portfolio, "market": market, "scenarios": scenarios}
    done = client.submit(**sent, bits=11).wait(progress=None)
    theirs = rg.run(*inputs, bits=11, store=tmp_path, progress=None)
    xr.testing.assert_equal(done.pnl("desk"), theirs.pnl("desk"))
    with pytest.raises(BadSpec, match="a list is no input; a Portfolio, a MarketSnapshot or a scenario set is right"):
        client.submit(portfolio=[], market=market, scenarios=scenarios)


def test_run__of_an_unknown_name(client):
    with pytest.raises(UnknownName, match="unknown named portfolio 'nothing'"):
        client.submit(portfolio="nothing", market="day", scenarios="day")


def test_run__that_is_cancelled_has_no_numbers_until_it_is_resumed(client, store, inputs):
    asked = client.submit(portfolio="day", market="day", scenarios="day", bits=20)
    asked.cancel()
    with pytest.raises(RiskgridError, match=f"run '{asked.run_id}' is cancelled"):
        asked.wait(progress=None)
    assert [event.kind for event in asked.events()] == ["queued", "cancelled"]
    assert asked.resume().status == "queued"
    with rg.Runner(store) as runner:
        runner.work(until_idle=True)
    assert asked.wait(progress=None).pnl().shape == (12,)


def test_wait__ends_after_the_time_that_is_given(client, inputs):
    asked = client.submit(portfolio="day", market="day", scenarios="day", reporting="EUR")
    with pytest.raises(TimeoutError):
        asked.wait(timeout=0.2, progress=None)
    asked.cancel()


def test_run__by_an_id_that_is_none(client, run):
    with pytest.raises(UnknownName) as found:
        client.run("nothing")
    assert found.value.status == 404
    assert str(found.value).startswith("unknown run 'nothing'; known: ")


def test_awaiting_client__asks_for_what_ifs_and_runs(run, served, runner, inputs):
    async def asked():
        async with rg.AsyncClient(served.url) as client:
            remote = await client.run(run.run_id)
            made = await asyncio.gather(*(remote.what_if({"resize": {"FF-000002": size}}) for size in (5.0, 6.0)))
            queued = await client.submit(portfolio="day", market="day", scenarios="day", cut=1024)
            done = await queued.wait(progress=None)
            return [await one.pnl("desk") for one in made], await done.pnl()

    changed, pnl = asyncio.run(asked())
    for size, found in zip((5.0, 6.0), changed, strict=True):
        xr.testing.assert_equal(found, rg.what_if(run, {"resize": {"FF-000002": size}}).pnl("desk"))
    assert pnl.shape == (12,)


@pytest.mark.parametrize("at", range(3))
def test_keep__brings_every_bit(client, store, at):
    given = (rg.sample.portfolio(30), rg.sample.market("2016-06-30"), rg.sample.scenarios(count=5))[at]
    kind = client.keep(given, "brought")
    assert kind == ("portfolio", "market", "scenarios")[at]
    found = rg.kept(kind, "brought", store=store)
    if kind == "scenarios":
        xr.testing.assert_identical(found, given)
    else:
        assert found.digest == given.digest


def test_keep__of_something_else(client):
    with pytest.raises(BadSpec, match="a list is no input"):
        client.keep([], "brought")


def test_registry__is_that_of_the_service(client):
    assert {one["name"] for one in client.instruments()} == set(INSTRUMENTS)
    assert {one["name"] for one in client.measures()} == set(MEASURES)
    assert "strike" in client.instrument("equity_option")["properties"]
    with pytest.raises(UnknownName, match="unknown instrument 'equity_optoin'"):
        client.instrument("equity_optoin")


def test_runs__are_listed_page_by_page(client, run, monkeypatch):
    every = [one.run_id for one in client.runs(None)]
    monkeypatch.setattr("riskgrid.client.orders._PAGE", 2)
    assert [one.run_id for one in client.runs(None)] == every
    assert [one.run_id for one in client.runs(3)] == every[:3]
    assert run.run_id in every

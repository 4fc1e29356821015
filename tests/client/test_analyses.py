"""Analyses over HTTP are the library's results, to the last bit and word."""

import asyncio
import inspect
import pydoc

import pytest
import xarray as xr

import riskgrid as rg
from riskgrid.errors import BadSpec, UnknownName


@pytest.fixture(scope="module")
def lighter(run):
    return rg.what_if(run, {"resize": {"FF-000002": 2.0}}, name="lighter")


def test_trade_table__is_the_librarys(run, remote):
    xr.testing.assert_identical(remote.trade_table(), run.trade_table())
    where = {"desk": "Rates"}
    xr.testing.assert_identical(remote.trade_table(where), run.trade_table(where))


def test_trade_table__of_several_pages_is_one(run, remote, monkeypatch):
    monkeypatch.setattr("riskgrid.client.numbers._PAGE", 40)
    xr.testing.assert_identical(remote.trade_table(), run.trade_table())


def test_worst_trades__are_the_librarys(run, remote):
    scenario = str(run.cube.scenarios[3])
    xr.testing.assert_identical(remote.worst_trades(scenario, 5), run.worst_trades(scenario, 5))


def test_trade__with_its_pnl(run, remote):
    trade = remote.trade("EO-000001")
    assert trade["trade_id"].values.tolist() == ["EO-000001"]
    assert trade.attrs["instrument"] == "equity_option"
    pnl = remote.trade_pnl("EO-000001")["pnl"].values[0]
    assert pnl.tolist() == run.trades["pnl"].values[run.trades["trade_id"].values == "EO-000001"][0].tolist()


def test_trade__that_is_not_there(remote):
    with pytest.raises(UnknownName) as found:
        remote.trade("T-1")
    assert found.value.status == 404


def test_scenario_table__has_the_pnl_of_each(run, remote):
    assert remote.scenario_table()["pnl"].values.tolist() == run.pnl().values.tolist()


def test_risk_classes__are_the_librarys(run, remote):
    mine, theirs = remote.risk_classes("desk"), rg.risk_classes(run, "desk")
    xr.testing.assert_identical(mine.table, theirs.table)
    assert (str(mine), mine.sentences()) == (str(theirs), theirs.sentences())


@pytest.mark.parametrize("measure", ["expected_shortfall", "value_at_risk"])
def test_tail_view__is_the_librarys(run, remote, measure):
    asked = {"count": 5, "level": "0.9"}
    mine, theirs = remote.tail_view(measure, **asked), rg.tail_view(run, measure, **asked)
    for part in ("scenarios", "trades", "factors", "measured"):
        xr.testing.assert_identical(getattr(mine, part), getattr(theirs, part))
    assert str(mine) == str(theirs)


def test_sensitivities__are_the_librarys(run, remote):
    asked = {"patterns": ["equity:*", "fx:*"], "sizes": {"equity:*": (2.0, "%")}}
    mine, theirs = remote.sensitivities("desk", **asked), rg.sensitivities(run, "desk", **asked)
    xr.testing.assert_equal(mine.table, theirs.table)
    assert (str(mine), mine.sentences()) == (str(theirs), theirs.sentences())


def test_spot_vol_ladder__is_the_librarys(run, remote):
    mine, theirs = remote.spot_vol_ladder("equity:AAPL"), rg.spot_vol_ladder(run, "equity:AAPL")
    xr.testing.assert_equal(mine.pnl, theirs.pnl)
    assert str(mine) == str(theirs)


def test_stress_report__is_the_librarys(run, remote):
    shocks = {"equity:*": "-20%", "vol:*": "x1.5"}
    mine, theirs = remote.stress_report(shocks, "desk"), rg.stress_report(run, {"asked": shocks}, "desk")
    xr.testing.assert_equal(mine.table, theirs.table)
    assert (str(mine), mine.sentences()) == (str(theirs), theirs.sentences())
    assert str(remote.stress_report()) == str(rg.stress_report(run))


def test_stress_report__of_scenarios_by_name_is_the_librarys(run, remote):
    shocks = {"crash": {"equity:*": "-20%", "vol:*": "x1.5"}, "up": [{"fx:*": "+1%"}, {"fx:EUR": "+1%"}]}
    mine, theirs = remote.stress_report(shocks), rg.stress_report(run, shocks)
    xr.testing.assert_equal(mine.table, theirs.table)
    assert str(mine) == str(theirs)
    with pytest.raises(BadSpec, match=r"called 'a\|b'; a name without '\|' and '=' is right"):
        remote.stress_report({"a|b": {"equity:*": "-20%"}})


@pytest.mark.parametrize("verb", [rg.compare, rg.explain])
def test_a_function_of_the_library__given_a_run_of_a_service_says_what_is_right(remote, verb):
    with pytest.raises(AttributeError, match=r"a run of a service is asked itself: run\.report\(\.\.\.\), not"):
        verb(remote, remote)


def test_verbs__show_their_own_names_and_what_they_come_to(client, remote):
    assert str(inspect.signature(client.submit)).endswith("-> 'RemoteRun'")
    assert str(inspect.signature(remote.report)).endswith("-> 'Report'")
    assert str(inspect.signature(rg.AsyncClient.run)) == "(self, /, run_id: 'str') -> 'AsyncRemoteRun'"
    assert (client.submit.__name__, client.submit.__qualname__) == ("submit", "Client.submit")
    assert "Steps" not in pydoc.render_doc(type(remote)) + pydoc.render_doc(rg.Client)


def test_address__of_the_interface_is_refused_with_the_root(served):
    with pytest.raises(BadSpec, match=rf"its root is right, '{served.url}'"):
        rg.connect(f"{served.url}/api/v1/")


@pytest.mark.parametrize("by", [("region", "desk"), ()])
def test_compare__is_the_librarys(run, remote, lighter, by):
    mine, theirs = remote.compare(lighter.run_id, by=by), rg.compare(run, lighter, by=by)
    xr.testing.assert_equal(mine.table, theirs.table)
    assert (str(mine), mine.sentences()) == (str(theirs), theirs.sentences())


def test_explain__is_the_librarys(run, client, remote, lighter):
    mine = client.run(lighter.run_id).explain(remote, by="desk")
    theirs = rg.explain(run, lighter, by="desk")
    xr.testing.assert_equal(mine, theirs.by("desk"))
    assert mine.attrs["sentences"] == theirs.sentences()


def test_awaiting_client__gives_the_same(run, served):
    async def asked():
        async with rg.AsyncClient(served.url) as client:
            remote = await client.run(run.run_id)
            return await remote.risk_classes(), await remote.trade_table()

    classes, table = asyncio.run(asked())
    assert str(classes) == str(rg.risk_classes(run))
    xr.testing.assert_identical(table, run.trade_table())


def test_part_that_is_none__is_said(remote, lighter):
    with pytest.raises(UnknownName, match="unknown part 'peaces'"):
        remote.explain(lighter.run_id, part="peaces")


def test_scenarios_that_are_no_name__are_refused(remote):
    with pytest.raises(BadSpec, match="keep the set under a name"):
        remote.stress_report(rg.sample.scenarios(count=3))

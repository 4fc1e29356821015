"""Numbers over HTTP are the library's, to the last bit."""

import asyncio

import numpy as np
import pytest
import xarray as xr

import riskgrid as rg
from riskgrid.errors import BadSpec, UnknownName


@pytest.mark.parametrize("by", [None, "desk", ["region", "desk"], "counterparty"])
def test_pnl__is_the_librarys(run, remote, by):
    assert remote.pnl(by).identical(run.pnl(by))


def test_pnl__of_some_trades_is_the_librarys(run, remote):
    where = {"desk": ["Rates", "FX Options"], "region": "EMEA"}
    xr.testing.assert_identical(remote.pnl("book", where), run.pnl("book", where))


def test_value_at_risk__has_the_librarys_digits(run, remote):
    mine, theirs = rg.value_at_risk(remote.pnl("desk"), 0.95), rg.value_at_risk(run.pnl("desk"), 0.95)
    xr.testing.assert_identical(mine, theirs)
    assert np.isfinite(mine.values).all()


def test_aggregate__is_the_librarys(run, remote):
    xr.testing.assert_identical(remote.aggregate(["desk", "book"]), run.aggregate(["desk", "book"]))


def test_report__is_the_librarys(run, remote):
    options = {"by": ["region", "desk"], "var_level": "0.95", "es_method": "inverted_cdf", "where": {"region": "EMEA"}}
    mine, theirs = remote.report(**options), rg.report(run, **options)
    assert mine.digest() == theirs.digest()
    assert mine.sentences() == theirs.sentences()
    assert str(mine) == str(theirs)
    assert mine.to_pandas().equals(theirs.to_pandas())


def test_contributions__are_the_librarys(run, remote):
    mine, theirs = remote.contributions("desk"), rg.contributions(run, "desk")
    xr.testing.assert_identical(mine.to_dataset(), theirs.to_dataset())
    assert str(mine) == str(theirs)


def test_awaiting_client__gives_the_same(run, served):
    async def asked():
        async with rg.AsyncClient(served.url) as client:
            (remote,) = [one for one in await client.runs() if one.run_id == run.run_id]
            return await asyncio.gather(remote.pnl("desk"), remote.report("desk"), remote.aggregate("book"))

    pnl, report, nodes = asyncio.run(asked())
    xr.testing.assert_identical(pnl, run.pnl("desk"))
    assert report.digest() == rg.report(run, "desk").digest()
    xr.testing.assert_identical(nodes, run.aggregate("book"))


def test_unknown_label__is_said_as_the_library_says_it(run, remote):
    with pytest.raises(UnknownName) as theirs:
        run.pnl("dessk")
    with pytest.raises(UnknownName) as mine:
        remote.pnl("dessk")
    assert str(mine.value) == str(theirs.value)
    assert mine.value.status == 422


def test_path_in_place_of_a_name__is_refused_before_it_is_asked(remote):
    with pytest.raises(BadSpec, match=r"'\.\.' is no name"):
        remote.worst_trades("..")


def test_run__shows_itself_as_the_librarys_does(run, remote):
    assert f"{run.run_id}, as of 2016-07-01, 150 trades x 40 scenarios, complete" in repr(remote)
    shown = remote._repr_html_()
    assert shown.startswith(f"<b>Run {run.run_id}</b> <i>today</i> as of 2016-07-01: 150 trades &times; 40 scenarios")


def test_name_of_a_run__is_escaped_in_a_notebook(remote):
    from dataclasses import replace

    shown = replace(remote, facts={**remote.facts, "name": "<script>"})._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown

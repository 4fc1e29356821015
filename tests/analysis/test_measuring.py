"""Measures of a run against the measures themselves, and against its report."""

import numpy as np
import pytest

from riskgrid import report, run, sample
from riskgrid.analysis.measuring import measured
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.registry import MEASURES
from riskgrid.scenarios.compose import weighted


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    weights = np.linspace(1.0, 2.0, 40)
    scenarios = weighted(sample.scenarios(count=40), weights / weights.sum())
    book = sample.portfolio(150, faulty=True)
    return run(book, sample.market(), scenarios, store=tmp_path_factory.mktemp("store"), progress=None)


def test_measured__agrees_with_the_report_by_the_weights_of_the_run(base):
    told = report(base, ["region", "desk"]).table
    for name in ("value_at_risk", "expected_shortfall"):
        found = measured(base, name, ["region", "desk"])
        np.testing.assert_array_equal(found[name].values, told[name].values)
        parts = measured(base, "component", ["region", "desk"], measure=name)
        np.testing.assert_array_equal(parts[f"component_{name}"].values, told[f"component_{name}"].values)
    assert found["desk"].values.tolist() == told["desk"].values.tolist()


def test_measured__of_a_whole_takes_the_total(base):
    nodes = base.aggregate("desk")
    pnl = nodes["pnl"].assign_coords(weight=nodes["weight"].variable)
    whole = pnl.isel(node=0).reset_coords(["desk", "depth"], drop=True)
    deep = pnl.isel(node=slice(1, None))
    expected = {
        "incremental": MEASURES["incremental"](pnl, whole),
        "marginal": MEASURES["marginal"](pnl, nodes["base_value"], whole),
        "diversification": MEASURES["diversification"](deep, whole),
    }
    for name, right in expected.items():
        found = measured(base, name, "desk")
        np.testing.assert_array_equal(found[str(right.name)].values, right.values)


def test_measured__of_the_total_weighs_every_scenario(base):
    found = measured(base, "tail_weights", where={"desk": "Rates"}, measure="value_at_risk")
    pnl = base.pnl(where={"desk": "Rates"})
    assert float(-(found["tail_weight"] * pnl).sum()) == float(MEASURES["value_at_risk"](pnl))


def test_measured__of_a_node_without_a_number_has_none(base):
    faulty = base.trade_table().isel(trade=base.trade_table()["status"].values > 1)["trade_id"].values.tolist()
    found = measured(base, "value_at_risk", "trade_id", {"trade_id": [*faulty, "SW-000001"]})
    named = dict(zip(found["trade_id"].values.tolist(), found["value_at_risk"].values.tolist(), strict=True))
    assert np.isnan([named[trade] for trade in faulty]).all()
    assert not np.isnan(named["SW-000001"])
    with pytest.raises(BadSpec, match="no trade of these has a number"):
        measured(base, "component", "trade_id", {"trade_id": faulty})


def test_measured__every_measure_is_taken_or_refused_in_a_sentence(base):
    taken = {"component", "diversification", "expected_shortfall", "incremental"}
    taken |= {"marginal", "tail_scenarios", "tail_weights", "value_at_risk"}  # intervals: of equal weights alone
    for name in MEASURES:
        if name in taken:
            assert measured(base, name, "desk").attrs["currency"] == "USD"
        else:
            with pytest.raises(BadSpec):
                measured(base, name, "desk")


def test_measured__refuses_an_option_that_a_measure_does_not_have(base):
    with pytest.raises(UnknownName, match="unknown option of measure 'tail_scenarios' 'level'"):
        measured(base, "tail_scenarios", level="0.9")
    assert measured(base, "tail_scenarios", level=None, count=3).sizes["rank"] == 3

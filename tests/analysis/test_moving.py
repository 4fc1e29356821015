"""What one scenario moves, against runs of one market object alone and the levels themselves."""

import numpy as np
import pytest

from riskgrid import run, sample
from riskgrid.analysis.moving import moves_of
from riskgrid.errors import UnknownName
from riskgrid.scenarios.compose import select
from riskgrid.scenarios.group import restrict

WORST = "2016-06-24"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    scenarios = sample.scenarios("2016-06-24", count=20)
    store = tmp_path_factory.mktemp("store")
    return run(sample.portfolio(200), sample.market("2016-06-24"), scenarios, store=store, progress=None)


@pytest.fixture(scope="module")
def moves(base):
    return moves_of(base, WORST)


def test_pnl__of_an_object_is_that_of_its_moves_alone(base, moves):
    alone = restrict(select(base.scenarios, [WORST]), ["fx:GBP"], "sterling")
    sterling = run(base.portfolio, base.market, alone, store=base.store, bits=base.manifest["bits"], progress=None)
    assert float(moves["pnl"].sel(group="fx:GBP")) == float(sterling.pnl()[0])


def test_pnl__adds_up_with_the_cross(base, moves):
    whole = float(base.pnl().sel(scenario=WORST))
    assert moves.attrs["whole"] == whole
    assert float(moves["pnl"].sum()) + moves.attrs["cross"] == pytest.approx(whole, rel=1e-12)


def test_moves__are_those_of_the_levels(base, moves):
    shift = base.scenarios.sel(scenario=WORST, factor="fx:GBP")
    level = base.market.level("fx:GBP")
    one = moves.sel(group="fx:GBP")
    assert (float(one["level"]), int(one["nodes"]), str(one["unit"].values)) == (level, 1, "%")
    assert float(one["shifted"]) == float(shift["scale"]) * level + float(shift["offset"])
    assert float(one["move"]) == pytest.approx(100.0 * (float(one["shifted"]) / level - 1.0))


def test_moves__of_a_curve_are_the_mean_of_its_nodes(base, moves):
    own = base.scenarios.sel(scenario=WORST)
    own = own.isel(factor=np.char.startswith(own["factor"].values.astype(str), "par:USD-TREASURY:"))
    levels = np.array([base.market.level(str(factor)) for factor in own["factor"].values])
    shifted = own["scale"].values * levels + own["offset"].values
    one = moves.sel(group="par:USD-TREASURY")
    assert int(one["nodes"]) == int((shifted != levels).sum())
    moved = (shifted - levels)[shifted != levels]
    assert float(one["move"]) == pytest.approx(1e4 * float(moved.mean()))
    assert np.isnan(float(one["shifted"]))


def test_where__is_of_those_trades(base):
    where = {"desk": "FX Options"}
    assert moves_of(base, WORST, where=where).attrs["whole"] == float(base.pnl(where=where).sel(scenario=WORST))


def test_unknown_scenario__is_named(base):
    with pytest.raises(UnknownName, match="never"):
        moves_of(base, "never")

"""What a report says of how its scenarios were made."""

import xarray as xr

import riskgrid as rg
from riskgrid.scenarios.note import notes_of


def test_a_plain_set__has_nothing_to_say():
    assert notes_of("") == notes_of(rg.sample.scenarios(count=3).attrs["provenance"]) == []


def test_report__says_a_repaired_covariance_and_the_decay_of_weights(tmp_path):
    market, book = rg.sample.market(), rg.sample.portfolio(60)
    factors = ["fx:EUR", "fx:GBP"]
    matrix = xr.DataArray([[1e-4, 2e-4], [2e-4, 1e-4]], {"factor": factors, "factor_": factors}, ("factor", "factor_"))
    drawn = rg.monte_carlo(None, market, count=64, seed=1, covariance=matrix)
    told = rg.report(rg.run(book, market, drawn, store=tmp_path, progress=None))
    assert any(one.startswith("* The covariance given was not positive semi-definite") for one in told.sentences())
    aged = rg.age_weighted(rg.sample.scenarios(count=20), 0.9)
    told = rg.report(rg.run(book, market, aged, store=tmp_path, progress=None))
    assert "Weights of scenarios fade with age, by 0.9 from each to the next older one." in told.sentences()

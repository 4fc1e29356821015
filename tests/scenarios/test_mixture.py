"""Mixtures of components have the covariance of their history, and length is Mahalanobis distance."""

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.errors import BadScenarios
from riskgrid.scenarios.compose import select
from riskgrid.scenarios.covariance import covariance, factor_returns
from riskgrid.scenarios.mixture import Mixture
from riskgrid.scenarios.set import shifts


@pytest.fixture(scope="module")
def past():
    return sample.scenarios(count=60)


def test_loadings__make_the_covariance(past):
    made = Mixture.of(past)
    np.testing.assert_allclose(made.loadings.T @ made.loadings, covariance(past).values, atol=1e-12)
    squares = (factor_returns(past).sel(factor=made.covariance["factor"].values) ** 2).mean("scenario")
    np.testing.assert_allclose(made.sigmas, np.sqrt(squares.values), rtol=1e-12)


def test_horizon__multiplies_the_covariance(past):
    one, ten = Mixture.of(past), Mixture.of(past, horizon=10)
    np.testing.assert_allclose(ten.covariance.values, 10.0 * one.covariance.values)
    np.testing.assert_allclose(ten.loadings.T @ ten.loadings, ten.covariance.values, atol=1e-12)


def test_places__of_history_give_its_returns(past):
    made = Mixture.of(past)
    expected = factor_returns(past).sel(factor=made.covariance["factor"].values)
    found = made.returns(made.places(past), past["scenario"].values)
    # places have six decimals, each worth at most a sigma of the factor's
    np.testing.assert_allclose(found.values / made.sigmas, expected.values / made.sigmas, atol=60 * 5e-7)
    assert found["returns"].values.tolist() == expected["returns"].values.tolist()


def test_length__is_mahalanobis_distance():
    """Two factors, x S^-1 x by hand: S = [[5, 2], [2, 1]] / 2 e-4, its inverse [[2, -4], [-4, 10]] e4."""
    past = shifts(["a", "b"], ["par:X:1Y", "par:X:2Y"], 1.0, [[0.01, 0.0], [0.02, 0.01]], name="two", kind="demo",
                  provenance={})  # fmt: skip
    made = Mixture.of(past)
    squared = (made.places(past) ** 2).sum(axis=1)
    inverse = np.array([[2.0, -4.0], [-4.0, 10.0]]) * 1e4
    x = np.array([[0.01, 0.0], [0.02, 0.01]])
    np.testing.assert_allclose(squared, np.einsum("sf,fg,sg->s", x, inverse, x), rtol=1e-5)


def test_principal_components__are_fewer(past):
    made = Mixture.of(past, 3)
    assert made.loadings.shape[0] == 3
    assert made.covariance.sizes["factor"] == made.loadings.shape[1]


def test_decay__weighs_the_last_day_most(past):
    np.testing.assert_array_equal(Mixture.of(past, decay=0.94).covariance, covariance(past, decay=0.94))


def test_sets__without_a_covariance_are_refused(past):
    with pytest.raises(BadScenarios, match="has 1 scenario, which says no covariance"):
        Mixture.of(select(past, [str(past["scenario"].values[0])]))
    still = shifts(["a", "b"], ["fx:EUR"], 1.0, 0.0, name="still", kind="demo", provenance={})
    with pytest.raises(BadScenarios, match="'still' moves no factor"):
        Mixture.of(still)
    with pytest.raises(BadScenarios, match="is no log return; a historical scenario set is right"):
        Mixture.of(shifts(["a", "b"], ["fx:EUR"], 1.0, 0.1, name="x", kind="demo", provenance={}))

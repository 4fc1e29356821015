"""The design point against closed forms, a fine grid, and SciPy's constrained optimiser."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from riskgrid.analysis.design_point import design_point, slope

NONE = np.zeros((0, 2))


def quadratic(delta, gamma):
    return lambda places: places @ delta + 0.5 * np.einsum("sk,kl,sl->s", places, gamma, places)


def nearest_on_grid(losses, target, limit=8.0):
    """The least radius of 3,600 rays in the plane where the target is reached."""
    angle = np.linspace(0.0, 2.0 * np.pi, 3_600, endpoint=False)
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    radii = np.linspace(0.0, limit, 4_001)
    found = losses((rays[:, None, :] * radii[:, None]).reshape(-1, 2)).reshape(len(rays), -1) >= target
    return radii[np.where(found.any(axis=1), np.argmax(found, axis=1), -1)][found.any(axis=1)].min()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=12),
    st.floats(0.1, 7.9),
)
def test_a_linear_loss__has_the_closed_form(delta, distance):
    """Least |z| with delta z = L is L / |delta|, at L delta / |delta|^2."""
    delta = np.array(delta)
    target = distance * np.sqrt((delta**2).sum())
    found = design_point(lambda places: places @ delta, target, np.zeros((0, len(delta))))
    assert found.reached
    assert found.settled
    np.testing.assert_allclose(found.place, target * delta / (delta**2).sum(), rtol=1e-6, atol=1e-6 * distance)
    assert found.distance == pytest.approx(distance, rel=2e-7)
    assert found.linear == pytest.approx(distance, rel=1e-9)
    assert found.loss == pytest.approx(target, rel=2e-7)


@pytest.mark.parametrize(
    ("delta", "gamma", "target"),
    [
        ([1.0, -0.5], [[0.8, -0.1], [-0.1, 1.8]], 10.0),  # short gamma: two far ends, one nearer
        ([0.3, 0.1], [[2.0, 0.0], [0.0, 0.5]], 20.0),
        ([5.0, 1.0], [[-0.5, 0.2], [0.2, -0.1]], 12.0),  # long gamma: losses flatten out
        ([0.0, 0.0], [[1.0, 0.3], [0.3, 0.7]], 6.0),  # no delta at all
        ([-2.0, 1.0], [[3.0, 0.0], [0.0, -3.0]], 15.0),  # a saddle
    ],
)
def test_delta_gamma__is_the_nearest_point_of_a_fine_grid(delta, gamma, target):
    losses = quadratic(np.array(delta), np.array(gamma))
    found = design_point(losses, target, NONE)
    # rays of the grid are 0.1 degrees and 0.002 apart
    assert found.distance == pytest.approx(nearest_on_grid(losses, target), abs=2.5e-3)
    assert found.settled


def test_delta_gamma__in_twelve_dimensions_is_what_slsqp_finds():
    random = np.random.default_rng(7)
    delta, root = random.normal(size=12), random.normal(size=(12, 12))
    gamma = 0.1 * (root @ root.T)
    losses = quadratic(delta, gamma)
    found = design_point(losses, 25.0, np.zeros((0, 12)))
    ends = []
    for start in random.normal(size=(40, 12)):
        bound = {"type": "eq", "fun": lambda z: losses(z[None, :])[0] - 25.0, "jac": lambda z: delta + gamma @ z}
        done = minimize(
            lambda z: 0.5 * z @ z, start, jac=lambda z: z, constraints=[bound], method="SLSQP", options={"ftol": 1e-14}
        )
        if done.success:
            ends.append(np.sqrt(done.x @ done.x))
    # the optimiser's own tolerance; the cosine of 1 - 1e-6 costs 1e-6 of the distance
    assert found.distance == pytest.approx(min(ends), rel=3e-6)


def test_a_direction__given_leads_to_a_loss_that_nothing_at_the_origin_shows():
    """A well beside a ridge: neither slope nor curvature at the origin, nor an axis, points there."""
    centre = np.array([2.0, 2.0, -2.0, 1.0])

    def losses(places):
        return np.round(10.0 * np.exp(-2.0 * ((places - centre) ** 2).sum(axis=1)), 4)  # as ticks are

    blind = design_point(losses, 5.0, np.zeros((0, 4)))
    told = design_point(losses, 5.0, centre[None, :] * 0.3)
    assert not blind.reached
    assert told.reached
    radius = np.sqrt(np.log(2.0) / 2.0)
    assert told.distance == pytest.approx(np.sqrt((centre**2).sum()) - radius, rel=1e-4)


def test_a_loss__out_of_reach_is_the_largest_within_the_limit():
    found = design_point(quadratic(np.array([1.0, 0.0]), np.diag([0.0, 2.0])), 1e9, NONE, limit=4.0)
    # largest of cos(a) r + sin(a)^2 r^2 on the circle: cos(a) = 1 / (2 r)
    assert not found.reached
    assert found.loss == pytest.approx(16.0 + 0.25, rel=1e-5)
    assert found.distance == pytest.approx(4.0)


def test_a_loss__that_the_sphere_reaches_and_no_first_ray_does_is_found():
    tilted = np.array([0.8, -0.6, 0.5])
    losses = quadratic(np.array([0.01, 0.0, 0.0]), 2.0 * np.outer(tilted, tilted) + np.diag([0.3, 0.2, 0.1]))
    best = design_point(losses, 1e9, np.zeros((0, 3)), limit=5.0)
    found = design_point(losses, best.loss * (1.0 - 1e-4), np.zeros((0, 3)), limit=5.0)
    assert found.reached
    assert found.distance <= 5.0


def test_a_loss__of_no_market_move_is_out_of_reach():
    found = design_point(lambda places: np.zeros(len(places)), 1.0, NONE)
    assert not found.reached
    assert found.loss == 0.0
    assert found.linear == np.inf


def test_a_step__of_a_digital_is_found_though_slopes_say_little():
    found = design_point(lambda places: 10.0 / (1.0 + np.exp(-20.0 * (places[:, 0] - 2.0))), 5.0, NONE)
    assert found.distance == pytest.approx(2.0, rel=1e-6)


def test_slope__is_exact_of_a_quadratic():
    delta, gamma = np.array([1.0, -2.0]), np.array([[0.5, 0.2], [0.2, -1.0]])
    places = np.array([[0.0, 0.0], [1.5, -0.7]])
    value, gradient = slope(quadratic(delta, gamma), places)
    np.testing.assert_allclose(value, quadratic(delta, gamma)(places), rtol=1e-12)
    np.testing.assert_allclose(gradient, delta + places @ gamma, rtol=1e-10)

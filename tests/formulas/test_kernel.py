"""Every kernel agrees with its specification, in any shape, and to the bit under any tiling."""

import numpy as np
import pytest

from riskgrid import formulas

ULP = np.finfo(float).eps
SPECIAL = [0.0, -0.0, 5e-324, 1e-310, 2.3e-308, 1e-300, 1e-17, 0.5, 1.0, 1.5, 40.0, 709.5, 746.0, 1e17, 1e300]
SPECIAL = np.array([*SPECIAL, *(-np.array(SPECIAL)), np.inf, -np.inf, np.nan])
UNARY = {"exp": 4 * ULP, "log": 4 * ULP, "norm_cdf": 3e-13, "norm_pdf": 3e-13, "norm_ppf": 1e-14}
OPTION = ["black_value", "bachelier_value"]
EVERY = [*UNARY, *OPTION]


def arguments(name, trades, states, seed=0):
    """Arguments inside and outside the kernel's domain, in full shape."""
    draw = np.random.default_rng(seed)
    shape = (trades, states)
    if name in UNARY:
        scale = {"exp": 300.0, "log": 1e5, "norm_ppf": 1.0}.get(name, 12.0)
        low = 0.0 if name in {"log", "norm_ppf"} else -scale
        return (draw.uniform(low, scale, shape),)
    forward, strike = draw.uniform(50.0, 150.0, shape), draw.uniform(50.0, 150.0, shape)
    return (
        forward,
        strike,
        draw.uniform(0.0, 1.0, shape) * (1 if name == "black_value" else 50),
        draw.random(shape) < 0.5,
    )


@pytest.mark.parametrize("name", UNARY)
def test_unary_kernel__agrees_with_its_specification(name):
    kernel = getattr(formulas, name)
    values = np.concatenate([SPECIAL, arguments(name, 1, 300)[0][0]])[None, :]
    if name.startswith("norm"):
        values = values[np.abs(values) < 37.5][None, :] if name != "norm_ppf" else values
    np.testing.assert_allclose(kernel.numba(values), kernel.numpy(values), rtol=UNARY[name], atol=0)


@pytest.mark.parametrize("name", OPTION)
def test_option_kernel__agrees_with_its_specification(name):
    kernel = getattr(formulas, name)
    args = arguments(name, 20, 30)
    largest = np.maximum(args[0], args[1]) if name == "black_value" else np.maximum(args[2], 100.0)
    assert np.max(np.abs(kernel.numba(*args) - kernel.numpy(*args)) / largest) < 2e-15


@pytest.mark.parametrize("name", OPTION)
def test_option_kernel__agrees_with_its_specification_at_the_edges_of_its_domain(name):
    kernel = getattr(formulas, name)
    tame = SPECIAL[(np.abs(SPECIAL) < 1e100) | ~np.isfinite(SPECIAL)]
    forward, strike, vol = (axis.ravel() for axis in np.meshgrid(tame, tame, tame))
    with np.errstate(all="ignore"):
        size = np.maximum(np.maximum(np.abs(forward), np.abs(strike)), 0.0 if name == "black_value" else np.abs(vol))
    size = np.where(np.isfinite(size), np.maximum(size, 1e-300), 1.0)
    for is_call in (True, False):
        found = kernel.numba(forward[None, :], strike[None, :], vol[None, :], is_call)[0]
        expected = kernel.numpy(forward[None, :], strike[None, :], vol[None, :], is_call)[0]
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        np.testing.assert_allclose(found / size, expected / size, rtol=0, atol=2e-14)


@pytest.mark.parametrize("name", EVERY)
def test_kernel__gives_the_same_bits_for_any_range_of_states(name):
    kernel = getattr(formulas, name)
    args = arguments(name, 2, 75)
    whole = kernel.numba(*args)
    for states in range(1, 71):
        for offset in (0, 1, 3):
            found = kernel.numba(*[arg[:, offset : offset + states] for arg in args])
            assert found.tobytes() == whole[:, offset : offset + states].tobytes()


@pytest.mark.parametrize("name", EVERY)
def test_kernel__gives_the_same_bits_for_any_range_of_rows(name):
    kernel = getattr(formulas, name)
    args = arguments(name, 9, 13)
    whole = kernel.numba(*args)
    for begin, end in ((0, 1), (2, 5), (8, 9), (0, 9)):
        assert kernel.numba(*[arg[begin:end] for arg in args]).tobytes() == whole[begin:end].tobytes()


@pytest.mark.parametrize("columns", range(16))
def test_black_value__gives_the_same_bits_for_columns_rows_and_full_arguments(columns):
    args = [
        arg[:, :1] if columns >> position & 1 else arg[:1]
        for position, arg in enumerate(arguments("black_value", 5, 37))
    ]
    full = [np.ascontiguousarray(np.broadcast_to(arg, (5, 37))) for arg in args]
    shape = np.broadcast_shapes(*[arg.shape for arg in args])
    assert (
        formulas.black_value.numba(*args).tobytes()
        == formulas.black_value.numba(*[arg[: shape[0], : shape[1]] for arg in full]).tobytes()
    )


@pytest.mark.parametrize("shape", [(), (1,), (6,), (1, 1), (0, 4), (4, 0), (7, 1), (1, 7), (2, 3, 4), (2, 3, 1)])
def test_kernel__keeps_the_shape(shape):
    values = np.random.default_rng(0).random(shape)
    found = formulas.exp(values)
    assert np.shape(found) == shape
    np.testing.assert_allclose(found, np.exp(values), rtol=1e-15)


def test_kernel__broadcasts_numbers_columns_rows_and_lists():
    found = formulas.black_value([[90.0], [110.0]], np.array([95.0, 100.0, 105.0]), 0.2, [[True], [False]])
    assert found.shape == (2, 3)
    assert found[1, 2] == formulas.black_value(110.0, 105.0, 0.2, False)


def test_kernel__writes_to_out_and_returns_it():
    buffer = np.zeros((4, 20))
    values = np.linspace(0.0, 1.0, 24).reshape(4, 6)
    found = formulas.exp(values, out=buffer[:, 2:8])
    assert np.shares_memory(found, buffer)
    assert buffer[:, 2:8].tobytes() == formulas.exp(values).tobytes()
    assert not buffer[:, 8:].any()
    column = formulas.exp(values[:, :1], out=buffer[:, 10:11])
    assert column.tobytes() == formulas.exp(values)[:, :1].tobytes()


def test_kernel__writes_three_axes_into_a_slice():
    buffer, values = np.zeros((2, 4, 6)), np.linspace(0.0, 1.0, 30).reshape(2, 3, 5)
    formulas.exp(values, out=buffer[:, :3, :5])
    assert buffer[:, :3, :5].tobytes() == formulas.exp(values).tobytes()


def test_kernel__may_write_over_its_own_argument():
    values = np.linspace(0.0, 1.0, 80).reshape(2, 40)
    expected = formulas.exp(values).tobytes()
    assert formulas.exp(values, out=values).tobytes() == expected


def test_kernel__refuses_an_out_of_another_shape_and_a_wrong_number_of_arguments():
    with pytest.raises(ValueError, match=r"exp: out is float64 \(2,\); it must be float64 \(3,\)"):
        formulas.exp(np.ones(3), out=np.empty(2))
    with pytest.raises(TypeError, match="black_value: 2 arguments given; it takes 4"):
        formulas.black_value(1.0, 2.0)


def test_kernel__hands_the_call_to_a_symbol():
    class Symbol:
        def __riskgrid_kernel__(self, kernel, args):
            return kernel.name, args

    symbol = Symbol()
    assert formulas.black_value(100.0, 95.0, symbol, True) == ("black_value", (100.0, 95.0, symbol, True))

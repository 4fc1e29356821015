"""Which backend runs is decided once, and every one of them gives the same numbers."""

import os
import subprocess
import sys

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.formulas.backend import BACKEND, chosen_backend

PROGRAM = """
import sys, numpy as np
from riskgrid import formulas as f
print(f.BACKEND, 'numba' in sys.modules)
spot = np.array([[90.0, 100.0, 110.0]])
print(f.black_value(spot, np.array([[95.0], [105.0]]), 0.2, np.array([[True], [False]])).tolist())
print(f.discount_factors(np.array([[0.01, 0.02]]), np.array([[0]]), np.array([[-5.0]])).tolist())
"""


def run_with(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_chosen_backend__refuses_an_unknown_name_and_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown backend 'jax'; known: 'numba', 'numpy'"):
        chosen_backend("jax")


def test_backend__numpy_never_imports_numba_and_gives_the_same_values():
    plain = run_with(RISKGRID_BACKEND="numpy")
    assert plain[0] == "numpy False"
    spot = np.array([[90.0, 100.0, 110.0]])
    expected = formulas.black_value(spot, np.array([[95.0], [105.0]]), 0.2, np.array([[True], [False]]))
    np.testing.assert_allclose(eval(plain[1]), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(eval(plain[2]), np.exp([[-0.05, -0.1]]), rtol=1e-15)


def test_backend__is_numba_where_it_is_installed_and_nothing_else_was_asked_for():
    pytest.importorskip("numba")
    assert run_with(RISKGRID_BACKEND="", NUMBA_DISABLE_JIT="1")[0] == "numba True"


def test_exports__are_sorted_and_exist():
    assert formulas.__all__ == sorted(formulas.__all__)
    assert all(hasattr(formulas, name) for name in formulas.__all__)
    assert BACKEND in {"numba", "numpy"}

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import riskgrid
from riskgrid.engine.numerics import VALUE_PATH, engine_code, numerics, numerics_digest

ROOT = Path(riskgrid.__file__).parent


def elsewhere(**environment):
    program = "from riskgrid.engine.numerics import numerics, numerics_digest as d; print(d().hex(), numerics())"
    made = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return made.stdout.split(" ", 1)


def test_numerics__name_what_decides_the_last_bits():
    found = numerics()
    assert found["numpy"] == np.__version__
    assert {"backend", "machine", "instructions", "scipy"} <= set(found)
    assert all(isinstance(value, str) and value for value in found.values())


def test_numerics__are_the_same_in_another_process():
    backend = numerics()["backend"]
    assert elsewhere(RISKGRID_BACKEND=backend)[0] == numerics_digest().hex()


@pytest.mark.parametrize(
    "other", [{"RISKGRID_BACKEND": "numpy"}, {"RISKGRID_BACKEND": "numba", "NUMBA_CPU_NAME": "generic"}]
)
def test_numerics__tell_another_backend_and_processor_apart(other):
    mine = elsewhere(RISKGRID_BACKEND="numba")
    theirs = elsewhere(**other)
    assert theirs[0] != mine[0]
    assert next(iter(other.values())) in theirs[1] or "generic" in theirs[1]


def test_numerics__are_those_of_the_processor_that_is_named_and_not_of_the_one_that_is_there():
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    beyond = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    named = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NPY_DISABLE_CPU_FEATURES": " ".join(beyond)}
    told = elsewhere(RISKGRID_BACKEND="numba", **named)[1]
    assert beyond
    assert "'cpu': 'generic'" in told
    assert [name for name in beyond if name in told] == []


def test_engine_code__is_that_of_the_installed_package():
    assert engine_code() == engine_code(ROOT)
    assert all((ROOT / part).exists() for part in VALUE_PATH)


def test_engine_code__changes_with_any_file_that_values_pass_through(tmp_path):
    for part in VALUE_PATH:
        place = tmp_path / part
        if place.suffix:
            place.write_text("x = 1\n")
        else:
            place.mkdir()
            (place / "one.py").write_text("x = 1\n")
    seen = {engine_code(tmp_path)}
    for part in VALUE_PATH:
        place = tmp_path / part if part.endswith(".py") else tmp_path / part / "one.py"
        place.write_text("x = 2\n")
        seen.add(engine_code(tmp_path))
    (tmp_path / "cube.py").write_text("no value passes here")
    seen.add(engine_code(tmp_path))
    assert len(seen) == 1 + len(VALUE_PATH)

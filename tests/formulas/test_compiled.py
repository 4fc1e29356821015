"""Compiled loops are vectors, find their cache again, and refuse what they cannot write."""

import platform
import re

import numpy as np
import pytest

from riskgrid.formulas.compiled import INTERPRETED, SOURCE, loop, source_digest
from riskgrid.formulas.elementary import exp_loop
from tests.formulas.assembly import assembly

compiled_only = pytest.mark.skipif(INTERPRETED, reason="compilation is switched off")


@compiled_only
@pytest.mark.parametrize("name", ["exp", "log", "norm_cdf", "norm_ppf", "black_value", "bachelier_value"])
def test_inner_loop__multiplies_and_adds_in_vector_registers(name):
    from riskgrid import formulas

    kernel = getattr(formulas, name)
    kernel.numba(*[np.full((2, 8), True if flag else 0.5) for flag in kernel.flags])
    # of numbers alone, as another test may have asked before, there is nothing to make vectors of
    matrices = next(one for key, one in kernel.compiled.variants.items() if all(ndim == 2 for _, ndim in key))
    vector = r"fml[as]\s+v\d+\.2d" if platform.machine() in {"aarch64", "arm64"} else r"vf\w+pd\s.*%[yz]mm"
    assert len(re.findall(vector, assembly(matrices))) >= 8


@compiled_only
def test_cache__is_stamped_with_all_sources_of_the_package():
    exp_loop(np.ones((1, 1)), np.empty((1, 1)))
    variant = next(iter(exp_loop.variants.values()))
    assert variant._cache._cache_file._source_stamp == SOURCE == source_digest()


@compiled_only
def test_cache__has_files_of_its_own_for_every_way_a_loop_is_called():
    # two processes that add to one index at once give both the same number, and one is taken for the other
    exp_loop(np.ones((1, 1)), np.empty((1, 1)))
    exp_loop(np.ones(1), np.empty((1, 1)))
    files = [variant._cache._cache_file._index_path for variant in exp_loop.variants.values()]
    assert len(set(files)) == len(files) >= 2


@compiled_only
def test_jit__compiles_without_a_cache_where_the_source_has_no_file():
    from riskgrid.formulas.compiled import jit

    names = {}
    exec("def double(x):\n    return 2.0 * x", names)
    assert jit(names["double"])(4.0) == 8.0


def test_loop__copies_strided_inputs_and_refuses_strided_outputs():
    values = np.arange(12.0).reshape(2, 6)[:, ::2]
    out = np.empty((2, 3))
    exp_loop(values, out)
    np.testing.assert_allclose(out, np.exp(values), rtol=1e-15)
    with pytest.raises(ValueError, match="must be contiguous"):
        exp_loop(values, np.empty((2, 6))[:, ::2])


def test_loop__reads_read_only_memory_and_rows_of_wider_buffers():
    wide = np.linspace(-1.0, 1.0, 30).reshape(3, 10)
    wide.flags.writeable = False
    out = np.full((3, 10), 7.0)
    exp_loop(wide[:, 2:6], out[:, 3:7])
    np.testing.assert_allclose(out[:, 3:7], np.exp(wide[:, 2:6]), rtol=1e-15)
    assert np.all(out[:, :3] == 7.0)
    assert np.all(out[:, 7:] == 7.0)


@loop("out")
def doubling_loop(x, out):
    for i in range(x.shape[0]):
        out[i] = 2 * x[i]


def test_loop__is_specialised_by_dtype():
    for dtype in (np.int32, np.float64):
        out = np.empty(3, dtype)
        doubling_loop(np.arange(3, dtype=dtype), out)
        assert out.tolist() == [0, 2, 4]

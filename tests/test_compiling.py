"""Kernels are compiled ahead of their use, once for all processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from riskgrid import compiling
from riskgrid.compiling import compile_kernels, loops
from riskgrid.errors import BadSpec


@pytest.mark.slow
def test_compile__leaves_no_loop_out_and_nothing_to_do_for_another_process(tmp_path: Path) -> None:
    made = compile_kernels()
    assert made.compiled + made.found == sum(len(loop.variants) for loop in loops().values())
    assert [name for name, loop in loops().items() if not loop.variants] == []
    command = [sys.executable, "-m", "riskgrid", "compile"]
    # as in an image: what lies in the package is found though it is not what this process may write
    elsewhere = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=elsewhere).stdout
    assert re.match(rf"0 loops compiled, \d\d+ found compiled, in \d+\.\d s; kept in {tmp_path}/", told)


def test_compile__says_that_nothing_is_compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "INTERPRETED", True)
    with pytest.raises(BadSpec, match=r"kernels are not compiled here; .* is right"):
        compile_kernels()

"""Kernels are compiled ahead of their use, once for all processes."""

import re
import subprocess
import sys

import pytest

from riskgrid import compiling
from riskgrid.compiling import compile_kernels, loops
from riskgrid.errors import BadSpec


@pytest.mark.slow
def test_compile__leaves_no_loop_out_and_nothing_to_do_for_another_process() -> None:
    made = compile_kernels()
    assert made.compiled + made.found == sum(len(loop.variants) for loop in loops().values())
    assert [name for name, loop in loops().items() if not loop.variants] == []
    command = [sys.executable, "-m", "riskgrid", "compile"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.match(r"0 loops compiled, \d\d+ found compiled, in \d+\.\d s; kept in /", told)


def test_compile__says_that_nothing_is_compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "INTERPRETED", True)
    with pytest.raises(BadSpec, match=r"kernels are not compiled here; .* is right"):
        compile_kernels()

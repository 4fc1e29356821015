import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import riskgrid


def fresh(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_all__is_sorted_and_says_each_name_once():
    assert riskgrid.__all__ == sorted(set(riskgrid.__all__))
    assert dir(riskgrid) == riskgrid.__all__


@pytest.mark.parametrize("name", riskgrid.__all__)
def test_name__can_be_imported(name):
    found = getattr(riskgrid, name)
    assert found is not None
    assert getattr(found, "__doc__", None)


def test_name__is_that_of_no_submodule():
    # importing a submodule binds its name in the package, and would take the place of the function
    modules = {module.name for module in pkgutil.iter_modules(riskgrid.__path__)}
    assert modules & set(riskgrid.__all__) == {"sample"}
    assert riskgrid.sample.__name__ == "riskgrid.sample"


def test_unknown_name__lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"module 'riskgrid' has no attribute 'var'; known: .*value_at_risk"):
        riskgrid.var  # noqa: B018


def test_import__is_light():
    heavy = ("numpy", "pandas", "xarray", "numba", "distributed", "dask", "scipy", "pyarrow")
    assert fresh(f"import sys, riskgrid; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_import__of_the_errors_is_light():
    assert fresh("import sys; from riskgrid import RiskgridError; print('numpy' in sys.modules)") == "False"


def test_version__is_that_of_the_package():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert riskgrid.__version__ == project["version"]

"""The contract, for every instrument that registers itself."""

import pytest

from riskgrid.registry import INSTRUMENTS
from tests.contract import checks


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_every_instrument_keeps_the_contract(name, check, tmp_path, monkeypatch):
    check(name, tmp_path, monkeypatch)

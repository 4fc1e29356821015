import os
from pathlib import Path

import pytest

from riskgrid.errors import InputError
from riskgrid.settings import settings


def test_settings__come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("RISKGRID_HOME", str(tmp_path))
    monkeypatch.setenv("RISKGRID_THREADS", "3")
    assert settings().home == tmp_path
    assert settings().threads == 3


def test_settings__default_to_the_data_folder_and_the_usable_cores(monkeypatch):
    monkeypatch.delenv("RISKGRID_HOME", raising=False)
    monkeypatch.delenv("RISKGRID_THREADS", raising=False)
    assert settings().home.name == "riskgrid"
    assert settings().home.is_absolute()
    assert 1 <= settings().threads <= (os.cpu_count() or 1)


def test_settings__expand_the_home_folder(monkeypatch):
    monkeypatch.setenv("RISKGRID_HOME", "~/risk")
    assert settings().home == Path.home() / "risk"


def test_settings__count_all_cores_where_there_is_no_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.setenv("RISKGRID_THREADS", "0")
    assert settings().threads == 1


@pytest.mark.parametrize("wrong", ["many", "-2", "1.5", ""])
def test_settings__refuse_a_count_that_is_none(monkeypatch, wrong):
    monkeypatch.setenv("RISKGRID_THREADS", wrong)
    with pytest.raises(InputError, match="a count of threads is right, 0 for all cores"):
        settings()

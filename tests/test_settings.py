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


def test_settings__say_where_the_store_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("RISKGRID_HOME", str(tmp_path))
    monkeypatch.delenv("RISKGRID_STORE", raising=False)
    monkeypatch.delenv("RISKGRID_CATALOGUE", raising=False)
    assert (settings().store, settings().catalogue) == (tmp_path, None)
    monkeypatch.setenv("RISKGRID_STORE", "~/store")
    assert settings().store == Path.home() / "store"
    monkeypatch.setenv("RISKGRID_STORE", "s3://bucket/prefix")
    monkeypatch.setenv("RISKGRID_CATALOGUE", "postgresql://host/runs")
    assert (settings().store, settings().catalogue) == ("s3://bucket/prefix", "postgresql://host/runs")
    assert settings().home == tmp_path


def test_settings__bound_copies_and_requests(monkeypatch, tmp_path):
    for variable in ("RISKGRID_CACHE", "RISKGRID_CACHE_GB", "RISKGRID_S3_ENDPOINT", "RISKGRID_S3_TIMEOUT"):
        monkeypatch.delenv(variable, raising=False)
    assert settings().cache.is_absolute()
    assert (settings().cache_bytes, settings().s3_endpoint, settings().s3_seconds) == (20_000_000_000, None, 30.0)
    monkeypatch.setenv("RISKGRID_CACHE", str(tmp_path))
    monkeypatch.setenv("RISKGRID_CACHE_GB", "0.5")
    monkeypatch.setenv("RISKGRID_S3_ENDPOINT", "http://minio:9000")
    monkeypatch.setenv("RISKGRID_S3_TIMEOUT", "2.5")
    found = settings()
    assert (found.cache, found.cache_bytes) == (tmp_path, 500_000_000)
    assert (found.s3_endpoint, found.s3_seconds) == ("http://minio:9000", 2.5)


@pytest.mark.parametrize("variable", ["RISKGRID_CACHE_GB", "RISKGRID_S3_TIMEOUT"])
@pytest.mark.parametrize("wrong", ["many", "0", "-1", "nan", "inf"])
def test_settings__refuse_a_number_that_is_none(monkeypatch, variable, wrong):
    monkeypatch.setenv(variable, wrong)
    with pytest.raises(InputError, match=f"{variable} is '{wrong}'; a number of .* above 0 is right"):
        settings()


def test_settings__say_whose_tokens_a_service_takes(monkeypatch):
    for variable in ("OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS", "PRINCIPAL_CLAIM", "GROUPS_CLAIM", "RIGHTS"):
        monkeypatch.delenv(f"RISKGRID_{variable}", raising=False)
    found = settings()
    assert (found.oidc_issuer, found.oidc_audience, found.oidc_jwks, found.rights) == (None, None, None, None)
    assert (found.principal_claim, found.groups_claim) == ("sub", "groups")
    monkeypatch.setenv("RISKGRID_OIDC_ISSUER", "https://id.example")
    monkeypatch.setenv("RISKGRID_GROUPS_CLAIM", "roles")
    monkeypatch.setenv("RISKGRID_RIGHTS", "~/rights.yaml")
    found = settings()
    assert (found.oidc_issuer, found.groups_claim) == ("https://id.example", "roles")
    assert found.rights == Path.home() / "rights.yaml"

"""What is shown on a cluster needs one, and says so in a line where there is none."""

from __future__ import annotations

import pytest

from tests.k8s.e2e.__main__ import main


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster, whatever this machine has."""
    for name in ("RISKGRID_K8S", "RISKGRID_K8S_CONTEXT", "RISKGRID_IMAGE", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", "/dev/null")


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_showing__without_a_cluster_says_so_and_fails_in_continuous_integration_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, status: int
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("RISKGRID_IMAGE", "riskgrid:any")
    assert main([]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("riskgrid: nothing was shown on Kubernetes, as kubectl reaches no cluster")


def test_showing__names_what_says_which_image_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "RISKGRID_IMAGE names no image" in capsys.readouterr().err

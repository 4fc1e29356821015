"""The repository's own files agree with each other and carry nothing of the machine they were written on."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"prometheus-client": "prometheus_client", "quantlib": "quantlib-python"}
TARGETS = {
    *("help", "demo", "serve", "screenshots", "bench", "image", "test-k8s"),
    *("test", "suite", "browser", "kernels", "lint", "format", "lock", "clean"),
}
TOP_LEVEL = {
    *("riskgrid", "notebooks", "dashboards", "tests", "k8s", "docs"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
    *("Makefile", "pyproject.toml", "requirements.lock", "environment.yml"),
}
IMAGE_LOCKS = ("k8s/image/requirements.lock", "k8s/image/build.lock", "tests/k8s/services/requirements.lock")
REGISTRY_ADDRESS = re.compile(rb"https?://\S*(?:pypi|pythonhosted|anaconda|artifactory|nexus|/simple\b)|file:///\w")
HOME_PATH = re.compile(rb"(?:/home/|/Users/|/root/|[A-Z]:\\Users\\)\w")


def declared() -> dict[str, Requirement]:
    """The core and optional requirements of pyproject.toml by canonical name, riskgrid's own extras left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r for r in requirements if r.name != "riskgrid"}


def locked(name: str = "requirements.lock") -> dict[str, tuple[Version, int]]:
    """Version and number of hashes of every package in a lock."""
    text = (ROOT / name).read_text()
    entries = re.findall(r"^([\w.-]+)==(\S+).*((?:\n {4}--hash=sha256:[0-9a-f]{64}(?: \\)?)*)", text, re.MULTILINE)
    return {canonicalize_name(name): (Version(version), hashes.count("--hash")) for name, version, hashes in entries}


def repository_files() -> list[Path]:
    """Files that git tracks or would track; skips where this is not a git checkout."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [Path(name) for name in names if name and (ROOT / name).is_file()]


def test_environment_yml__names_the_packages_and_bounds_of_pyproject() -> None:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    packages = [*(name for name in listed if isinstance(name, str)), *listed[-1]["pip"]]
    expected = {f"{CONDA_NAMES.get(name, name)}{requirement.specifier}" for name, requirement in declared().items()}
    assert set(packages) - {"python=3.12", "pip"} == expected
    assert len(packages) == len(set(packages))


def test_python_version__is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (ROOT / ".python-version").read_text().strip() == "3.12"
    assert "python=3.12" in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert project["project"]["requires-python"] == ">=3.12"
    assert project["tool"]["mypy"]["python_version"] == "3.12"
    assert project["tool"]["ruff"]["target-version"] == "py312"


def test_requirements__have_lower_bounds_only_but_for_panel() -> None:
    """Panel's server side changes between minor versions, and pages live on it."""
    operators = {name: [s.operator for s in requirement.specifier] for name, requirement in declared().items()}
    assert {name: found for name, found in operators.items() if found != [">="]} == {"panel": [">=", "<"]}


def test_requirements_lock__covers_every_declared_package_within_its_bounds() -> None:
    versions = {name: version for name, (version, _) in locked().items()}
    wrong = {n: str(r) for n, r in declared().items() if n not in versions or versions[n] not in r.specifier}
    assert wrong == {}


@pytest.mark.parametrize("name", IMAGE_LOCKS)
def test_locks_of_images__pin_what_requirements_lock_pins(name: str) -> None:
    own, whole = locked(name), locked()
    assert own
    assert {package: pin for package, pin in own.items() if whole.get(package) != pin} == {}


def test_lock_of_the_image__covers_every_extra_that_it_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chosen = re.search(r"^IMAGE_EXTRAS := (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert chosen is not None
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in chosen[1].split() for line in extras[extra])]
    names = {canonicalize_name(Requirement(line).name) for line in lines} - {"riskgrid"}
    assert names - locked("k8s/image/requirements.lock").keys() == set()


@pytest.mark.parametrize("name", ["requirements.lock", ".ci/uv.txt", *IMAGE_LOCKS])
def test_lock__is_nothing_but_pinned_and_hashed_packages(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pinned = re.compile(r"[\w.-]+==[\w.]+(?: ; .+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_requirements_lock__hashes_every_package() -> None:
    assert [name for name, (_, hashes) in locked().items() if hashes == 0] == []


def test_requirements_lock__holds_the_build_backend() -> None:
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    versions = {name: version for name, (version, _) in locked().items()}
    assert all(versions[canonicalize_name(r.name)] in r.specifier for r in map(Requirement, backend))


def test_makefile__documents_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS
    assert set(re.findall(r"^([\w-]+):.*## \S", text, re.MULTILINE)) == TARGETS


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make__without_a_target_lists_them_and_builds_nothing() -> None:
    # a make in which this runs says by the environment that directories are to be told
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    listing = subprocess.run(["make", "-s"], cwd=ROOT, check=True, capture_output=True, text=True, env=alone).stdout
    assert {line.split()[1] for line in listing.splitlines()} == TARGETS


def test_files__name_no_package_registry_and_no_home_folder() -> None:
    found = {
        f"{path}: {match[0].decode()}"
        for path in repository_files()
        for pattern in (REGISTRY_ADDRESS, HOME_PATH)
        if (match := pattern.search((ROOT / path).read_bytes()))
    }
    assert found == set()


def test_top_level__holds_what_convention_allows() -> None:
    names = {path.parts[0] for path in repository_files()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("name", [".ci/run", ".ci/venv"])
def test_script__is_executable_and_stops_at_the_first_failure(name: str) -> None:
    assert (ROOT / name).stat().st_mode & 0o111
    assert re.search(r"^set -eu", (ROOT / name).read_text(), re.MULTILINE)

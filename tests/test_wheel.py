"""A wheel of the project, put into an environment that has nothing else of it, serves and answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

import riskgrid as rg

ROOT = Path(__file__).parents[1]
#: Written down by a build that knows it.
COMMIT = "0123456789abcdef0123456789abcdef01234567"
#: All that a build reads.
SOURCES = ("pyproject.toml", "LICENSE", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without a network, of a copy: a build leaves things behind."""
    copy = tmp_path_factory.mktemp("build")
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "riskgrid", copy / "riskgrid", symlinks=True, ignore=caches)
    shutil.copytree(ROOT / "dashboards", copy / "dashboards", ignore=caches)  # to which a link within riskgrid leads
    shutil.copytree(ROOT / "tests" / "sample", copy / "tests" / "sample")  # which is to stay out
    for name in SOURCES:
        shutil.copy(ROOT / name, copy)
    (copy / "riskgrid" / "commit.txt").write_text(f"{COMMIT}\n")
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, "out"], cwd=copy, check=True, capture_output=True)
    (made,) = (copy / "out").iterdir()
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with this wheel, and what this one has beside riskgrid."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)  # what an installer does with a wheel of Python alone
    # compiled loops are good for the sources that they were made of, wherever these are: to make them takes 20 seconds
    for made in (ROOT / "riskgrid" / "formulas" / "__pycache__").glob("*.nb[ci]"):
        (packages / "riskgrid" / "formulas" / "__pycache__").mkdir(exist_ok=True)
        shutil.copy(made, packages / "riskgrid" / "formulas" / "__pycache__")
    # paths of this file are searched last, and their own .pth files, by which riskgrid is here, are not read
    elsewhere = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (packages / "borrowed.pth").write_text("".join(f"{path}\n" for path in elsewhere))
    return home / "bin" / "python"


def test_wheel__holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        (about,) = (name for name in held if name.endswith("/METADATA"))
        meta = Parser().parsestr(archive.read(about).decode())
        assert (
            "riskgrid = riskgrid.__main__:main" in archive.read(about.replace("METADATA", "entry_points.txt")).decode()
        )
    folder = about.rpartition("/")[0]
    ours = {name for name in held if not name.startswith(f"{folder}/")}
    found = (
        path.relative_to(ROOT)
        for folder in (ROOT / "riskgrid", ROOT / "dashboards")
        for path in folder.rglob("[!.]*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    inside = (path if path.parts[0] == "riskgrid" else Path("riskgrid", path) for path in found)
    assert ours == {"riskgrid/commit.txt", *(path.as_posix() for path in inside)}
    assert {"riskgrid/py.typed", "riskgrid/templates/page.html", "riskgrid/sample/data/history.parquet"} < ours
    assert {
        "riskgrid/dashboards/entrance/mount.py",
        "riskgrid/dashboards/desk.css",
        "riskgrid/dashboards/desk.js",
    } < ours
    assert f"{folder}/licenses/LICENSE" in held
    assert meta["License-Expression"] == "BSD-3-Clause"
    assert {"api", "client", "plots", "postgres", "s3"} < set(meta.get_all("Provides-Extra"))


@pytest.fixture
def served(python: Path, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a service of the wheel, and its process. -I : nothing of this folder or environment is read."""
    words = ["serve", "--port", "0", "--trades", "40", "--cluster", "threads:1", "--store", str(tmp_path / "store")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("RISKGRID_", "COV", "PYTHON"))}
    said, log = tmp_path / "said", tmp_path / "log"
    with said.open("wb") as out, log.open("wb") as err:
        command = [str(python), "-I", "-m", "riskgrid", *words]
        environment = {**plain, "RISKGRID_HOME": str(tmp_path)}
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=err)
    try:
        end = time.monotonic() + 120.0
        while (found := re.search(r"riskgrid serves (http://[^\s;]+)", said.read_text())) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        yield found[1], process
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_wheel__that_is_installed_serves_and_answers(
    python: Path, served: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    url, process = served
    where = subprocess.run(
        [python, "-I", "-c", "import riskgrid; print(riskgrid.__file__)"], capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1])

    def read(path: str) -> str:
        with urllib.request.urlopen(url + path, timeout=60) as answer:
            return str(answer.read().decode())

    assert read("/ready") == '{"status":"ok"}'
    assert json.loads(read("/version"))["commit"] == COMMIT
    page = read("/docs")
    (script,) = re.findall(r'src="(/[^"]+swagger-ui[^"]*\.js)"', page)
    assert "SwaggerUIBundle" in read(script)
    with rg.connect(url) as client:
        run, *earlier = client.runs()
        assert [one.as_of for one in earlier] == ["2016-06-30", "2016-06-24", "2016-06-23"]
        seen = run.wait(timeout=120.0, progress=None).report(by=["desk"])
    here = rg.run(rg.sample.portfolio(40), rg.sample.market(), rg.sample.scenarios(), store=tmp_path, progress=None)
    assert str(seen) == str(rg.report(here, by=["desk"]))
    process.terminate()
    assert process.wait(60) == 0

"""What is built: the wheel and the source distribution, made without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("experiments", "search_spaces")
BUILD = "from setuptools import build_meta as backend; backend.build_wheel('out'); backend.build_sdist('out')"


def files(folder: Path) -> set[str]:
    """All files below a folder, but those that Python leaves."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source whose `out` holds what was built of it."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("rosearch", *FOLDERS):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-W", "error", "-c", BUILD], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next((built / "out").glob("*.whl")))


def test_the_wheel_holds_the_package_and_the_two_folders_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name.removeprefix("rosearch/") for name in wheel.namelist() if name.startswith("rosearch/")}
    assert inside == files(ROOT / "rosearch") | {f"{name}/{file}" for name in FOLDERS for file in files(ROOT / name)}
    assert {name.partition("/")[0] for name in wheel.namelist()} == {"rosearch", "rosearch-0.1.0.dist-info"}


def test_experiments_and_spaces_of_the_wheel_are_the_files_byte_for_byte(wheel: zipfile.ZipFile) -> None:
    for name in FOLDERS:
        for file in files(ROOT / name):
            assert wheel.read(f"rosearch/{name}/{file}") == (ROOT / name / file).read_bytes()


def test_an_installed_wheel_finds_its_experiments_and_spaces_by_name(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    code = (
        "import rosearch; from rosearch.config.shipped import EXPERIMENTS; print(EXPERIMENTS.root)\n"
        "print(rosearch.load_space(rosearch.load_experiment('sst2').search_space).name)"
    )
    # Without the variable, and without what an editable install of the source would find first.
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {code}"]
    done = subprocess.run(run, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True)
    assert done.stdout.split() == [str(tmp_path / "site/rosearch/experiments"), "robust_dag"], done.stderr


def test_the_source_distribution_holds_what_the_wheel_is_built_of(built: Path) -> None:
    with tarfile.open(next((built / "out").glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {f"{name}/{file}" for name in ("rosearch", *FOLDERS) for file in files(ROOT / name)}
    assert wanted | {"pyproject.toml", "setup.py", "README.md", "LICENSE"} <= inside


def test_the_metadata_names_no_person_and_what_a_user_asks_for(wheel: zipfile.ZipFile) -> None:
    lines = wheel.read("rosearch-0.1.0.dist-info/METADATA").decode().partition("\n\n")[0].splitlines()
    assert {"License-Expression: Apache-2.0", "Requires-Python: >=3.11", "Provides-Extra: offline"} <= set(lines)
    assert not [line for line in lines if line.startswith(("Author", "Maintainer"))]
    users = [line for line in lines if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert not [line for line in users if "pytest" in line or "hypothesis" in line]

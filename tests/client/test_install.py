"""*Install Backend* with real Pythons, real pip and tiny wheels; `--slow` also from the real package index."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.client.tiny_wheels import TORCH_SOURCE, make_wheel, silent_index, unused_address
from unitalker_blender.client import install_job, install_steps
from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.client.folder_lock import FolderLock
from unitalker_blender.client.install_job import InstallJob, InstallOptions
from unitalker_blender.client.installed_environment import (
    Environment,
    environment_folder,
    files_size,
    find_environment,
    list_environments,
)
from unitalker_blender.client.torch_build import TorchBuild

LIMIT = 120.0  # seconds after which an installation of these sizes counts as hanging
REQUIREMENTS = ("torch>=2.4", "tinyhelper>=1.0")
BUILD = TorchBuild("cpu", "", 1000, 1000, "CPU, for this test.")


@pytest.fixture
def wheels(awkward: Path) -> Path:
    folder = awkward / "wheels"
    folder.mkdir()
    make_wheel(folder, "torch", "9.0", TORCH_SOURCE)
    make_wheel(folder, "tinyhelper", "1.2")
    return folder


@pytest.fixture
def environ(awkward: Path) -> dict[str, str]:
    """A user who has configured nothing, and whose data folder has a name that is hard to quote."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    data = str(awkward / "data")
    return kept | {"XDG_DATA_HOME": data, "LOCALAPPDATA": data, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1"}


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the job use these methods only."""
    return lambda *methods: monkeypatch.setattr(install_job, "find_methods", lambda _uv: list(methods))


def options(wheels: Path | None, **changes: object) -> InstallOptions:
    packages = tuple(name.partition(">")[0] for name in REQUIREMENTS)
    made = InstallOptions(BUILD, Path.cwd(), wheels, requirements=REQUIREMENTS, packages=packages)
    return replace(made, **changes)


def run(job: InstallJob, until: Callable[[InstallJob], bool] = lambda _job: False) -> list[tuple[float, str]]:
    """Step to the end, or until a condition holds; returns what the user saw, without repetitions."""
    seen = [(job.fraction, job.text)]
    deadline = time.monotonic() + LIMIT
    try:
        while not job.step(0.05):
            assert time.monotonic() < deadline, seen
            if seen[-1] != (job.fraction, job.text):
                seen.append((job.fraction, job.text))
            if until(job):
                job.cancel()
    finally:
        job.close()
    return seen


def found(environ: dict[str, str]) -> Environment:
    environment = find_environment(REQUIREMENTS, environ)
    assert environment is not None
    return environment


@pytest.mark.parametrize("method", ["venv", "target", "uv"])
def test_environment_is_made_from_a_folder_of_wheels(method, wheels, environ, only) -> None:
    if method == "uv" and install_steps.find_uv(environ) is None:
        pytest.skip("needs uv")
    only(method)
    job = InstallJob(options(wheels), environ)
    seen = run(job)
    assert job.report and "torch 9.0" in job.report.summary
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)
    environment = found(environ)
    assert environment.record and environment.record.method == method
    assert environment.folder.is_relative_to(environ["XDG_DATA_HOME"])
    assert not install_steps.temporary_folder(environment.folder).exists()
    assert files_size(environment.folder) > 1000


def test_python_that_cannot_make_an_environment_gets_the_next_method(wheels, environ, only, monkeypatch) -> None:
    only("venv", "target")
    real = install_steps.make_steps

    def no_venv(method, *arguments):
        steps = real(method, *arguments)
        broken = replace(steps[0], arguments=(sys.executable, "-c", "raise SystemExit('Error: no ensurepip here')"))
        return [broken, *steps[1:]] if method == "venv" else steps

    monkeypatch.setattr(install_job, "make_steps", no_venv)
    run(InstallJob(options(wheels), environ))
    record = found(environ).record
    assert record and record.method == "target"


def test_cancel_in_the_middle_ends_every_process_and_the_next_run_goes_on(wheels, environ, only) -> None:
    only("venv")
    with silent_index() as address:
        job = InstallJob(options(None), environ | {"PIP_INDEX_URL": address})
        run(job, until=lambda job: job.text == "Getting pip")
    assert job.cancelled and job.report is None
    assert find_environment(REQUIREMENTS, environ) is None
    partial = list_environments(environ)[0]
    assert partial.record and partial.record.state == "partial"
    assert not _processes_in(partial.folder)
    run(InstallJob(options(wheels), environ))
    assert found(environ).folder == partial.folder


def _processes_in(folder: Path) -> list[str]:
    """Command lines of running processes that name the folder; Linux only."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:  # it has just ended
            continue
    return [line for line in lines if str(folder) in line]


def test_repair_makes_anew_what_was_damaged(wheels, environ, only) -> None:
    only("target")
    run(InstallJob(options(wheels), environ))
    lost = found(environ).packages[0] / "tinyhelper/data.txt"
    lost.unlink()
    with pytest.raises(UniTalkerError, match="tinyhelper: 1 of its files are missing") as caught:
        _check_again(environ)
    assert caught.value.code == "install.incomplete"
    run(InstallJob(options(wheels, anew=True), environ))
    assert lost.exists()
    _check_again(environ)


def _check_again(environ: dict[str, str]) -> None:
    from unitalker_blender.client.environment import BackendCommand
    from unitalker_blender.client.python_check import CheckRun

    environment = found(environ)
    command = BackendCommand(environment.python, Path.cwd(), environment.packages)
    check = CheckRun(command, ("torch", "tinyhelper"))
    while not check.step(0.1):
        pass
    assert check.result
    if not check.result.fit:
        raise UniTalkerError("install.incomplete", check.result.summary())


def test_no_network_says_so_and_leaves_a_partial_environment(environ, only) -> None:
    only("venv")
    job = InstallJob(options(None), environ | {"PIP_INDEX_URL": unused_address()})
    with pytest.raises(UniTalkerError, match="cannot be reached") as caught:
        run(job)
    assert caught.value.code == "install.network"
    assert "Resume" in caught.value.hint
    assert find_environment(REQUIREMENTS, environ) is None


def test_wheel_that_is_missing_is_named(wheels, environ, only) -> None:
    only("target")
    next(wheels.glob("tinyhelper-*")).unlink()
    with pytest.raises(UniTalkerError, match="has no tinyhelper"):
        run(InstallJob(options(wheels), environ))


def test_package_that_cannot_be_imported_is_told_and_not_used(wheels, environ, only) -> None:
    only("target")
    make_wheel(wheels, "tinyhelper", "2.0", "raise OSError('libmissing.so.1 not found')")
    with pytest.raises(UniTalkerError, match=r"tinyhelper: OSError: libmissing.so.1 not found"):
        run(InstallJob(options(wheels), environ))
    assert find_environment(REQUIREMENTS, environ) is None


def test_full_disk_is_told_before_anything_is_written(wheels, environ, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 9, 1))
    with pytest.raises(UniTalkerError, match=r"needs about 8\.0 GB") as caught:
        InstallJob(options(wheels, build=replace(BUILD, disk=8 * 10**9)), environ)
    assert caught.value.code == "install.disk_full"
    assert not Path(environ["XDG_DATA_HOME"]).exists()


def test_empty_folder_of_wheels_is_told(environ, awkward) -> None:
    with pytest.raises(UniTalkerError, match="no wheels"):
        InstallJob(options(awkward), environ)


def test_two_blenders_do_not_install_at_once(wheels, environ) -> None:
    lock = FolderLock(environment_folder(REQUIREMENTS, environ))
    with pytest.raises(UniTalkerError, match="Another Blender"):
        InstallJob(options(wheels), environ)
    lock.release()
    InstallJob(options(wheels), environ).close()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_told(wheels, environ, awkward) -> None:
    (awkward / "data").mkdir(mode=0o500)
    with pytest.raises(UniTalkerError, match="cannot be written"):
        InstallJob(options(wheels), environ)


def test_blender_without_any_tool_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(install_steps.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UniTalkerError, match="neither venv nor pip") as caught:
        install_steps.find_methods(None)
    assert "apt install" in caught.value.hint
    assert install_steps.find_methods(Path("/usr/bin/uv")) == ["uv"]


@pytest.mark.slow
def test_real_packages_from_the_real_index_with_progress(environ, only) -> None:
    """Small packages stand for the large ones; the user's own pip configuration is in force here."""
    only("venv")
    requirements, packages = ("safetensors>=0.4.3", "rich>=13.7"), ("safetensors", "rich")
    configured = dict(os.environ) | {"XDG_DATA_HOME": environ["XDG_DATA_HOME"]}
    job = InstallJob(options(None, requirements=requirements, packages=packages), configured)
    try:
        seen = run(job)
    except UniTalkerError as error:
        if error.code == "install.network":
            pytest.skip("needs a package index")
        raise
    assert job.report is not None
    assert any(text.startswith("Downloading") for _, text in seen)

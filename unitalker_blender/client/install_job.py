"""Makes the environment of the backend, in steps, and can be cancelled at any time.

What is there after a cancelled or failed run is marked as partial and never used; the next run goes on from it.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..job import Report
from .command_process import CommandProcess
from .environment import BACKEND_PACKAGES, BACKEND_REQUIREMENTS, BackendCommand
from .errors import UniTalkerError
from .folder_lock import FolderLock
from .install_output import InstallOutput
from .install_steps import (
    Sources,
    Step,
    child_environment,
    find_methods,
    find_uv,
    interpreter,
    make_steps,
    temporary_folder,
)
from .installed_environment import (
    Method,
    Record,
    environment_folder,
    read_environment,
    remove_environment,
    requirements_tag,
    write_record,
)
from .python_check import OLDEST_PYTHON, CheckRun
from .torch_build import TorchBuild

_CHECK_SHARE = 0.06

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstallOptions:
    """One installation.

    Attributes:
        build: which torch.
        wheels: folder of wheels instead of the network, or None.
        root: folder that contains the `backend` package.
        anew: delete what is there first (*Repair*).
        requirements: what is installed, torch first.
        packages: what has to be importable in the end.
    """

    build: TorchBuild
    root: Path
    wheels: Path | None = None
    anew: bool = False
    requirements: tuple[str, ...] = BACKEND_REQUIREMENTS
    packages: tuple[str, ...] = BACKEND_PACKAGES


class InstallJob:
    """Installs the backend's packages; call `step` until it returns True, then `close`.

    Args:
        options: what to do.
        environ: environment variables, which also say where the user's data folder is.

    Raises:
        UniTalkerError: when it is already clear that it cannot be done.
    """

    def __init__(self, options: InstallOptions, environ: Mapping[str, str] = os.environ) -> None:
        self.folder = environment_folder(options.requirements, environ)
        self.cancelled = False
        self.report: Report | None = None
        self.text = "Preparing"
        self._options = options
        self._environ = environ
        self._uv = find_uv(environ)
        _check_python()
        self._methods = find_methods(self._uv)
        _check_wheels(options.wheels)
        _check_space(self.folder, options.build.disk)
        self._done = 0.0
        self._process: CommandProcess | None = None
        self._check: CheckRun | None = None
        self._lock = _lock(self.folder)
        try:
            if options.anew and self.folder.exists():
                remove_environment(self.folder, environ)
            self._start_method()
        except BaseException:
            self._lock.release()
            raise

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        if self._check is not None:
            return 1 - _CHECK_SHARE / 2
        return min(1.0, self._done + self._step.share * self._output.fraction)

    def step(self, wait: float = 0.0) -> bool:
        """Go on, waiting for news up to `wait` seconds; True at the end.

        Raises:
            UniTalkerError: ``install.*``; the environment stays partial.
        """
        if self._check is not None:
            return self.cancelled or (self._check.step(wait) and self._finish(self._check))
        assert self._process
        for line in self._process.lines(wait):
            self._output.feed(line)
            self.text = self._output.text or self._step.doing
        code = self._process.exit_code()
        if code is None:
            return False
        self._process = None
        if self.cancelled:
            self._tidy()
            return True
        if code != 0:
            return self._failed()
        self._done += self._step.share
        self._next_step()
        return False

    def cancel(self) -> None:
        """End the program that runs, and all that it started."""
        self.cancelled = True
        if self._process is not None:
            self.text = "Stopping"
            self._process.stop()

    def close(self) -> None:
        """Forget the job; what still runs is ended at once."""
        for running in (self._process, self._check):
            if isinstance(running, CommandProcess):
                running.kill()
            elif running is not None:
                running.stop()
        self._process = self._check = None
        self._lock.release()

    def _start_method(self) -> None:
        self._method: Method = self._methods.pop(0)
        python, packages = interpreter(self._method, self.folder)
        options = self._options
        self._record = Record(
            "partial", self._method, options.build.device, requirements_tag(options.requirements), python, packages
        )
        try:
            write_record(self.folder, self._record)
            temporary_folder(self.folder).mkdir(exist_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        sources = Sources(options.requirements, options.build, options.wheels)
        self._steps = make_steps(self._method, self.folder, sources, self._uv)
        self._next_step()

    def _next_step(self) -> None:
        if not self._steps:
            self._tidy()
            self.text = "Trying it out"
            self._check = CheckRun(self._command(), self._options.packages)
            return
        self._step: Step = self._steps.pop(0)
        self._output = InstallOutput(self._step.download)
        self.text = self._step.doing
        _log.info("%s: %s", self._step.doing, " ".join(self._step.arguments))
        environment = child_environment(self.folder, self._environ)
        self._process = CommandProcess(self._step.arguments, environment, self.folder)

    def _failed(self) -> bool:
        """A Python that cannot make an environment gets the next method; all else is for the user."""
        _log.error("%s failed:\n%s", self._step.doing, self._output.log())
        error = self._output.failure(self._step.doing, offline=self._options.wheels is not None)
        if self._step.download == 0 and self._done == 0 and self._methods and error.code == "install.failed":
            remove_environment(self.folder, self._environ)
            self._start_method()
            return False
        self._tidy()
        raise error

    def _finish(self, check: CheckRun) -> bool:
        self._check = None
        found = check.result
        assert found
        if not found.fit:
            raise UniTalkerError(
                "install.incomplete", f"The new environment does not work. {found.summary()}", "Press Repair."
            )
        write_record(self.folder, replace(self._record, state="ready"))
        self.report = Report(f"Backend installed: {found.summary()}", ())
        return True

    def _command(self) -> BackendCommand:
        environment = read_environment(self.folder)
        return BackendCommand(environment.python, self._options.root, environment.packages)

    def _tidy(self) -> None:
        shutil.rmtree(temporary_folder(self.folder), ignore_errors=True)


def _check_python() -> None:
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise UniTalkerError(
            "install.old_python",
            f"This Blender's Python is {sys.version.split()[0]}; the backend needs "
            f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}.",
            "Choose an existing Python in these preferences.",
        )


def _check_wheels(wheels: Path | None) -> None:
    if wheels is not None and not any(wheels.glob("*.whl")):
        raise UniTalkerError(
            "install.no_wheels",
            f"There are no wheels (.whl) in {wheels}.",
            "Choose the folder into which `pip download` has put them.",
        )


def _lock(folder: Path) -> FolderLock:
    try:
        return FolderLock(folder)
    except BlockingIOError as error:
        raise UniTalkerError(
            "install.busy", "Another Blender is installing the backend.", "Wait until it is done."
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> UniTalkerError:
    return UniTalkerError(
        "install.unwritable",
        f"{folder} cannot be written: {error.strerror or error}.",
        "Make room or give yourself the right to write there.",
    )


def _check_space(folder: Path, needed: int) -> None:
    there = next(parent for parent in folder.parents if parent.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise UniTalkerError(
            "install.disk_full",
            f"The environment needs about {needed / 1e9:.1f} GB, and {there} has {free / 1e9:.1f} GB left.",
            "Make room on that disk.",
        )

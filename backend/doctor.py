"""What works on this machine, and what to do about the rest."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from backend import __version__
from backend.catalogue import list_models
from backend.engine import (
    ENGINE_PACKAGES,
    EngineName,
    engine_problem,
    find_devices,
    find_engines,
    prepare_environment,
)

_OLDEST_PYTHON = (3, 11)
_PACKAGES = ("numpy", "soundfile", "soxr", "pydantic", "typer", "rich")


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` is empty when there is nothing to do."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def examine() -> list[Check]:
    """Look at Python, the packages, the engines and the models; imports the engines to know that they load."""
    return [_version(), _python(), _machine(), *map(_package, _PACKAGES), *_engines(), *_models()]


def _version() -> Check:
    return Check("unitalker", True, __version__)


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info >= _OLDEST_PYTHON:
        return Check("Python", True, found)
    return Check("Python", False, found, "Use Python {}.{} or newer.".format(*_OLDEST_PYTHON))


def _machine() -> Check:
    return Check("machine", True, f"{platform.platform()}, {os.cpu_count()} processors")


def _package(name: str) -> Check:
    prepare_environment()
    install = f'"{sys.executable}" -m pip install {name}'
    try:
        version = importlib.metadata.version(name)
        importlib.import_module(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", install)
    # OSError: a shared library of the package that cannot be loaded.
    except (ImportError, OSError) as error:
        return Check(name, False, f"{version} does not load: {error}", f"{install} --force-reinstall")
    return Check(name, True, version)


def _engines() -> Iterator[Check]:
    """What each engine needs and computes on; one that is not installed is nothing to mend while there is another."""
    usable, problems = find_engines()
    for name, packages in ENGINE_PACKAGES.items():
        if name in usable:
            checks = [_package(package) for package in packages]
            yield from checks
            yield _devices(name) if all(check.ok for check in checks) else Check(f"engine {name}", False, "see above")
        else:
            problem = engine_problem(name) or ""
            yield Check(f"engine {name}", bool(usable) and problem not in problems, problem)
    if usable:
        yield Check("engine", True, f"{usable[0]}, unless another is asked for")
    else:
        yield Check("engine", False, "none", " ".join(problems))


def _devices(engine: EngineName) -> Check:
    if engine == "onnx":
        from backend.engines.onnx_engine import usable_devices

        return Check("engine onnx", True, ", ".join(usable_devices()))
    import torch

    usable = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    found = f"{', '.join(usable)}; {torch.get_num_threads()} threads"
    unusable = [name for name in find_devices() if name not in usable]
    if unusable:
        advice = f"{unusable[0]} is there but torch cannot use it: update its driver."
        return Check("engine torch", False, found, advice)
    return Check("engine torch", True, found)


def _models() -> Iterator[Check]:
    models, problems = list_models()
    for model in models:
        yield Check("model", True, f"{model.name}: {', '.join(head.name for head in model.heads)}")
    for problem in problems:
        yield Check("model", False, problem, "Copy the model folder again, or remove it.")
    if not models:
        yield Check(
            "model", False, "none", "Put a model folder into assets/models or name its folder in UNITALKER_MODELS."
        )

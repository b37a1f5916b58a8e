"""The engine that computes: which there are, on which devices, and how one is chosen and loaded.

What is asked here before the first job (`find_*`) never imports torch, because that takes seconds.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from backend.errors import UniTalkerError
from backend.installed_wheels import misfit
from backend.processor import lacks_avx2

if TYPE_CHECKING:
    from backend.bundle_manifest import BundleEntry
    from backend.engines.base import Engine

EngineName = Literal["torch", "onnx"]
EngineChoice = Literal["auto", "torch", "onnx"]

ENGINE_PACKAGES: dict[EngineName, tuple[str, ...]] = {
    "torch": ("torch", "transformers", "safetensors"),
    "onnx": ("onnxruntime",),
}
"""What each engine imports; the first that is complete is the one of ``auto``."""

# Blender has a copy of it, which is not looked for outside of Blender's own process.
_RUNTIME_HINT = (
    " If it is installed: it needs Microsoft's Visual C++ Redistributable." if sys.platform == "win32" else ""
)


def find_engines() -> tuple[list[EngineName], list[str]]:
    """Usable engines, the one of ``auto`` first, and in words what keeps installed ones from being usable.

    That one of them is not installed is a problem only when there is no other.
    """
    usable: list[EngineName] = []
    problems = []
    for name in get_args(EngineName):
        problem = engine_problem(name)
        if problem is None:
            usable.append(name)
        elif not _missing(name):
            problems.append(problem)
    if not usable and not problems:
        problems = [
            f"{package} is not installed. {_install_hint(ENGINE_PACKAGES['torch'])}" for package in _missing("torch")
        ]
    return usable, problems


def _missing(engine: EngineName) -> list[str]:
    return [package for package in ENGINE_PACKAGES[engine] if importlib.util.find_spec(package) is None]


def engine_problem(engine: EngineName) -> str | None:
    """Why an engine cannot be used; None when it can, as far as can be told without importing it."""
    missing = _missing(engine)
    if missing:
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed."
    for package in ENGINE_PACKAGES[engine]:
        problem = misfit(package)
        if problem is not None:
            return problem
    if engine == "onnx" and lacks_avx2():
        return "This processor has no AVX2 instructions, which ONNX Runtime needs."
    return None


def _install_hint(packages: Iterable[str]) -> str:
    return f'Install it into this Python: "{sys.executable}" -m pip install {" ".join(packages)}'


def choose_engine(wanted: EngineChoice) -> EngineName:
    """``auto`` becomes torch when that is installed, and onnx otherwise.

    Raises:
        UniTalkerError: ``engine.missing`` when the wanted engine, or any, cannot be used.
    """
    if wanted == "auto":
        usable, problems = find_engines()
        if usable:
            return usable[0]
        raise UniTalkerError("engine.missing", "No engine can be used here.", " ".join(problems))
    problem = engine_problem(wanted)
    if problem is not None:
        hint = _install_hint(ENGINE_PACKAGES[wanted]) if _missing(wanted) else "Use another engine."
        raise UniTalkerError("engine.missing", f"The engine {wanted} cannot be used: {problem}", hint)
    return wanted


def load_engine(entry: BundleEntry, wanted: EngineChoice, device: str) -> Engine:
    """A model, ready to compute.

    Args:
        entry: the model.
        wanted: engine.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` and so on, or ``mps``.

    Raises:
        UniTalkerError: ``engine.missing``, ``engine.device``, ``engine.out_of_memory``, ``model.unreadable``,
            ``model.no_onnx``.
    """
    name = choose_engine(wanted)
    with engine_needed(name):
        if name == "onnx":
            from backend.engines.onnx_engine import OnnxEngine
        else:
            from backend.bundle import load_bundle
            from backend.engines.torch_engine import TorchEngine
    with memory_watched():
        if name == "onnx":
            return OnnxEngine(entry, device)
        return TorchEngine(load_bundle(entry.folder, choose_device(device)))


def find_devices() -> list[str]:
    """Devices that look usable, judged by files and not by the engines; these have the last word."""
    devices = ["cpu"]
    has_driver = (
        Path("/dev/nvidiactl").exists() or Path(os.environ.get("SYSTEMROOT", ""), "System32/nvcuda.dll").exists()
    )
    built_for_cuda = _has_library("torch", "lib/*torch_cuda.*") or _has_library("onnxruntime", "capi/*providers_cuda.*")
    if (built_for_cuda and has_driver) or _has_library("onnxruntime", "capi/DirectML.dll"):
        devices.append("cuda")
    if sys.platform == "darwin" and platform.machine() == "arm64":
        devices.append("mps")
    return devices


def _has_library(package: str, pattern: str) -> bool:
    spec = importlib.util.find_spec(package)
    return bool(spec and spec.origin and any(Path(spec.origin).parent.glob(pattern)))


def engine_needed(engine: EngineName = "torch") -> AbstractContextManager[None]:
    """Around the first import of what needs an engine: its absence becomes an error that says what to install.

    Raises:
        UniTalkerError: ``engine.missing``.
    """
    return packages_needed(f"The engine {engine}", ENGINE_PACKAGES[engine])


@contextmanager
def packages_needed(what: str, packages: Iterable[str]) -> Iterator[None]:
    """As `engine_needed`, for anything else that only some users need.

    Raises:
        UniTalkerError: ``engine.missing``.
    """
    prepare_environment()
    try:
        yield
    # OSError: a shared library of the engine that cannot be loaded.
    except (ImportError, OSError) as error:
        hint = _install_hint(packages) + _RUNTIME_HINT
        raise UniTalkerError("engine.missing", f"{what} cannot be loaded: {error}.", hint) from error


def prepare_environment() -> None:
    """Set what torch and transformers read from the environment when they are imported."""
    # Idle OpenMP threads that spin slow a busy two-core machine down to less than half speed.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A model is complete in its folder; nothing is ever looked up on the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def choose_device(wanted: str) -> str:
    """``auto`` becomes cuda, mps or cpu, whichever torch has first; ``cuda:1`` is the second graphics card.

    Raises:
        UniTalkerError: ``engine.device`` when the wanted device is not usable.
    """
    import torch

    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in usable.items() if there)
    kind, _, number = wanted.partition(":")
    if not usable.get(kind, False) or int(number or 0) >= max(torch.cuda.device_count(), 1):
        there = ", ".join(name for name, there in usable.items() if there)
        raise UniTalkerError(
            "engine.device", f"The device {wanted} cannot be used here.", f"Choose auto or one of: {there}."
        )
    return wanted


@contextmanager
def memory_watched() -> Iterator[None]:
    """Around the computing: running out of memory, which engines report in several ways, becomes one error.

    Raises:
        UniTalkerError: ``engine.out_of_memory``.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        exhausted = "out of memory" in str(error) or "allocate memory" in str(error)
        if not exhausted and not isinstance(error, MemoryError):
            raise
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise UniTalkerError(
            "engine.out_of_memory", "There is not enough memory.", "Use the device cpu, or close other programs."
        ) from error

"""The engine that computes: which there is, on which devices, and how it is imported.

What is asked here before the first job (`find_*`) never imports torch, because that takes seconds.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.errors import UniTalkerError

ENGINE_PACKAGES = ("torch", "transformers", "safetensors")
_INSTALL = f'Install it into this Python: "{sys.executable}" -m pip install torch transformers safetensors'


def find_engines() -> tuple[list[str], list[str]]:
    """Usable engines, and in words what keeps others from being usable."""
    missing = [name for name in ENGINE_PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return ["torch"], []
    return [], [f"{name} is not installed. {_INSTALL}" for name in missing]


def find_devices() -> list[str]:
    """Devices that look usable, judged by files and not by torch; `choose_device` has the last word."""
    devices = ["cpu"]
    spec = importlib.util.find_spec("torch")
    libraries = Path(spec.origin).parent / "lib" if spec and spec.origin else Path()
    built_for_cuda = any(libraries.glob("*torch_cuda.*"))
    has_driver = (
        Path("/dev/nvidiactl").exists() or Path(os.environ.get("SYSTEMROOT", ""), "System32/nvcuda.dll").exists()
    )
    if built_for_cuda and has_driver:
        devices.append("cuda")
    if sys.platform == "darwin" and platform.machine() == "arm64":
        devices.append("mps")
    return devices


@contextmanager
def engine_needed() -> Iterator[None]:
    """Around the first import of what needs the engine: its absence becomes an error that says what to install.

    Raises:
        UniTalkerError: ``engine.missing``.
    """
    prepare_environment()
    try:
        yield
    # OSError: a shared library of torch that cannot be loaded.
    except (ImportError, OSError) as error:
        raise UniTalkerError("engine.missing", f"The engine cannot be loaded: {error}.", _INSTALL) from error


def prepare_environment() -> None:
    """Set what torch and transformers read from the environment when they are imported."""
    # Idle OpenMP threads that spin slow a busy two-core machine down to less than half speed.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A model is complete in its folder; nothing is ever looked up on the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def choose_device(wanted: str) -> str:
    """``auto`` becomes cuda, mps or cpu, whichever is there first.

    Raises:
        UniTalkerError: ``engine.device`` when the wanted device is not usable.
    """
    import torch

    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in usable.items() if there)
    if not usable.get(wanted, False):
        there = ", ".join(name for name, there in usable.items() if there)
        raise UniTalkerError(
            "engine.device", f"The device {wanted} cannot be used here.", f"Choose auto or one of: {there}."
        )
    return wanted


@contextmanager
def memory_watched() -> Iterator[None]:
    """Around the computing: running out of memory, which torch reports in several ways, becomes one error.

    Raises:
        UniTalkerError: ``engine.out_of_memory``.
    """
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        exhausted = "out of memory" in str(error) or "allocate memory" in str(error)
        if not exhausted and not isinstance(error, MemoryError):
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise UniTalkerError(
            "engine.out_of_memory", "There is not enough memory.", "Use the device cpu, or close other programs."
        ) from error

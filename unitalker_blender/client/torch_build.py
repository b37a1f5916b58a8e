"""Which build of torch suits this machine, and why: CUDA, CPU or Apple's Metal."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .command_process import NO_CONSOLE

TorchDevice = Literal["cpu", "cuda", "mps"]

PACKAGE_INDEX = "pypi.org"
_TORCH_WHEELS = "https://download.pytorch.org/whl/"

# The wheels for CUDA 12 run with any driver of that generation or later.
_OLDEST_DRIVER = {"linux": 525, "win32": 528}
# The wheels for CUDA 12.8 have no code for older cards, those for 12.6 none for newer ones.
_OLDEST_CAPABILITY_OF_CU128 = 7.5
_OLDEST_CAPABILITY = 5.0

_GB = 10**9


@dataclass(frozen=True)
class Nvidia:
    """The first NVIDIA card that the driver reports.

    Attributes:
        name: as the driver calls it.
        driver: version, e.g. ``550.54.15``.
        capability: compute capability, e.g. 8.6; 0.0 when the driver does not tell.
    """

    name: str
    driver: str
    capability: float = 0.0


@dataclass(frozen=True)
class TorchBuild:
    """What is installed and what it costs.

    Attributes:
        device: what it computes on.
        index: address of the wheels; empty when the package index itself has them.
        download: bytes, roughly, with everything else that the backend needs.
        disk: bytes, roughly, that the environment takes in the end, what is unpacked meanwhile included.
        reason: one sentence for the user.
    """

    device: TorchDevice
    index: str
    download: int
    disk: int
    reason: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The hosts that are asked."""
        return (PACKAGE_INDEX, *([self.index.split("/")[2]] if self.index else []))


def find_nvidia() -> Nvidia | None:
    """Ask the NVIDIA driver for its first card; None without a driver. May take a second."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=15, check=True, creationflags=NO_CONSOLE)
    except (OSError, subprocess.SubprocessError):
        return _nvidia_of_kernel_module()
    return parse_nvidia(answer.stdout) or _nvidia_of_kernel_module()


def parse_nvidia(answer: str) -> Nvidia | None:
    """The first line of ``name, driver_version, compute_cap``."""
    fields = [field.strip() for field in answer.partition("\n")[0].split(",")]
    if len(fields) != 3 or not fields[1][:1].isdigit():
        return None
    try:
        capability = float(fields[2])
    except ValueError:  # drivers before 510 do not know this question
        capability = 0.0
    return Nvidia(fields[0], fields[1], capability)


def _nvidia_of_kernel_module() -> Nvidia | None:
    version = Path("/proc/driver/nvidia/version")
    if not version.is_file():
        return None
    words = version.read_text(encoding="utf-8", errors="replace").split()
    driver = next((word for word in words if word[:1].isdigit() and "." in word), "")
    return Nvidia("NVIDIA card", driver) if driver else None


def choose_build(
    nvidia: Nvidia | None, system: str = sys.platform, machine: str = platform.machine(), force_cpu: bool = False
) -> TorchBuild:
    """The build for this machine.

    Args:
        nvidia: what `find_nvidia` found.
        system: as `sys.platform` says.
        machine: as `platform.machine` says.
        force_cpu: the user wants no CUDA.
    """
    if system == "darwin":
        if machine == "arm64":
            return TorchBuild("mps", "", _GB // 4, _GB, "Metal, because this is an Apple processor.")
        return TorchBuild("cpu", "", _GB // 4, _GB, "CPU, because this Mac has no Apple processor.")
    if force_cpu:
        return _cpu_build(system, "CPU, as you chose.")
    if nvidia is None:
        return _cpu_build(system, "CPU, because no NVIDIA driver was found.")
    return _cuda_build(nvidia, system)


def _cuda_build(nvidia: Nvidia, system: str) -> TorchBuild:
    oldest = _OLDEST_DRIVER.get(system, 525)
    card = f"{nvidia.name} (driver {nvidia.driver})"
    if int(nvidia.driver.partition(".")[0]) < oldest:
        return _cpu_build(system, f"CPU, because {card} needs driver {oldest} or newer for CUDA.")
    if 0 < nvidia.capability < _OLDEST_CAPABILITY:
        return _cpu_build(system, f"CPU, because {card} is too old for today's CUDA.")
    older = 0 < nvidia.capability < _OLDEST_CAPABILITY_OF_CU128
    index = _TORCH_WHEELS + ("cu126" if older else "cu128")
    return TorchBuild("cuda", index, 3 * _GB, 8 * _GB, f"CUDA, because of {card}.")


def _cpu_build(system: str, reason: str) -> TorchBuild:
    # On Linux the package index has torch with CUDA only, on Windows without.
    index = _TORCH_WHEELS + "cpu" if system == "linux" else ""
    return TorchBuild("cpu", index, _GB * 3 // 10, _GB * 3 // 2, reason)

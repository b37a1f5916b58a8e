"""What the processor can do, read without running anything that it may not be able to."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_PF_AVX2_INSTRUCTIONS_AVAILABLE = 40  # winnt.h


def lacks_avx2() -> bool:
    """Whether this is an x86 processor without AVX2 (Intel before 2013, AMD before 2015); False when unknown."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    if sys.platform == "win32":
        import ctypes

        return not ctypes.windll.kernel32.IsProcessorFeaturePresent(_PF_AVX2_INSTRUCTIONS_AVAILABLE)
    try:
        text = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return bool(flags) and "avx2" not in flags.split()

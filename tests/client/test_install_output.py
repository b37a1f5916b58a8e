"""What pip and uv print, as they really printed it, and what the user is told of it."""

from __future__ import annotations

import pytest

from unitalker_blender.client.install_output import InstallOutput, parse_size
from unitalker_blender.client.torch_build import Nvidia, choose_build, parse_nvidia

PIP = """
Collecting torch>=2.4
  Downloading torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)
Collecting sympy>=1.13.3
  Using cached sympy-1.14.0-py3-none-any.whl (6.3 MB)
Downloading torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl (193.7 MB)
Progress 0 of 193700000
Progress 96850000 of 193700000
"""
UV = """
Using Python 3.11.7 environment at: uvt
Resolved 31 packages in 1.00s
Downloading hf-xet (4.0MiB)
Downloading numpy (16.0MiB)
 Downloaded hf-xet
"""


def fed(text: str, expected: int) -> InstallOutput:
    output = InstallOutput(expected)
    for line in text.splitlines():
        output.feed(line)
    return output


def test_progress_of_pip_counts_bytes_of_the_network_and_of_the_cache() -> None:
    output = fed(PIP, 200_000_000)
    assert output.text == "Downloading torch (193.7 MB)"
    assert output.fraction == pytest.approx(0.8 * (6.3 + 96.85) / 200)
    output.feed("Progress 193700000 of 193700000")
    output.feed("Installing collected packages: mpmath, sympy, torch")
    assert output.text == "Unpacking 3 packages"
    assert 0.8 < output.fraction < 1


def test_progress_of_uv_counts_what_has_come() -> None:
    output = fed(UV, 40 * 2**20)
    assert output.fraction == pytest.approx(0.8 * 4 / 40)
    output.feed(" Downloaded numpy")
    assert output.fraction == pytest.approx(0.8 * 20 / 40)
    output.feed("Prepared 31 packages in 1.37s")
    assert output.text == "Unpacking 31 packages"


@pytest.mark.parametrize(
    ("text", "size"),
    [("205.1 MB", 205_100_000), ("180.5MiB", 189_267_968), ("30 kB", 30_000), ("12 B", 12), ("from torch>=2.4", 0)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


REFUSED = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken "
    "by 'NewConnectionError(\"HTTPConnection(host='127.0.0.1', port=9): Failed to establish a new connection: "
    "[Errno 111] Connection refused\")': /simple/rich/\n"
)
UV_MISSING = "  cause: Because soxr was not found in the provided package locations and you require soxr"
NOT_FOUND = "ERROR: No matching distribution found for rich>=13.7"


@pytest.mark.parametrize(
    ("said", "code", "names"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", "disk_full", ""),
        ("error: Failed to write: No space left on device (os error 28)", "disk_full", "Resume"),
        (REFUSED + NOT_FOUND, "network", "wheels"),
        ("  cause: error sending request for url (http://127.0.0.1:9/simple/soxr/)", "network", "Resume"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')", "certificate", "global.cert"),
        (
            "ProxyError('Cannot connect to proxy.', OSError('407 Proxy Authentication Required'))",
            "proxy",
            "HTTPS_PROXY",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "damaged", "Repair"),
        ("ERROR: [WinError 5] Access is denied: 'torch_cpu.dll'", "permission", "Close"),
        (NOT_FOUND, "no_package", "rich>=13.7"),
        ("error: No solution found when resolving dependencies\n" + UV_MISSING, "no_package", "soxr"),
        ("some talk\nERROR: something new", "failed", "something new"),
    ],
)
def test_failure_says_what_to_do(said: str, code: str, names: str) -> None:
    error = fed(said, 1).failure("Installing torch", offline=False)
    assert error.code == f"install.{code}"
    assert names in str(error)
    assert error.hint


def test_folder_of_wheels_is_never_a_matter_of_the_network() -> None:
    error = fed(REFUSED + NOT_FOUND, 1).failure("Installing the wheels", offline=True)
    assert error.code == "install.wheel_missing"
    assert "rich>=13.7" in error.message


@pytest.mark.parametrize(
    ("nvidia", "system", "machine", "device", "index", "reason"),
    [
        (None, "linux", "x86_64", "cpu", "/cpu", "no NVIDIA driver"),
        (None, "win32", "AMD64", "cpu", "", "no NVIDIA driver"),
        (Nvidia("H100", "550.54.15", 9.0), "linux", "x86_64", "cuda", "/cu128", "H100 (driver 550.54.15)"),
        (Nvidia("RTX 5090", "572.1", 12.0), "win32", "AMD64", "cuda", "/cu128", "RTX 5090"),
        (Nvidia("GTX 1080", "535.1", 6.1), "linux", "x86_64", "cuda", "/cu126", "GTX 1080"),
        (Nvidia("GTX 1080", "470.1", 0.0), "linux", "x86_64", "cpu", "/cpu", "needs driver 525"),
        (Nvidia("GTX 680", "530.1", 3.0), "linux", "x86_64", "cpu", "/cpu", "too old"),
        (None, "darwin", "arm64", "mps", "", "Apple processor"),
        (None, "darwin", "x86_64", "cpu", "", "no Apple processor"),
    ],
)
def test_build_of_torch_fits_the_machine_and_says_why(nvidia, system, machine, device, index, reason) -> None:
    build = choose_build(nvidia, system, machine)
    assert build.device == device
    assert build.index.endswith(index) and bool(build.index) == bool(index)
    assert reason in build.reason


def test_user_may_want_no_cuda() -> None:
    card = Nvidia("H100", "550.54.15", 9.0)
    assert choose_build(card, "linux", "x86_64", force_cpu=True).device == "cpu"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("NVIDIA H100 80GB HBM3, 550.54.15, 9.0\nNVIDIA A, 1, 2\n", Nvidia("NVIDIA H100 80GB HBM3", "550.54.15", 9.0)),
        ("Quadro K620, 470.10, [N/A]\n", Nvidia("Quadro K620", "470.10", 0.0)),
        ("No devices were found\n", None),
        ("", None),
    ],
)
def test_answers_of_the_nvidia_driver(answer: str, expected: Nvidia | None) -> None:
    assert parse_nvidia(answer) == expected

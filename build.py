#!/usr/bin/env python3
"""Set up, show, test, package and measure UniTalker for Blender. Standard library only.

python3 build.py demo      a head that speaks: out/demo.blend, out/demo.mp4, out/demo.png
python3 build.py test      every test, the Blender part in every supported Blender
python3 build.py setup     make .venv (demo and test do it themselves)
python3 build.py package   the extension zip in dist/, with what its backend needs on this platform
python3 build.py bench     speed and memory, as a table
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from release import extension, wheels

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
DIST = ROOT / "dist"
OUT = ROOT / "out"
WHEEL_CACHE = ROOT / ".cache" / "wheels"

TORCH = "torch==2.13.0"
BLENDERS = ("4.2.23", "4.5.15", "5.0.1")
DEMO_BLENDER = BLENDERS[-1]
# bpy 4.5 and 5.0 want numpy 1.26; the 4.2 wheel takes any, so all use the one that Blender itself ships.
BLENDER_PACKAGES = ("numpy==1.26.4", "pytest==9.2.0")

# Shared libraries that the bpy wheels load, and the Debian packages they come from.
BPY_LIBRARIES = {
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libGL.so.1": "libgl1",
    "libXfixes.so.3": "libxfixes3",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1",
    "libEGL.so.1": "libegl1",
}
# Loaded by name at run time, so its file is looked for instead.
DRI_PACKAGE = "libgl1-mesa-dri"
DRI_PATTERNS = ("dri/swrast_dri.so", "dri/libdril_dri.so", "libgallium*.so")

TEST_TIMEOUT = 3000
BLENDER_TIMEOUT = 900
GUI_TIMEOUT = 2400  # the first run makes a Blender with a window
DEMO_TIMEOUT = 1200

# The extensions platform takes no more.
LARGEST_ZIP = 150_000_000


class BuildError(Exception):
    """Something the caller can act on; printed without a traceback."""


# --- processes -------------------------------------------------------------------------------------------------


def run(command: Sequence[str | Path], timeout: float | None = None, env: dict[str, str] | None = None) -> int:
    """Run a command, show it and its output, end its whole process group after `timeout` seconds."""
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    posix = os.name == "posix"
    process = subprocess.Popen(words, cwd=ROOT, env=os.environ | (env or {}), start_new_session=posix)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        print(f"stopped after {timeout:.0f} s: {words[0]}", flush=True)
        return 124
    finally:
        if process.poll() is None:
            if posix:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()


def must(command: Sequence[str | Path], timeout: float | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command that has to succeed."""
    code = run(command, timeout, env)
    if code:
        raise BuildError(f"failed with exit code {code}: {' '.join(map(str, command))}")


def venv_python(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


# --- set-up ----------------------------------------------------------------------------------------------------


def is_root_on_debian() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: Sequence[str], why: str) -> None:
    """Install Debian packages when that is possible, else say exactly how."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not is_root_on_debian():
        raise BuildError(f"{why}\nInstall them with:\n    sudo {' '.join(command)}")
    print(f"{why} Installing.", flush=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    must(["apt-get", "update", "-qq"], env=quiet)
    must(command, env=quiet)


def missing_libraries() -> list[str]:
    """Debian packages whose libraries the bpy wheels need and this machine lacks."""
    if not sys.platform.startswith("linux"):
        return []
    packages = []
    for library, package in BPY_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            packages.append(package)
    folders = [*Path("/usr/lib").glob("*-linux-gnu"), Path("/usr/lib64"), Path("/usr/lib")]
    if not any(any(folder.glob(pattern)) for folder in folders for pattern in DRI_PATTERNS):
        packages.append(DRI_PACKAGE)
    return packages


def create_venv(folder: Path) -> None:
    if venv_python(folder).exists():
        return
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        apt_install([package], "This Python cannot make virtual environments (ensurepip is missing).")
    must([sys.executable, "-m", "venv", folder])


def stamp_text(*parts: str) -> str:
    """What an environment was made from; when it changes the environment is brought up to date."""
    return hashlib.sha256("\n".join((sys.version, *parts)).encode()).hexdigest()


def setup_backend() -> Path:
    """Make `.venv` with the backend, the training package and the development tools; return its Python."""
    python = venv_python(VENV)
    files = [(ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "constraints.txt")]
    stamp, wanted = VENV / "setup.stamp", stamp_text(TORCH, str(ROOT), *files)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    create_venv(VENV)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # By its exact version and first: any range would bring the newest build with gigabytes of CUDA packages.
    must([*pip, TORCH])
    must([*pip, "--constraint", "constraints.txt", "--editable", ".[train,dev]"])
    stamp.write_text(wanted)
    return python


def setup_blender(version: str) -> Path:
    """Make the environment of one Blender version, without torch, as in real life; return its Python."""
    if sys.version_info[:2] != (3, 11):
        raise BuildError(
            f"The bpy {version} wheel is for Python 3.11; this is {sys.version.split()[0]}. "
            "Run build.py with python3.11."
        )
    packages = missing_libraries()
    if packages:
        apt_install(packages, f"Blender needs shared libraries that are missing: {' '.join(packages)}.")
    folder = VENV / f"blender-{version}"
    python = venv_python(folder)
    stamp, wanted = folder / "setup.stamp", stamp_text(version, *BLENDER_PACKAGES)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    create_venv(folder)
    must(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"bpy=={version}", *BLENDER_PACKAGES]
    )
    stamp.write_text(wanted)
    return python


# --- demo ------------------------------------------------------------------------------------------------------


def demo(audio: Path | None, head: Path | None) -> None:
    """Animate a head in Blender, render it, and lay out a contact sheet with the words."""
    backend, blender = setup_backend(), setup_blender(DEMO_BLENDER)
    for path in (audio, head):
        if path is not None and not path.is_file():
            raise BuildError(f"There is no file {path}.")
    command: list[str | Path] = [blender, ROOT / "assets/demo/make_demo.py", "--out", OUT]
    command += ["--audio", audio.resolve()] if audio else []
    command += ["--head", head.resolve()] if head else []
    must(command, DEMO_TIMEOUT, {"UNITALKER_PYTHON": str(backend)})
    must([backend, ROOT / "assets/demo/contact_sheet.py", OUT])
    for name in ("demo.blend", "demo.mp4", "demo.png"):
        print(f"{(OUT / name).stat().st_size / 1e6:8.2f} MB  {OUT / name}")


# --- package ---------------------------------------------------------------------------------------------------


def extension_tool() -> Path:
    """Blender's own extension builder and validator, which runs in plain Python."""
    site = VENV / f"blender-{DEMO_BLENDER}"
    found = sorted(site.glob("**/addons_core/bl_pkg/cli/blender_ext.py"))
    if not found:
        raise BuildError(f"The bpy wheel in {site} has no extension validator; run `build.py setup` again.")
    return found[0]


def package(platform: str | None = None) -> Path:
    """Build and validate the extension zip of a platform, this machine's if left out; return its path."""
    import tomllib  # from 3.11 on, so that an older Python gets as far as being told which one is needed

    platform = platform or wheels.this_platform()
    if platform not in wheels.PLATFORMS:
        raise BuildError(f"There are no wheels for {platform}; name one of {', '.join(wheels.PLATFORMS)}.")
    python = setup_blender(DEMO_BLENDER)
    manifest = tomllib.loads((ROOT / extension.MANIFEST).read_text(encoding="utf-8"))
    DIST.mkdir(exist_ok=True)
    target = DIST / f"{manifest['id']}-{manifest['version']}-{platform}.zip"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / manifest["id"]
        extension.stage(ROOT, folder, platform, wheels.collect(platform, WHEEL_CACHE, must, python))
        tool = extension_tool()
        built = Path(temporary) / target.name
        must([python, tool, "build", "--source-dir", folder, "--output-filepath", built])
        must([python, tool, "validate", built])
        shutil.move(built, target)
    with zipfile.ZipFile(target) as archive:
        count = len(archive.namelist())
    size = target.stat().st_size
    print(f"{target}: {size / 1e6:.1f} MB, {count} files, valid")
    if size > LARGEST_ZIP:
        raise BuildError(f"{target.name} is larger than {LARGEST_ZIP / 1e6:.0f} MB.")
    return target


# --- test and bench ----------------------------------------------------------------------------------------------


def blender_environment(backend: Path, home: str) -> dict[str, str]:
    """A Blender that knows nothing of the user's own, and the backend's Python."""
    for name in ("config", "extensions", "scripts"):
        (Path(home) / name).mkdir()
    return {"BLENDER_USER_RESOURCES": home, "UNITALKER_PYTHON": str(backend), "PYTHONDONTWRITEBYTECODE": "1"}


def blender_tests(version: str, backend: Path, options: Sequence[str]) -> int:
    python = setup_blender(version)
    with tempfile.TemporaryDirectory() as home:
        environment = blender_environment(backend, home)
        tests = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/client", "tests/blender"]
        return run([*tests, *options], BLENDER_TIMEOUT, environment)


def test(slow: bool, gui: bool) -> None:
    """Everything: style, types, backend, training, and the add-on in each Blender, each in a process of its own."""
    backend = setup_backend()
    for version in BLENDERS:
        setup_blender(version)
    options = ["--slow"] * slow
    python_folders = ["backend", "training", "unitalker_blender", "assets", "tests", "release", "build.py"]
    failed = []
    steps: list[tuple[str, list[str | Path]]] = [
        ("ruff", [backend, "-m", "ruff", "check", *python_folders]),
        ("format", [backend, "-m", "ruff", "format", "--check", *python_folders]),
        ("mypy", [backend, "-m", "mypy"]),
        ("python", [backend, "-m", "pytest", "-q", "tests", "--ignore=tests/blender", *options]),
    ]
    for name, command in steps:
        if run(command, TEST_TIMEOUT):
            failed.append(name)
    for version in BLENDERS:
        if blender_tests(version, backend, options):
            failed.append(f"Blender {version}")
    if gui and run([backend, "-m", "pytest", "-q", "tests/gui", "--gui"], GUI_TIMEOUT):
        failed.append("window")
    if failed:
        raise BuildError(f"failed: {', '.join(failed)}")
    print("all green: style, types, backend, training, Blender " + ", ".join(BLENDERS))


def bench(what: str) -> None:
    """Measure speed and memory: the bundled model, add-on, batches, training, the official networks at full size."""
    backend = setup_backend()
    if what in ("quick", "backend", "all"):
        must([backend, "-m", "tests.bench.backend_bench"])
    if what in ("quick", "blender", "all"):
        blender = setup_blender(DEMO_BLENDER)
        with tempfile.TemporaryDirectory() as home:
            must([blender, "-m", "tests.bench.blender_bench"], env=blender_environment(backend, home))
    if what in ("batch", "all"):
        must([backend, "-m", "tests.bench.batch_bench"])
    if what in ("training", "all"):
        must([backend, "-m", "tests.bench.training_bench"])
    if what in ("model", "all"):
        must([backend, "-m", "tests.bench.model_bench"])


def setup() -> None:
    setup_backend()
    for version in BLENDERS:
        setup_blender(version)


# --- command line ------------------------------------------------------------------------------------------------


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="make .venv and one environment per Blender version inside it")
    show = commands.add_parser("demo", help="make out/demo.blend, .mp4 and .png")
    show.add_argument("--audio", type=Path, help="a sound file instead of the sample voice")
    show.add_argument("--head", type=Path, help="a .glb, .vrm or .blend with shape keys instead of the sample head")
    check = commands.add_parser("test", help="run every test")
    check.add_argument("--slow", action="store_true", help="also the tests that take minutes")
    check.add_argument("--gui", action="store_true", help="also in a Blender with a window; pictures of it in out/gui")
    release = commands.add_parser("package", help="build and validate the extension zip in dist/")
    which = release.add_mutually_exclusive_group()
    which.add_argument("--platform", choices=wheels.PLATFORMS, help="instead of this machine's")
    which.add_argument("--all", action="store_true", help="one zip for each platform")
    speed = commands.add_parser("bench", help="print speed and memory")
    speed.add_argument(
        "what",
        nargs="?",
        choices=("quick", "backend", "blender", "batch", "training", "model", "all"),
        default="quick",
        help="quick is backend and blender; batch takes ten minutes, training three; model, the official networks at "
        "full size, takes five to ten and 7 GB of memory (default: %(default)s)",
    )
    return parser.parse_args()


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036
        print(f"build.py needs Python 3.11; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    arguments = parse_arguments()
    try:
        match arguments.command:
            case "setup":
                setup()
            case "demo":
                demo(arguments.audio, arguments.head)
            case "test":
                test(arguments.slow, arguments.gui)
            case "package":
                for platform in wheels.PLATFORMS if arguments.all else [arguments.platform]:
                    package(platform)
            case "bench":
                bench(arguments.what)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

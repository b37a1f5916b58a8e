"""The installed zip in a Blender with a window, driven with mouse and keyboard; pictures stay in out/gui."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.client.tiny_wheels import TORCH_SOURCE, make_wheel
from tests.delivery.test_package import build
from tests.gui.pictures import read_xwd
from tests.gui.window_system import SCREEN, GuiBlender, NoWindowSystem, find_blender
from unitalker_blender.client.environment import BACKEND_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("driver.py")
PICTURES = ROOT / "out" / "gui"
HEAD = ROOT / "assets/heads/makehuman_head.glb"
SOUND = ROOT / "assets/audio/demo_voice.ogg"
EXTENSION = "bl_ext.user_default.unitalker"
TIMEOUT = 400

pytestmark = pytest.mark.gui


@dataclass(frozen=True)
class Played:
    """What a scenario found, and its pictures."""

    report: dict[str, Any]
    pictures: dict[str, Path]


@pytest.fixture(scope="session")
def blender() -> GuiBlender:
    try:
        return find_blender()
    except NoWindowSystem as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def home(blender: GuiBlender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user who has just installed the zip, in a folder whose name may be seen in pictures."""
    home = Path(tempfile.mkdtemp(prefix="artist-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "DIST", tmp_path_factory.mktemp("dist"))
        archive = build.package()
    shutil.copy(archive, home / "unitalker.zip")
    install = ["--command", "extension", "install-file", "-r", "user_default", "-e", str(home / "unitalker.zip")]
    done = _run(blender, home, install, [home], home)
    assert done.returncode == 0, done.stdout
    yield home
    shutil.rmtree(home)


def _run(
    blender: GuiBlender, home: Path, arguments: list[str], folders: list[Path], data: Path
) -> subprocess.CompletedProcess[str]:
    resources = home / "resources"
    for name in ("config", "extensions", "scripts"):
        (resources / name).mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "XDG_DATA_HOME": str(data),
        "BLENDER_USER_RESOURCES": str(resources),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        blender.command(arguments, folders),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
    )


@pytest.fixture
def play(blender: GuiBlender, home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Played]:
    """Plays a scenario with its arguments; fails with what Blender said when the scenario fails."""

    def run(scenario: str, **arguments: Any) -> Played:
        folder = PICTURES / request.node.name.removeprefix("test_").replace("/", "_")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        data = Path(tempfile.mkdtemp(prefix="data-", dir=home))  # what one test installs is not there for the next
        arguments |= {name: shutil.copy(arguments[name], data) for name in ("head", "sound") if name in arguments}
        options = ["--enable-event-simulate", "--window-geometry", "0", "0", *map(str, SCREEN)]
        options += ["--python", str(DRIVER)]
        plain = json.dumps({name: str(value) for name, value in arguments.items()})
        done = _run(blender, home, [*options, "--", scenario, str(folder), plain], [home, tmp_path], data)
        pictures = {path.stem: read_xwd(path) for path in sorted(folder.glob("*.xwd"))}
        found = folder / "report.json"
        report = json.loads(found.read_text()) if found.exists() else {"error": "Blender ended without a report"}
        assert "error" not in report, f"{report['error']}\nLast picture in {folder}\n{done.stdout[-3000:]}"
        return Played(report, pictures)

    return run


def test_first_shot(play) -> None:
    played = play("first_shot", head=HEAD, sound=SOUND)
    assert played.report["moves"]["jawOpen"] > 0.1
    assert played.report["action_after_undo"] == ""
    assert {"1_head", "2_ready", "3_progress", "4_done", "5_undone"} <= set(played.pictures)


def test_cancel_by_button_and_escape(play, long_sound: Path) -> None:
    assert play("cancel", head=HEAD, sound=long_sound).report["left"] == ["", ""]


def test_sound_is_dropped_and_a_slider_moves_the_curves(play) -> None:
    report = play("drop_and_direct", head=HEAD, sound=SOUND).report
    assert report["takes_drops"]
    before, after = report["jaw"]
    assert after > before + 0.02


@pytest.mark.parametrize("locale", ["ja_JP", "zh_HANS"])
def test_panel_speaks_the_users_language(play, locale: str) -> None:
    words = json.loads((ROOT / f"unitalker_blender/translations/{locale}.json").read_text(encoding="utf-8"))
    report = play("language", head=HEAD, sound=SOUND, locale=locale).report
    assert report["button"] == words["Animate"]
    assert report["tooltip"] == words["Move the eyes"]


def test_backend_installed_from_the_preferences(play, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in BACKEND_PACKAGES:
        make_wheel(wheels, name, "99.0", TORCH_SOURCE if name == "torch" else "")
    report = play("preferences", wheels=wheels, module=EXTENSION).report
    assert report["goes_on"]


HEADS = {
    "ict_head_arkit.glb": "jawOpen",
    "ict_face_native_names.glb": "jawOpen",
    "makehuman_head_arkit_visemes.glb": "jawOpen",
    "godette_named.glb": "ah",
    "godette_vrm0.vrm": "ah",
}


@pytest.mark.parametrize("file", HEADS)
def test_every_rig_family_speaks(play, shared: Path, file: str) -> None:
    # Characters of VRM 0 look the other way.
    side = "BACK" if file.startswith("godette") else "FRONT"
    report = play("first_shot", head=shared / "heads" / file, sound=SOUND, seen_from=side).report
    assert report["moves"][HEADS[file]] > 0.1
    assert len(report["moves"]) >= 4

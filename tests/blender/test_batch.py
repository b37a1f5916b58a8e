"""`blender -b --command unitalker batch jobs.json`, by the function that Blender calls."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import bpy
import pytest

from tests.blender.conftest import keyed
from unitalker_blender import headless
from unitalker_blender.headless import animate
from unitalker_blender.scene.scene_export import export_scene

pytestmark = pytest.mark.usefixtures("fake")

SPEECH = {"no_sound": True}


@pytest.fixture
def scene_file(make_face, tmp_path) -> Path:
    """A file with two faces, Anna and Ben."""
    make_face("Anna")
    make_face("Ben")
    path = tmp_path / "two people.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return path


@pytest.fixture
def sounds(make_sound) -> list[str]:
    return [str(make_sound(seconds)) for seconds in (0.4, 0.6, 0.8)]


def run(tmp_path: Path, jobs: list[dict[str, Any]], *options: str, **fields: Any) -> tuple[int, dict[str, str]]:
    """Exit code, and name → status of the report."""
    (tmp_path / "jobs.json").write_text(json.dumps({"schema": 1, "defaults": SPEECH, "jobs": jobs, **fields}))
    report = tmp_path / "report.json"
    report.unlink(missing_ok=True)
    code = headless.run(["batch", str(tmp_path / "jobs.json"), "--report", str(report), *options])
    items = json.loads(report.read_text())["items"] if report.is_file() else []
    return code, {item["name"]: item["status"] for item in items}


def speaking(path: Path) -> dict[str, int]:
    """Which objects of a file speak: name → last frame with a key."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    faces = [item for item in bpy.context.scene.objects if item.data.shape_keys.animation_data]
    return {face.name: int(keyed(face)["jawOpen"][-1, 0]) for face in faces}


def test_many_sounds_objects_and_files(scene_file, sounds, tmp_path) -> None:
    jobs = [
        {
            "name": "shot 1",
            "blend": scene_file.name,
            "speech": [
                {"audio": sounds[0], "object": "Anna"},
                {"audio": sounds[1], "object": "Ben", "frame_start": 20, "intensity": 0.5},
            ],
            "outputs": ["out/shot 1.blend", "out/web/shot 1.glb"],
        },
        {"blend": str(scene_file), "speech": [{"audio": sounds[2], "object": "Ben"}], "outputs": ["out/shot 2.blend"]},
    ]
    assert run(tmp_path, jobs) == (0, {"shot 1": "done", "shot 2": "done"})
    assert (tmp_path / "out" / "web" / "shot 1.glb").read_bytes().startswith(b"glTF")
    assert speaking(tmp_path / "out" / "shot 2.blend") == {"Ben": 19}
    assert speaking(tmp_path / "out" / "shot 1.blend") == {"Anna": 10, "Ben": 33}


def test_a_second_run_skips_what_is_done_and_does_what_changed(scene_file, sounds, tmp_path) -> None:
    jobs = [
        {"blend": scene_file.name, "speech": [{"audio": sound, "object": "Anna"}], "outputs": [f"out/{number}.blend"]}
        for number, sound in enumerate(sounds)
    ]
    assert run(tmp_path, jobs)[0] == 0
    assert run(tmp_path, jobs) == (0, {"0": "skipped", "1": "skipped", "2": "skipped"})
    jobs[1]["speech"][0]["intensity"] = 0.2
    (tmp_path / "out" / "2.blend").write_bytes(b"")
    assert run(tmp_path, jobs) == (0, {"0": "skipped", "1": "done", "2": "done"})
    assert run(tmp_path, jobs, "--only", "0", "--only", "2") == (0, {"0": "skipped", "2": "skipped"})


def test_what_is_wrong_with_one_job_keeps_no_other_from_being_done(
    scene_file, sounds, make_face, tmp_path, capsys
) -> None:
    def job(name: str, **changes: Any) -> dict[str, Any]:
        speech = [{"audio": sounds[0], "object": "Anna"}]
        return {"name": name, "blend": scene_file.name, "speech": speech, "outputs": [f"{name}.blend"]} | changes

    (tmp_path / "text.blend").write_text("Dear reader,")
    jobs = [
        job("no file", blend="gone.blend"),
        job("no blend", blend="text.blend"),
        job("no sound", speech=[{"audio": "gone.wav", "object": "Anna"}]),
        job("no object", speech=[{"audio": sounds[0], "object": "Zoe"}]),
        job("no source", speech=[{"object": "Anna"}]),
        job("no option", speech=[{"audio": sounds[0], "volume": 11}]),
        job("no number", speech=[{"audio": sounds[0], "intensity": "loud"}]),
        job("no format", outputs=["out.docx"]),
        job("no speech", speech=[]),
        job("no key", colour="red"),
        job("twice", outputs=["same.blend"]),
        job("again", outputs=["same.blend"]),
        job("same name", outputs=["a.blend"]),
        job("same name", outputs=["b.blend"]),
        {"blend": None, "speech": [{"audio": sounds[0]}], "outputs": ["nothing open.blend"]},
        "no job",
        job("good"),
    ]
    code, statuses = run(tmp_path, jobs)
    assert code == 1
    assert {name for name, status in statuses.items() if status == "done"} == {"good"}
    assert len(statuses) == len(jobs) - 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    expected = [
        "gone.blend",
        "text.blend",
        "gone.wav",
        "Zoe",
        "audio, motion",
        "--volume",
        "loud",
        ".blend",
        "'speech'",
        "colour",
    ]
    expected += ["same.blend", "same.blend", "same name", "same name", "none is open", "no object"]
    assert len(errors) == len(expected)
    for error, text in zip(errors, expected, strict=True):
        assert text in error
    assert sorted(path.name for path in tmp_path.glob("*.blend")) == ["good.blend", "text.blend", "two people.blend"]


def test_a_recording_instead_of_a_sound(scene_file, tmp_path) -> None:
    (tmp_path / "take.csv").touch()
    speech = [{"motion": "take.csv", "object": "Anna"}]
    assert run(tmp_path, [{"blend": scene_file.name, "speech": speech, "outputs": ["a.blend"]}]) == (0, {"a": "done"})
    assert speaking(tmp_path / "a.blend").keys() == {"Anna"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "list 'jobs'"),
        ('{"schema": 2, "jobs": []}', "'schema' is 2"),
        ('{"schema": 1, "jobs": []}', "holds no job"),
        ('{"schema": 1, "jobs": [{}], "job": 1}', "unknown keys: job"),
        ('{"schema": 1, "jobs": [{}], "defaults": 1}', "'defaults'"),
    ],
)
def test_a_list_that_is_none_is_refused_whole(tmp_path, capsys, text, reason) -> None:
    (tmp_path / "jobs.json").write_text(text)
    assert headless.run(["batch", str(tmp_path / "jobs.json")]) == 1
    assert reason in capsys.readouterr().err
    assert headless.run(["batch", str(tmp_path / "gone.json")]) == 1


def test_a_name_that_is_not_in_the_list_is_answered_with_those_that_are(scene_file, sounds, tmp_path, capsys) -> None:
    jobs = [{"blend": scene_file.name, "speech": [{"audio": sounds[0]}], "outputs": ["a.blend"]}]
    assert run(tmp_path, jobs, "--only", "b")[0] == 1
    assert "Jobs of the list: a." in capsys.readouterr().err


def test_the_open_file_is_used_anew_for_every_job_that_names_none(scene_file, sounds, tmp_path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(scene_file))
    jobs = [
        {"speech": [{"audio": sounds[0], "object": name}], "outputs": [f"{name}.blend"]} for name in ("Anna", "Ben")
    ]
    assert run(tmp_path, jobs)[0] == 0
    assert speaking(tmp_path / "Ben.blend") == {"Ben": 10}


def test_ctrl_c_leaves_the_rest_pending_for_a_second_run(scene_file, sounds, tmp_path, monkeypatch) -> None:
    jobs = [
        {"blend": scene_file.name, "speech": [{"audio": sound, "object": "Anna"}], "outputs": [f"{number}.blend"]}
        for number, sound in enumerate(sounds)
    ]
    speak, calls = animate.speak, []

    def interrupted(options: Any) -> Any:
        calls.append(options)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return speak(options)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(animate, "speak", interrupted)
        assert run(tmp_path, jobs) == (130, {"0": "done", "1": "pending", "2": "pending"})
    assert signal.getsignal(signal.SIGINT) is before
    assert not (tmp_path / "1.blend").exists()
    assert run(tmp_path, jobs) == (0, {"0": "skipped", "1": "done", "2": "done"})


def test_a_backend_that_dies_fails_the_job_and_is_started_again(scene_file, sounds, tmp_path, fake) -> None:
    jobs = [{"blend": scene_file.name, "speech": [{"audio": sounds[0], "object": "Anna"}], "outputs": ["a.blend"]}]
    fake("die_midway")
    assert run(tmp_path, jobs) == (1, {"a": "failed"})
    fake("")
    assert run(tmp_path, jobs) == (0, {"a": "done"})


def test_a_video_has_the_frames_of_the_range_and_the_settings_stay(make_face, tmp_path) -> None:
    make_face()
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.frame_start, scene.frame_end = 3, 7
    scene.frame_set(5)
    settings = scene.render.image_settings
    before = (settings.file_format, scene.render.filepath, scene.render.ffmpeg.codec, scene.frame_current)
    export_scene(scene, tmp_path / "shot.mp4")
    assert (settings.file_format, scene.render.filepath, scene.render.ffmpeg.codec, scene.frame_current) == before
    assert [path.name for path in tmp_path.iterdir() if "shot" in path.name or path.name.startswith(".")] == [
        "shot.mp4"
    ]
    clip = bpy.data.movieclips.load(str(tmp_path / "shot.mp4"))
    assert clip.frame_duration == 5
    assert tuple(clip.size) == (32, 32)


def test_a_video_without_a_camera_is_refused(scene_file, sounds, tmp_path, capsys) -> None:
    jobs = [{"blend": scene_file.name, "speech": [{"audio": sounds[0], "object": "Anna"}], "outputs": ["a.mp4"]}]
    assert run(tmp_path, jobs) == (1, {"a": "failed"})
    assert "has no camera" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.mp4"))

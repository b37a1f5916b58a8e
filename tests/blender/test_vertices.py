"""Heads of vertices on meshes: shape keys within the error that is said, point caches that are exact."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from tests.blender.conftest import REPOSITORY, everything, keyed, sound_strips
from tests.blender.test_real_heads import needs_model
from unitalker_blender import headless
from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.operators.animate_vertices import UNITALKER_OT_animate_vertices
from unitalker_blender.scene import vertex_motion
from unitalker_blender.scene.component_keys import rest_points
from unitalker_blender.scene.head_mesh import add_head_mesh
from unitalker_blender.scene.vertex_fit import Z_UP, fit_head

HEAD = "mediapipe_468_vertices"
FPS = 24
NEUTRAL = {"preset": "neutral", "add_sound": False}

# Where the fake backend's three vertices lie, in Blender's axes.
FAKE_REST = np.float32([(0, 0, 0), (1, 0, 0), (0, 0, 1)])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The reports of the runs that finished."""
    reports: list[Any] = []
    tell = UNITALKER_OT_animate_vertices._tell

    def listen(self: Any, job: Any) -> None:
        reports.append(job.report)
        tell(self, job)

    monkeypatch.setattr(UNITALKER_OT_animate_vertices, "_tell", listen)
    return reports


@pytest.fixture
def make_triangle(fake: Any) -> Callable[..., bpy.types.Object]:
    """Makes the fake head's mesh; the active object."""

    def make(name: str = "Face", points: np.ndarray = FAKE_REST) -> bpy.types.Object:
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(points.tolist(), [], [(0, 1, 2)])
        made = bpy.data.objects.new(name, mesh)
        bpy.context.collection.objects.link(made)
        bpy.context.view_layer.objects.active = made
        return made

    return make


def animate(**arguments: Any) -> set[str]:
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}
    return bpy.ops.unitalker.animate_vertices(**(NEUTRAL | plain))


def evaluated(target: bpy.types.Object) -> np.ndarray:
    mesh = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def at_frame(target: bpy.types.Object, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    return evaluated(target)


def face_and_file() -> dict[str, Any]:
    """What a user could find changed, the points of meshes and shape keys included."""
    meshes = {
        mesh.name: (
            [tuple(vertex.co) for vertex in mesh.vertices],
            [
                (block.name, block.slider_min, block.slider_max, [tuple(point.co) for point in block.data])
                for block in (mesh.shape_keys.key_blocks if mesh.shape_keys else ())
            ],
        )
        for mesh in bpy.data.meshes
    }
    modifiers = {item.name: [modifier.name for modifier in item.modifiers] for item in bpy.data.objects}
    return everything() | {"meshes": meshes, "modifiers": modifiers}


# --- the real model and a real voice ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoken(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, np.ndarray]]:
    """A voice, and what the backend alone says of it: positions (frames, 468, 3) in the head's axes."""
    voice = shared / "speech" / "mfa_english_slow.wav"
    output = tmp_path_factory.mktemp("spoken") / "mesh.npz"
    command = [os.environ["UNITALKER_PYTHON"], "-m", "backend", "animate", voice, "-o", output]
    command += ["--head", HEAD, "--fps", str(FPS)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=180)
    with np.load(output) as data:
        values = data["values"]
    yield voice, values.reshape(len(values), -1, 3)


def new_face() -> bpy.types.Object:
    return bpy.data.objects["UniTalker Face"]


@needs_model
def test_a_new_mesh_speaks_within_the_error_that_is_said(spoken, told) -> None:
    voice, truth = spoken
    bpy.context.scene.render.fps = FPS
    assert animate(filepath=voice, new_mesh=True, tolerance_mm=0.2, frame_start=11) == {"FINISHED"}
    face = new_face()
    assert len(face.data.polygons) > 800
    assert "within 0." in told[0].summary
    error = float(told[0].summary.split("within ")[1].split(" mm")[0])
    assert error <= 0.2
    count = len(face.data.shape_keys.key_blocks) - 1
    assert f"{count} component shape keys" in told[0].summary
    for frame in range(0, len(truth), 17):
        distance = np.linalg.norm(at_frame(face, 11 + frame) - truth[frame] @ Z_UP.T, axis=1)
        assert distance.max() * 1e3 <= error + 0.02, frame
    values = np.concatenate([curve[:, 1] for curve in keyed(face).values()])
    assert np.abs(values).max() <= 1 + 1e-5
    # The lips part while it speaks.
    gap = [at_frame(face, 11 + frame)[[13, 14], 2] for frame in range(0, len(truth), 5)]
    assert np.ptp([upper - lower for upper, lower in gap]) > 0.004


@needs_model
def test_a_point_cache_is_exact(spoken, tmp_path) -> None:
    voice, truth = spoken
    bpy.context.scene.render.fps = FPS
    assert animate(filepath=voice, new_mesh=True, method="CACHE", cache=tmp_path / "face.pc2", frame_start=11) == {
        "FINISHED"
    }
    for frame in range(0, len(truth), 17):
        assert np.allclose(at_frame(new_face(), 11 + frame), truth[frame] @ Z_UP.T, atol=1e-6), frame
    assert new_face().data.shape_keys is None


@needs_model
def test_a_mesh_that_has_been_to_gltf_is_found_by_places(spoken, tmp_path, told) -> None:
    voice, truth = spoken
    bpy.context.scene.render.fps = FPS
    animate(filepath=voice, new_mesh=True, most_keys=1)
    made = new_face()
    made.shape_key_clear()
    made.data.shade_flat()  # normals of its own for every triangle: glTF splits all vertices
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "face.glb"), export_animations=False)
    bpy.data.meshes.remove(made.data)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "face.glb"))
    (split,) = [item for item in bpy.context.scene.objects if item.type == "MESH"]
    assert len(split.data.vertices) > 2000
    assert animate(filepath=voice, object=split.name, tolerance_mm=0.1) == {"FINISHED"}
    wanted = truth[40] @ Z_UP.T
    distance = [np.linalg.norm(wanted - point, axis=1).min() for point in at_frame(split, 41)[::50]]
    assert max(distance) < 3e-4


# --- what can be told with three vertices ---------------------------------------------------------------------------


def test_weights_move_the_vertices_and_no_other_key(make_triangle, make_sound) -> None:
    face = make_triangle()
    face.shape_key_add(name="Basis")
    face.shape_key_add(name="smile", from_mix=False).data[0].co.x = -1.0
    assert animate(filepath=make_sound(1.0), frame_start=5) == {"FINISHED"}
    blocks = face.data.shape_keys.key_blocks
    assert [block.name for block in blocks] == ["Basis", "smile", *(f"UniTalker PC 0{i}" for i in (1, 2, 3))]
    assert blocks["smile"].data[0].co.x == -1.0
    assert {(block.slider_min, block.slider_max) for block in blocks[2:]} == {(-1.0, 1.0)}
    curves = keyed(face)
    assert set(curves) == {"UniTalker PC 01", "UniTalker PC 02", "UniTalker PC 03"}
    for frame in (5, 12, 28):
        weight = curves["UniTalker PC 02"][frame - 5, 1]
        # 1 cm up in the head's axes is 1 cm up here.
        assert at_frame(face, frame)[1] == pytest.approx((1, 0, 0.01 * weight), abs=1e-6)
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (1, 250)


def test_a_second_run_replaces_the_components_of_the_first(make_triangle, make_sound, told) -> None:
    face = make_triangle()
    animate(filepath=make_sound(1.0))
    animate(filepath=make_sound(1.0), most_keys=2)
    assert [block.name for block in face.data.shape_keys.key_blocks[1:]] == ["UniTalker PC 01", "UniTalker PC 02"]
    assert "replaced" in told[1].warnings[-1]


def test_another_person_of_another_size_and_other_axes_moves_alike(make_triangle, make_sound) -> None:
    turn = np.array(Matrix.Rotation(np.pi / 2, 3, "Y")) * 100.0
    points = FAKE_REST @ turn.T
    points[1] *= 1.2
    face = make_triangle(points=points)
    assert animate(filepath=make_sound(1.0)) == {"FINISHED"}
    moved = at_frame(face, 9) - rest_points(face)
    weight = keyed(face)["UniTalker PC 01"][8, 1]
    assert moved[0] == pytest.approx(turn @ (0, 0, 0.01 * weight), abs=0.2)
    assert abs(weight) > 0.3


def test_a_mesh_of_other_vertices_is_refused_and_left_alone(make_triangle, face, make_sound) -> None:
    bent = make_triangle("Bent", FAKE_REST[[0, 1, 1]] * np.float32([1, 3, 1]))
    before = face_and_file()
    for target in (face, bent):
        with pytest.raises(RuntimeError, match=r"not made of the vertices of the head 'mesh_fake'"):
            animate(filepath=make_sound(1.0), object=target.name)
        assert face_and_file() == before


@pytest.mark.parametrize("mode", ["nan", "truncated", "refuse", "die_midway", "no_engines"])
@pytest.mark.parametrize("new_mesh", [True, False])
def test_a_failure_changes_nothing(make_triangle, make_sound, fake, tmp_path, mode, new_mesh) -> None:
    make_triangle()
    fake(mode)
    before = face_and_file()
    for method in ("KEYS", "CACHE"):
        with pytest.raises(RuntimeError):
            animate(filepath=make_sound(1.0), new_mesh=new_mesh, method=method, cache=tmp_path / "face.pc2")
        assert face_and_file() == before
    assert list(tmp_path.glob("*.pc2")) == []


def test_a_failure_while_writing_takes_everything_back(make_triangle, make_sound, monkeypatch) -> None:
    face = make_triangle()
    animate(filepath=make_sound(1.0), most_keys=2)

    def fail(self: Any, budget: float | None = None) -> bool:
        raise UniTalkerError("test", "The curves cannot be written.", "")

    monkeypatch.setattr(vertex_motion.TrackWriter, "step", fail)
    before = face_and_file()
    for new_mesh in (False, True):
        with pytest.raises(RuntimeError, match="curves cannot be written"):
            animate(filepath=make_sound(1.0), new_mesh=new_mesh)
        assert face_and_file() == before
    assert face.active_shape_key_index == 0


def test_a_mesh_without_keys_is_without_them_again(make_triangle, make_sound, monkeypatch) -> None:
    face = make_triangle()
    monkeypatch.setattr(vertex_motion.TrackWriter, "step", lambda self: 1 / 0)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        animate(filepath=make_sound(1.0))
    assert face.data.shape_keys is None


def test_a_cache_goes_beside_the_saved_file_and_comes_first_in_the_stack(make_triangle, make_sound, awkward) -> None:
    face = make_triangle()
    face.modifiers.new("Subdivision", "SUBSURF")
    with pytest.raises(RuntimeError, match="not saved yet"):
        animate(filepath=make_sound(1.0), method="CACHE")
    bpy.ops.wm.save_as_mainfile(filepath=str(awkward / "shot.blend"))
    face = bpy.data.objects["Face"]
    animate(filepath=make_sound(1.0), method="CACHE")
    animate(filepath=make_sound(1.0), method="CACHE")
    assert [modifier.name for modifier in face.modifiers] == ["UniTalker Cache", "Subdivision"]
    assert face.modifiers[0].filepath.startswith("//")
    assert len(list(awkward.glob("*.pc2"))) == 1
    assert not list(awkward.glob("*.partial"))


@pytest.mark.parametrize(("name", "text"), [("gone/face.pc2", "no folder"), ("face.abc", "has to end in .pc2")])
def test_a_cache_that_cannot_be_written_is_said_before_the_work(
    make_triangle, make_sound, tmp_path, name, text
) -> None:
    make_triangle()
    with pytest.raises(RuntimeError, match=text):
        animate(filepath=make_sound(1.0), method="CACHE", cache=tmp_path / name)


def test_linked_meshes_and_edit_mode_are_refused(make_triangle, make_sound, tmp_path) -> None:
    make_triangle()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"), copy=True)
    bpy.data.objects.remove(bpy.data.objects["Face"])
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.objects = ["Face"]
    bpy.context.collection.objects.link(bpy.data.objects["Face"])
    with pytest.raises(RuntimeError, match="linked from another file"):
        animate(filepath=make_sound(1.0), object="Face")
    edited = make_triangle("Edited")
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="being edited"):
        animate(filepath=make_sound(1.0), object=edited.name)
    bpy.ops.object.mode_set(mode="OBJECT")


def test_faces_that_are_not_known_are_not_made_up(make_triangle) -> None:
    made = add_head_mesh(bpy.context.scene, FAKE_REST, np.zeros((0, 3), np.int32))
    assert (len(made.data.vertices), len(made.data.polygons)) == (3, 0)


def test_sound_and_range_follow(make_triangle, make_sound) -> None:
    make_triangle()
    animate(filepath=make_sound(20.0), add_sound=True)
    assert bpy.context.scene.frame_end == 480
    assert len(sound_strips()) == bpy.app.build_options.audaspace


def test_vertices_by_command(make_triangle, make_sound, tmp_path) -> None:
    make_triangle()
    sound = str(make_sound(1.0))
    output = str(tmp_path / "out.blend")
    keys = ["--vertices", "keys", "--most-keys", "2", "--object", "Face"]
    assert headless.run(["animate", "--audio", sound, "--output", output, *keys]) == 0
    assert len(bpy.data.objects["Face"].data.shape_keys.key_blocks) == 3
    cache = ["--vertices", "cache", "--new-mesh", "--cache", str(tmp_path / "new.pc2")]
    assert headless.run(["animate", "--audio", sound, "--output", output, *cache]) == 0
    assert new_face().modifiers[0].filepath.endswith("new.pc2")


# --- which vertex is which ------------------------------------------------------------------------------------------


def random_head(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (200, 3)).astype(np.float32)


def test_split_and_shuffled_vertices_are_found_by_place() -> None:
    head = random_head()
    rows = np.random.default_rng(1).integers(0, 200, 500)
    rows[:200] = np.random.default_rng(2).permutation(200)
    fit = fit_head(head, head[rows] @ Z_UP.T * 100 + (5, 6, 7), "Mesh", "head")
    assert np.array_equal(fit.rows, rows)
    assert np.allclose(fit.offsets(head), head[rows] @ Z_UP.T * 100, atol=1e-3)


def test_another_face_in_the_same_order_is_not_turned_by_its_shape() -> None:
    head = random_head()
    other = (head + np.random.default_rng(3).normal(0, 0.01, head.shape)) @ Z_UP.T * 1.2
    fit = fit_head(head, other, "Mesh", "head")
    assert np.array_equal(fit.rows, np.arange(200))
    assert np.allclose(fit.turn / np.linalg.norm(fit.turn[0]), Z_UP, atol=1e-6)


@pytest.mark.parametrize("count", [199, 200, 400])
def test_vertices_in_other_places_are_refused(count) -> None:
    other = np.random.default_rng(9).normal(0, 0.1, (count, 3))
    with pytest.raises(UniTalkerError, match="not made of the vertices") as caught:
        fit_head(random_head(), other, "Mesh", "head")
    assert caught.value.code == "target.other_topology"


@needs_model
@pytest.mark.parametrize("suffix", ["pc2", "mdd"])
def test_the_command_lines_own_caches_play_in_the_modifier(spoken, tmp_path, suffix) -> None:
    voice, truth = spoken
    output = tmp_path / f"face.{suffix}"
    command = [os.environ["UNITALKER_PYTHON"], "-m", "backend", "animate", voice, "-o", output]
    command += ["--head", HEAD, "--fps", str(FPS)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=180)
    bpy.context.scene.render.fps = FPS
    face = add_head_mesh(bpy.context.scene, truth[0], np.zeros((0, 3), np.int32))
    modifier = face.modifiers.new("Mesh Cache", "MESH_CACHE")
    modifier.cache_format, modifier.filepath = suffix.upper(), str(output)
    # As docs/interchange.md says.
    modifier.forward_axis, modifier.up_axis, modifier.frame_start = "POS_Z", "NEG_Y", 1
    for frame in (0, 20, len(truth) - 1):
        assert np.allclose(at_frame(face, 1 + frame), truth[frame] @ Z_UP.T, atol=1e-5), frame

"""Any rig: detection, parts of a character, the mapping list, names that an import lost."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import pytest

from tests.blender.conftest import REPOSITORY
from tests.blender.test_addon import draw
from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.scene.rig_resolution import Destination, resolve
from unitalker_blender.scene.target import has_shape_keys, shape_key_names

ASSETS = REPOSITORY / "assets"
VRM = ("A", "I", "U", "E", "O", "Blink_L", "Blink_R")
ARKIT = tuple(json.loads((ASSETS / "rigs/arkit52.json").read_text(encoding="utf-8"))["channels"])


def resolved(face: bpy.types.Object):
    return resolve(bpy.context.scene, face, ASSETS)


def driven(face: bpy.types.Object) -> dict[str, list[str]]:
    """Source → what follows it."""
    found: dict[str, list[str]] = {}
    for row in resolved(face).request["targets"]:
        found.setdefault(row["source"], []).append(Destination.parse(row["target"]).name)
    return found


def import_head(path: Path) -> bpy.types.Object:
    bpy.ops.import_scene.gltf(filepath=str(path))
    face = max((item for item in bpy.data.objects if has_shape_keys(item)), key=lambda item: len(item.data.vertices))
    bpy.context.view_layer.objects.active = face
    return face


def put(item: bpy.types.Object, x: float) -> None:
    item.location.x = x
    bpy.context.view_layer.update()


@pytest.fixture
def enabled():
    """The add-on as the importer sees it: enabled in the preferences."""
    entry = bpy.context.preferences.addons.new()
    entry.module = "unitalker_blender"
    yield
    bpy.context.preferences.addons.remove(entry)


# --- real heads --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "convention", "source", "key"),
    [
        ("makehuman_head_arkit_visemes.glb", "arkit52", "jawOpen", "jawOpen"),
        ("ict_head_arkit.glb", "arkit52", "jawOpen", "jawOpen"),
        ("ict_face_native_names.glb", "ict", "mouthSmileLeft", "mouthSmile_L"),
        ("godette_named.glb", "vrm", "aa", "ah"),
        ("godette_vrm0.vrm", "vrm", "ou", "uu"),
    ],
)
def test_heads_are_understood_as_they_are(heads, enabled, name, convention, source, key) -> None:
    face = import_head(heads / name)
    assert resolved(face).request["convention"] == convention
    assert key in driven(face)[source]


def test_a_face_without_keys_is_told_so(heads) -> None:
    bpy.ops.import_scene.gltf(filepath=str(heads / "vrm1_expressions_isBinary.vrm"))
    face = next(item for item in bpy.data.objects if item.type == "MESH")
    with pytest.raises(RuntimeError, match=r"has no shape keys\. No mesh in the scene has shape keys"):
        bpy.ops.unitalker.animate(object=face.name, filepath="voice.wav")


def test_names_that_the_importer_lost_are_read_from_the_file(heads) -> None:
    face = import_head(heads / "godette_vrm0.vrm")
    assert shape_key_names(face.data.shape_keys)[0] == "target_0"
    with pytest.raises(UniTalkerError, match="names were lost") as caught:
        resolved(face)
    assert "Names from File" in caught.value.hint
    assert bpy.ops.unitalker.names_from_file(filepath=str(heads / "godette_vrm0.vrm")) == {"FINISHED"}
    assert driven(face)["aa"] == ["ah"]


def test_names_of_another_file_change_nothing(heads) -> None:
    face = import_head(heads / "godette_vrm0.vrm")
    with pytest.raises(RuntimeError, match="no mesh with 15 shape keys"):
        bpy.ops.unitalker.names_from_file(filepath=str(heads / "ict_head_arkit.glb"))
    with pytest.raises(RuntimeError, match="neither glTF nor VRM"):
        bpy.ops.unitalker.names_from_file(filepath=__file__)
    assert shape_key_names(face.data.shape_keys)[0] == "target_0"


# --- parts of a character ----------------------------------------------------------------------------------------


def test_meshes_of_one_armature_move_together(make_face) -> None:
    armature = bpy.data.objects.new("Armature", bpy.data.armatures.new("Armature"))
    bpy.context.collection.objects.link(armature)
    face, teeth = make_face("Face"), make_face("Teeth", ("jawOpen", "jawLeft"))
    make_face("Other")
    for item in (face, teeth):
        item.parent = armature
    assert resolved(face).meshes == ("Face", "Teeth")
    assert driven(face)["jawOpen"] == ["jawOpen", "jawOpen"]
    teeth.unitalker_mapping.include = False
    assert resolved(face).meshes == ("Face",)


def test_a_second_head_is_no_part_of_the_first(make_face) -> None:
    face, teeth, other = make_face("Face"), make_face("Teeth", ("jawOpen",)), make_face("Other head")
    put(teeth, 20)
    put(other, 500)
    assert resolved(face).meshes == ("Face", "Teeth")


def test_shared_shape_keys_are_written_once(make_face) -> None:
    face = make_face("Face")
    copy = bpy.data.objects.new("Mirror image", face.data)
    bpy.context.collection.objects.link(copy)
    assert resolved(face).meshes == ("Face",)


def test_parts_in_another_spelling(make_face) -> None:
    face, brows = make_face("Face", VRM), make_face("Brows", ("BrowInnerUp", "browDown_L"))
    brows.parent = face
    assert resolved(face).meshes == ("Face", "Brows")
    assert driven(face)["browInnerUp"] == ["BrowInnerUp"]


def test_the_panel_shows_what_was_found(make_face) -> None:
    face, teeth = make_face("Face", VRM), make_face("Teeth", ("A",))
    teeth.parent = face
    bpy.context.view_layer.objects.active = face
    drawn = draw()
    assert "VRM: 5 of 5 shapes (100 %)" in drawn.texts
    assert "include" in drawn.drawn
    assert "rows" not in drawn.drawn
    bpy.ops.unitalker.mapping_fill()
    assert "rows" in draw().drawn


def test_the_panel_says_what_to_do_with_unknown_keys(make_face) -> None:
    make_face("Face", ("target_0", "target_1"))
    assert "Names from File" in " ".join(draw().texts)


# --- the list ----------------------------------------------------------------------------------------------------


@pytest.fixture
def mapped(make_face) -> bpy.types.Object:
    face = make_face("Face", VRM)
    bpy.ops.unitalker.mapping_fill()
    return face


def test_filled_from_detection(mapped) -> None:
    mapping = mapped.unitalker_mapping
    assert mapping.use_rows
    assert [(row.target, row.source) for row in mapping.rows] == [
        *zip("AIUEO", ("aa", "ih", "ou", "ee", "oh"), strict=True),
        ("Blink_L", "eyeBlinkLeft"),
        ("Blink_R", "eyeBlinkRight"),
    ]


def test_rows_are_what_is_asked_for(mapped) -> None:
    row = mapped.unitalker_mapping.rows[0]
    row.gain, row.offset, row.minimum, row.maximum = 0.5, 0.1, 0.05, 0.6
    mapped.unitalker_mapping.rows[1].mute = True
    request = resolved(mapped).request
    assert request["convention"] == "vrm"
    assert [row["source"] for row in request["targets"]] == ["aa", "ou", "ee", "oh", "eyeBlinkLeft", "eyeBlinkRight"]
    first = {name: request["targets"][0][name] for name in ("gain", "offset", "minimum", "maximum")}
    assert first == pytest.approx({"gain": 0.5, "offset": 0.1, "minimum": 0.05, "maximum": 0.6})


def test_rows_are_added_moved_and_removed(mapped) -> None:
    mapping = mapped.unitalker_mapping
    bpy.ops.unitalker.mapping_edit(action="ADD")
    assert mapping.active_row == 1
    assert [row.target for row in mapping.rows][:3] == ["A", "", "I"]
    bpy.ops.unitalker.mapping_edit(action="UP")
    bpy.ops.unitalker.mapping_edit(action="UP")
    assert [row.target for row in mapping.rows][:3] == ["", "A", "I"]
    bpy.ops.unitalker.mapping_edit(action="REMOVE")
    bpy.ops.unitalker.mapping_edit(action="DOWN")
    assert [row.target for row in mapping.rows][:3] == ["I", "A", "U"]


def test_a_mapping_goes_through_a_file(mapped, make_face, tmp_path) -> None:
    bpy.ops.unitalker.mapping_save(filepath=str(tmp_path / "vrm.json"))
    other = make_face("Other", (*VRM[:4], "extra"))
    put(other, 500)
    bpy.ops.unitalker.mapping_load(filepath=str(tmp_path / "vrm.json"))
    assert [row.target for row in other.unitalker_mapping.rows] == list(VRM)
    assert resolved(other).notes == ("the mapping speaks of what is not there: O, Blink_L, Blink_R",)


def test_a_mapping_for_another_character_is_refused(mapped, make_face, tmp_path) -> None:
    bpy.ops.unitalker.mapping_save(filepath=str(tmp_path / "vrm.json"))
    other = make_face("Other", ARKIT)
    put(other, 500)
    with pytest.raises(RuntimeError, match="made for another character"):
        bpy.ops.unitalker.mapping_load(filepath=str(tmp_path / "vrm.json"))
    assert not other.unitalker_mapping.rows
    assert not other.unitalker_mapping.use_rows


def test_a_convention_by_hand(make_face) -> None:
    face = make_face("Face", ("PP", "FF", "aa", "E", "ih", "oh", "ou", *ARKIT))
    assert resolved(face).request["convention"] == "arkit52"
    face.unitalker_mapping.convention = "oculus"
    assert driven(face)["PP"] == ["PP"]
    face.unitalker_mapping.convention = "faceit"
    with pytest.raises(UniTalkerError, match="no convention 'faceit'"):
        resolved(face)


def test_awkward_names(make_face) -> None:
    names = ('say "aa"', "口" * 21, "a|b|c")
    face = make_face("Face", names)
    mapping = face.unitalker_mapping
    mapping.use_rows = True
    for name in names:
        row = mapping.rows.add()
        row.target, row.source = name, "jawOpen"
    assert driven(face)["jawOpen"] == list(names)


def test_an_empty_mapping_is_told_so(make_face) -> None:
    face = make_face("Face")
    face.unitalker_mapping.use_rows = True
    with pytest.raises(UniTalkerError, match="has no row that moves anything"):
        resolved(face)


def test_bones_and_objects_are_targets(make_face) -> None:
    face = make_face("Face")
    bpy.ops.object.armature_add()
    armature = bpy.context.object
    face.parent = armature
    mapping = face.unitalker_mapping
    mapping.use_rows = True
    jaw = mapping.rows.add()
    jaw.kind, jaw.target, jaw.source, jaw.channel, jaw.angle = "BONE", "Bone", "jawOpen", "rotation_x", -0.3
    head = mapping.rows.add()
    head.kind, head.object, head.source, head.channel = "OBJECT", armature, "headYaw", "rotation_z"
    targets = resolved(face).request["targets"]
    assert [row["gain"] for row in targets] == pytest.approx([-0.3, 1.0])
    assert Destination.parse(targets[0]["target"]) == Destination("BONE", armature.session_uid, "rotation_x", "Bone")
    assert Destination.parse(targets[1]["target"]) == Destination("OBJECT", armature.session_uid, "rotation_z", "")

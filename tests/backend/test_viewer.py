"""The page that plays a face: what it holds, and which heads it can show."""

from __future__ import annotations

import functools
import html.parser
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export import write_motion
from backend.topology import triangles_of
from backend.viewer.command import BUNDLED_HEAD
from backend.viewer.glb import read_glb
from backend.viewer.parts import head_of_shapes
from backend.viewer.shape_names import match_shapes
from backend.viewer.still_vertices import merge_still_vertices

NAMES = ("jawOpen", "mouthSmileLeft", "</script><b>", "browInnerUp")
WEIGHTS = Annotation(type_name="weights", kind="blendshapes", dim=4, fps=25, unit="weight", names=NAMES)

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(call_with: Call, tiny_model: Path) -> Call:
    return functools.partial(call_with, tiny_model.parent)


@pytest.fixture
def motion() -> FaceMotion:
    values = np.abs(np.sin(np.arange(50)[:, None] / (3.0, 5.0, 7.0, 9.0))).astype(np.float32)
    return FaceMotion(values, 25.0, WEIGHTS, sound="murmur.wav")


class Scripts(html.parser.HTMLParser):
    """Contents of the page's elements by id, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.addresses: list[str] = []
        self._id = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._id = values.get("id") or tag
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        self._id = ""

    def handle_data(self, data: str) -> None:
        self.found[self._id] = self.found.get(self._id, "") + data


def test_a_page_holds_everything_and_names_nothing_outside(
    call: Call, motion: FaceMotion, murmur: Path, tmp_path: Path
) -> None:
    source = tmp_path / '<script>alert("1")<b>&.json'
    write_motion(motion, source)
    code, out, err = call("view", source, "--audio", murmur, "--no-open", "-o", tmp_path / "page.html")
    assert (code, "3 of 4 channels" in err) == (0, True)
    assert "page.html" in out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    scripts = Scripts(page)
    described = json.loads(scripts.found["page"])
    assert described["names"] == list(NAMES)
    assert described["duration"] == pytest.approx(2.0)
    assert described["sound"]["type"] == "audio/wav"
    assert scripts.found["title"] == source.name
    assert page.count("</script>") == 3
    assert scripts.addresses == []
    assert "http" not in page.replace("http-equiv", "")


def test_the_sound_that_lies_beside_a_motion_is_found(
    call: Call, motion: FaceMotion, murmur: Path, tmp_path: Path
) -> None:
    write_motion(motion, tmp_path / "take.json")
    code, _, err = call("view", tmp_path / "take.json", "--no-open")
    assert (code, "murmur.wav is not beside take.json" in err) == (0, True)
    (tmp_path / "murmur.wav").write_bytes(murmur.read_bytes())
    code, _, err = call("view", tmp_path / "take.json", "--no-open")
    assert (code, "silent" in err) == (0, False)
    assert json.loads(Scripts((tmp_path / "take.html").read_text(encoding="utf-8")).found["page"])["sound"]


def test_sound_that_browsers_do_not_play_becomes_flac(
    call: Call, motion: FaceMotion, murmur: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(murmur)
    soundfile.write(tmp_path / "voice.aiff", samples, rate)
    write_motion(motion, tmp_path / "take.npz")
    assert call("view", tmp_path / "take.npz", "--audio", tmp_path / "voice.aiff", "--no-open")[0] == 0
    described = json.loads(Scripts((tmp_path / "take.html").read_text(encoding="utf-8")).found["page"])
    assert described["sound"]["type"] == "audio/flac"


def test_the_bundled_models_mesh_is_shown_as_a_surface(bundled_model: Path, tmp_path: Path, call: Call) -> None:
    manifest = json.loads((bundled_model / "model.json").read_text())
    head = next(head for head in manifest["spec"]["heads"] if head["annotation"]["kind"] == "vertices")
    annotation = Annotation(**head["annotation"])
    triangles = triangles_of(annotation)
    assert triangles is not None
    # One sheet with one hole, the mouth: no edge has more than two triangles, and every vertex is used.
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    assert np.unique(edges, axis=0, return_counts=True)[1].max() == 2
    assert len(np.unique(triangles)) == annotation.dim // 3
    write_motion(FaceMotion(np.zeros((3, annotation.dim), np.float32), 25.0, annotation), tmp_path / "mesh.npz")
    assert call("view", tmp_path / "mesh.npz", "--no-open")[0] == 0


def test_vertices_without_known_triangles_are_shown_as_points(call: Call, tmp_path: Path) -> None:
    cloud = Annotation(type_name="cloud", kind="vertices", dim=6, fps=25, unit="m")
    write_motion(FaceMotion(np.eye(3, 6, dtype=np.float32), 25.0, cloud), tmp_path / "cloud.npz")
    code, _, err = call("view", tmp_path / "cloud.npz", "--no-open")
    assert (code, "shown as points" in err) == (0, True)


def test_every_real_head_with_face_shapes_is_read(shared: Path) -> None:
    found = {}
    for path in sorted([*(shared / "heads").glob("*.glb"), *(shared / "heads").glob("*.vrm")]):
        surfaces = read_glb(path)
        found[path.name] = len({name for surface in surfaces for name in surface.shapes})
        for surface in surfaces:
            assert np.isfinite(surface.points).all()
            assert surface.triangles.max() < len(surface.points)
    assert found["ict_head_arkit.glb"] == 51
    assert found["ict_face_native_names.glb"] == 57
    assert found["makehuman_head_arkit_visemes.glb"] == 67
    assert found["godette_vrm0.vrm"] == 15
    assert found["vrm1_expressions_isBinary.vrm"] == 0


def test_shapes_are_found_in_other_spellings_and_as_halves() -> None:
    shapes = ("JawOpen", "mouthSmile_L", "browInnerUp_L", "browInnerUp_R", "ears")
    assert match_shapes(NAMES, shapes) == {
        "jawOpen": ["JawOpen"],
        "mouthSmileLeft": ["mouthSmile_L"],
        "browInnerUp": ["browInnerUp_L", "browInnerUp_R"],
    }


def test_a_head_with_other_shapes_is_refused_by_name(shared: Path, motion: FaceMotion) -> None:
    with pytest.raises(UniTalkerError, match=r"godette_named.*HideHairBalls.*jawOpen"):
        head_of_shapes(motion, shared / "heads" / "godette_named.glb")


def test_merging_leaves_what_moves_and_its_shape_alone(motion: FaceMotion) -> None:
    for surface in head_of_shapes(motion, BUNDLED_HEAD).surfaces:
        merged = merge_still_vertices(surface)
        assert set(merged.shapes) == set(surface.shapes)
        for name, offsets in surface.shapes.items():
            moving = surface.points[offsets.any(1)] + offsets[offsets.any(1)]
            kept = merged.points[merged.shapes[name].any(1)] + merged.shapes[name][merged.shapes[name].any(1)]
            assert np.array_equal(np.sort(moving, axis=0), np.sort(kept, axis=0))
        if not surface.shapes:
            assert len(merged.points) < len(surface.points)


def _changed(change: Callable[[dict], None]) -> bytes:
    content = BUNDLED_HEAD.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    document = json.loads(content[20 : 20 + length])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + length :]
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
    return head + struct.pack("<I4s", len(text), b"JSON") + text + rest


BAD_HEADS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"Dear reader,",
    "cut": lambda: BUNDLED_HEAD.read_bytes()[:400_000],
    "no JSON": lambda: struct.pack("<4sII", b"glTF", 2, 24) + struct.pack("<I4s", 4, b"JSON") + b"{[}]",
    "version": lambda: struct.pack("<4sII", b"glTF", 1, 12),
    "compressed": lambda: _changed(lambda d: d.update(extensionsRequired=["KHR_draco_mesh_compression"])),
    "elsewhere": lambda: _changed(lambda d: d["buffers"][0].update(uri="file:///etc/passwd")),
    "beyond": lambda: _changed(lambda d: d["bufferViews"][0].update(byteLength=1 << 40)),
    "negative": lambda: _changed(lambda d: d["accessors"][0].update(byteOffset=-64)),
    "endless": lambda: _changed(lambda d: d["nodes"][0].update(children=[0])),
    "many": lambda: _changed(
        lambda d: d["accessors"].__setitem__(0, {"componentType": 5126, "type": "VEC3", "count": 1 << 50})
    ),
    "wrong vertex": lambda: _changed(lambda d: d["accessors"][0].update(count=3)),
    "no scene": lambda: _changed(lambda d: d.update(scenes=[{}])),
}


@pytest.mark.parametrize("case", BAD_HEADS)
def test_a_bad_head_is_refused_with_its_name(tmp_path: Path, motion: FaceMotion, case: str) -> None:
    (tmp_path / "bad.glb").write_bytes(BAD_HEADS[case]())
    with pytest.raises(UniTalkerError) as caught:
        head_of_shapes(motion, tmp_path / "bad.glb")
    assert caught.value.code == "head.unreadable"
    assert "bad.glb" in caught.value.message


def test_what_cannot_be_viewed_is_said_once_and_leaves_no_page(
    call: Call, motion: FaceMotion, tmp_path: Path, murmur: Path
) -> None:
    write_motion(motion, tmp_path / "take.json")
    (tmp_path / "noise.wav").write_text("Dear reader,")
    before = sorted(tmp_path.iterdir())
    for arguments, text in (
        (["take.json", "--head", "gone.glb"], "gone.glb"),
        (["take.json", "--audio", "noise.wav"], "not sound"),
        (["take.json", "-o", "gone/page.html"], "no folder"),
        (["gone.json"], "no file"),
        (["noise.wav"], "not a motion format"),
    ):
        arguments = [argument if argument.startswith("-") else tmp_path / argument for argument in arguments]
        code, out, err = call("view", *arguments, "--no-open")
        assert (code, out) == (1, ""), arguments
        assert text in err
        assert err.count("error:") == 1
    assert sorted(tmp_path.iterdir()) == before

"""The public data sets as their authors deliver them: what is found, in which unit, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import UniTalkerError
from backend.official_release import released_annotations
from training.datasets.layouts import open_source
from training.datasets.meshes import read_vertices

from .recordings import RATE, face, speaking_face, write_voice

SECONDS = 1.2


def write_ply(path: Path, vertices: np.ndarray, form: str = "binary_little_endian") -> None:
    """As MPI's mesh package writes it: positions as floats, then triangles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = (
        f"ply\nformat {form} 1.0\nelement vertex {len(vertices)}\nproperty float x\nproperty float y\n"
        "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
    )
    if form == "ascii":
        body = "".join(" ".join(f"{number:.9g}" for number in row) + "\n" for row in vertices).encode() + b"3 0 1 2\n"
    else:
        order = "<" if "little" in form else ">"
        body = vertices.astype(f"{order}f4").tobytes() + b"\x03" + np.array([0, 1, 2], f"{order}i4").tobytes()
    path.write_bytes(header.encode() + body)


def write_obj(path: Path, vertices: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# scan\n" + "".join(f"v {x:.7f} {y:.7f} {z:.7f}\n" for x, y, z in vertices) + "vt 0 0\nf 1 2 3\n")


def write_vl(path: Path, vertices: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.int32(len(vertices)).tobytes() + vertices.astype("<f4").tobytes())


@given(form=st.sampled_from(["ascii", "binary_little_endian", "binary_big_endian"]), count=st.integers(1, 50))
def test_every_form_of_ply_gives_the_same_vertices(
    form: str, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, vertices = tmp_path_factory.mktemp("ply") / "m.ply", face(count)
    write_ply(path, vertices, form)
    np.testing.assert_allclose(read_vertices(path), vertices, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ply", b"plx\n"),
        ("b.ply", b"ply\nformat ascii 1.0\nelement face 3\nend_header\n"),
        (
            "c.ply",
            b"ply\nformat binary_little_endian 1.0\nelement vertex 9\nproperty float x\nproperty float y\n"
            b"property float z\nend_header\nshort",
        ),
        ("d.obj", b"nothing\n"),
        ("e.vl", b"\x09\x00\x00\x00short"),
        ("f.bin", b"12345"),
    ],
)
def test_a_damaged_mesh_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UniTalkerError, match=name):
        read_vertices(tmp_path / name)


def biwi(folder: Path, unit: float) -> np.ndarray:
    """One sentence each of a training subject and of one kept for the test; gives the first's template in metres."""
    template = face(23370)
    for subject in ("F2", "M1"):
        write_obj(folder / f"rigid_scans/{subject}.obj", template / unit)
        frames = speaking_face(template, SECONDS, 25) / unit
        for number, frame in enumerate(frames, start=1):
            write_vl(folder / f"faces/{subject}/e33/frame_{number:03d}.vl", frame)
        write_voice(folder / f"audio/{subject}_e33.wav", SECONDS)
    return template


@pytest.mark.parametrize("unit", [0.001, 0.2], ids=["millimetres", "as in the release"])
def test_biwi_as_delivered_comes_in_metres(unit: float, tmp_path: Path) -> None:
    template = biwi(tmp_path, unit)
    source = open_source(tmp_path)
    assert source.layout == "BIWI" and source.annotation.type_name == "BIWI_23370_vertices"
    (recording,) = source.recordings
    assert (recording.identity, recording.split) == ("F2", "val")
    assert "M1" in source.notes[0]
    clip = recording.read()
    np.testing.assert_allclose(source.templates["F2"], template.reshape(-1), atol=1e-5)
    np.testing.assert_allclose(
        clip.motion, (speaking_face(template, SECONDS, 25) - template).reshape(30, -1), atol=1e-5
    )
    assert (len(clip.audio), clip.fps) == (round(SECONDS * RATE), 25)


def test_biwi_in_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    write_obj(tmp_path / "rigid_scans/F2.obj", 40 * face(23370))
    write_vl(tmp_path / "faces/F2/e01/frame_001.vl", face(23370))
    with pytest.raises(UniTalkerError, match="units long, which is neither"):
        open_source(tmp_path)


def vocaset(folder: Path) -> np.ndarray:
    template = face(5023)
    frames = speaking_face(template, SECONDS, 60)
    for number, frame in enumerate(frames, start=1):
        write_ply(folder / f"unposedcleaneddata/FaceTalk_1_TA/sentence01/sentence01.{number:06d}.ply", frame)
    write_ply(folder / "templates/FaceTalk_1_TA.ply", template)
    write_voice(folder / "audio/FaceTalk_1_TA/sentence01.wav", SECONDS, 22000)
    return frames - template


def test_vocaset_as_meshes_and_as_arrays_is_the_same(tmp_path: Path) -> None:
    displacement = vocaset(tmp_path / "meshes").reshape(72, -1)
    joined = tmp_path / "arrays"
    template = face(5023)
    write_voice(joined / "wav/FaceTalk_1_TA_sentence01.wav", SECONDS, 22000)
    (joined / "vertices_npy").mkdir()
    frames = displacement + template.reshape(-1)
    np.save(joined / "vertices_npy/FaceTalk_1_TA_sentence01.npy", frames)
    np.savez(joined / "templates.npz", FaceTalk_1_TA=template)
    for folder in (tmp_path / "meshes", joined):
        source = open_source(folder)
        (recording,) = source.recordings
        assert (source.layout, recording.name) == ("VOCASET", "FaceTalk_1_TA_sentence01")
        assert (recording.identity, recording.split) == ("FaceTalk_1_TA", "train")
        clip = recording.read()
        assert clip.fps == 60
        np.testing.assert_allclose(clip.motion, displacement, atol=1e-6)


def test_what_is_incomplete_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    vocaset(tmp_path)
    (tmp_path / "unposedcleaneddata/FaceTalk_1_TA/sentence02").mkdir()
    frame = tmp_path / "unposedcleaneddata/FaceTalk_1_TA/sentence02/sentence02.000001.ply"
    write_ply(frame, face(5023))
    write_voice(tmp_path / "audio/FaceTalk_1_TA/sentence03.wav", 1)
    source = open_source(tmp_path)
    assert [recording.name for recording in source.recordings] == ["FaceTalk_1_TA_sentence01"]
    assert "FaceTalk_1_TA_sentence02 has no sound" in source.problems
    assert "FaceTalk_1_TA_sentence03 has sound and no motion" in source.problems


def test_pickled_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """Unpickling runs whatever the file says."""
    (tmp_path / "raw_audio_fixed.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(UniTalkerError, match=r"raw_audio_fixed\.pkl.*not read.*unposedcleaneddata"):
        open_source(tmp_path)
    vocaset(tmp_path)
    for path in (tmp_path / "templates").iterdir():
        path.unlink()
    (tmp_path / "templates.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(UniTalkerError, match=r"templates\.pkl is not read.*templates\.npz"):
        open_source(tmp_path)


def multiface(folder: Path, vertices: int) -> np.ndarray:
    """One entity in millimetres: a neutral segment and a sentence."""
    entity, template = folder / "m--20180227--0000--6795937--GHS", 1000 * face(vertices)
    frames = speaking_face(template, SECONDS, 30)
    for segment, meshes in (("E001_Neutral_Eyes_Open", [template, template]), ("SEN_how_do_oysters", frames)):
        (entity / "tracked_mesh" / segment).mkdir(parents=True)
        for number, mesh in enumerate(meshes):
            mesh.astype("<f4").tofile(entity / "tracked_mesh" / segment / f"{102 + 3 * number:06d}.bin")
    write_voice(entity / "audio/SEN_how_do_oysters.wav", SECONDS, 48000)
    return np.asarray(frames - template)


def test_multiface_rests_at_its_neutral_segment(tmp_path: Path) -> None:
    displacement = multiface(tmp_path, 7306)
    source = open_source(tmp_path)
    (recording,) = source.recordings
    assert (recording.identity, source.annotation.type_name) == ("6795937", "multiface_7306_vertices")
    np.testing.assert_allclose(recording.read().motion, 0.001 * displacement.reshape(36, -1), atol=1e-6)


def test_multiface_is_reduced_to_the_vertices_of_meshtalk(tmp_path: Path) -> None:
    displacement = multiface(tmp_path, 7306)
    kept = np.sort(np.random.default_rng(0).permutation(7306)[:6172])
    (tmp_path / "kept_vertices.txt").write_text(", ".join(map(str, kept)))
    source = open_source(tmp_path)
    assert source.annotation == released_annotations()["meshtalk_6172_vertices"]
    motion = source.recordings[0].read().motion
    np.testing.assert_allclose(motion, 0.001 * displacement[:, kept].reshape(36, -1), atol=1e-6)


def test_3d_etf_tells_its_speakers_by_their_names(tmp_path: Path) -> None:
    for part, name in (("RAVDESS", "03-01-06-01-02-01-12"), ("HDTF", "RD_Radio11_000")):
        (tmp_path / part / "blendshape").mkdir(parents=True)
        np.save(tmp_path / part / "blendshape" / f"{name}.npy", np.full((36, 52), 0.5, np.float32))
        write_voice(tmp_path / part / "audio" / f"{name}.wav", SECONDS, 48000)
    write_voice(tmp_path / "HDTF/audio/WDA_Someone_000.wav", 1)
    source = open_source(tmp_path)
    assert {recording.identity for recording in source.recordings} == {"Actor_12", "RD_Radio11"}
    assert source.problems == ("WDA_Someone_000 has sound and no motion",)
    clip = source.recordings[0].read()
    assert (clip.fps, clip.annotation.names[-1]) == (30, "tongueOut")


def test_pickled_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "blendshape").mkdir()
    np.save(tmp_path / "blendshape/RD_Radio11_000.npy", np.array([{}], object), allow_pickle=True)
    write_voice(tmp_path / "audio/RD_Radio11_000.wav", 1)
    with pytest.raises(UniTalkerError, match=r"RD_Radio11_000\.npy is not a plain"):
        open_source(tmp_path).recordings[0].read()


def test_a_folder_of_something_else_lists_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("sea")
    with pytest.raises(UniTalkerError, match=r"no known layout.*live-link-face"):
        open_source(tmp_path)

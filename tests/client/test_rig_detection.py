"""Shape keys of heads in use are recognised, with a confidence that says how far."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from unitalker_blender.scene.rig_conventions import load_conventions
from unitalker_blender.scene.rig_detection import detect
from unitalker_blender.scene.rig_rows import Row, rows_of

RIGS = Path(__file__).resolve().parents[2] / "assets/rigs"
CONVENTIONS = load_conventions(RIGS)
OVR = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")


def best(*names: str):
    found = detect(names, RIGS)
    return found[0] if found else None


def first_names(convention: str, which: int = 0) -> list[str]:
    spelled = json.loads((RIGS / f"{convention}.json").read_text(encoding="utf-8"))["channels"]
    return [channel["names"][min(which, len(channel["names"]) - 1)] for channel in spelled.values()]


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
def test_a_complete_head_is_recognised_with_certainty(name: str) -> None:
    detection = best(*first_names(name))
    assert detection.convention.name == name
    assert detection.share == 1.0
    assert "100 %" in detection.text()


@pytest.mark.parametrize(
    ("names", "convention", "share"),
    [
        (["viseme_aa", "viseme_PP", "viseme_I", "viseme_O", "viseme_U", "viseme_E"], "oculus", 6 / 15),
        ([f"vrc.v_{name.lower()}" for name in OVR], "oculus", 1.0),
        ([*OVR], "oculus", 1.0),
        (["ah", "ih", "uu", "ee", "oh", "blink_left", "HideBlush"], "vrm", 1.0),
        (["Fcl_MTH_A", "Fcl_MTH_I", "Fcl_MTH_U", "Fcl_MTH_E", "Fcl_MTH_O", "Fcl_EYE_Close"], "vrm", 1.0),
        ([f"Face.M_F00_000_00_Fcl_MTH_{v}" for v in "AIUEO"], "vrm", 1.0),
        ([*"あいうえお", "まばたき"], "mmd", 1.0),
        (["V_Open", "V_Explosive", "V_Dental_Lip", "V_Tight_O", "V_Tight", "V_Wide", "V_Affricate", "V_Lip_Open"],
         "cc_visemes", 1.0),
        (["AU1", "AU2", "AU12", "AU26", "AU25", "AU17", "AU18", "AU20", "AU22", "AU10", "AU15"], "facs", None),
        (["AU12L", "AU12R", "AU26", "AU18"], "facs", None),
        (["AI", "E", "O", "U", "FV", "MBP", "etc", "L", "rest"], "preston_blair", 1.0),
        ([f"A{i:02d}_{n}" for i, n in ((25, "Jaw_Open"), (37, "Mouth_Close"), (14, "Eye_Blink_Left"))],
         "arkit52", 3 / 51),
    ],
)  # fmt: skip
def test_names_in_use(names: list[str], convention: str, share: float | None) -> None:
    detection = best(*names)
    assert detection.convention.name == convention
    if share is not None:
        assert detection.share == pytest.approx(share)


def test_arkit_goes_before_visemes_and_visemes_before_half_of_it() -> None:
    arkit, visemes = first_names("arkit52"), first_names("oculus")
    assert best(*visemes, *arkit).convention.name == "arkit52"
    eyes_only = [name for name in arkit if name.startswith(("eye", "brow"))]
    detection = best(*visemes, *eyes_only)
    assert detection.convention.name == "oculus"
    rows = rows_of(detection, (*visemes, *eyes_only), RIGS)
    assert Row("eyeBlinkLeft", "eyeBlinkLeft") in rows, "blinks come from the ARKit keys beside the visemes"
    assert Row("viseme_aa", "aa") in rows
    assert not any(row.target == "viseme_sil" for row in rows)


@pytest.mark.parametrize(
    "names", [(), ("Key 1", "Key 2"), ("A",), ("smile", "frown"), ("L", "R"), tuple(f"target_{i}" for i in range(15))]
)
def test_other_keys_are_no_face(names: tuple[str, ...]) -> None:
    assert best(*names) is None


def test_what_is_missing_is_said() -> None:
    names = [name for name in first_names("arkit52") if name not in ("jawForward", "mouthClose")]
    detection = best(*names)
    assert detection.missing == ("jawForward", "mouthClose")
    assert detection.text() == "ARKit: 49 of 51 shapes (96 %), without jawForward, mouthClose"


def test_rows_of_vowels_and_eyes() -> None:
    names = ("A", "I", "U", "E", "O", "Blink")
    rows = rows_of(best(*names), names, RIGS)
    assert Row("A", "aa") in rows
    assert [row for row in rows if row.target == "Blink"] == [
        Row("Blink", "eyeBlinkLeft", gain=0.5),
        Row("Blink", "eyeBlinkRight", gain=0.5),
    ]


def test_whole_and_halves_are_not_both_driven() -> None:
    names = ("A", "I", "U", "E", "O", "Blink", "Blink_L", "Blink_R")
    rows = rows_of(best(*names), names, RIGS)
    assert [(row.target, row.source) for row in rows if "Blink" in row.target] == [
        ("Blink_L", "eyeBlinkLeft"),
        ("Blink_R", "eyeBlinkRight"),
    ]


@pytest.mark.parametrize(
    ("file", "convention", "share"),
    [
        ("makehuman_head_arkit_visemes.glb", "arkit52", 1.0),
        ("ict_head_arkit.glb", "arkit52", 1.0),
        ("ict_face_native_names.glb", "ict", 1.0),
        ("godette_named.glb", "vrm", 1.0),
    ],
)
def test_real_heads(shared: Path, file: str, convention: str, share: float) -> None:
    data = (shared / "heads" / file).read_bytes()
    document = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])
    detection = best(*document["meshes"][0]["extras"]["targetNames"])
    assert detection.convention.name == convention
    assert detection.share == share

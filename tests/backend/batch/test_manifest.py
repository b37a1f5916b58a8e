"""Tables of sounds, also as spreadsheets and people write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.batch.conftest import RunBatch, outputs


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def test_rows_have_their_own_names_and_settings(batch: RunBatch, voices: Path, tmp_path: Path) -> None:
    manifest = write(
        voices / "list.csv",
        "audio,output,head,identity,fps,intensity",
        "voice 0.wav,hero/line 1.npz,,,,",
        'voice 1.wav,"villain, old.npz",mesh,two,60,0',
        "voice 2.wav,,,,,",
    )
    ran = batch(manifest, "--fps", "30")
    assert (ran.code, ran.totals) == (0, (3, 0, 0, 0))
    assert list(outputs(tmp_path / "out")) == ["hero/line 1.npz", "villain, old.npz", "voice 2.npz"]
    with np.load(tmp_path / "out" / "villain, old.npz") as data:
        assert (data["fps"], data["values"].shape) == (60, (48, 15))
        assert np.ptp(data["values"], axis=0).max() < 1e-6
    with np.load(tmp_path / "out" / "hero" / "line 1.npz") as data:
        assert data["fps"] == 30


def test_rows_have_presets_of_their_own_and_sliders_on_top(
    batch: RunBatch, speech_folder: Path, bundled_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "whisper.json").write_text('{"regions": {"jaw": 0.3}}')
    voice = speech_folder / "jfk_16k.wav"
    rows = ["plain.npz,,", "broad.npz,broad,", "own.npz,whisper.json,", "still.npz,broad,0"]
    manifest = write(tmp_path / "list.csv", "audio,output,preset,intensity", *(f"{voice},{row}" for row in rows))
    assert batch(manifest, "--model", bundled_model).code == 0
    jaw = {}
    for name in ("plain", "broad", "own", "still"):
        with np.load(tmp_path / "out" / f"{name}.npz") as data:
            jaw[name] = data["values"][:, list(data["names"]).index("jawOpen")].mean()
    assert jaw["still"] < jaw["own"] < jaw["plain"] < jaw["broad"]
    assert batch(manifest, "--model", bundled_model, "--preset", "subtle").totals == (1, 3, 0, 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_as_spreadsheets_save_it(batch: RunBatch, voices: Path, delimiter: str) -> None:
    lines = [
        delimiter.join(cells) for cells in (("audio", "fps"), ("voice 0.wav", "24"), ("", ""), ("voice 1.wav", ""))
    ]
    assert batch(write(voices / "list.csv", *lines, encoding="utf-8-sig")).totals == (2, 0, 0, 0)


def test_one_encoder_pass_serves_the_characters_of_a_row(batch: RunBatch, voices: Path, tmp_path: Path) -> None:
    manifest = write(voices / "list.csv", "audio,identity", "voice 0.wav,one", "voice 1.wav,")
    assert batch(manifest, "--head", "weights", "--head", "mesh").code == 0
    assert list(outputs(tmp_path / "out")) == [
        f"voice {number}.{head}.npz" for number in (0, 1) for head in ("mesh", "weights")
    ]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["sound,fps", "voice 0.wav,25"], "no column audio"),
        (["audio,speed", "voice 0.wav,25"], "not known: 'speed'"),
        (["audio,fps,fps", "voice 0.wav,25,25"], "names a column twice"),
        (["audio"], "names no sound"),
        ([""], "no column audio"),
        (['audio\n"voice 0.wav'], "no CSV"),
    ],
)
def test_a_table_that_is_none_is_refused_whole(
    batch: RunBatch, voices: Path, tmp_path: Path, lines: list[str], text: str
) -> None:
    ran = batch(write(voices / "list.csv", *lines))
    assert ran.code == 1
    assert text in ran.text
    assert not (tmp_path / "out").exists()


def test_a_table_in_another_encoding_is_refused(batch: RunBatch, voices: Path) -> None:
    ran = batch(write(voices / "list.csv", "audio", "Stimme für später.wav", encoding="latin-1"))
    assert ran.code == 1
    assert "UTF-8" in ran.text


def test_bad_rows_are_named_and_the_rest_is_done(batch: RunBatch, voices: Path, tmp_path: Path) -> None:
    (voices / "text.wav").write_text("Dear reader,")
    manifest = write(
        voices / "list.csv",
        "audio,output,head,fps,preset",
        "voice 0.wav",
        "gone.wav",
        "text.wav,,,",
        "voice 1.wav,same.npz,,",
        "voice 2.wav,./same.npz,,",
        "voice 3.wav,,gone,",
        "voice 4.wav,,,fast",
        "voice 4.wav,out.mp4,,",
        "voice 4.wav,take.csv,mesh,",
        "voice 5.wav,,,,,",
        ",,,25",
        "voice 5.wav,preset.npz,,,nonsense",
    )
    ran = batch(manifest)
    assert (ran.code, ran.totals) == (1, (1, 0, 11, 0))
    assert list(outputs(tmp_path / "out")) == ["voice 0.npz"]
    reasons = {item["row"]: item["failure"]["message"] for item in ran.report["items"] if item["failure"]}
    expected = {
        3: "There is no file",
        4: "is not sound",
        5: "The rows 5, 6 have the same output",
        6: "The rows 5, 6 have the same output",
        7: "no head 'gone'",
        8: "Row 8: fps",
        9: "is not a format",
        10: "no ARKit channels",
        11: "Row 11: more cells than columns",
        12: "Row 12: audio",
        13: "no preset",
    }
    assert reasons.keys() == expected.keys()
    for row, text in expected.items():
        assert text in reasons[row]
    assert "Traceback" not in ran.text

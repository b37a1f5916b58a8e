# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""From speech to a data set on disk that the trainer reads, and the teacher behind it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import UniTalkerError
from training.datasets.official import OfficialDataSet
from training.motion_measures.takes import read_takes as measured_takes
from training.synthesis.calibration import label_offset
from training.synthesis.cli import minutes_by_language
from training.synthesis.corpus import CorpusWriter, LabelledSpeech, file_hash, split_of
from training.synthesis.engines import speech_engines
from training.synthesis.engines.base import phones_from_durations
from training.synthesis.engines.espeak import phones_of_events
from training.synthesis.engines.festival import parse_segments
from training.synthesis.engines.flite import Flite, parse_phone_ends
from training.synthesis.engines.kokoro import kokoro_spelling
from training.synthesis.engines.piper import without_blanks
from training.synthesis.not_speech import KINDS, make_not_speech
from training.synthesis.phones import SILENCE
from training.synthesis.phoniser import Unit
from training.synthesis.pipeline import Plan, make_data_set
from training.synthesis.relabel import relabel
from training.synthesis.takes import read_phones, read_takes, symmetric
from training.synthesis.teacher import (
    MotionNet,
    Schedule,
    Teacher,
    evaluate,
    load_teacher,
    occupancy,
    spoken_channels,
    train_teacher,
)
from training.synthesis.text import Sentence, listed_sentences
from training.synthesis.timeline import Phone, Utterance

NAMES = (
    *("eyeBlinkLeft", "jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthRollLower"),
    *(n + s for n in ("mouthStretch", "mouthLowerDown", "mouthUpperUp", "mouthPress") for s in ("Left", "Right")),
)
JAW, CLOSE = 1, 2
ENGINES = speech_engines()


def ajar_teacher(opening: float = 0.4) -> Teacher:
    """A teacher that has learned nothing but to hold the jaw open."""
    torch.manual_seed(0)
    spoken = [name for name, used in zip(NAMES, spoken_channels(NAMES), strict=True) if used]
    net = MotionNet(len(spoken), 3)
    with torch.no_grad():
        net.head.bias.zero_()
        net.head.bias[spoken.index("jawOpen")] = opening
    return Teacher([net], [3], NAMES, 25.0)


def speech(name: str, identity: str = "synthetic_x_y", frames: int = 50) -> LabelledSpeech:
    rng = np.random.default_rng(frames)
    audio = rng.uniform(-0.5, 0.5, frames * 640).astype(np.float32)
    motion = rng.random((frames, len(NAMES)), np.float32)
    phones = (Phone(0, 0.5, "SIL"), Phone(0.5, 1.0, "p"), Phone(1.0, 2.0, "ø"))
    return LabelledSpeech(name, identity, "Pö.", "de", audio, motion, phones)


def test_what_is_written_is_what_the_trainer_reads(tmp_path: Path) -> None:
    writer = CorpusWriter(tmp_path / "S", NAMES, 25.0)
    clips = [speech(f"clip{i}", f"synthetic_x_{i % 3}", 50 + i) for i in range(40)]
    for clip in clips:
        writer.add(clip)
    writer.finish({"seed": 1})
    data = OfficialDataSet(tmp_path / "S")
    read = {clip.name: clip for split in ("train", "val") for clip in data.clips(split)}
    assert data.identities == ("synthetic_x_0", "synthetic_x_1", "synthetic_x_2")
    assert data.annotation.names == NAMES and data.annotation.type_name == "mediapipe_blendshape_weight"
    assert set(data.clip_names("val")) == {clip.name for clip in clips if split_of(clip.name) == "val"} != set()
    for clip in clips:
        assert read[clip.name].identity == clip.identity
        np.testing.assert_array_equal(read[clip.name].motion, clip.motion)
        np.testing.assert_allclose(read[clip.name].audio, clip.audio, atol=1 / 32768)
    assert read_phones(tmp_path / "S" / "audio" / "phones.json")["clip3"] == clips[3].phones
    assert all(take.voice.phones for take in measured_takes(tmp_path / "S", ("train", "val")))


def test_nobody_is_tested_who_was_not_trained_on(tmp_path: Path) -> None:
    held_out = [name for name in (f"clip{i}" for i in range(200)) if split_of(name) == "val"][:4]
    writer = CorpusWriter(tmp_path / "S", NAMES, 25.0)
    for i, name in enumerate(held_out):
        writer.add(speech(name, "one" if i == 0 else "several"))
    writer.finish({})
    data = OfficialDataSet(tmp_path / "S")
    assert data.clip_names("train") == held_out[:2] and data.clip_names("val") == held_out[2:]


def test_the_manifest_names_every_file_by_its_hash(tmp_path: Path) -> None:
    writer = CorpusWriter(tmp_path / "S", NAMES, 25.0)
    writer.add(speech("one"))
    writer.finish({"seed": 7})
    manifest = json.loads((tmp_path / "S" / "manifest.json").read_text("utf-8"))
    assert manifest["seed"] == 7 and manifest["clips"][0]["text"] == "Pö."
    assert manifest["clips"][0]["audio_sha256"] == file_hash(tmp_path / "S" / "audio" / "one.flac")


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x", "utf-8")
    with pytest.raises(UniTalkerError, match="not empty"):
        CorpusWriter(tmp_path, NAMES, 25.0)


@pytest.fixture
def needs_flite() -> None:
    if missing := ENGINES["flite"].missing():
        pytest.skip(f"needs {missing}")


@pytest.mark.usefixtures("needs_flite")
def test_spoken_sentences_close_their_labials_and_rest_in_silence(tmp_path: Path) -> None:
    sentences = ["Bob may buy five more maps.", "People move above the big valley."]
    (tmp_path / "text").write_text("\n\n".join(sentences), "utf-8")
    plan = Plan({"en": 0.3}, engines=("flite",), text=tmp_path / "text")
    make_data_set(plan, ajar_teacher(), tmp_path / "S", lambda _: None)
    data, timelines = OfficialDataSet(tmp_path / "S"), read_phones(tmp_path / "S" / "audio" / "phones.json")
    clips = [clip for split in ("train", "val") for clip in data.clips(split)]
    assert sum(len(clip.audio) for clip in clips) / 16000 >= 12
    closures = 0
    for clip in clips:
        gap, times = clip.motion[:, JAW] - clip.motion[:, CLOSE], np.arange(len(clip.motion)) / 25
        assert not clip.motion[0].any() and not clip.motion[-1].any()
        assert gap.max() > 0.2
        for phone in timelines[clip.name]:
            if phone.symbol in "pbm":
                closures += 1
                assert gap[(times > phone.start - 0.02) & (times < phone.end + 0.02)].min() < 1e-6
    assert closures > 10


@pytest.mark.usefixtures("needs_flite")
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, teacher = Plan({"en": 1.0}, engines=("flite",)), ajar_teacher()
    make_data_set(plan, teacher, tmp_path / "whole", lambda _: None)
    spoken: list[str] = []
    speak = Flite.synthesise

    def stop_on_the_way(engine: Flite, sentence: Sentence, voice: str, rng: np.random.Generator) -> Utterance:
        spoken.append(sentence.text)
        if len(spoken) == 14:
            raise KeyboardInterrupt
        return speak(engine, sentence, voice, rng)

    monkeypatch.setattr(Flite, "synthesise", stop_on_the_way)
    with pytest.raises(KeyboardInterrupt):
        make_data_set(plan, teacher, tmp_path / "S", lambda _: None)
    begun = sorted(file.name for file in (tmp_path / "S" / "audio").iterdir())
    assert begun and not (tmp_path / "S" / "manifest.json").exists()
    with pytest.raises(UniTalkerError, match="other settings"):
        make_data_set(dataclasses.replace(plan, seed=1), teacher, tmp_path / "S", lambda _: None)
    make_data_set(plan, teacher, tmp_path / "S", lambda _: None)
    monkeypatch.undo()
    for name in ("manifest.json", "audio/phones.json", "train.json"):
        resumed, whole = ((tmp_path / folder / name).read_text("utf-8") for folder in ("S", "whole"))
        assert resumed.replace('"dataset": "S"', '"dataset": "whole"') == whole
    assert len(begun) < len(list((tmp_path / "S" / "audio").iterdir()))


# Neural voices take seconds for a sentence.
SPEAKERS = [
    pytest.param(name, language, marks=pytest.mark.slow if name == "kokoro" and language not in ("en", "zh") else ())
    for name, engine in ENGINES.items()
    for language in engine.languages
]


@pytest.mark.parametrize(("name", "language"), SPEAKERS)
def test_phone_labels_fit_the_sound(name: str, language: str) -> None:
    engine, rng = ENGINES[name], np.random.default_rng(0)
    if missing := engine.missing():
        pytest.skip(f"{name} needs {missing}")
    sentences, voices = listed_sentences(language, rng)[:6], engine.voices(language)
    utterances = [engine.synthesise(s, voices[i % len(voices)], rng) for i, s in enumerate(sentences)]
    offset = label_offset(utterances)
    assert abs(offset) <= 0.03
    late = [
        dataclasses.replace(u, phones=tuple(Phone(p.start + 0.06, p.end + 0.06, p.symbol) for p in u.phones))
        for u in utterances
    ]
    assert label_offset(late) - offset == pytest.approx(0.06, abs=0.011)


def test_missing_engines_are_named_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flite, "missing", lambda _: "Debian package flite")
    with pytest.raises(UniTalkerError, match="flite cannot speak") as caught:
        make_data_set(Plan({"en": 0.1}, engines=("flite",)), ajar_teacher(), tmp_path / "S", lambda _: None)
    assert "Debian package flite" in str(caught.value.hint)
    assert not (tmp_path / "S").exists()


@pytest.mark.parametrize(("language", "said"), [("tlh", "No speech can be made"), ("fr", "None of the engines")])
def test_languages_that_nothing_speaks_are_refused(language: str, said: str, tmp_path: Path) -> None:
    engine = next((name for name in ("flite", "piper") if ENGINES[name].missing() is None), None)
    if engine is None:
        pytest.skip("needs flite or piper")
    with pytest.raises(UniTalkerError, match=said):
        make_data_set(Plan({language: 0.1}, engines=(engine,)), ajar_teacher(), tmp_path / "S", lambda _: None)


def test_minutes_of_languages_are_read() -> None:
    assert minutes_by_language("en:20,zh, es:0.5", 4) == {"en": 20, "zh": 4, "es": 0.5}
    with pytest.raises(UniTalkerError, match="no minutes"):
        minutes_by_language("en:many", 4)


def test_espeak_events_become_phones() -> None:
    events = [(0.0, "tɕh"), (0.1, "onɡ"), (0.3, ""), (0.32, "s."), (0.4, "i."), (0.5, ""), (0.8, "")]
    phones = phones_of_events(events, 0.9, "zh")
    assert [p.symbol for p in phones] == ["tɕ", "ʊ", "ŋ", "ʂ", "ɨ", SILENCE, SILENCE]
    assert phones[2].end == 0.32, "a short gap is the closure before the next sound"


def test_the_russian_phone_set_becomes_ipa() -> None:
    phones = parse_segments("pau 0.2\nbb 0.3\nyy 0.35\nsch 0.5\n")
    assert phones == (Phone(0, 0.2, "SIL"), Phone(0.2, 0.3, "bʲ"), Phone(0.3, 0.35, "ɨ"), Phone(0.35, 0.5, "ɕ"))
    with pytest.raises(ValueError, match="'qq'"):
        parse_segments("qq 0.1")


def test_kokoro_blends_the_voices_of_a_language(tmp_path: Path) -> None:
    for voice in ("af_heart", "bm_george", "zf_xiaoyi", "af_nicole"):
        (tmp_path / f"{voice}.bin").write_bytes(bytes(1024))
    kokoro = speech_engines(tmp_path)["kokoro"]
    assert kokoro.voices("zh") == ("zf_xiaoyi",)
    assert kokoro.voices("en") == ("af_heart", "bm_george", "af_heart-bm_george")
    assert set(kokoro.voices("ru")) == set(kokoro.voices("en")), "Russian is spoken by borrowed voices"
    assert "kokoro-js" in str(speech_engines(tmp_path / "nowhere")["kokoro"].missing())


def test_flite_phone_ends_become_phones() -> None:
    assert parse_phone_ends("pau:0.2 b:0.3 ax:0.35") == (
        Phone(0, 0.2, "SIL"),
        Phone(0.2, 0.3, "b"),
        Phone(0.3, 0.35, "ə"),
    )


def test_token_durations_become_phones() -> None:
    units = [Unit("b", "b"), Unit("", " "), Unit("ɑɹ", "ɑːɹ", "ˈ")]
    phones = phones_from_durations(units, [1, 1, 4], np.array([0.1, 0.05, 0.1, 0.1, 0.1, 0.1]), 0.0)
    assert [p.symbol for p in phones] == ["b", "ɑ", "ɹ"]
    np.testing.assert_allclose([(p.start, p.end) for p in phones], [(0, 0.15), (0.15, 0.35), (0.35, 0.55)])
    with pytest.raises(ValueError, match="6 tokens"):
        phones_from_durations(units, [1, 1, 4], np.zeros(5), 0.0)


def test_piper_blanks_are_shared_by_their_neighbours() -> None:
    np.testing.assert_allclose(without_blanks(np.array([1.0, 0.4, 2.0, 0.2, 3.0])), [1.2, 2.3, 3.1])


def test_kokoro_writes_diphthongs_and_tones_its_own_way() -> None:
    assert kokoro_spelling(Unit("eɪ", "eɪ", "ˈ"), "en") == "ˈA"
    assert kokoro_spelling(Unit("ɜ", "ɜː"), "en") == "ɜɹ"
    assert kokoro_spelling(Unit("a", "a4"), "zh") == "a↘"


def test_occupancy_tells_the_halves_of_a_frame_apart() -> None:
    features = occupancy((Phone(0.4, 0.8, "i"),), 25, 25.0).reshape(25, 2, -1)
    silence = features[..., 0]
    assert silence[10].tolist() == [1, 0] and silence[20].tolist() == [0, 1]
    assert (silence[:10] == 1).all() and (silence[11:20] == 0).all()


def test_a_saved_teacher_moves_as_before(tmp_path: Path) -> None:
    teacher, phones = ajar_teacher(), (Phone(0, 0.5, "b"), Phone(0.5, 1, "aɪ"))
    teacher.save(tmp_path / "teacher.safetensors")
    motion = load_teacher(tmp_path / "teacher.safetensors")(phones, 25)
    np.testing.assert_array_equal(motion, teacher(phones, 25))
    assert not motion[:, 0].any()
    (tmp_path / "other.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UniTalkerError, match="cannot be read as a teacher"):
        load_teacher(tmp_path / "other.safetensors")


def test_crooked_smiles_become_even() -> None:
    names = ("jawLeft", "jawRight", "mouthSmileLeft", "mouthSmileRight", "jawOpen")
    even = symmetric(np.array([[0.2, 0.0, 0.4, 0.2, 0.5]], np.float32), names)
    np.testing.assert_allclose(even, [[0, 0, 0.3, 0.3, 0.5]], rtol=1e-6)


def test_the_teacher_learns_real_motion(shared: Path) -> None:
    torch.set_num_threads(1)
    takes = read_takes(shared / "bench/G1_grid_arkit", shared / "bench/audio_grid_s1/phones.json")
    few = dataclasses.replace(takes, train=takes.train[:160])
    teacher = train_teacher(few, Schedule(epochs=6, kernels=(5,)), lambda _: None)
    correlation = evaluate(lambda take: teacher(take.phones, len(take.motion)), takes.val, takes.names)
    assert correlation["aperture"] > 0.7 and correlation["jawOpen"] > 0.7
    silence = teacher((Phone(0, 2, "SIL"),), 50)[:, takes.names.index("jawOpen")]
    assert np.abs(silence).max() < 0.1


def test_takes_without_phone_times_are_refused(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text('{"other": [[0, 1, "SIL", ""]]}', "utf-8")
    with pytest.raises(UniTalkerError, match="No clip"):
        read_takes(shared / "bench/G1_grid_arkit", tmp_path / "phones.json")
    (tmp_path / "phones.json").write_text('{"other": [[0, 1, "QQ", ""]]}', "utf-8")
    with pytest.raises(UniTalkerError, match="QQ"):
        read_phones(tmp_path / "phones.json")


def test_in_music_breath_and_crowds_everybody_rests(tmp_path: Path) -> None:
    for folder, people in (("A", "xy"), ("B", "yz")):
        writer = CorpusWriter(tmp_path / folder, NAMES, 25.0)
        for i in range(8):
            writer.add(speech(f"clip{i}", people[i % 2], 50 + i))
        writer.finish({})
    made = make_not_speech(tmp_path / "S1", [tmp_path / "A", tmp_path / "B"], 4.0, 0)
    data = OfficialDataSet(tmp_path / "S1")
    clips = [clip for split in ("train", "val") for clip in data.clips(split)]
    assert {clip.identity for clip in clips} == {"x", "y", "z"}
    assert data.annotation.names == NAMES
    assert all(made[kind] > 0.15 for kind in KINDS) and sum(made.values()) >= 4.0
    assert not any(clip.motion.any() for clip in clips)
    assert all(0 < np.abs(clip.audio).max() <= 1 for clip in clips)
    assert all(
        phone.symbol == SILENCE
        for line in read_phones(tmp_path / "S1" / "audio" / "phones.json").values()
        for phone in line
    )


def test_people_of_other_faces_do_not_rest_together(tmp_path: Path) -> None:
    for folder, names in (("A", NAMES), ("B", NAMES[::-1])):
        writer = CorpusWriter(tmp_path / folder, names, 25.0)
        writer.add(speech("clip"))
        writer.finish({})
    with pytest.raises(UniTalkerError, match="has not the blendshape channels"):
        make_not_speech(tmp_path / "S1", [tmp_path / "A", tmp_path / "B"], 1.0, 0)


@pytest.mark.usefixtures("needs_flite")
def test_another_teacher_labels_the_same_speech(tmp_path: Path) -> None:
    make_data_set(Plan({"en": 0.1}, engines=("flite",)), ajar_teacher(), tmp_path / "S", lambda _: None)
    before = {clip.name: clip for clip in OfficialDataSet(tmp_path / "S").clips("train")}
    assert relabel(tmp_path / "S", ajar_teacher()) == len(before)
    for clip in OfficialDataSet(tmp_path / "S").clips("train"):
        np.testing.assert_allclose(clip.motion, before[clip.name].motion, atol=0.02, err_msg="times have milliseconds")
    wide = ajar_teacher(0.8)
    relabel(tmp_path / "S", wide)
    for clip in OfficialDataSet(tmp_path / "S").clips("train"):
        assert clip.motion[:, JAW].max() > 1.5 * before[clip.name].motion[:, JAW].max()
        np.testing.assert_array_equal(clip.audio, before[clip.name].audio)
    manifest = json.loads((tmp_path / "S" / "manifest.json").read_text("utf-8"))
    for entry in manifest["clips"]:
        assert entry["motion_sha256"] == file_hash(tmp_path / "S" / "clips" / f"{entry['name']}.npy")

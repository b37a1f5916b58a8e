"""From a plan to a labelled data set: sentences → engines → phones → teacher → rules → corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from training.config import Silence
from training.silence import quiet_spans, speech_weight
from training.synthesis.calibration import SIBILANTS, label_offset
from training.synthesis.corpus import CorpusWriter, LabelledSpeech
from training.synthesis.engines import speech_engines
from training.synthesis.engines.base import Engine
from training.synthesis.languages import ESPEAK_VOICES
from training.synthesis.rules import Articulator
from training.synthesis.teacher import Report, Teacher
from training.synthesis.text import SENTENCES_LICENCE, Sentence, english_sentences, listed_sentences
from training.synthesis.timeline import Phone, Timeline, Utterance, track, with_silences

# Natural voices say most; what is always there and exact, but sounds like a machine, says the least.
SHARES = {"kokoro": 0.5, "flite": 0.2, "piper": 0.15, "festival": 0.35, "espeak": 0.2}

_PAUSE = (0.3, 0.7)
_PAUSE_LEVEL = 1e-4
_SILENCE = Silence(floor_margin=0.0)
_SPEECH_LEVEL_DB, _HIGHEST_PEAK = -23.0, 0.95
_LONGEST_CLIP = 19.0
_LARGEST_OFFSET = 0.03
_CALIBRATION_UTTERANCES = 12
_MOST_SKIPPED = 0.05


@dataclass(frozen=True)
class Plan:
    """What to make.

    Attributes:
        minutes: of speech, by language.
        engines: names of those that may speak; ``None`` for all that are installed.
        text: file or folder of English sentences to use in addition to the own list.
        kokoro_voices: see `speech_engines`.
        seed: of sentences, voices and speeds.
    """

    minutes: dict[str, float]
    engines: tuple[str, ...] | None = None
    text: Path | None = None
    kokoro_voices: Path | None = None
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        """Everything that decides what comes out, as plain data."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Job:
    """Minutes of one language by one engine."""

    engine: Engine
    language: str
    minutes: float
    sentences: Sequence[Sentence]

    @property
    def name(self) -> str:
        """For journal and messages."""
        return f"{self.engine.name}, {self.language}"


class Labeller:
    """Gives speech its motion.

    Args:
        teacher: gives the motion of a timeline.
    """

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self._articulate = Articulator(teacher.names, teacher.fps)

    def __call__(self, utterance: Utterance, name: str, identity: str, sentence: Sentence) -> LabelledSpeech:
        """A clip of an utterance, cut to whole frames; where nobody speaks the motion is 0."""
        fps = self._teacher.fps
        frames = int(len(utterance.samples) * fps / SAMPLE_RATE)
        audio = utterance.samples[: round(frames * SAMPLE_RATE / fps)]
        phones = with_silences(utterance.phones, quiet_spans(audio, _SILENCE), len(audio) / SAMPLE_RATE)
        motion = self.motion(phones, audio, frames)
        return LabelledSpeech(name, identity, sentence.text, sentence.language, audio, motion, phones)

    def motion(self, phones: Timeline, audio: np.ndarray, frames: int) -> np.ndarray:
        """float32 (frames, channels) of speech whose timeline covers all of its sound."""
        motion = self._articulate(self._teacher(phones, frames), track(phones))
        spoken: np.ndarray = motion * speech_weight(audio, frames, self._teacher.fps, _SILENCE)[:, None]
        return spoken


def make_data_set(plan: Plan, teacher: Teacher, folder: Path, report: Report) -> None:
    """Writes the data set of a plan, or goes on where an interrupted run of the same plan and teacher stopped.

    Args:
        plan: what to make.
        teacher: labels it.
        folder: new or empty, or of the interrupted run.
        report: told the progress in words.

    Raises:
        UniTalkerError: an engine or text is missing, an engine's phone times do not fit its sound, or an engine
            fails on more than one sentence in twenty.
    """
    jobs = jobs_of(plan, report)
    settings = {**plan.settings(), "teacher": teacher.provenance}
    writer = CorpusWriter(folder, teacher.names, teacher.fps, settings)
    labeller = Labeller(teacher)
    done = {entry["name"]: entry["offset"] for entry in writer.journal.find("job")}
    for job in jobs:
        if job.name not in done:
            speech = _Speech(job, plan.seed)
            done[job.name] = speech.checked_offset()
            for clip in _clips(job, speech, labeller, writer):
                writer.add(clip)
            writer.journal.add({"job": {"name": job.name, "offset": done[job.name]}})
        report(f"{job.name}: {writer.total_seconds / 60:.1f} of {sum(plan.minutes.values()):.1f} minutes")
    skipped = writer.journal.find("skipped")
    sources = _sources(plan, jobs, done)
    writer.finish({"seed": plan.seed, **sources, "skipped": skipped, "teacher": teacher.provenance})


def jobs_of(plan: Plan, report: Report) -> list[Job]:
    """The jobs of a plan, fast engines first.

    Raises:
        UniTalkerError: an engine is not known or not installed, or nothing speaks a language.
    """
    engines = _usable(plan, report)
    rng = np.random.default_rng(plan.seed)
    jobs = [job for language in plan.minutes for job in _jobs_in(language, plan, engines, rng)]
    return sorted(jobs, key=lambda job: engines.index(job.engine))


def _jobs_in(language: str, plan: Plan, engines: Sequence[Engine], rng: np.random.Generator) -> Iterator[Job]:
    if language not in ESPEAK_VOICES:
        known = ", ".join(ESPEAK_VOICES)
        raise UniTalkerError("synthesis.language", f"No speech can be made in {language!r}.", f"Use {known}.")
    speakers = [engine for engine in engines if language in engine.languages]
    if not speakers:
        raise UniTalkerError("synthesis.language", f"None of the engines that may be used speaks {language!r}.")
    sentences = listed_sentences(language, rng)
    if language == "en" and plan.text:
        sentences += english_sentences(plan.text, rng)
    whole = sum(SHARES[engine.name] for engine in speakers)
    for i, engine in enumerate(speakers):
        # Each begins elsewhere in the list, so that all of it is spoken even where there is little time.
        start = i * len(sentences) // len(speakers)
        share = SHARES[engine.name] / whole
        yield Job(engine, language, plan.minutes[language] * share, sentences[start:] + sentences[:start])


def between_pauses(utterance: Utterance, rng: np.random.Generator) -> Utterance:
    """The utterance at a common level with a short pause of faint noise before and after it."""
    before, after = (round(SAMPLE_RATE * rng.uniform(*_PAUSE)) for _ in range(2))
    spoken = utterance.samples
    loudness = np.sqrt(np.mean(spoken.astype(np.float64) ** 2))
    gain = min(10 ** (_SPEECH_LEVEL_DB / 20) / max(loudness, 1e-9), _HIGHEST_PEAK / max(np.abs(spoken).max(), 1e-9))
    samples = np.pad(spoken * gain, (before, after)) + rng.normal(0, _PAUSE_LEVEL, before + len(spoken) + after)
    shift = before / SAMPLE_RATE
    phones = tuple(Phone(p.start + shift, p.end + shift, p.symbol) for p in utterance.phones)
    return Utterance(samples.astype(np.float32), phones, utterance.voice)


def _usable(plan: Plan, report: Report) -> list[Engine]:
    engines = speech_engines(plan.kokoro_voices)
    unknown = [name for name in plan.engines or () if name not in engines]
    if unknown:
        raise UniTalkerError("synthesis.engine", f"There is no engine {unknown[0]!r}.", f"Use {', '.join(engines)}.")
    usable = []
    for name, engine in engines.items():
        if plan.engines is not None and name not in plan.engines:
            continue
        missing = engine.missing()
        if missing is None:
            usable.append(engine)
        elif plan.engines is None:
            report(f"{name} is left out: it needs the {missing}")
        else:
            raise UniTalkerError("synthesis.missing_package", f"{name} cannot speak.", f"It needs the {missing}.")
    return usable


class _Speech:
    """The utterances of a job, each said once although the first serve to check the engine's timing as well."""

    def __init__(self, job: Job, seed: int) -> None:
        self._job, self._seed = job, seed
        self._voices = job.engine.voices(job.language)
        self._kept: dict[int, Utterance] = {}

    def sentence(self, number: int) -> Sentence:
        """What is said in the clip of this number."""
        return self._job.sentences[number % len(self._job.sentences)]

    def voice(self, number: int) -> str:
        """Who says it."""
        return self._voices[number % len(self._voices)]

    def utterance(self, number: int) -> Utterance:
        """The clip's sound and phones.

        Raises:
            ValueError: a phone has no known articulation.
        """
        if number in self._kept:
            return self._kept.pop(number)
        rng = np.random.default_rng([self._seed, number])
        spoken = self._job.engine.synthesise(self.sentence(number), self.voice(number), rng)
        return between_pauses(spoken, rng)

    def checked_offset(self) -> float | None:
        """Offset of the phone labels in seconds; ``None`` if no sibilant is there to measure it with.

        Raises:
            UniTalkerError: they do not fit the sound.
        """
        for number in range(_CALIBRATION_UTTERANCES):
            with suppress(ValueError):  # reported when it is this clip's turn
                self._kept[number] = self.utterance(number)
        utterances = list(self._kept.values())
        if not any(phone.symbol in SIBILANTS for utterance in utterances for phone in utterance.phones):
            return None
        offset = label_offset(utterances)
        if abs(offset) > _LARGEST_OFFSET:
            raise UniTalkerError(
                "synthesis.timing",
                f"The phone labels of {self._job.name} are {1000 * offset:.0f} ms off its sound.",
                "This version of the voice behaves differently; correct the offset in its module.",
            )
        return offset


def _clips(job: Job, speech: _Speech, labeller: Labeller, writer: CorpusWriter) -> Iterator[LabelledSpeech]:
    """The clips of a job that are not written yet."""
    skipped = {entry["name"] for entry in writer.journal.find("skipped")}
    seconds, failures = 0.0, 0
    for i in count():
        if seconds >= 60 * job.minutes:
            return
        sentence, voice = speech.sentence(i), speech.voice(i)
        name = f"{job.engine.name}_{voice}_{job.language}_{i:05d}"
        if (known := writer.seconds_of(name)) is not None or name in skipped:
            seconds += known or 0.0
            continue
        try:
            utterance = speech.utterance(i)
            clip = labeller(utterance, name, f"synthetic_{job.engine.name}_{voice}", sentence)
        except ValueError as error:
            writer.journal.add({"skipped": {"name": name, "text": sentence.text, "reason": str(error)}})
            failures += 1
            if failures > max(3, _MOST_SKIPPED * (i + 1)):
                raise UniTalkerError(
                    "synthesis.phones", f"{job.engine.name} says {sentence.text!r} with unknown phones: {error}."
                ) from error
            continue
        if utterance.duration <= _LONGEST_CLIP:
            seconds += len(clip.audio) / SAMPLE_RATE
            yield clip


def _sources(plan: Plan, jobs: Sequence[Job], offsets: dict[str, float | None]) -> dict[str, Any]:
    """What the manifest says of engines and texts."""
    engines: dict[str, Any] = {}
    for job in jobs:
        source = job.engine.source
        described = {"voices": source.title, "licence": source.licence, "origin": source.origin}
        entry = engines.setdefault(job.engine.name, {**described, "label_offset_seconds": {}})
        entry["label_offset_seconds"][job.language] = offsets[job.name]
    texts = dict.fromkeys(plan.minutes, SENTENCES_LICENCE)
    if plan.text and "en" in texts:
        texts["en"] += f"; {plan.text.name}: licence as its owner says"
    return {"engines": engines, "texts": texts}

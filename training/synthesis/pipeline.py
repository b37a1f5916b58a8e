"""From a plan to a labelled data set: sentences → engines → phones → teacher → rules → corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from training.config import Silence
from training.silence import quiet_spans, speech_weight
from training.synthesis.calibration import label_offset
from training.synthesis.corpus import CorpusWriter, LabelledSpeech
from training.synthesis.engines import ENGINES
from training.synthesis.engines.base import Engine
from training.synthesis.rules import Articulator
from training.synthesis.teacher import Report, Teacher
from training.synthesis.text import FORTUNES, FORTUNES_LICENCE, Sentence, english_sentences, listed_sentences
from training.synthesis.timeline import Phone, Utterance, track, with_silences

ENGLISH_SHARES = {"flite": 0.36, "piper": 0.25, "kokoro": 0.39}
FOREIGN_ENGINE = "kokoro"

_PAUSE = (0.3, 0.7)
_PAUSE_LEVEL = 1e-4
_SILENCE = Silence(floor_margin=0.0)
_SPEECH_LEVEL_DB, _HIGHEST_PEAK = -23.0, 0.95
_LONGEST_CLIP = 19.0
_LARGEST_OFFSET = 0.02
_CALIBRATION_UTTERANCES = 24
_MOST_SKIPPED = 0.05


@dataclass(frozen=True)
class Plan:
    """What to make.

    Attributes:
        minutes: of English speech, shared out over the engines by `shares`.
        shares: engine → part of the English minutes.
        languages: language → minutes; spoken by Kokoro.
        text: file or folder of English sentences.
        seed: of sentences, voices and speeds.
    """

    minutes: float
    shares: dict[str, float] = field(default_factory=lambda: dict(ENGLISH_SHARES))
    languages: dict[str, float] = field(default_factory=dict)
    text: Path = FORTUNES
    seed: int = 0


@dataclass(frozen=True)
class Job:
    """Minutes of one language by one engine."""

    engine: Engine
    language: str
    minutes: float
    sentences: Sequence[Sentence]


class Labeller:
    """Turns utterances into clips with motion.

    Args:
        teacher: gives the motion of a timeline.
    """

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self._articulate = Articulator(teacher.names, teacher.fps)

    def __call__(self, utterance: Utterance, name: str, identity: str, sentence: Sentence) -> LabelledSpeech:
        """The clip, cut to whole frames; where nobody speaks the motion is 0."""
        fps = self._teacher.fps
        frames = int(len(utterance.samples) * fps / SAMPLE_RATE)
        audio = utterance.samples[: round(frames * SAMPLE_RATE / fps)]
        spans = quiet_spans(audio, _SILENCE)
        phones = with_silences(utterance.phones, spans, len(audio) / SAMPLE_RATE)
        motion = self._articulate(self._teacher(phones, frames), track(phones))
        motion *= speech_weight(audio, frames, fps, _SILENCE)[:, None]
        return LabelledSpeech(name, identity, sentence.text, sentence.language, audio, motion, phones)


def make_data_set(plan: Plan, teacher: Teacher, folder: Path, provenance: dict[str, Any], report: Report) -> None:
    """Writes the data set of a plan.

    Args:
        plan: what to make.
        teacher: labels it.
        folder: new or empty.
        provenance: added to the manifest, e.g. what the teacher was trained on.
        report: told the progress in words.

    Raises:
        UniTalkerError: an engine or text is missing, an engine's phone times do not fit its sound, or an engine
            fails on more than one sentence in twenty.
    """
    writer, labeller = CorpusWriter(folder, teacher.names, teacher.fps), Labeller(teacher)
    engines: dict[str, Any] = {}
    skipped: list[dict[str, str]] = []
    for job in jobs_of(plan):
        offset = _checked_offset(job, plan.seed) if job.language == "en" else None
        for clip in _clips(job, labeller, plan.seed, skipped):
            writer.add(clip)
        source = job.engine.source
        engines.setdefault(
            job.engine.name,
            {
                "voices": source.title,
                "licence": source.licence,
                "origin": source.origin,
                "label_offset_seconds": offset,
            },
        )
        report(f"{job.engine.name}, {job.language}: {sum(writer.seconds.values()) / 60:.1f} minutes so far")
    english = f"{plan.text.name}: {FORTUNES_LICENCE if plan.text == FORTUNES else 'licence as its owner says'}"
    texts = {"en": english, **dict.fromkeys(plan.languages, "sentences of this project, GPL-3.0-or-later")}
    writer.finish({"seed": plan.seed, "engines": engines, "texts": texts, "skipped": skipped, **provenance})


def jobs_of(plan: Plan) -> Iterator[Job]:
    """The jobs of a plan, each English engine with its own part of the sentences.

    Raises:
        UniTalkerError: an engine is not known.
    """
    rng = np.random.default_rng(plan.seed)
    english = english_sentences(plan.text, rng)
    unknown = [name for name in plan.shares if name not in ENGINES]
    if unknown:
        raise UniTalkerError("synthesis.engine", f"There is no engine {unknown[0]!r}.", f"Use {', '.join(ENGINES)}.")
    for i, (name, share) in enumerate(plan.shares.items()):
        if share > 0:
            yield Job(ENGINES[name](), "en", plan.minutes * share, english[i :: len(plan.shares)])
    for language, minutes in plan.languages.items():
        yield Job(ENGINES[FOREIGN_ENGINE](), language, minutes, listed_sentences(language, rng))


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


def _clips(job: Job, labeller: Labeller, seed: int, skipped: list[dict[str, str]]) -> Iterator[LabelledSpeech]:
    engine, seconds, failures = job.engine, 0.0, 0
    for i in count():
        if seconds >= 60 * job.minutes:
            return
        sentence, voice = job.sentences[i % len(job.sentences)], engine.voices[i % len(engine.voices)]
        rng = np.random.default_rng([seed, i])
        try:
            utterance = between_pauses(engine.synthesise(sentence, voice, rng), rng)
            name = f"{engine.name}_{voice}_{job.language}_{i:05d}"
            clip = labeller(utterance, name, f"synthetic_{engine.name}_{voice}", sentence)
        except ValueError as error:
            skipped.append({"text": sentence.text, "engine": engine.name, "reason": str(error)})
            failures += 1
            if failures > max(3, _MOST_SKIPPED * (i + 1)):
                raise UniTalkerError(
                    "synthesis.phones", f"{engine.name} says {sentence.text!r} with unknown phones: {error}."
                ) from error
            continue
        if utterance.duration <= _LONGEST_CLIP:
            seconds += utterance.duration
            yield clip


def _checked_offset(job: Job, seed: int) -> float:
    rng = np.random.default_rng(seed)
    voices = job.engine.voices
    utterances = [
        job.engine.synthesise(sentence, voices[i % len(voices)], rng)
        for i, sentence in enumerate(job.sentences[:_CALIBRATION_UTTERANCES])
    ]
    offset = label_offset(utterances)
    if abs(offset) > _LARGEST_OFFSET:
        raise UniTalkerError(
            "synthesis.timing",
            f"The phone labels of {job.engine.name} are {1000 * offset:.0f} ms off its sound.",
            "This version of the voice behaves differently; correct the offset in its module.",
        )
    return offset

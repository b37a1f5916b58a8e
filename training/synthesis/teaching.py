"""Where the teacher of a run comes from, and how well it speaks."""

from __future__ import annotations

from pathlib import Path

from backend.errors import UniTalkerError
from training.synthesis.corpus import file_hash
from training.synthesis.rules import Articulator
from training.synthesis.takes import Takes, read_takes
from training.synthesis.teacher import Report, Schedule, Teacher, evaluate, load_teacher, train_teacher
from training.synthesis.timeline import track

_SHOWN = ("aperture", "jawOpen", "mouthClose", "mouthPucker", "mouthFunnel")


def prepare_teacher(
    takes: Path | None, phones: Path | None, teacher: Path | None, seed: int, report: Report
) -> Teacher:
    """A teacher read from a file or trained on real takes; its provenance is for the manifest.

    Args:
        takes: official data set of blendshape weights, with
        phones: the phone times of its clips.
        teacher: file of an earlier run; takes precedence.
        seed: of the training.
        report: told the progress in words.

    Raises:
        UniTalkerError: neither is given, or a file is wrong.
    """
    if teacher is not None:
        loaded = load_teacher(teacher)
        loaded.provenance = {**loaded.provenance, "sha256": file_hash(teacher)}
        return loaded
    if takes is None or phones is None:
        raise UniTalkerError(
            "synthesis.teacher",
            "Nothing says how faces move.",
            "Give --takes and --phones, or --teacher with the teacher.safetensors of an earlier run.",
        )
    recorded = read_takes(takes, phones)
    schedule = Schedule(seed=seed)
    model = train_teacher(recorded, schedule, report)
    correlation = held_out_correlation(model, recorded)
    report(f"correlation with held-out takes: {correlation}")
    trained_on = {"takes": takes.name, "clips": len(recorded.train), "epochs": schedule.epochs}
    model.provenance = {**trained_on, "correlation": correlation}
    return model


def held_out_correlation(teacher: Teacher, takes: Takes) -> dict[str, dict[str, float]]:
    """Correlation with the validation takes, of the teacher alone and with the articulation rules on top."""
    articulate = Articulator(teacher.names, teacher.fps)
    raw = evaluate(lambda take: teacher(take.phones, len(take.motion)), takes.val, takes.names)
    ruled = evaluate(
        lambda take: articulate(teacher(take.phones, len(take.motion)), track(take.phones)), takes.val, takes.names
    )
    return {
        name: {key: round(values[key], 3) for key in _SHOWN if key in values}
        for name, values in (("teacher", raw), ("with_rules", ruled))
    }

"""From a sound and a loaded model to face motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from backend.annotation import FaceMotion
from backend.audio import Audio
from backend.engine import memory_watched
from backend.engines.base import Engine
from backend.motion.direction import NEUTRAL, Direction
from backend.motion.perform import perform
from backend.prediction import SoundTask, make_part, predict_sounds
from backend.progress import ProgressCallback, Stage
from backend.prosody import Prosody, analyse
from backend.rig.solve import apply_rig
from backend.rig.spec import Rig
from backend.takes import Origin, Take


@dataclass(frozen=True)
class AnimateOptions:
    """What a user chooses.

    Attributes:
        head: annotation type; None for the model's default.
        identity: speaking style; None for the model's default.
        identity_b: a second style, which the direction can blend in; None for none.
        fps: frames per second of the result; None for the head's own.
        direction: what is changed about the network's motion.
        rig: whose controls the result's channels are; None for the head's own channels.
    """

    head: str | None = None
    identity: str | None = None
    identity_b: str | None = None
    fps: float | None = None
    direction: Direction = NEUTRAL
    rig: Rig | None = None

    def as_plain_data(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries."""
        direction = self.direction.model_dump(mode="json")
        rig = None if self.rig is None else self.rig.model_dump(mode="json")
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"direction": direction, "rig": rig}


def animate(
    engine: Engine, audio: Audio, options: AnimateOptions, progress: ProgressCallback | None = None
) -> FaceMotion:
    """Animate a sound.

    Memory holds one window and the result. The callback is asked before every window and every stage, so that
    cancelling takes at most the time of one.

    Returns:
        Motion from the start of the sound at ``options.fps``; blendshape weights within 0 to 1; vertices and
        parameters with the head's template added.

    Raises:
        UniTalkerError: ``model.unknown_head``, ``model.unknown_identity``, ``audio.too_long`` for a result beyond
            2 GiB, ``engine.out_of_memory``.
        Cancelled: from `progress`.
    """
    take = record(engine, audio, options, progress)
    with memory_watched():
        motion = perform(take, options.direction, options.fps)
        return motion if options.rig is None else apply_rig(motion, options.rig)


def record(engine: Engine, audio: Audio, options: AnimateOptions, progress: ProgressCallback | None = None) -> Take:
    """What the network says of a sound, once, to be directed any number of times; raises as `animate`."""
    return record_sounds(engine, [(audio, [options])], progress)[0][0]


def record_sounds(
    engine: Engine,
    wanted: Sequence[tuple[Audio, Sequence[AnimateOptions]]],
    progress: ProgressCallback | None = None,
) -> list[list[Take]]:
    """Takes of several sounds; each is listened to once, whatever heads and identities are wanted of it.

    Args:
        engine: the model, loaded.
        wanted: sounds, and for each the options of every take of it.
        progress: as for `animate`; counts the windows of all sounds.

    Returns:
        For each sound its takes, in the order of the options. Raises as `animate`.
    """
    with memory_watched():
        # What several takes have in common is computed once.
        distinct = [list(dict.fromkeys(map(_voices, several))) for _, several in wanted]
        tasks = [
            SoundTask(audio, [make_part(engine, head, identities) for head, identities in voices])
            for (audio, _), voices in zip(wanted, distinct, strict=True)
        ]
        predicted = predict_sounds(engine, tasks, progress or _ignore_progress)
    takes = []
    for (audio, several), voices, motions in zip(wanted, distinct, predicted, strict=True):
        prosody = analyse(audio.samples)
        found = dict(zip(voices, motions, strict=True))
        takes.append([_take(engine, options, prosody, *found[_voices(options)]) for options in several])
    return takes


def _voices(options: AnimateOptions) -> tuple[str | None, tuple[str | None, ...]]:
    """Head and identities."""
    return options.head, (options.identity, options.identity_b) if options.identity_b else (options.identity,)


def _take(
    engine: Engine, options: AnimateOptions, prosody: Prosody, raw: FaceMotion, second: FaceMotion | None = None
) -> Take:
    return Take(
        raw=raw,
        raw_b=None if second is None else second.values,
        rest=engine.template(raw.annotation.type_name),
        prosody=prosody,
        origin=Origin(
            model=engine.manifest.name,
            identity=engine.manifest.identity_name(options.identity),
            identity_b=options.identity_b or "",
            device=engine.device,
            engine=engine.name,
        ),
    )


def predict(
    engine: Engine,
    audio: Audio,
    options: AnimateOptions,
    progress: ProgressCallback | None = None,
    rest: np.ndarray | None = None,
) -> FaceMotion:
    """What the network itself says, window by window, at the head's own rate; of `options` head and identity count.

    Args:
        engine: the model, loaded.
        audio: the sound.
        options: as for `animate`.
        progress: as for `animate`.
        rest: (D,), float32, the resting face to add in place of the head's template.
    """
    part = make_part(engine, options.head, (options.identity,), rest)
    return predict_sounds(engine, [SoundTask(audio, [part])], progress or _ignore_progress)[0][0][0]


def _ignore_progress(stage: Stage, done: int, total: int) -> None:
    """For callers who do not ask."""

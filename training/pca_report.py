"""How much of a motion a PCA holds: in numbers and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.export.atomic import atomic_write
from training.datasets.official import OfficialDataSet
from training.line_chart import Line, line_chart
from training.pca import PcaBasis

_SHARES = (0.9, 0.95, 0.98, 0.99)


def explained_rows(basis: PcaBasis) -> list[tuple[str, str]]:
    """Label and text: the share of the variance that doubling numbers of components explain, and how many components
    common shares need.
    """
    cumulative = np.cumsum(basis.explained_variance_ratio)
    counts = sorted({*(2**n for n in range(len(cumulative).bit_length())), len(cumulative)})
    rows = [
        (f"{n} component{'s' if n > 1 else ''}", f"{100 * cumulative[n - 1]:.2f} %")
        for n in counts
        if n <= len(cumulative)
    ]
    for share in _SHARES:
        enough = np.flatnonzero(cumulative >= share)
        rows.append((f"{100 * share:g} %", _components(enough[0] + 1) if len(enough) else "more components"))
    return rows


def _components(count: int) -> str:
    return f"{count} component{'s' if count > 1 else ''}"


def explained_chart(basis: PcaBasis) -> str:
    """The explained variance over the number of components as SVG."""
    shares = 100 * basis.explained_variance_ratio
    numbers = np.arange(1, len(shares) + 1).tolist()
    lines = (Line("together", numbers, np.cumsum(shares).tolist()), Line("each", numbers, shares.tolist(), colour=1))
    return line_chart("Explained variance", "components", "% of the variance", lines, (0, 100))


def draw_explained(basis: PcaBasis, path: Path) -> None:
    """Writes `explained_chart` into a file.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    with atomic_write(path) as file:
        file.write(explained_chart(basis).encode())


def held_out_error(data: OfficialDataSet, basis: PcaBasis) -> float | None:
    """Mean distance in metres by which the vertices of the validation clips miss their place after encoding and
    decoding; ``None`` without such clips.
    """
    if not data.has_split("val"):
        return None
    distances, frames = 0.0, 0
    for clip in data.clips("val"):
        error = (basis.decode(basis.encode(clip.motion)) - clip.motion).reshape(len(clip.motion), -1, 3)
        distances += float(np.linalg.norm(error, axis=-1).mean(axis=1).sum())
        frames += len(clip.motion)
    return distances / frames if frames else None

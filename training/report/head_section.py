"""What the page shows of one head."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.datasets.corpus import Corpus
from training.pca import PcaBasis
from training.pca_report import explained_chart, explained_rows
from training.report.charts import correlation_bars, moving_channels, trajectory_charts
from training.report.face_mesh import FaceMesh, face_mesh
from training.report.head_pictures import HeatMap, Moment, heat_map, mesh_sheet, weight_sheet
from training.report.held_out import HeadFindings, Passage


@dataclass(frozen=True)
class ShownPassage:
    """A passage with its curves: ``hardest`` or ``median``, what it is, and how large its error is."""

    title: str
    passage: Passage
    error: str
    charts: list[Markup]


@dataclass(frozen=True)
class Shown:
    """Everything that needs held-out recordings.

    Attributes:
        seconds: of them.
        heat: of vertices.
        has_triangles: whether the mesh is drawn as a surface.
        bars: of channels.
        still: channels that the measured face does not move.
        passages: hardest and median.
        sheet: moments of the hardest passage.
        sheet_remark: about the sheet, or why there is none.
    """

    seconds: float
    heat: HeatMap | None
    has_triangles: bool
    bars: Markup | None
    still: list[str]
    passages: list[ShownPassage]
    sheet: list[Moment]
    sheet_remark: str


@dataclass(frozen=True)
class Explained:
    """The PCA of a head: chart, and label and text of what it explains."""

    chart: Markup
    rows: list[tuple[str, str]]


@dataclass(frozen=True)
class HeadSection:
    """One head.

    Attributes:
        annotation: what it predicts.
        shown: ``None`` without held-out recordings.
        explained: ``None`` without a PCA.
    """

    annotation: Annotation
    shown: Shown | None
    explained: Explained | None


def head_section(
    annotation: Annotation, findings: HeadFindings | None, corpus: Corpus | None, basis: PcaBasis | None
) -> HeadSection:
    """The section of a head.

    Args:
        annotation: of the head.
        findings: on held-out recordings, if there are any.
        corpus: has the mesh.
        basis: of a head with PCA.
    """
    explained = None
    if basis is not None:
        explained = Explained(Markup(explained_chart(basis)), explained_rows(basis))
    shown = None
    if findings is not None and corpus is not None:
        mesh = face_mesh(corpus, annotation) if annotation.kind == "vertices" else None
        shown = _shown(findings, mesh)
    return HeadSection(annotation, shown, explained)


def _shown(findings: HeadFindings, mesh: FaceMesh | None) -> Shown:
    heat, bars = None, None
    still: list[str] = []
    if mesh is not None and findings.vertex_error is not None:
        heat = heat_map(mesh, findings.vertex_error)
    else:
        moving, still = moving_channels(findings)
        bars = Markup(correlation_bars(moving)) if moving else None
    sheet, remark = _sheet(findings, mesh)
    return Shown(
        seconds=findings.seconds,
        heat=heat,
        has_triangles=mesh is not None and len(mesh.triangles) > 0,
        bars=bars,
        still=still,
        passages=[
            _passage("Hardest passage", findings, findings.hardest, mesh),
            _passage("Median passage", findings, findings.median, mesh),
        ],
        sheet=sheet,
        sheet_remark=remark,
    )


def _passage(title: str, findings: HeadFindings, passage: Passage, mesh: FaceMesh | None) -> ShownPassage:
    error = f"{passage.error:.2f} mm" if mesh is not None else f"{passage.error:.3f}"
    return ShownPassage(title, passage, error, [Markup(chart) for chart in trajectory_charts(findings, passage, mesh)])


def _sheet(findings: HeadFindings, mesh: FaceMesh | None) -> tuple[list[Moment], str]:
    if mesh is not None:
        return mesh_sheet(mesh, findings.hardest), ""
    try:
        return weight_sheet(findings.annotation, findings.hardest)
    except UniTalkerError as error:
        if error.code != "head.no_shapes":
            raise
        return [], "No pictures: the sample head has none of these shapes."

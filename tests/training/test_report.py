"""The page about a run: what it shows, what it says when something is missing, and that it stands alone."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from backend.bundle import Bundle
from backend.errors import UniTalkerError
from tests.backend.browser import Browser, find_chromium
from training.cli import app
from training.config import Recipe
from training.console import training_console
from training.datasets.corpus import Corpus
from training.evaluate import OWN
from training.evaluation import evaluate
from training.export import open_run
from training.observer import Observer, StepReport
from training.places import Places
from training.report import head_pictures, held_out
from training.report.held_out import held_out_findings
from training.results import RESULTS_FILE, Row
from training.results_table import result_cell
from training.run_log import LOG_FILE
from training.runs import begin
from training.sequences import Sequence
from training.trainer import Trainer
from training.watching import watch

CPU = torch.device("cpu")
HEADS = ("tiny_weight", "tiny_vertices")
VOID = {"meta", "img", "br", "link", "input"}

runner = CliRunner()


class InterruptAtOnce(Observer):
    def step(self, report: StepReport) -> None:
        raise KeyboardInterrupt


class Page(HTMLParser):
    """Checks that every tag is closed, and gathers what a reader would meet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def section(self, head: str) -> str:
        """The source from the heading of a head to the next."""
        return self.text.partition(f'<h2 id="{head}">')[2].partition("<h2")[0]

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="module")
def run(tiny_recipe: Recipe, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run with a title that would be a program if it were not taken literally."""
    folder = tmp_path_factory.mktemp("report")
    path = folder / "a run"
    recipe = tiny_recipe.model_copy(update={"title": "<script>alert(1)</script> & more"})
    with training_console() as console, watch(path, console) as observer:
        material = begin(recipe, path, Places(tiny_data, folder / "cache"), CPU, console.preparation)
        Trainer(material, path, CPU, observer).fit()
    return path


def report(run: Path, page: Path, *options: str) -> tuple[Page, str]:
    """The page, and what the command told."""
    result = runner.invoke(app, ["report", str(run), "--output", str(page), "--device", "cpu", *options])
    if result.exception is not None:
        raise result.exception
    return Page(page.read_text(encoding="utf-8")), result.output


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return report(run, run / "report.html")[0]


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that look at other things, since pictures take time."""
    monkeypatch.setattr(head_pictures, "FRAMES", 1)


def test_each_head_has_its_pictures_and_curves(page: Page) -> None:
    weights, vertices = (page.section(head) for head in HEADS)
    assert "Correlation with the measured channel" in weights
    assert "Where the mesh misses" not in weights
    assert {"jawOpen", "mouthClose", "mouthPucker"} <= set(re.findall(r"\w+", weights))
    assert "51 channels" not in weights
    assert "Where the mesh misses" in vertices
    assert "the triangles are not known" in vertices
    assert "mean distance of all vertices from rest" in vertices
    assert "Explained variance" in vertices
    for section in (weights, vertices):
        assert {"Hardest passage", "Median passage"} <= set(re.findall(r"\w+ passage", section))
        pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', section)
        assert len(pictures) >= 16
        for picture in pictures:
            with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
                assert image.getchannel("A").getextrema()[1] == 255


def test_curves_and_facts_are_those_of_the_run(page: Page, tiny_recipe: Recipe) -> None:
    rate = f"learning_rate: {tiny_recipe.warm_up.optimiser.learning_rate}"
    for head in HEADS:
        assert f"Loss of {head}" in page.said
    for fact in ("finished", "CC0-1.0", "6 epochs", "1 epoch,", "Learning rate", "8 / 2 / 2", rate):
        assert fact in page.said
    assert re.search(r"checkpoint\.pt *[0-9a-f]{64}", page.said)


def test_the_page_stands_alone_and_takes_text_literally(page: Page) -> None:
    assert "<script" not in page.text
    assert "<script>alert(1)</script> & more" in page.said
    assert "default-src 'none'" in next(value for value in page.values("content") if "src" in value)
    # The name of the language of pictures is the only address.
    assert set(re.findall(r"https?://[^\"' <]+", page.text)) == {"http://www.w3.org/2000/svg"}
    assert all(value.startswith("data:image/png") for value in page.values("src"))
    assert all(value.startswith("#") for value in page.values("href"))
    assert not page.values("style")
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in page.values("href")} <= set(ids)


def test_what_was_not_evaluated_is_said_with_the_command_that_does_it(page: Page, run: Path) -> None:
    assert f"Not evaluated. unitalker train evaluate '{run}' --split test" in page.said


@pytest.mark.usefixtures("few_pictures")
def test_results_are_tables(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    results = evaluate(copy, None, "test", None, None, False, CPU)
    page, _ = report(copy, tmp_path / "page.html", "--split", "test")
    assert "Not evaluated" not in page.said
    for row in results.rows:
        assert f"{row.data}: {row.head}" in page.said
        for name in row.numbers:
            assert result_cell(row, name) in page.said
    low, high = results.rows[0].intervals["mse (weight²)"]
    assert f"({low:.2g} to {high:.2g})" in page.said


@pytest.mark.usefixtures("few_pictures")
def test_a_damaged_evaluation_and_a_damaged_log_are_named_and_the_rest_is_shown(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / RESULTS_FILE).write_text('[{"data": "W test"')
    with (copy / LOG_FILE).open("a") as file:
        file.write('{"event": "ep')
    page, told = report(copy, tmp_path / "page.html")
    for place in (page.said, told):
        assert RESULTS_FILE in place
        assert "unitalker train evaluate" in place
        assert f"1 line of {LOG_FILE}" in place
    assert "Where the mesh misses" in page.said


def test_without_the_data_the_rest_is_shown(run: Path, tmp_path: Path) -> None:
    page, told = report(run, tmp_path / "page.html", "--data-root", str(tmp_path / "gone"))
    assert "--data-root" in told
    assert "Loss of tiny_weight" in page.said
    assert "Explained variance" in page.said
    assert "Where the mesh misses" not in page.said
    assert page.said.count("There are no held-out recordings (val)") == 2


@pytest.mark.usefixtures("few_pictures")
def test_a_run_that_was_interrupted_at_once_has_a_page(
    tiny_recipe: Recipe, tiny_data: Path, run: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh"
    places = Places(tiny_data, run.parent / "cache")
    material = begin(tiny_recipe, fresh, places, CPU, lambda _name: lambda _done, _what: None)
    with pytest.raises(KeyboardInterrupt):
        Trainer(material, fresh, CPU, InterruptAtOnce()).fit()
    page, _ = report(fresh, tmp_path / "page.html")
    assert "No epoch is finished yet" in page.said
    assert "not finished" in page.said


@pytest.mark.parametrize(
    ("source", "output", "code"),
    [
        ("no-such-run", "page.html", "checkpoint.not_found"),
        ("a run", "no/such/folder/page.html", "output.unwritable"),
    ],
)
def test_mistakes_are_named_before_the_work(source: str, output: str, code: str, run: Path, tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError) as caught:
        report(run.parent / source, tmp_path / output)
    assert caught.value.code == code
    assert not list(tmp_path.iterdir())


def test_a_browser_shows_it_wide_and_narrow_and_asks_for_nothing(run: Path, page: Page) -> None:
    program = find_chromium()
    if program is None:
        pytest.skip("needs chromium")
    browser = Browser(program)
    try:
        for width in (1200, 400):
            browser.resize(width, 800)
            browser.open(run / "report.html", ready="document.images.length > 0")
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert browser.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
            assert browser.evaluate("getComputedStyle(document.querySelector('.charts')).display") == "grid"
        assert browser.console == []
        assert {url for url in browser.requests if not url.startswith("data:")} == {(run / "report.html").as_uri()}
    finally:
        browser.close()


# --- what is found in held-out recordings ----------------------------------------------------------------------


@pytest.fixture
def bent(run: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bundle, Recipe, Corpus]]:
    """A model that is right but for one second of one recording, and one vertex."""
    bundle, recipe = open_run(run, CPU)

    def nearly_right(_bundle: Bundle, sequence: Sequence) -> dict[str, np.ndarray]:
        prediction = sequence.target.copy()
        if sequence.annotation.kind == "vertices":
            prediction[:, 3:6] += [0.003, 0, 0.004]
        elif sequence.identity == "bob":
            prediction[25:50] += 0.5
        return {OWN: prediction}

    monkeypatch.setattr(held_out, "model_predictions", nearly_right)
    monkeypatch.setattr(held_out, "PASSAGE_SECONDS", 1.0)
    yield bundle, recipe, Corpus(recipe, tiny_data)


def test_the_hardest_passage_is_where_the_model_is_wrong(bent: tuple[Bundle, Recipe, Corpus]) -> None:
    findings = held_out_findings(*bent, "val", lambda _done, _what: None)["tiny_weight"]
    assert findings.hardest.start == 1.0
    assert findings.hardest.error == pytest.approx(0.5)
    assert findings.median.error == 0
    assert len(findings.hardest.truth) == 25
    np.testing.assert_allclose(findings.hardest.prediction - findings.hardest.truth, 0.5, atol=1e-6)


def test_errors_of_vertices_are_in_millimetres(bent: tuple[Bundle, Recipe, Corpus]) -> None:
    error = held_out_findings(*bent, "val", lambda _done, _what: None)["tiny_vertices"].vertex_error
    assert error is not None
    np.testing.assert_allclose(error, [0, 5, *[0] * 10], atol=1e-4)


@pytest.mark.parametrize(("value", "text"), [(-420.3, "-420 (-420 to -420)"), (99.6, "99.6 (100 to 100)")])
def test_numbers_of_some_hundreds_are_written_out(value: float, text: str) -> None:
    row = Row("G3 val", "mediapipe_blendshape_weight", "pivot", {"offset (ms)": value}, {"offset (ms)": (value, value)})
    assert result_cell(row, "offset (ms)") == text

"""The page in a real browser: it draws, plays, is heard of no network, and says nothing bad."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backend.browser import Browser, find_chromium

Call = Callable[..., tuple[int, str, str]]

SPEAKING, SILENT = 1.0, 0.1  # seconds of the JFK clip
PICTURES = os.environ.get("UNITALKER_PICTURES")  # a folder: where to leave what was seen, as docs/images has it
# The moment at which the mouth is open widest, for the picture.
WIDEST = """(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const jaw = page.names.indexOf("jawOpen");
  const frames = [...Array(page.frames).keys()];
  const open = (frame) => viewer.values[frame * page.names.length + jaw];
  viewer.seek(frames.reduce((best, frame) => (open(frame) > open(best) ? frame : best)) / page.fps);
})()"""

MOUTH = """(() => {
  const part = viewer.parts.reduce((most, part) => part.shapes.length > most.shapes.length ? part : most);
  return Array.from(part.positions);
})()"""
PIXELS = """(() => {
  const canvas = document.getElementById("face");
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [64, 64];
  viewer.seek(viewer.time());
  copy.getContext("2d").drawImage(canvas, 0, 0, 64, 64);
  return Array.from(copy.getContext("2d").getImageData(0, 0, 64, 64).data);
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("needs chromium")
    opened = Browser(program)
    yield opened
    opened.close()


@pytest.fixture
def page(call_with: Call, bundled_model: Path, shared: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes the page of a real voice, animated by the bundled model."""

    def make(*options: object, head: str = "mediapipe_blendshape_weight") -> Path:
        voice = shared / "speech" / "jfk_16k.wav"
        folder = bundled_model.parent
        assert call_with(folder, "animate", voice, "-o", tmp_path / "take.json", "--head", head)[0] == 0
        assert call_with(folder, "view", tmp_path / "take.json", "--audio", voice, "--no-open", *options)[0] == 0
        return tmp_path / "take.html"

    return make


def keep(browser: Browser, name: str) -> None:
    if PICTURES:
        browser.screenshot(Path(PICTURES) / f"{name}.png")


def at(browser: Browser, time: float, what: str) -> list[float]:
    browser.evaluate(f"viewer.seek({time})")
    values = browser.evaluate(what)
    assert isinstance(values, list)
    return values


def difference(a: list[float], b: list[float]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def test_the_page_plays_sound_and_face_without_a_network(browser: Browser, page: Callable[..., Path]) -> None:
    browser.open(page())
    browser.wait_for("viewer.parts.every((part) => !part.texture || part.picture)")
    # The mouth moves by millimetres, and that is seen.
    assert difference(at(browser, SPEAKING, MOUTH), at(browser, SILENT, MOUTH)) > 2e-3
    assert difference(at(browser, SPEAKING, PIXELS), at(browser, SILENT, PIXELS)) > 10
    browser.evaluate("viewer.seek(0.5), document.getElementById('play').click()")
    browser.wait_for("viewer.playing() && viewer.time() > 1")
    before = browser.evaluate(MOUTH)
    browser.wait_for("viewer.time() > 1.5")
    assert difference(before, browser.evaluate(MOUTH)) > 1e-4
    browser.evaluate("document.getElementById('play').click()")
    assert browser.evaluate("[viewer.playing(), document.getElementById('play').textContent]") == [False, "Play"]
    browser.evaluate(WIDEST)
    keep(browser, "viewer")
    assert browser.console == []
    assert {address.partition(":")[0] for address in browser.requests} == {"file", "blob"}


def test_the_head_is_turned_by_dragging_and_time_by_the_slider(browser: Browser, page: Callable[..., Path]) -> None:
    browser.open(page())
    front = at(browser, SPEAKING, PIXELS)
    browser.evaluate(
        "document.getElementById('face').dispatchEvent("
        "new PointerEvent('pointermove', {buttons: 1, movementX: 100, movementY: 0}))"
    )
    assert difference(front, browser.evaluate(PIXELS)) > 10
    browser.evaluate(
        "(() => { const slider = document.getElementById('time'); slider.value = 2.5;"
        "slider.dispatchEvent(new Event('input')); })()"
    )
    assert browser.evaluate("viewer.time()") == pytest.approx(2.5, abs=1e-3)
    assert browser.console == []


def test_a_head_of_vertices_is_played_too(browser: Browser, page: Callable[..., Path]) -> None:
    browser.open(page(head="mediapipe_468_vertices"))
    assert difference(at(browser, SPEAKING, MOUTH), at(browser, SILENT, MOUTH)) > 2e-3
    keep(browser, "viewer_vertices")
    assert browser.console == []


def test_a_large_head_is_played_too(browser: Browser, page: Callable[..., Path], shared: Path) -> None:
    browser.open(page("--head", shared / "heads" / "ict_head_arkit.glb"))
    assert difference(at(browser, SPEAKING, MOUTH), at(browser, SILENT, MOUTH)) > 2e-3
    keep(browser, "viewer_ict")
    assert browser.console == []

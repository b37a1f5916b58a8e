"""Runs inside a Blender with a window: plays a scenario as a person would, with simulated events, then ends Blender.

blender --enable-event-simulate --python driver.py -- SCENARIO FOLDER ARGUMENTS(JSON)

A scenario is a generator in `scenarios.py` that yields seconds to wait. What it finds goes into FOLDER/report.json,
pictures of the whole screen into FOLDER/NAME.xwd.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import bpy

Steps = Generator[float, None, Any]

_SCAN_STEP = 7  # pixels between two looks for a button; the smallest button is 18 high
_SETTLE = 0.06  # seconds until Blender has taken an event in
_COLUMNS = (0.7, 0.83, 0.4)  # of a region's width; values and buttons are on the right
_SCROLLS = 6
_WHEEL_PIXELS = 90  # less than a region scrolls with a turn of the wheel
_LIMIT = 90.0  # seconds for anything that is waited for


class Driver:
    """Mouse, keyboard and eyes.

    Args:
        folder: where pictures and the report go.
        arguments: of the scenario.
    """

    def __init__(self, folder: Path, arguments: dict[str, Any]) -> None:
        self.folder = folder
        self.arguments = arguments
        self.report: dict[str, Any] = {"pictures": []}
        self.window = bpy.context.window_manager.windows[0]
        self.mouse = (0, 0)

    # --- where things are

    @property
    def viewport(self) -> bpy.types.Area:
        areas = [area for area in self.window.screen.areas if area.type == "VIEW_3D"]
        return max(areas, key=lambda area: area.width * area.height)

    def region(self, kind: str, area: bpy.types.Area | None = None) -> bpy.types.Region:
        return next(region for region in (area or self.viewport).regions if region.type == kind)

    def context(self, kind: str = "WINDOW", area: bpy.types.Area | None = None) -> Any:
        """Whatever is called inside finds itself in that region."""
        area = area or self.viewport
        return bpy.context.temp_override(window=self.window, area=area, region=self.region(kind, area))

    # --- eyes

    def picture(self, name: str) -> None:
        """Keep what is on the screen."""
        subprocess.run(["xwd", "-root", "-silent", "-out", str(self.folder / f"{name}.xwd")], check=True)
        self.report["pictures"].append(name)

    def redraw(self) -> Steps:
        """Draw everything; panels slide into their places, which takes several rounds."""
        for _ in range(4):
            for area in self.window.screen.areas:
                area.tag_redraw()
            yield 0.4

    def stand_aside(self) -> Steps:
        """Take the mouse out of the way, so that nothing is lit up under it."""
        yield from self.move(self.window.width // 4, self.window.height // 8)
        yield from self.redraw()

    def until(self, holds: Callable[[], bool], what: str, limit: float = _LIMIT) -> Steps:
        """Wait until something holds."""
        deadline = time.monotonic() + limit
        while not holds():
            assert time.monotonic() < deadline, f"waited {limit:.0f} s for: {what}"
            yield 0.1

    # --- hands

    def move(self, x: int, y: int) -> Steps:
        self.window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        self.mouse = (x, y)
        yield _SETTLE

    def press(self, kind: str, **modifiers: bool) -> Steps:
        """Press and let go of a key or a mouse button, where the mouse is."""
        x, y = self.mouse
        self.window.event_simulate(type=kind, value="PRESS", x=x, y=y, **modifiers)
        yield _SETTLE
        self.window.event_simulate(type=kind, value="RELEASE", x=x, y=y, **modifiers)
        yield 0.25

    def click_operator(
        self, name: str, area: bpy.types.Area | None = None, kind: str = "UI", columns: Sequence[float] = _COLUMNS
    ) -> Steps:
        """Find the button of an operator and click it."""
        yield from self.find_operator(name, area, kind, columns)
        yield from self.press("LEFTMOUSE")

    def find_operator(
        self, name: str, area: bpy.types.Area | None = None, kind: str = "UI", columns: Sequence[float] = _COLUMNS
    ) -> Steps:
        """Move the mouse over the button of an operator."""
        yield from self.find(_operator_under_mouse, f"bpy.ops.{name}(", area, kind, columns)

    def drag_slider(self, path: str, pixels: int) -> Steps:
        """Find the field of a property and pull it to the right."""
        yield from self.find(_property_under_mouse, path, None, "UI")
        x, y = self.mouse
        self.window.event_simulate(type="LEFTMOUSE", value="PRESS", x=x, y=y)
        yield _SETTLE
        for done in range(0, pixels + 1, 10):
            yield from self.move(x + done, y)
        self.window.event_simulate(type="LEFTMOUSE", value="RELEASE", x=x + pixels, y=y)
        yield 0.3

    def find(
        self,
        look: Callable[[], str],
        wanted: str,
        area: bpy.types.Area | None,
        kind: str,
        columns: Sequence[float] = _COLUMNS,
    ) -> Steps:
        """Move the mouse over a region, row by row, until what is under it is the one wanted; scroll down for more."""
        region = self.region(kind, area)
        seen: set[str] = set()
        for _ in range(_SCROLLS):
            before = len(seen)
            for share in columns:
                rows = yield from self._scan(look, wanted, area, kind, region.x + round(region.width * share), seen)
                if rows:
                    yield from self.move(self.mouse[0], (rows[0] + rows[-1]) // 2)
                    return
            if len(seen) == before:  # the end
                break
            yield from self.move(region.x + region.width // 2, region.y + region.height // 2)
            for _ in range(region.height // _WHEEL_PIXELS):
                yield from self.press("WHEELDOWNMOUSE")
        raise AssertionError(f"no button {wanted} in {kind}; there are: {sorted(seen - {''})}")

    def _scan(
        self, look: Callable[[], str], wanted: str, area: bpy.types.Area | None, kind: str, x: int, seen: set[str]
    ) -> Generator[float, None, list[int]]:
        """Go down one column; the rows of the button that is wanted, empty when it is not there."""
        region = self.region(kind, area)
        rows: list[int] = []
        for y in range(region.y + region.height - 8, region.y + 8, -_SCAN_STEP):
            yield from self.move(x, y)
            found = self._look(look, area, kind)
            if wanted in found and not rows:
                yield 3 * _SETTLE  # a busy Blender may not have moved on from the button before
                found = self._look(look, area, kind)
            seen.add(found)
            if wanted in found:
                rows.append(y)
            elif rows:
                break
        return rows

    def _look(self, look: Callable[[], str], area: bpy.types.Area | None, kind: str) -> str:
        with self.context(kind, area):
            return look()


def _operator_under_mouse() -> str:
    """The button under the mouse as Python, as its context menu copies it; empty for none."""
    return _copied(bpy.ops.ui.copy_python_command_button)


def _property_under_mouse() -> str:
    """The full path of the property under the mouse; empty for none."""
    if not bpy.ops.ui.copy_data_path_button.poll():
        return ""
    bpy.context.window_manager.clipboard = ""
    bpy.ops.ui.copy_data_path_button(full_path=True)
    return str(bpy.context.window_manager.clipboard)


def _copied(operator: Any) -> str:
    if not operator.poll():
        return ""
    bpy.context.window_manager.clipboard = ""
    operator()
    return str(bpy.context.window_manager.clipboard)


def play(driver: Driver, steps: Steps) -> None:
    """Let a timer of Blender take the steps; end Blender after the last, or after the first that fails."""

    def tick() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            status = 0
        except BaseException:  # told to the test that started this Blender
            driver.report["error"] = traceback.format_exc()
            status = 1
        if status:
            driver.picture("failed")
        (driver.folder / "report.json").write_text(json.dumps(driver.report, default=str), encoding="utf-8")
        os._exit(status)

    bpy.app.timers.register(tick, first_interval=1.5)


def main() -> None:
    name, folder, arguments = sys.argv[sys.argv.index("--") + 1 :]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.gui import scenarios

    bpy.context.preferences.view.show_splash = False
    driver = Driver(Path(folder), json.loads(arguments))
    play(driver, getattr(scenarios, name)(driver))


if __name__ == "__main__":
    main()

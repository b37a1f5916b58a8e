"""What a person does in the window, step by step; see `driver`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from tests.gui.driver import Driver, Steps

TAB = "UniTalker"
_OPENS = ("jawopen", "ah")  # the shape keys that open the mouths of the heads here
_TO_NEXT_HEADER = 32  # pixels from the middle of a panel's last button


def first_shot(driver: Driver) -> Steps:
    """From an empty scene to a speaking head: head, sound, Animate, and one Undo."""
    yield from _open_head(driver)
    driver.picture("1_head")
    yield from _choose_sound(driver)
    driver.picture("2_ready")
    yield from driver.click_operator("unitalker.animate")
    yield from driver.until(lambda: _at_work(driver), "the work to begin", 20)
    yield 0.4
    driver.picture("3_progress")
    yield from driver.until(lambda: not _at_work(driver), "the end of the work")
    driver.report["moves"] = _movement()
    bpy.context.scene.frame_set(_widest_frame())
    yield from driver.stand_aside()
    driver.picture("4_done")
    yield from _undo(driver)
    driver.report["action_after_undo"] = _action_name()
    driver.picture("5_undone")


def cancel(driver: Driver) -> Steps:
    """The button beside the progress bar, then Escape over the sidebar; nothing may be left behind."""
    yield from _open_head(driver)
    yield from _choose_sound(driver)
    driver.report["left"] = []
    for how in ("button", "escape"):
        yield from driver.click_operator("unitalker.animate")
        yield from driver.until(lambda: _at_work(driver), "the work to begin", 20)
        if how == "button":
            yield from driver.click_operator("unitalker.cancel", columns=[0.83])
        else:
            yield from driver.press("ESC")
        driver.picture(f"cancel_{how}")
        yield from driver.until(lambda: not _at_work(driver), f"the end by {how}", 20)
        driver.report["left"].append(_action_name())


def drop_and_direct(driver: Driver) -> Steps:
    """A sound dropped onto the viewport, Animate, then a slider pulled: the curves follow by themselves."""
    yield from _open_head(driver)
    sound = Path(driver.arguments["sound"])
    with driver.context():
        driver.report["takes_drops"] = bpy.types.UNITALKER_FH_sound.poll_drop(bpy.context)
        # What the viewport calls when a file is let go over it; the drop itself cannot be simulated.
        bpy.ops.unitalker.drop_sound("INVOKE_DEFAULT", directory=str(sound.parent), files=[{"name": sound.name}])
    yield from _animate(driver)
    before = _movement()["jawOpen"]
    yield from _open_performance(driver)
    driver.picture("1_sliders")
    yield from driver.drag_slider(".intensity", 60)
    yield from driver.until(lambda: abs(_movement()["jawOpen"] - before) > 0.02, "curves that follow the slider", 20)
    driver.report["jaw"] = [before, _movement()["jawOpen"]]
    bpy.context.scene.frame_set(_widest_frame())
    yield from driver.stand_aside()
    driver.picture("2_directed")


def language(driver: Driver) -> Steps:
    """The panel in another language, before, and after a problem and a success."""
    view = bpy.context.preferences.view
    view.language = driver.arguments["locale"]
    view.use_translate_interface = view.use_translate_tooltips = True
    yield from _open_head(driver)
    driver.picture("1_problem")
    yield from _choose_sound(driver)
    yield from _animate(driver)
    yield from _open_performance(driver)
    yield from driver.stand_aside()
    driver.picture("2_done")
    driver.report["button"] = bpy.app.translations.pgettext_iface("Animate", "Operator")
    driver.report["tooltip"] = bpy.app.translations.pgettext_tip("Move the eyes")


def _animate(driver: Driver) -> Steps:
    yield from driver.redraw()
    yield from driver.click_operator("unitalker.animate")
    yield from driver.until(lambda: _at_work(driver), "the work to begin", 20)
    yield from driver.until(lambda: not _at_work(driver), "the end of the work")
    yield from driver.redraw()


def _open_performance(driver: Driver) -> Steps:
    """Click the header of the panel with the sliders, which is the next below the list of takes."""
    yield from driver.find_operator("unitalker.regenerate")
    yield from driver.move(driver.mouse[0], driver.mouse[1] - _TO_NEXT_HEADER)
    yield from driver.press("LEFTMOUSE")
    yield from driver.redraw()


def _open_head(driver: Driver) -> Steps:
    """Import the head as a user does, look at it from the front, and open the tab."""
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    path = Path(driver.arguments["head"])
    with driver.context():
        if path.suffix == ".blend":
            _append(path)
        else:
            bpy.ops.import_scene.gltf(filepath=str(path))
    head = _speaking_mesh()
    bpy.ops.object.select_all(action="DESELECT")
    head.select_set(True)
    bpy.context.view_layer.objects.active = head
    with driver.context():
        bpy.ops.view3d.view_axis(type=driver.arguments.get("seen_from", "FRONT"))
        bpy.ops.view3d.view_selected()
    space = driver.viewport.spaces[0]
    space.shading.color_type = "MATERIAL"
    space.overlay.show_overlays = False
    bpy.ops.ed.undo_push(message="Import")
    space.show_region_ui = True
    yield 0.6
    driver.region("UI").active_panel_category = TAB
    yield from driver.redraw()
    yield 0.6


def _append(path: Path) -> None:
    with bpy.data.libraries.load(str(path)) as (there, here):
        here.objects = there.objects
    for item in here.objects:
        bpy.context.collection.objects.link(item)


def _speaking_mesh() -> bpy.types.Object:
    """The mesh with the most shape keys."""
    meshes = [item for item in bpy.context.scene.objects if item.type == "MESH" and item.data.shape_keys]
    return max(meshes, key=lambda mesh: len(mesh.data.shape_keys.key_blocks))


def _choose_sound(driver: Driver) -> Steps:
    bpy.context.scene.unitalker.filepath = driver.arguments["sound"]
    yield from driver.redraw()


def _at_work(driver: Driver) -> bool:
    return any(item.bl_idname.startswith("UNITALKER_") for item in driver.window.modal_operators)


def _animation() -> bpy.types.AnimData | None:
    return bpy.context.view_layer.objects.active.data.shape_keys.animation_data


def _action_name() -> str:
    animation = _animation()
    return animation.action.name if animation and animation.action else ""


def _movement() -> dict[str, float]:
    """Shape key → how far it moves in the scene's range, of those that move."""
    values = _values()
    return {name: max(track) - min(track) for name, track in values.items() if max(track) - min(track) > 1e-3}


def _widest_frame() -> int:
    """The frame on which the mouth is most open."""
    track = next(track for name, track in _values().items() if name.lower() in _OPENS)
    return bpy.context.scene.frame_start + track.index(max(track))


def _values() -> dict[str, list[float]]:
    scene, blocks = bpy.context.scene, bpy.context.view_layer.objects.active.data.shape_keys.key_blocks
    values: dict[str, list[float]] = {block.name: [] for block in blocks}
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        for block in blocks:
            values[block.name].append(block.value)
    return values


def _undo(driver: Driver) -> Steps:
    """Ctrl+Z over the viewport."""
    region: Any = driver.region("WINDOW")
    yield from driver.move(region.x + region.width // 4, region.y + region.height // 2)
    yield from driver.press("Z", ctrl=True)
    yield 0.7


def preferences(driver: Driver) -> Steps:
    """Install the backend from a folder of wheels; closing the preferences meanwhile does not end it."""
    stored = bpy.context.preferences.addons[driver.arguments["module"]].preferences
    yield from _open_preferences(driver)
    for _ in range(5):
        yield from driver.press("WHEELDOWNMOUSE")
    driver.picture("1_preferences")
    stored.wheels = driver.arguments["wheels"]
    yield from driver.redraw()
    area = driver.window.screen.areas[0]
    yield from driver.click_operator("unitalker.install_backend", area, "WINDOW")
    yield 1.0
    driver.picture("2_installing")
    with bpy.context.temp_override(window=driver.window):
        bpy.ops.wm.window_close()
    driver.window = bpy.context.window_manager.windows[0]
    yield 0.3
    driver.report["goes_on"] = _at_work(driver)
    yield from driver.until(lambda: not _at_work(driver), "the end of the installation")
    yield from _open_preferences(driver)
    driver.picture("3_installed")
    area = driver.window.screen.areas[0]
    yield from driver.click_operator("unitalker.check_backend", area, "WINDOW")
    driver.window = bpy.context.window_manager.windows[0]
    yield from driver.until(lambda: not _at_work(driver), "the models")


def _open_preferences(driver: Driver) -> Steps:
    """The add-on's preferences, in a window of their own."""
    module = driver.arguments["module"]
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "UniTalker"
    yield from driver.move(driver.window.width // 2, driver.window.height // 2)
    bpy.ops.screen.userpref_show()  # opens where the mouse is
    yield 0.5
    driver.window = bpy.context.window_manager.windows[-1]
    if not driver.report.get("expanded"):
        bpy.ops.preferences.addon_expand(module=module)
        driver.report["expanded"] = True
    yield from driver.redraw()

"""Makes the pictures of docs/user-guide.md from those of the last GUI run.

python3 build.py test --gui && .venv/bin/python -m tests.gui.docs_pictures
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.gui.pictures import save_small

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "out" / "gui"
DOCS = ROOT / "docs" / "images"

_VIEWPORT = (200, 60, 1056, 720)  # left, top, right, bottom: the head and the sidebar
_PANEL = (770, 80, 1056, 720)
_WINDOW = (296, 128, 986, 672)
_DIRECTED = "sound_is_dropped_and_a_slider_moves_the_curves"
_FAMILY = "every_rig_family_speaks[{}]/4_done"

PICTURES = {
    "guide-preferences": ("backend_installed_from_the_preferences/1_preferences", _WINDOW),
    "guide-ready": ("first_shot/2_ready", _VIEWPORT),
    "guide-progress": ("cancel_by_button_and_escape/cancel_button", _PANEL),
    "guide-done": ("first_shot/4_done", _VIEWPORT),
    "guide-sliders": (f"{_DIRECTED}/2_directed", _PANEL),
    "guide-chinese": ("panel_speaks_the_users_language[zh_HANS]/2_done", _PANEL),
    "guide-japanese": ("panel_speaks_the_users_language[ja_JP]/2_done", _PANEL),
    "rig-arkit": (_FAMILY.format("ict_head_arkit.glb"), _VIEWPORT),
    "rig-ict": (_FAMILY.format("ict_face_native_names.glb"), _VIEWPORT),
    "rig-visemes": (_FAMILY.format("makehuman_head_arkit_visemes.glb"), _VIEWPORT),
    "rig-vowels": (_FAMILY.format("godette_named.glb"), _VIEWPORT),
    "rig-vrm": (_FAMILY.format("godette_vrm0.vrm"), _VIEWPORT),
}


def main() -> int:
    missing = [name for name, _ in PICTURES.values() if not (RUN / f"{name}.png").is_file()]
    if missing:
        print(f"error: run `build.py test --gui` first; {RUN} lacks {', '.join(missing)}", file=sys.stderr)
        return 1
    for target, (source, box) in PICTURES.items():
        path = DOCS / f"{target}.png"
        save_small(RUN / f"{source}.png", path, box)
        print(f"{path.stat().st_size / 1e3:6.0f} kB  {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

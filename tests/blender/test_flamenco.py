"""The Flamenco job type, run by node on a stand-in for Flamenco's manager; its tasks are then really done."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from tests.blender.conftest import REPOSITORY
from unitalker_blender import headless

SCRIPT = REPOSITORY / "assets" / "farm" / "flamenco" / "unitalker.js"

# What a manager gives a job script, and what it takes from it: https://flamenco.blender.org/usage/job-types/
MANAGER = """
const vm = require("node:vm"), fs = require("node:fs");
const tasks = [];
const author = {
    Task: (name, type) => ({ name, type, commands: [], addCommand(command) { this.commands.push(command); } }),
    Command: (name, parameters) => ({ name, parameters }),
};
const job = { settings: JSON.parse(process.argv[2]), addTask: (task) => tasks.push(task) };
const context = vm.createContext({ author, print: () => {}, job });
vm.runInContext(fs.readFileSync(process.argv[1], "utf8") + "\\nthis.JOB_TYPE = JOB_TYPE;", context);
if (Object.keys(job.settings).length) vm.runInContext("compileJob(job)", context);
console.log(JSON.stringify({ type: context.JOB_TYPE, tasks, settings: job.settings }));
"""

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def manager(settings: dict[str, str]) -> Any:
    """What the script makes of the settings: job type, tasks, settings."""
    done = subprocess.run(
        ["node", "-e", MANAGER, str(SCRIPT), json.dumps(settings)], capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise ValueError(done.stderr)
    return json.loads(done.stdout)


def submit(jobs_file: Path, blend: Path) -> Any:
    """As Flamenco's add-on does: settings with an `eval` are what Python says."""
    settings = {"jobs_file": str(jobs_file), "blendfile": str(blend)}
    for setting in manager({})["type"]["settings"]:
        if "eval" in setting:
            given = {"settings": SimpleNamespace(**settings), "Path": Path, "abspath": bpy.path.abspath, "bpy": bpy}
            settings[setting["key"]] = eval(setting["eval"], {}, given)
    return manager(settings)


def write_jobs(folder: Path, sound: Path, *outputs: str, **fields: str) -> Path:
    jobs = [{"speech": [{"audio": str(sound), "no_sound": True}], "outputs": [output], **fields} for output in outputs]
    path = folder / "jobs.json"
    path.write_text(json.dumps({"schema": 1, "jobs": jobs}, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.usefixtures("fake")
def test_every_job_of_the_list_becomes_a_task_that_does_it(face, make_sound, awkward) -> None:
    blend = awkward / "face.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    jobs = write_jobs(awkward, make_sound(0.4), "out/take 1.a.blend", 'out/-"测试".blend')
    compiled = submit(jobs, blend)
    assert [task["name"] for task in compiled["tasks"]] == ["take 1.a", '-"测试"']
    assert "jobs_text" not in compiled["settings"]
    for task in compiled["tasks"]:
        (command,) = task["commands"]
        assert (task["type"], command["name"]) == ("blender", "blender-render")
        bpy.ops.wm.open_mainfile(filepath=command["parameters"]["blendfile"])
        program, name, *arguments = command["parameters"]["args"]
        assert (program, name) == ("--command", "unitalker")
        assert headless.run(arguments) == 0
    assert sorted(path.name for path in (awkward / "out").glob("*.blend")) == ['-"测试".blend', "take 1.a.blend"]


def test_jobs_that_cannot_be_told_apart_are_refused(tmp_path) -> None:
    jobs = write_jobs(tmp_path, Path("voice.wav"), "a/1.blend", "b/1.blend")
    with pytest.raises(ValueError, match="two jobs of the list are called 1"):
        submit(jobs, tmp_path / "face.blend")


def test_every_setting_is_of_a_kind_that_flamenco_has() -> None:
    settings = manager({})["type"]["settings"]
    assert {setting["type"] for setting in settings} <= {"string", "int32", "float", "bool"}
    assert {setting["visible"] for setting in settings} <= {"visible", "hidden", "submission", "web"}
    assert all(setting["key"].isidentifier() and setting["description"] for setting in settings)

"""`unitalker train` as a person types it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from backend.bundle import load_bundle
from backend.bundle_manifest import read_manifest
from backend.errors import UniTalkerError
from training.cli import app
from training.config import Recipe
from training.run_log import read_log

runner = CliRunner()


def test_from_recipe_to_model(tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(tiny_recipe.model_dump(mode="json")), encoding="utf-8")
    run, model = tmp_path / "a run", tmp_path / "tiny"
    commands = (
        ["run", str(recipe), "--data-root", str(tiny_data), "--out", str(run), "--cache", str(tmp_path / "cache")],
        ["evaluate", str(run), "--device", "cpu"],
        ["resume", str(run)],
        ["export", str(run), str(model)],
    )
    for command in commands:
        result = runner.invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    card = (model / "MODEL_CARD.md").read_text(encoding="utf-8")
    for told in ("linear head", "CC0-1.0", f"seed {tiny_recipe.seed}", read_manifest(model).provenance["data"]):
        assert told in card
    assert load_bundle(model).manifest.name == "tiny"
    assert [epoch.stage for epoch in read_log(run / "log.jsonl").epochs] == ["warm_up"] * 6 + ["joint"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["run", "no-such-recipe"], "no-such-recipe"),
        (["resume", "no-such-run"], "no-such-run"),
        (["export", "no-such-run", "model"], "no-such-run"),
        (["evaluate", "no-such-run"], "no-such-run"),
        (["encoder", "no-such-package", "out.safetensors"], "no-such-package"),
    ],
)
def test_mistakes_are_named(command: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UniTalkerError, match=told):
        runner.invoke(app, command, catch_exceptions=False)
    assert not list(tmp_path.glob("**/*.pt"))

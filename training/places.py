"""Where a run's data are, and how a run remembers it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.errors import UniTalkerError
from training.config import Recipe
from training.pretrained_encoder import PretrainedEncoder, read_pretrained

_FILE = "run.json"


@dataclass(frozen=True)
class Places:
    """Where a run's data are.

    Attributes:
        data_root: folder of the data sets.
        cache: folder for stored features, shared by runs.
        encoder: file or folder to take the encoder from in place of the recipe's source.
        start_encoder: digest of an encoder that a start model was trained with, on which the stored features depend;
            ``None`` where the encoder is that of the recipe's source.
        download: whether the user lets the encoder be fetched from the Hugging Face hub.
    """

    data_root: Path
    cache: Path
    encoder: Path | None = None
    start_encoder: str | None = None
    download: bool = False

    def read_encoder(self, recipe: Recipe) -> PretrainedEncoder:
        """The pretrained encoder of a recipe."""
        source = () if self.encoder is None else (str(self.encoder),)
        return read_pretrained(recipe.encoder, source, self.download)


def write_places(places: Places, run: Path) -> None:
    """Keeps them with a run."""
    content = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in asdict(places).items()
        if name != "download"
    }
    (run / _FILE).write_text(json.dumps(content), encoding="utf-8")


def read_places(run: Path) -> Places:
    """Where the data of a run are.

    Raises:
        UniTalkerError: the folder is not a run.
    """
    try:
        content = json.loads((run / _FILE).read_text(encoding="utf-8"))
        encoder = None if content["encoder"] is None else Path(content["encoder"])
        return Places(Path(content["data_root"]), Path(content["cache"]), encoder, content.get("start_encoder"))
    except (OSError, ValueError, KeyError) as error:
        raise UniTalkerError("run.not_found", f"{run} is not the folder of a run ({error}).") from error

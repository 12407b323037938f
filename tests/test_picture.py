"""Figures that say what they show: in a notebook, in print and in a file."""

import base64
import errno
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

from convtour import Picture, plot_digits, plot_folds, summarize_diagnostics, summarize_performance
from matplotlib.figure import Figure
import numpy as np
from PIL import Image
import pytest

HISTORY: Any = SimpleNamespace(history={name: [0.5, 0.7] for name in ("loss", "val_loss", "accuracy", "val_accuracy")})


def every_picture() -> list[Picture]:
    return [
        summarize_diagnostics([HISTORY]),
        summarize_performance([0.98, 0.95]),
        plot_folds(6, 3),
        plot_digits(np.zeros((3, 4, 4), "uint8"), "abc"),
    ]


@pytest.mark.parametrize("picture", every_picture(), ids=["diagnostics", "performance", "folds", "digits"])
def test_a_picture_displays_its_image_with_its_words(picture: Picture) -> None:
    assert isinstance(picture, Figure)
    data, metadata = picture._repr_mimebundle_()
    assert data["text/plain"] == picture.description
    assert len(picture.description) > 40
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.info["Description"] == picture.description
    assert image.width >= 1000
    assert np.asarray(image)[..., 3].min() == 0  # what lies behind it shows through
    assert np.asarray(image)[..., 3].std() > 5  # something is drawn
    assert metadata == {"image/png": {"width": round(100 * picture.get_figwidth())}}


def test_a_notebook_shows_the_picture_with_alt_text_and_its_words_folded_up() -> None:
    from IPython.core.formatters import DisplayFormatter

    picture = plot_digits(np.zeros((2, 4, 4), "uint8"), ['a "b" & c', "<b>"])
    data, _ = DisplayFormatter().format(picture)
    root = ET.fromstring(data["text/html"].replace('height: auto">', 'height: auto"/>'))
    img, folded = root.find("img"), root.find("details")
    assert img is not None
    assert folded is not None
    assert img.get("alt") == "".join(folded.itertext()).removeprefix("The picture in words") == picture.description
    assert img.get("src") == f"data:image/png;base64,{data['image/png']}"


def test_a_picture_prints_its_words() -> None:
    picture = plot_folds(6, 3)
    assert repr(picture) == str(picture) == picture.description


@pytest.mark.parametrize("name", ["folds.svg", "folds.txt", "folds", "absent/folds.png"])
def test_a_picture_is_saved_as_png_in_a_folder_that_exists(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"ends in \.png, in a folder that exists"):
        plot_folds(6, 3).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_saving_writes_the_picture_and_its_words(tmp_path: Path) -> None:
    picture = plot_folds(6, 3)
    (tmp_path / "folds.png").write_text("something older")
    picture.save(tmp_path / "folds.png")
    assert {path.name for path in tmp_path.iterdir()} == {"folds.png", "folds.txt"}
    assert (tmp_path / "folds.txt").read_text() == f"{picture.description}\n"
    assert Image.open(tmp_path / "folds.png").info["Description"] == picture.description


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "folds.png"
    target.write_text("something older")

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match=r"disk full: .*folds\.png"):
        plot_folds(6, 3).save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["folds.png"]
    assert target.read_text() == "something older"

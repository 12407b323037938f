"""Figures: what they draw, and that their words are read from what is drawn."""

import io
from pathlib import Path
import re
from types import SimpleNamespace
from typing import Any

from convtour import Picture, plot_digits, plot_folds, summarize_diagnostics, summarize_performance
from hypothesis import given
from hypothesis import strategies as st
import keras
from matplotlib.figure import Figure
import numpy as np
from PIL import Image
import pytest
from sklearn.model_selection import KFold

Trained = tuple[list[float], list[keras.callbacks.History]]
SCORES = [0.98, 0.95, 0.96, 0.99, 0.95]


def history(loss: list[float], accuracy: list[float], shift: float = 0.0) -> Any:
    """A history as training leaves it; validation lies a shift away."""
    curves = {"loss": loss, "accuracy": accuracy}
    moved = {f"val_{name}": [value + shift for value in curve] for name, curve in curves.items()}
    return SimpleNamespace(history={**curves, **moved})


HISTORIES = [history([1.0, 0.5, 0.2], [0.5, 0.7, 0.9], 0.02), history([0.8, 0.5, 0.4], [0.6, 0.7, 0.8], 0.04)]


def every_picture() -> list[Picture]:
    return [
        summarize_diagnostics(HISTORIES),
        summarize_performance(SCORES),
        plot_folds(6, 3),
        plot_digits(np.zeros((3, 4, 4), "uint8"), "abc"),
    ]


@pytest.mark.parametrize("picture", every_picture(), ids=["diagnostics", "performance", "folds", "digits"])
def test_a_picture_displays_its_image_with_its_words(picture: Picture) -> None:
    assert isinstance(picture, Figure)
    data, metadata = picture._repr_mimebundle_()
    assert data["text/plain"] == metadata["image/png"]["alt"] == picture.description
    assert len(picture.description) > 40
    image = Image.open(io.BytesIO(data["image/png"]))
    assert image.info["Description"] == picture.description
    assert image.width >= 1000
    assert np.asarray(image.convert("L")).std() > 5  # something is drawn


def test_a_notebook_shows_the_picture_and_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from IPython.core.formatters import DisplayFormatter

    picture = plot_folds(6, 3)
    data, metadata = DisplayFormatter().format(picture)
    assert (data, metadata) == ({}, {})  # it displays itself
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, metadata=None, raw=False: shown.append((data, metadata))
    )
    picture._ipython_display_()
    (image, about), (words, _) = shown
    assert image["text/plain"] == about["image/png"]["alt"] == picture.description
    assert words == {"text/html": f"<details><summary>The picture in words</summary>{picture.description}</details>"}


def test_a_picture_prints_its_words() -> None:
    picture = plot_folds(6, 3)
    assert repr(picture) == str(picture) == picture.description


@pytest.mark.parametrize("name", ["folds.svg", "folds.txt", "folds", "absent/folds.png"])
def test_a_picture_is_saved_as_png_in_a_folder_that_exists(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"ends in \.png, in a folder that exists"):
        plot_folds(6, 3).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("image", "columns"), [(np.full((1, 4, 4), 130.0), 8), (np.full((1, 4, 4), 256), 8), (np.zeros((1, 4, 4)), 0)]
)
def test_images_out_of_range_are_refused(image: np.ndarray, columns: int) -> None:
    with pytest.raises(ValueError, match=r"images run from .* columns; expected whole numbers 0 to 255"):
        plot_digits(image, "a", columns=columns)


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
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        plot_folds(6, 3).save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["folds.png"]
    assert target.read_text() == "something older"


def test_learning_curves_show_mean_band_and_every_fold() -> None:
    loss, accuracy = summarize_diagnostics(HISTORIES).axes
    for axes, title in [(loss, "Cross-entropy loss"), (accuracy, "Accuracy (%)")]:
        assert axes.get_title("left") == title
        assert axes.get_xlabel() == "epoch"
        legend = axes.get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == ["training: mean", "validation: mean"]
        assert len(axes.lines) == 2 * (1 + len(HISTORIES))
        assert len(axes.collections) == 2
        for line in axes.lines:
            assert np.array_equal(line.get_xdata(), [1, 2, 3])
        solid, dashed = (line for line in axes.lines if str(line.get_label()).endswith("mean"))
        assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
        assert solid.get_color() != dashed.get_color()
    assert loss.lines[2].get_ydata() == pytest.approx([0.9, 0.5, 0.3])
    assert accuracy.lines[-1].get_ydata() == pytest.approx([58, 73, 88])


def test_the_words_of_the_learning_curves_state_their_numbers() -> None:
    words = summarize_diagnostics(HISTORIES).description
    assert words.startswith(
        "Learning curves of 2 folds over epochs 1 to 3. Cross-entropy loss: training: mean 0.900 at"
    )
    assert "validation: mean 58.000 at epoch 1, 73.000 at epoch 2, 88.000 at epoch 3, averaging 73.000 over" in words
    assert "single folds averaging 72.000 to 74.000." in words
    coarse = summarize_diagnostics(HISTORIES, decimals=0).description
    assert "validation: mean 58 at epoch 1, 73 at epoch 2, 88 at epoch 3, averaging 73 over the epochs" in coarse
    assert "training: mean 0.9 at epoch 1, 0.5 at epoch 2, 0.3 at epoch 3" in coarse
    assert (
        "mean 0.900 at epoch 1, 0.500 at epoch 2, 0.300 at epoch 3, averaging 0.567 over the epochs, band 0.133"
        in words
    )


@pytest.mark.parametrize(
    "changed",
    [
        [HISTORIES[0], HISTORIES[0]],
        [HISTORIES[0]],
        [history([1.0, 0.9, 0.2], [0.5, 0.7, 0.9], 0.02), HISTORIES[1]],  # between the ends only
        [history([1.0, 0.5, 0.2], [0.5, 0.7, 0.9], 0.03), HISTORIES[1]],  # validation only
        [
            history([1.2, 0.5, 0.2], [0.5, 0.7, 0.9], 0.02),
            history([0.6, 0.5, 0.4], [0.6, 0.7, 0.8], 0.04),
        ],  # spread only
    ],
)
def test_a_wrong_curve_changes_the_words(changed: list[Any]) -> None:
    assert summarize_diagnostics(changed).description != summarize_diagnostics(HISTORIES).description


def test_the_words_follow_what_is_drawn_and_not_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the drawing, here accuracy drawn upside down, is seen although the data are right."""
    from matplotlib.axes import Axes

    right = summarize_diagnostics(HISTORIES).description
    plot = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, x, y, **kwargs: plot(self, x, -np.asarray(y), **kwargs))
    assert summarize_diagnostics(HISTORIES).description != right


def test_real_histories_are_drawn(trained: Trained) -> None:
    assert "3 folds over epochs 1 to 3" in summarize_diagnostics(trained[1]).description


@pytest.mark.parametrize(
    ("histories", "complaint"),
    [
        ([], "histories is empty"),
        ([SimpleNamespace(history={"loss": [1.0], "accuracy": [0.5]})], r"histories\[0\] has no 'val_loss'.*loss, acc"),
        ([SimpleNamespace(history={})], "has no 'loss'; it has nothing"),
        ([history([1.0], [0.5]), history([1.0, 0.5], [0.5, 0.6])], r"have \[1, 2\] epochs"),
        ([history([1.0, np.nan], [0.5, 0.1])], r"histories\[0\] has loss=nan in epoch 2: the training diverged"),
    ],
)
def test_histories_that_cannot_be_drawn_are_refused(histories: list[Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        summarize_diagnostics(histories)


def test_the_summary_line_is_the_articles(capsys: pytest.CaptureFixture[str]) -> None:
    summarize_performance([right / 12_000 for right in (11842, 11825, 11816, 11852, 11851)])
    assert capsys.readouterr().out == "Accuracy: mean=98.643 std=0.120, n=5\n"


def test_the_box_plot_shows_every_score() -> None:
    picture = summarize_performance(SCORES)
    (axes,) = picture.axes
    points = [offset[0] for collection in axes.collections for offset in np.asarray(collection.get_offsets())]
    assert points == pytest.approx([98, 95, 96, 99, 95])
    assert axes.get_xlabel() == "accuracy (%)"
    assert axes.get_legend() is not None
    expected = "from 95.000 to 99.000, box 95.000 to 98.000, median 96.000, mean 96.600. Points: 98.000, 95.000, 96.000"
    assert expected in picture.description


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_any_scores_are_summarised(scores: list[float]) -> None:
    percent = 100 * np.array(scores)
    words = summarize_performance(scores).description
    assert f"from {percent.min():.3f} to {percent.max():.3f}" in words
    assert f"mean {percent.mean():.3f}" in words


@pytest.mark.parametrize("scores", [[], [0.5, 1.01], [-0.1], [float("nan")], [[0.5]], [98.6]])
def test_scores_that_are_no_accuracies_are_refused(scores: Any) -> None:
    with pytest.raises(ValueError, match="expected at least one accuracy, each from 0 to 1"):
        summarize_performance(scores)


@given(st.integers(2, 6), st.integers(6, 30))
def test_the_picture_of_the_folds_is_that_of_the_protocol(n_folds: int, n_samples: int) -> None:
    picture = plot_folds(n_samples, n_folds)
    for fold, (_, held_out) in enumerate(KFold(n_folds, shuffle=True, random_state=1).split(np.zeros(n_samples))):
        assert re.search(rf"fold {fold + 1}: samples {' '.join(map(str, held_out))}[;.]", picture.description)
    assert "Every sample is held out exactly once." in picture.description
    numbers = [int(text.get_text()) for text in picture.axes[0].texts]
    assert sorted(numbers) == list(range(n_samples))


def test_digits_are_drawn_under_their_titles() -> None:
    images = np.zeros((3, 4, 4, 1), "uint8")
    images[1] = 255
    images[2, :2] = 255
    picture = plot_digits(images, ["none", "all", 7], columns=2)
    assert picture.description == "3 images, with their share of ink: none (0 %), all (100 %), 7 (50 %)."
    assert plot_digits(images / 255, ["none", "all", 7]).description == picture.description


@pytest.mark.parametrize(
    ("shape", "titles"), [((3, 4, 4, 3), "abc"), ((4, 4), "abcd"), ((3, 4, 4), "ab"), ((0, 4, 4), "")]
)
def test_images_that_cannot_be_drawn_are_refused(shape: tuple[int, ...], titles: str) -> None:
    with pytest.raises(ValueError, match=r"images has shape .* titles; expected \(n, rows, columns\)"):
        plot_digits(np.zeros(shape), titles)

"""What came out of the folds: what is drawn, and that the words are read from it."""

import re
from types import SimpleNamespace
from typing import Any

from convtour import plot_folds, summarize_diagnostics, summarize_performance
from hypothesis import given
from hypothesis import strategies as st
import keras
import numpy as np
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
        ([history([], [])], "histories holds no epochs"),
        ([SimpleNamespace(history={})], "has no 'loss'; it has nothing"),
        (
            [history([1.0], [0.5]), history([1.0, 0.5], [0.5, 0.6])],
            "histories is no array or has rows of different lengths",
        ),
        ([history([1.0, np.nan], [0.5, 0.1])], r"histories\[0\] has loss=nan in epoch 2: the training diverged"),
    ],
)
def test_histories_that_cannot_be_drawn_are_refused(histories: list[Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        summarize_diagnostics(histories)


def test_the_scores_that_come_with_the_histories_are_told_apart_from_them(trained: Trained) -> None:
    with pytest.raises(TypeError, match=r"histories\[0\] is list; expected .*returns \(scores, histories\): pass"):
        summarize_diagnostics(trained)
    with pytest.raises((TypeError, ValueError), match=r"^scores .*expected"):
        summarize_performance(trained)  # type: ignore[arg-type]


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

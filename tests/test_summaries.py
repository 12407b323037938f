"""What came out of the folds: what is drawn, and that the words are read from it."""

from collections import Counter
from itertools import chain
import re
from types import SimpleNamespace
from typing import Any

from convtour import plot_folds, plot_rounds, summarize_diagnostics, summarize_performance
from convtour.picture import GREY
from hypothesis import given
from hypothesis import strategies as st
import keras
from matplotlib.colors import to_hex
import numpy as np
import pytest
from sklearn.model_selection import KFold
from tolerances import agree

Trained = tuple[list[float], list[keras.callbacks.History]]
SCORES = [0.98, 0.95, 0.96, 0.99, 0.95]


def history(loss: list[float], accuracy: list[float], shift: float = 0.0) -> Any:
    """A history as training leaves it; validation lies a shift away."""
    curves = {"loss": loss, "accuracy": accuracy}
    moved = {f"val_{name}": [value + shift for value in curve] for name, curve in curves.items()}
    return SimpleNamespace(history={**curves, **moved})


HISTORIES = [history([1.0, 0.5, 0.2], [0.5, 0.7, 0.9], 0.02), history([0.8, 0.5, 0.4], [0.6, 0.7, 0.8], 0.04)]


def five(low: list[float]) -> list[Any]:
    """Five histories, the third of which ends lower."""
    accuracies = [[0.5, 0.7, 0.9], [0.5, 0.71, 0.91], low, [0.5, 0.72, 0.9], [0.5, 0.7, 0.91]]
    return [history([1.0, 0.3, 0.2], accuracy) for accuracy in accuracies]


def test_learning_curves_show_mean_band_and_every_fold() -> None:
    picture = summarize_diagnostics(HISTORIES)
    loss, accuracy = picture.axes
    for axes, title in [(loss, "Cross-entropy loss"), (accuracy, "Accuracy (%)")]:
        assert axes.get_title("left") == title
        assert axes.get_xlabel() == "epoch"
        assert len(axes.lines) == 2 * (1 + len(HISTORIES))
        assert len(axes.collections) == 2
        for line in axes.lines:
            assert np.array_equal(line.get_xdata(), [1, 2, 3])
        solid, dashed = (line for line in axes.lines if str(line.get_label()).endswith("mean"))
        assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
        assert solid.get_color() != dashed.get_color()
    assert loss.lines[2].get_ydata() == pytest.approx([0.9, 0.5, 0.3])
    assert accuracy.lines[-1].get_ydata() == pytest.approx([58, 73, 88])


def test_one_legend_serves_both_panels() -> None:
    picture = summarize_diagnostics(HISTORIES)
    assert [axes.get_legend() for axes in picture.axes] == [None, None]
    (legend,) = picture.legends
    names = ["validation mean", "training mean", "single folds", "one std to either side"]
    assert [text.get_text() for text in legend.get_texts()] == names
    shown: list[Any] = legend.legend_handles
    folds, band = shown[2:]  # of both curves: grey, as neither of these is
    assert to_hex(folds.get_color()) == to_hex(band.get_facecolor()) == GREY.lower()


def test_the_loss_has_a_logarithmic_axis_unless_it_reaches_0() -> None:
    assert [axes.get_yscale() for axes in summarize_diagnostics(HISTORIES).axes] == ["log", "linear"]
    reaches_0 = summarize_diagnostics([history([1.0, 0.0], [0.5, 0.9])])
    assert reaches_0.axes[0].get_yscale() == "linear"
    wide = summarize_diagnostics([history([1.0, 0.2], [0.5, 0.9]), *[history([1.0, 1.9], [0.5, 0.9])] * 9])
    assert wide.axes[0].get_ylim()[0] == pytest.approx(0.2 / 1.1)


@pytest.mark.parametrize("epochs", [1, 2, 3, 12])
def test_epochs_are_whole_numbers(epochs: int) -> None:
    picture = summarize_diagnostics([history([0.5] * epochs, [0.5] * epochs)] * 2)
    for axes in picture.axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks == [int(tick) for tick in ticks]
        assert len(ticks) >= 1


def test_a_single_epoch_is_drawn_as_dots_without_a_band() -> None:
    picture = summarize_diagnostics([history([0.5], [0.5]), history([0.4], [0.6])])
    for axes in picture.axes:
        assert axes.get_xlim() == (0.5, 1.5)
        assert "" not in {line.get_marker() for line in axes.lines}
    assert "one std to either side" not in [text.get_text() for text in picture.legends[0].get_texts()]
    assert picture.description == (
        "Learning curves of 2 folds over 1 epoch. Cross-entropy loss: training mean at epoch 1: 0.450, single folds "
        "0.400 to 0.500; validation mean at epoch 1: 0.450, single folds 0.400 to 0.500. Accuracy (%): training mean at "
        "epoch 1: 55.000, single folds 50.000 to 60.000; validation mean at epoch 1: 55.000, single folds 50.000 to "
        "60.000. Faint: single folds."
    )


def test_the_fold_that_lies_apart_is_named_at_its_line() -> None:
    picture = summarize_diagnostics(five([0.5, 0.6, 0.7]))
    loss, accuracy = picture.axes
    assert not loss.texts
    (name,) = accuracy.texts
    assert name.get_text() == "fold 3"
    assert name.xy == (3, pytest.approx(70))  # type: ignore[attr-defined]
    assert "Accuracy (%), fold 3 farthest from the others in validation: " in picture.description


@pytest.mark.parametrize(
    ("histories", "tolerance"),
    [(five([0.5, 0.7, 0.9]), None), (five([0.5, 0.6, 0.7]), (0.1, 16.0)), (five([0.5, 0.6, 0.7])[:3], None)],
    ids=["close", "within the tolerance", "too few"],
)
def test_no_fold_is_named_where_none_lies_apart(histories: list[Any], tolerance: tuple[float, float] | None) -> None:
    picture = summarize_diagnostics(histories, tolerance=tolerance)
    assert not picture.axes[1].texts
    assert "farthest" not in picture.description


def test_the_words_of_the_learning_curves_say_first_what_one_sees() -> None:
    losses, accuracies = [1.0, 0.4, 0.21, 0.2, 0.25], [0.5, 0.7, 0.8, 0.85, 0.9]
    words = summarize_diagnostics([history(losses, accuracies)]).description
    assert words.startswith(
        "Validation loss comes close to its lowest in epoch 3 and ends 0.050 above it; validation accuracy comes close "
        "to its highest in epoch 5 and ends 0.000 below it. Learning curves of 1 fold over 5 epochs. "
    )


def test_the_words_of_the_learning_curves_state_their_numbers() -> None:
    words = summarize_diagnostics(HISTORIES).description
    assert (
        "Cross-entropy loss: training mean at epoch 1, 2, 3: 0.900, 0.500, 0.300, averaging 0.567, band 0.133" in words
    )
    assert "validation mean at epoch 1, 2, 3: 58.000, 73.000, 88.000, averaging 73.000, band" in words
    assert "single folds averaging 72.000 to 74.000." in words


def test_curves_within_the_tolerance_agree_and_others_do_not() -> None:
    def words(loss: float, accuracy: float) -> str:
        moved = [history([1.0, 0.5, 0.2 + loss], [0.5, 0.7, 0.9 + accuracy / 100], shift) for shift in (0.02, 0.04)]
        return summarize_diagnostics(moved, tolerance=(0.05, 0.5)).description

    assert agree(words(0.03, 0.4), words(0, 0))
    assert not agree(words(0.08, 0), words(0, 0))
    assert not agree(words(0, 0.8), words(0, 0))
    assert "mean at epoch 1, 2, 3: 53.0, 73.0, 93.0, averaging 73.0, band 2.0 wide, " in words(0, 0)
    assert "ends 0.00 (± 0.05) above it; validation accuracy comes close to its highest in epoch 3 (± 1)" in words(0, 0)
    assert not agree(words(0, 0).replace("epoch 1, 2", "epoch 1, 1"), words(0, 0))
    assert not agree(words(0, 0).replace("of 2 folds", "of 3 folds"), words(0, 0))


@pytest.mark.parametrize("tolerance", [(0.1,), (0.1, 0.2, 0.3), (0.1, 0), (-1, 1)])
def test_a_tolerance_of_curves_is_two_positive_numbers(tolerance: Any) -> None:
    with pytest.raises(ValueError, match=r"^tolerance=.*: expected (two numbers|a positive number)"):
        summarize_diagnostics(HISTORIES, tolerance=tolerance)


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
    assert "3 folds over 3 epochs" in summarize_diagnostics(trained[1]).description


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


def test_the_summary_line_says_what_it_is_held_to(capsys: pytest.CaptureFixture[str]) -> None:
    summarize_performance(SCORES, tolerance=0.3)
    assert capsys.readouterr().out == "Accuracy: mean=96.60 std=1.62, n=5 (each ± 0.3)\n"


def test_a_mean_may_be_held_to_less_than_the_scores(capsys: pytest.CaptureFixture[str]) -> None:
    words = summarize_performance(SCORES, tolerance=(0.5, 0.2), held_out=400).description
    assert capsys.readouterr().out == "Accuracy: mean=96.60 std=1.62, n=5 (each ± 0.2)\n"
    assert "shaded: 94.82 to 98.38 (each ± 0.2). Accuracies in percent, fold by fold: 98.0, 95.0" in words
    assert words.endswith("box 95.0 to 98.0, median 96.0 (each ± 0.5), mean 96.60 (each ± 0.2).")
    with pytest.raises(ValueError, match=r"^tolerance=\(0.5,\): expected one number, or two"):
        summarize_performance(SCORES, tolerance=(0.5,))  # type: ignore[arg-type]


def points(picture: Any) -> np.ndarray:
    return np.concatenate([np.asarray(group.get_offsets()) for group in picture.axes[0].collections])


def test_every_fold_has_a_row_of_its_own_below_the_box_plot() -> None:
    picture = summarize_performance(SCORES)
    (axes,) = picture.axes
    assert points(picture) == pytest.approx(np.array([(98, -1), (95, -2), (96, -3), (99, -4), (95, -5)]))
    rows = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert rows == {"all folds": 0, **{f"fold {fold}": -fold for fold in range(1, 6)}}
    assert axes.get_xlabel() == "accuracy (%)"
    assert [text.get_text() for text in picture.legends[0].get_texts()] == ["median", "mean", "one fold"]
    assert picture.description == (
        "Accuracies in percent, fold by fold: 98.000, 95.000, 96.000, 99.000, 95.000. Box plot: from 95.000 to 99.000, "
        "box 95.000 to 98.000, median 96.000, mean 96.600."
    )


def test_what_chance_alone_makes_is_shaded_and_who_lies_outside_is_said() -> None:
    picture = summarize_performance(SCORES, held_out=400)
    (band,) = picture.axes[0].patches
    half = 196 * np.sqrt(0.966 * 0.034 / 400)
    assert (band.get_x(), band.get_width()) == pytest.approx((96.6 - half, 2 * half))  # type: ignore[attr-defined]
    assert (band.get_y(), band.get_height()) == (-5.5, 5)  # type: ignore[attr-defined]
    assert picture.description.startswith(
        "Fold 4 lies outside of what chance alone makes of 95 in 100 folds of 400 samples, shaded: 94.824 to 98.376. "
        "Accuracies in percent, fold by fold: 98.000"
    )
    assert summarize_performance(SCORES, held_out=900).description.startswith("Folds 1, 2, 4, 5 lie outside")
    assert summarize_performance(SCORES, held_out=100).description.startswith("No fold lies outside")


def test_the_scores_of_others_are_drawn_below_on_the_same_axis() -> None:
    picture = summarize_performance(SCORES, tolerance=0.3, compare_with={"the article": [0.99, 0.97]})
    assert points(picture)[5:] == pytest.approx(np.array([(99, -7.7), (97, -8.7)]))
    assert "the article" in {text.get_text() for text in picture.axes[0].texts}
    assert picture.description.endswith(
        "mean 96.60 (each ± 0.3). Below, the article. Accuracies in percent, fold by fold: 99.000, 97.000. Box plot: "
        "from 97.000 to 99.000, box 97.500 to 98.500, median 98.000, mean 98.000."
    )


def test_scores_within_the_tolerance_agree_and_others_do_not() -> None:
    def words(by: float, theirs: float = 0.99) -> str:
        scores = [score + by / 100 for score in SCORES]
        others = {"fold of 9": [theirs]}
        return summarize_performance(scores, tolerance=0.3, held_out=400, compare_with=others).description

    assert agree(words(0.2), words(0))
    assert not agree(words(0.5), words(0))
    assert not agree(words(0, theirs=0.991), words(0))
    assert not agree(words(0).replace("400 samples", "401 samples"), words(0))
    assert not agree(words(0).replace("95 in 100", "96 in 100"), words(0))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_any_scores_are_summarised(scores: list[float]) -> None:
    percent = 100 * np.array(scores)
    words = summarize_performance(scores, held_out=10, compare_with={"the same": scores}).description
    assert f"from {percent.min():.3f} to {percent.max():.3f}" in words
    assert f"mean {percent.mean():.3f}" in words


@pytest.mark.parametrize("scores", [[], [0.5, 1.01], [-0.1], [float("nan")], [[0.5]], [98.6]])
def test_scores_that_are_no_accuracies_are_refused(scores: Any) -> None:
    with pytest.raises(ValueError, match=r"^scores=.* expected at least one accuracy, each from 0 to 1"):
        summarize_performance(scores)
    with pytest.raises(ValueError, match=r"^compare_with\['it'\]=.* expected at least one accuracy, each from 0 to 1"):
        summarize_performance(SCORES, compare_with={"it": scores})


@given(st.integers(2, 6), st.integers(6, 30))
def test_the_picture_of_the_folds_is_that_of_the_protocol(n_folds: int, n_samples: int) -> None:
    picture = plot_folds(n_samples, n_folds)
    for fold, (_, held_out) in enumerate(KFold(n_folds, shuffle=True, random_state=1).split(np.zeros(n_samples))):
        assert re.search(rf"fold {fold + 1}: samples {' '.join(map(str, held_out))}[;.]", picture.description)
    assert "Every sample is held out exactly once." in picture.description
    numbers = [int(text.get_text()) for text in picture.axes[0].texts]
    assert sorted(numbers) == list(range(n_samples))


def test_rounds_give_every_epoch_of_every_fold_one_worker() -> None:
    words = plot_rounds(5, 10, 2).description
    assert words.startswith("5 folds of 10 epochs on 2 workers: 25 epochs long.")
    rows = [row.split() for row in re.findall(r"folds ([\d ]+)", words)]
    assert [len(row) for row in rows] == [25, 25]
    assert Counter(chain(*rows)) == dict.fromkeys("12345", 10)
    assert all(one != other for one, other in zip(*rows, strict=True))

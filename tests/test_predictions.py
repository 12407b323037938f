"""Where a model errs, and whether its probabilities can be believed: what is counted, drawn and said."""

from typing import Any

from convtour import plot_confusion, plot_reliability
from convtour.picture import BLUE, VERMILION
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.calibration import calibration_curve
from tolerances import agree

Floats = npt.NDArray[np.float64]


def sure(answers: list[int], classes: int, confidence: float = 0.9) -> Floats:
    """Rows that give each answer this probability and share out the rest."""
    rows = np.full((len(answers), classes), (1 - confidence) / (classes - 1))
    rows[np.arange(len(answers)), answers] = confidence
    return rows


TRUTH = [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2]
SAID = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2]
COUNTS = [[3, 1, 0], [0, 2, 3], [0, 0, 3]]


def counts_in(words: str) -> list[list[int]]:
    return [[int(count) for count in row.split(": ")[1].rstrip(".").split()] for row in words.split("; ")[1:]]


def test_rows_are_the_truth_and_columns_the_answers() -> None:
    picture = plot_confusion(TRUTH, sure(SAID, 3))
    assert counts_in(picture.description) == COUNTS
    (axes,) = picture.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true class")
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "3", (1, 0): "1", (1, 1): "2", (2, 1): "3", (2, 2): "3"}


def test_the_words_say_first_how_many_are_wrong_and_which_errors_are_the_largest() -> None:
    words = plot_confusion(TRUTH, sure(SAID, 3), class_names=["cat", "dog", "cow"]).description
    assert words.startswith(
        "Wrong: 4 of 12 answers. Largest errors, dog taken for cow: 3. Counts for cat, dog, cow as answers; true cat: 3 1"
    )


def test_without_errors_none_is_named() -> None:
    assert plot_confusion([0, 1], np.eye(2)).description == (
        "Wrong: 0 of 2 answers. Counts for 0, 1 as answers; true 0: 1 0; true 1: 0 1."
    )


def test_errors_of_equal_size_are_named_together() -> None:
    truth, said = [0] * 9 + [1] * 9 + [2] * 9, [1] * 4 + [0] * 5 + [2] * 4 + [1] * 5 + [0] + [2] * 8
    words = plot_confusion(truth, sure(said, 3)).description
    assert "Largest errors, 0 taken for 1: 4, 1 taken for 2: 4. " in words


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
@settings(max_examples=8)
def test_every_answer_is_counted_once_whatever_the_form_of_the_labels(pairs: list[tuple[int, int]]) -> None:
    truth, said = (list(side) for side in zip(*pairs, strict=True))
    words = plot_confusion(truth, sure(said, 5)).description
    expected = [[pairs.count((true, answer)) for answer in range(5)] for true in range(5)]
    assert counts_in(words) == expected
    assert plot_confusion(np.eye(5)[truth], sure(said, 5)).description == words


def test_errors_are_coloured_by_their_number_and_the_diagonal_is_grey() -> None:
    (axes,) = plot_confusion(TRUTH, sure(SAID, 3)).axes
    errors, right = axes.images
    assert errors.get_clim() == (0, 3)
    drawn = np.ma.masked_array(errors.get_array())
    assert drawn.mask.tolist() == np.eye(3, dtype=bool).tolist()
    assert [tuple(colour) for colour in errors.to_rgba(np.array([0, 3]))] == [to_rgba("white"), to_rgba("#8A3A00")]
    assert to_hex(right.cmap(0.5)) == "#bdbdbd"
    assert np.ma.masked_array(right.get_array()).mask.tolist() == (~np.eye(3, dtype=bool)).tolist()


def test_wide_numbers_of_many_classes_still_fit_their_cells() -> None:
    labels = np.repeat(np.arange(30), 1000)
    few, many = plot_confusion([0, 1], np.eye(2)), plot_confusion(labels, sure(labels.tolist(), 30))
    for picture in (few, many):
        assert picture.get_size_inches().max() < 8
        (axes,) = picture.axes
        picture.draw_without_rendering()
        left, right = axes.transData.transform([(-0.5, 0), (0.5, 0)])[:, 0]
        assert max(text.get_window_extent().width for text in axes.texts) < right - left
    assert few.axes[0].texts[0].get_fontsize() == 11


def test_counts_within_the_tolerance_agree_and_others_do_not() -> None:
    def words(more: int) -> str:
        said = [0] * 50 + [1] * 20 + [1] * (70 - more) + [0] * more
        return plot_confusion([0] * 70 + [1] * 70, sure(said, 2), tolerance=3).description

    assert "Wrong: 20 (± 3) of 140 answers. Largest errors, 0 taken for 1: 20 (± 3). " in words(0)
    assert "; true 0: 50 20 (each ± 3); true 1: 0 70 (each ± 3)." in words(0)
    assert agree(words(3), words(0))
    assert not agree(words(4), words(0))
    assert not agree(words(0).replace("0 taken for 1", "1 taken for 1"), words(0))
    assert not agree(words(0).replace("true 0", "true 1"), words(0))


@pytest.mark.parametrize("method", ["imshow", "text"])
def test_the_words_follow_what_is_drawn_and_not_what_was_given(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the drawing, here a picture turned about, or numbers that are one too large."""
    right = plot_confusion(TRUTH, sure(SAID, 3)).description
    drawn = getattr(Axes, method)

    def wrong(self: Axes, *args: Any, **kwargs: Any) -> Any:
        if method == "imshow":
            return drawn(self, args[0].T, **kwargs)
        return drawn(self, *args[:2], str(int(args[2]) + 1), **kwargs)

    monkeypatch.setattr(Axes, method, wrong)
    assert plot_confusion(TRUTH, sure(SAID, 3)).description != right


# Of ten answers that are 90 % sure six are right; of ten that are 60 % sure all are.
MIXED = np.concatenate([sure([0] * 10, 2, 0.9), sure([0] * 10, 2, 0.6)])
OF_THEM = [0] * 6 + [1] * 4 + [0] * 10


def test_the_reliability_of_hand_made_answers() -> None:
    words = plot_reliability(OF_THEM, MIXED, bins=5).description
    assert words == (
        "Overconfident where the confidence is 0.8 to 1; underconfident where the confidence is 0.4 to 0.6. Mean "
        "confidence: 75.0, share right 80.0, expected calibration error 35.0, in percent. By confidence; 0 to 0.2: "
        "answers 0, right 0, expected 0.0; 0.2 to 0.4: answers 0, right 0, expected 0.0; 0.4 to 0.6: answers 10, right 10, "
        "expected 6.0; 0.6 to 0.8: answers 0, right 0, expected 0.0; 0.8 to 1: answers 10, right 6, expected 9.0."
    )


def test_each_bin_is_a_point_with_its_bar_and_its_number() -> None:
    above, below = plot_reliability(OF_THEM, MIXED, bins=5).axes
    spans, points = above.collections
    assert np.allclose(points.get_offsets(), [[0.6, 1.0], [0.9, 0.6]])
    widths = [2 * np.sqrt(0.6 * 0.4 / 10), 2 * np.sqrt(0.9 * 0.1 / 10)]
    expected = [[0.6 - widths[0], 0.6 + widths[0]], [0.9 - widths[1], 1.0]]
    assert np.allclose(np.array(spans.get_segments())[:, :, 1], expected)  # type: ignore[attr-defined]
    assert [bar.get_height() for bar in below.patches] == [0, 0, 10, 0, 10]  # type: ignore[attr-defined]
    assert [text.get_text() for text in below.texts] == ["", "", "10", "", "10"]
    assert np.array_equal(above.lines[0].get_xdata(), above.lines[0].get_ydata())


def test_a_calibrated_model_is_called_neither_over_nor_underconfident() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([1.0, 1.0, 0.3], size=4000)
    truth = [rng.choice(3, p=row) for row in shares]
    words = plot_reliability(truth, shares, bins=5).description
    assert words.startswith("Overconfident nowhere; underconfident nowhere. ")
    squared = shares**2 / (shares**2).sum(axis=1, keepdims=True)
    words = plot_reliability(truth, squared, bins=5).description
    assert words.startswith("Overconfident where the confidence is 0.4 to 1; underconfident nowhere. ")


@given(
    arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(0.01, 1)),
    st.integers(2, 12),
    st.randoms(use_true_random=False),
)
@settings(max_examples=8)
def test_the_points_are_those_of_scikit_learn(rows: Floats, bins: int, random: Any) -> None:
    shares = rows / rows.sum(axis=1, keepdims=True)
    truth = [random.randrange(3) for _ in shares]
    picture = plot_reliability(truth, shares, bins=bins)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    share, mean = calibration_curve(right, confidence, n_bins=bins)
    points = np.asarray(picture.axes[0].collections[1].get_offsets())
    assert np.allclose(points, np.column_stack([mean, share]))
    heights = np.array([bar.get_height() for bar in picture.axes[1].patches])  # type: ignore[attr-defined]
    assert heights.sum() == len(shares)
    error = 100 * heights[heights > 0] @ np.abs(share - mean) / len(shares)
    assert f"expected calibration error {error:.1f}" in picture.description or np.isclose(error * 10 % 1, 0.5)


def test_a_confidence_on_an_edge_belongs_to_the_lower_bin() -> None:
    assert "0 to 0.5: answers 1, right 1, expected 0.5" in plot_reliability([0], [[0.5, 0.5]], bins=2).description


def test_answers_within_the_tolerance_agree_and_others_do_not() -> None:
    def words(more: int) -> str:
        truth = np.repeat([0, 1], [600 + more, 400 - more])
        return plot_reliability(truth, sure([0] * 1000, 2), bins=2, tolerance=5).description

    assert "0.5 to 1: answers 1000, right 600, expected 900 (each ± 5)." in words(0)
    assert "Mean confidence: 90.0, share right 60.0, expected calibration error 30.0 (each ± 0.5), in percent" in words(
        0
    )
    assert agree(words(4), words(0))
    assert not agree(words(6), words(0))
    assert not agree(words(0).replace("0.5 to 1", "0.4 to 1"), words(0))


def test_with_a_tolerance_only_what_exceeds_it_is_orange_and_called_overconfident() -> None:
    truth, shares = np.repeat([0, 1], [60, 40]), sure([0] * 100, 2)
    for tolerance, said, colour in [(None, "where", VERMILION), (29, "where", VERMILION), (31, "nowhere", BLUE)]:
        picture = plot_reliability(truth, shares, tolerance=tolerance)
        assert picture.description.startswith(f"Overconfident {said}")
        points = picture.axes[0].collections[1]
        assert [to_hex(tuple(one)) for one in points.get_facecolors()] == [colour.lower()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["scatter", "bar", "vlines"])
def test_the_words_on_reliability_follow_what_is_drawn(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = plot_reliability(OF_THEM, MIXED).description
    drawn = getattr(Axes, method)

    def wrong(self: Axes, x: Any, *args: Any, **kwargs: Any) -> Any:
        return drawn(self, x, *(1.4 * np.asarray(values) for values in args), **kwargs)

    monkeypatch.setattr(Axes, method, wrong)
    assert plot_reliability(OF_THEM, MIXED).description != right


def test_answers_of_lower_precision_are_taken() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(10), size=50).astype("float16")
    assert "50 answers" in plot_confusion([3] * 50, shares).description

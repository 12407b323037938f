"""Two models on the same folds: published numbers, the level of the test, what is drawn and said."""

from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace
from typing import Any

from convtour import Comparison, CrossValidation, compare_models, plot_differences
from convtour.evaluation.state import Fold
from hypothesis import assume, given
from hypothesis import strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn.model_selection import KFold, ShuffleSplit

# Brownlee, "How to develop a CNN for MNIST handwritten digit classification": the accuracies of its three models.
BASELINE = [0.98550, 0.98600, 0.98642, 0.98850, 0.98742]
BATCH_NORM = [0.98475, 0.98608, 0.98683, 0.98783, 0.98667]
DEEPER = [0.99058, 0.99042, 0.98883, 0.99192, 0.99133]

accuracies = st.integers(0, 1000).map(lambda right: right / 1000)
two_runs = st.integers(2, 8).flatmap(
    lambda folds: st.tuples(*2 * [st.lists(accuracies, min_size=folds, max_size=folds)])
)


def cross_validation(scores: list[float], cv: Any = None, n_samples: int = 100) -> CrossValidation:
    """A result with these scores, of the splitter's folds."""
    splits = (cv or KFold(len(scores))).split(np.zeros(n_samples))
    history: Any = SimpleNamespace(history={})
    folds = (
        Fold(held_out, np.zeros((len(held_out), 2)), history, score)
        for (_, held_out), score in zip(splits, scores, strict=True)
    )
    return CrossValidation(tuple(folds), n_samples)


def test_published_batch_normalisation_cannot_be_told_from_the_baseline() -> None:
    comparison = compare_models(BASELINE, BATCH_NORM)
    assert 100 * comparison.difference == pytest.approx(-0.034, abs=0.0005)
    assert comparison.p_value == pytest.approx(0.409, abs=0.0005)
    assert comparison.verdict == (
        "Cannot tell: the candidate is 0.03 points worse on these folds; excluded, with 95 % confidence, is that it is "
        "more than 0.13 points worse or more than 0.07 points better."
    )


def test_the_published_deeper_model_is_better() -> None:
    comparison = compare_models(BASELINE, DEEPER)
    assert 100 * comparison.difference == pytest.approx(0.385, abs=0.0005)
    assert comparison.p_value == pytest.approx(0.0048, abs=0.00005)
    assert comparison.verdict == "The candidate is better by 0.38 points (95 % interval 0.20 to 0.57)."
    assert 100 * np.array(comparison.differences) == pytest.approx([0.508, 0.442, 0.241, 0.342, 0.391])


def test_the_published_p_values_are_those_of_a_quarter_held_out_for_each_trained_on() -> None:
    for candidate in (BATCH_NORM, DEEPER):
        assert compare_models(BASELINE, candidate) == compare_models(BASELINE, candidate, test_to_train=1 / 4)
    assert compare_models(BASELINE, BATCH_NORM, test_to_train=0).p_value == pytest.approx(0.24, abs=0.005)
    assert compare_models(BASELINE, DEEPER, test_to_train=0).p_value == pytest.approx(0.001, abs=0.0005)


def test_equal_means_are_called_no_better_and_no_accuracy_moves_by_more_than_100_points() -> None:
    assert compare_models([0.8, 0.9], [0.9, 0.8]).verdict == (
        "Cannot tell: the candidate is no better on these folds; excluded, with 95 % confidence, is that it is more than "
        "100.00 points worse or more than 100.00 points better."
    )


def test_a_worse_candidate_is_called_worse() -> None:
    assert compare_models(DEEPER, BASELINE).verdict == (
        "The candidate is worse by 0.38 points (95 % interval 0.20 to 0.57)."
    )
    assert compare_models(BATCH_NORM, BASELINE).verdict.startswith("Cannot tell: the candidate is 0.03 points better")


@given(two_runs)
def test_without_the_correction_it_is_the_paired_t_test(runs: tuple[list[float], list[float]]) -> None:
    assume(np.ptp(np.subtract(*runs)) > 1e-6)
    baseline, candidate = runs
    comparison, theirs = compare_models(baseline, candidate, test_to_train=0), stats.ttest_rel(candidate, baseline)
    assert comparison.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert comparison.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)))


@given(two_runs, st.floats(0, 2), st.floats(0.5, 0.99))
def test_models_that_change_places_flip_the_signs_and_keep_p(
    runs: tuple[list[float], list[float]], ratio: float, confidence: float
) -> None:
    ours = compare_models(*runs, test_to_train=ratio, confidence=confidence)
    theirs = compare_models(*runs[::-1], test_to_train=ratio, confidence=confidence)
    assert theirs.differences == pytest.approx([-difference for difference in ours.differences])
    assert theirs.difference == pytest.approx(-ours.difference)
    assert theirs.interval == pytest.approx((-ours.interval[1], -ours.interval[0]))
    assert theirs.p_value == pytest.approx(ours.p_value)


@given(two_runs, st.floats(0, 2), st.floats(0.5, 0.99))
def test_the_interval_holds_0_if_and_only_if_p_is_not_below_the_level(
    runs: tuple[list[float], list[float]], ratio: float, confidence: float
) -> None:
    comparison = compare_models(*runs, test_to_train=ratio, confidence=confidence)
    assume(abs(comparison.p_value - (1 - confidence)) > 1e-9)
    low, high = comparison.interval
    assert (low <= 0 <= high) == (comparison.p_value >= 1 - confidence)
    assert low <= comparison.difference <= high
    assert comparison.verdict.startswith("Cannot tell") == (low <= 0 <= high)
    assert "nan" not in f"{comparison.verdict} {comparison!r}"


@pytest.mark.parametrize("more", [0.0, 0.02, -0.02])
def test_differences_that_are_all_equal_claim_nothing(more: float) -> None:
    comparison = compare_models(BASELINE, [score + more - 0.1 for score in BASELINE])
    assert comparison.difference == pytest.approx(more - 0.1)
    assert (comparison.p_value, comparison.interval) == (1.0, (-1.0, 1.0))
    assert comparison.verdict == (
        f"Cannot tell: all 5 differences are the same, {100 * more - 10:.2f} points, so the folds do not show how far "
        "chance moves them."
    )
    assert repr(comparison) == f"Comparison of 5 folds: difference {100 * more - 10:+.2f} points in each"


def test_scores_in_float32_are_equal_but_for_rounding() -> None:
    low = np.array([0.9, 0.95, 0.98], np.float32)
    assert "all 3 differences" in compare_models(low.tolist(), (low - np.float32(0.01)).tolist()).verdict


def test_of_cross_validations_it_follows_from_the_folds_how_many_were_held_out() -> None:
    whole = compare_models(cross_validation(BASELINE), cross_validation(DEEPER))
    assert whole == compare_models(BASELINE, DEEPER, test_to_train=1 / 4)
    some = ShuffleSplit(5, test_size=10, random_state=0)
    tenth = compare_models(cross_validation(BASELINE, some), cross_validation(DEEPER, some))
    assert tenth == compare_models(BASELINE, DEEPER, test_to_train=10 / 90)
    asked = compare_models(cross_validation(BASELINE), cross_validation(DEEPER), test_to_train=0.5)
    assert asked == compare_models(BASELINE, DEEPER, test_to_train=0.5)


def test_folds_of_unequal_size_count_with_their_mean() -> None:
    ours, theirs = (cross_validation(scores[:3], n_samples=100) for scores in (BASELINE, DEEPER))
    assert compare_models(ours, theirs).p_value == pytest.approx(compare_models(BASELINE[:3], DEEPER[:3]).p_value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (cross_validation(DEEPER, n_samples=90), "100 samples in 5 folds, candidate 90 in 5"),
        (cross_validation(DEEPER[:4]), "100 samples in 5 folds, candidate 100 in 4"),
        (cross_validation(DEEPER, KFold(5, shuffle=True, random_state=1)), "different samples in fold 1"),
    ],
    ids=["samples", "folds", "cut"],
)
def test_other_folds_are_refused(other: CrossValidation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_models(cross_validation(BASELINE), other)


def test_mixed_kinds_are_refused() -> None:
    with pytest.raises(TypeError, match="baseline is CrossValidation, candidate is list; expected two of a kind"):
        compare_models(cross_validation(BASELINE), DEEPER)


def test_a_comparison_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        compare_models(BASELINE, DEEPER).p_value = 0.0  # type: ignore[misc]


# The level of the test: two learners of the same kind, each with two features of its own that are equally good, so that
# neither is better. All repetitions at once, everything else as in a real cross-validation.
SAMPLES, FOLDS, REPETITIONS = 100, 5, 2000


def simulated_scores(learner: str, features: int, signal: float) -> npt.NDArray[np.float64]:
    """Accuracies of both learners in every fold of every repetition, shape (repetitions, 2, folds)."""
    rng = np.random.default_rng(0)
    label = np.tile([-1.0, 1.0], SAMPLES // 2)
    fold = np.arange(SAMPLES) * FOLDS // SAMPLES
    scores = np.empty((REPETITIONS, 2, FOLDS))
    for some in np.split(np.arange(REPETITIONS), 20):
        x = rng.normal(size=(len(some), 2, SAMPLES, features)) + signal * label[:, None]
        for number in range(FOLDS):
            held_out, train = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            if learner == "nearest neighbour":
                between = x[:, :, held_out, None] - x[:, :, None, train]
                said = label[train[(between**2).sum(axis=-1).argmin(axis=-1)]]
            else:  # the nearer of two means that lie opposite
                said = np.sign((x[:, :, held_out] @ (label[train] @ x[:, :, train])[..., None])[..., 0])
            scores[some, :, number] = (said == label[held_out]).mean(axis=-1)
    return scores


def rejected(scores: npt.NDArray[np.float64], test_to_train: float | None) -> float:
    """How often a difference is found, at 5 %."""
    found = [compare_models(*pair, test_to_train=test_to_train).p_value < 0.05 for pair in scores]
    return float(np.mean(found))


ERROR = np.sqrt(0.05 * 0.95 / REPETITIONS)  # Monte Carlo standard error of a share of 5 %: 0.49 points


@pytest.mark.parametrize(
    ("learner", "features", "signal", "lowest", "highest"),
    [
        ("nearest neighbour", 2, 0.7, 0.05 - 3 * ERROR, 0.05 + 3 * ERROR),
        ("nearest mean", 50, 0.15, 0.01, 0.05 - 3 * ERROR),
    ],
    ids=["at its level", "below it"],
)
def test_where_neither_is_better_the_naive_test_finds_one_too_often_and_the_corrected_keeps_its_level(
    learner: str, features: int, signal: float, lowest: float, highest: float
) -> None:
    scores = simulated_scores(learner, features, signal)
    assert abs(np.diff(scores.mean(axis=(0, 2)))[0]) < 0.005
    assert rejected(scores, 0) > 0.05 + 4 * ERROR
    assert lowest < rejected(scores, None) < highest


def test_the_picture_shows_the_folds_the_mean_and_the_interval() -> None:
    comparisons = {name: compare_models(BASELINE, scores) for name, scores in [("bn", BATCH_NORM), ("deep", DEEPER)]}
    picture = plot_differences(comparisons)
    (axes,) = picture.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bn", "deep"]
    assert axes.get_xlabel() == "candidate minus baseline (points)"
    zero, *diamonds = (line for line in axes.lines if line.get_marker() in {"D", "None"})
    assert set(np.asarray(zero.get_xdata())) == {0}
    offsets = [np.asarray(collection.get_offsets()) for collection in axes.collections]
    dots = [places for places in offsets if len(places) == 5]
    for drawn, diamond, comparison in zip(dots, diamonds, comparisons.values(), strict=True):
        assert drawn[:, 0] == pytest.approx(100 * np.array(comparison.differences))
        assert np.asarray(diamond.get_xdata()) == pytest.approx(100 * comparison.difference)
    assert picture.description == (
        "Candidate minus baseline, in percentage points. bn lies on both sides of 0: folds -0.08, 0.01, 0.04, -0.07, "
        "-0.07, mean -0.03; 95 % interval: -0.13 to 0.07. deep lies above 0: folds 0.51, 0.44, 0.24, 0.34, 0.39, mean "
        "0.38; 95 % interval: 0.20 to 0.57."
    )


def test_the_words_are_read_from_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    drawn = Axes.errorbar
    monkeypatch.setattr(
        Axes, "errorbar", lambda axes, x, y, *, xerr, **look: drawn(axes, x + 1, y, xerr=2 * xerr, **look)
    )
    words = plot_differences({"deep": compare_models(BASELINE, DEEPER)}).description
    assert "deep lies above 0" in words
    assert words.endswith("mean 1.38; 95 % interval: 1.01 to 1.76.")


def test_every_row_can_hold_another_level_and_one_without_an_interval() -> None:
    picture = plot_differences(
        {"deep": compare_models(DEEPER, BASELINE, confidence=0.9), "itself": compare_models(BASELINE, BASELINE)}
    )
    assert "deep lies below 0" in picture.description
    assert "90 % interval: -0.53 to -0.24" in picture.description
    assert picture.description.endswith("mean 0.00; no interval, all are the same.")
    assert picture.axes[0].get_xlim()[0] > -1


def test_with_a_tolerance_the_numbers_are_rounded_to_it_and_say_so() -> None:
    words = plot_differences({"deep": compare_models(BASELINE, DEEPER)}, tolerance=(0.5, 2)).description
    assert words.endswith(
        "deep lies above 0: folds 0.5, 0.4, 0.2, 0.3, 0.4, mean 0.4 (each ± 0.5); 95 % interval: 0.2 to 0.6 (each ± 2)."
    )


def test_a_comparison_is_told_by_its_numbers() -> None:
    comparison = compare_models(BASELINE, DEEPER)
    assert repr(comparison) == ("Comparison of 5 folds: difference +0.38 points, 95 % interval 0.20 to 0.57, p = 0.005")
    assert comparison == Comparison(**vars(comparison))
    assert comparison != replace(comparison, confidence=0.9)

"""Two models on the same folds: how far apart they are, and whether chance alone could have made it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from convtour._checks import brief, numbers
from convtour.evaluation.state import CrossValidation
from convtour.picture import BLUE, GREY, VERMILION, Picture, styled
from convtour.plots import spoken, two_tolerances
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
import numpy as np
import numpy.typing as npt
from scipy import stats

# Accuracies that differ by less are equal but for rounding, in float32 too.
_EQUAL = 1e-6
# The interval where the folds say nothing: all that two accuracies can differ by.
_UNKNOWN = (-1.0, 1.0)


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `compare_models` returns. All differences are the candidate's accuracy minus the baseline's.

    Taught in notebook ``08_better_models``.

    Attributes
    ----------
    differences : tuple of float
        One for each fold, -1 to 1.
    difference : float
        Their mean.
    interval : tuple of float, float
        Lower and upper end of the confidence interval of the mean; (-1, 1) if all differences are equal.
    p_value : float
        How often chance alone would make a difference at least as large; 1 if all differences are equal.
    confidence : float
        How often such intervals hold the true difference, 0 to 1.

    Examples
    --------
    >>> from convtour import compare_models
    >>> compare_models([0.98550, 0.98600, 0.98642], [0.99058, 0.99042, 0.98883])
    Comparison of 3 folds: difference +0.40 points, 95 % interval -0.15 to 0.94, p = 0.089
    """

    differences: tuple[float, ...]
    difference: float
    interval: tuple[float, float]
    p_value: float
    confidence: float = 0.95

    @property
    def verdict(self) -> str:
        """In words, in percentage points: which is better, or what the folds can exclude."""
        low, high = (100 * end for end in self.interval)
        if self.interval == _UNKNOWN:
            return (
                f"Cannot tell: all {len(self.differences)} differences are the same, {100 * self.difference:.2f} "
                "points, so the folds do not show how far chance moves them."
            )
        if low <= 0 <= high:
            better = "better" if self.difference > 0 else "worse"
            mean = f"{100 * abs(self.difference):.2f} points {better}" if abs(self.difference) > _EQUAL else "no better"
            return (
                f"Cannot tell: the candidate is {mean} on these folds; excluded, with {100 * self.confidence:g} % "
                f"confidence, is that it is more than {min(100, -low):.2f} points worse or more than "
                f"{min(100, high):.2f} points better."
            )
        word, ends = ("better", (low, high)) if low > 0 else ("worse", (-high, -low))
        return (
            f"The candidate is {word} by {100 * abs(self.difference):.2f} points "
            f"({100 * self.confidence:g} % interval {ends[0]:.2f} to {ends[1]:.2f})."
        )

    def __repr__(self) -> str:
        low, high = (100 * end for end in self.interval)
        words = f"Comparison of {len(self.differences)} folds: difference {100 * self.difference:+.2f} points"
        if self.interval == _UNKNOWN:
            return f"{words} in each"
        return f"{words}, {100 * self.confidence:g} % interval {low:.2f} to {high:.2f}, p = {self.p_value:.3f}"


def compare_models(
    baseline: Sequence[float] | CrossValidation,
    candidate: Sequence[float] | CrossValidation,
    *,
    test_to_train: float | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two models that were evaluated on the same folds, by the corrected resampled t test.

    Taught in notebook ``08_better_models``.

    Parameters
    ----------
    baseline, candidate : sequence of float, or CrossValidation
        Accuracies, 0 to 1, one for each fold, in the same order; or what `cross_validate` returned for each.
    test_to_train : float, optional
        Samples held out for each one trained on. Left out, it follows from the folds, each trained on all that it does
        not hold out; of scores alone, 1 / (k - 1) for k folds is taken, which is right if every sample was held out
        once. With 0 it is the ordinary paired t test, which takes the folds for independent.
    confidence : float
        Of the interval, between 0 and 1.

    Returns
    -------
    Comparison
        The differences, their mean with interval and p value, and a verdict in words.

    Raises
    ------
    ValueError
        If there are fewer than two folds, the folds are not the same, an accuracy is not between 0 and 1, or
        ``test_to_train`` or ``confidence`` is out of range.
    TypeError
        If one is a CrossValidation and the other is not, or something is not a number.

    Notes
    -----
    With k differences of mean d and variance s² (which divides by k - 1), t = d / √(s² (1/k + n_test/n_train)) is
    compared with Student's distribution of k - 1 degrees of freedom. The second term is there because the folds share
    data: they train on much the same, and on what the others hold out. It is an approximation: how strongly folds
    depend on one another differs between models. The p value is that of one comparison; with several, correct for their
    number. Differences that are all equal give no scale to measure by, so nothing is claimed of them.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 2003.

    Examples
    --------
    >>> shallow = [0.98550, 0.98600, 0.98642, 0.98850, 0.98742]
    >>> deep = [0.99058, 0.99042, 0.98883, 0.99192, 0.99133]
    >>> compare_models(shallow, deep).verdict
    'The candidate is better by 0.38 points (95 % interval 0.20 to 0.57).'
    """
    level = _number("confidence", confidence)
    if not 0 < level < 1:
        raise ValueError(f"confidence={confidence}: expected a number between 0 and 1, such as 0.95.")
    if isinstance(baseline, CrossValidation) != isinstance(candidate, CrossValidation):
        raise TypeError(
            f"baseline is {type(baseline).__name__}, candidate is {type(candidate).__name__}; expected two of a kind: "
            "two CrossValidations, or the scores of both."
        )
    first = _scores("baseline", baseline.scores if isinstance(baseline, CrossValidation) else baseline)
    second = _scores("candidate", candidate.scores if isinstance(candidate, CrossValidation) else candidate)
    if isinstance(baseline, CrossValidation) and isinstance(candidate, CrossValidation):
        _check_same_folds(baseline, candidate)
        held_out = np.mean([len(fold.held_out) for fold in baseline.folds])
        ratio = float(held_out / (baseline.n_samples - held_out))
    elif len(first) != len(second):
        raise ValueError(
            f"baseline has {len(first)} scores, candidate {len(second)}; expected one of each for every fold."
        )
    else:
        ratio = 1 / (len(first) - 1)
    if test_to_train is not None:
        ratio = _number("test_to_train", test_to_train)
        if not 0 <= ratio < np.inf:
            raise ValueError(f"test_to_train={test_to_train}: expected n_test / n_train, such as 0.25 for five folds.")
    differences, folds = second - first, len(first)
    mean = float(differences.mean())
    each = tuple(differences.tolist())
    if np.ptp(differences) <= _EQUAL:
        return Comparison(each, mean, _UNKNOWN, 1.0, level)
    error = np.sqrt(differences.var(ddof=1) * (1 / folds + ratio))
    reach = stats.t.ppf((1 + level) / 2, folds - 1) * error
    p_value = 2 * stats.t.sf(abs(mean) / error, folds - 1)
    return Comparison(each, mean, (float(mean - reach), float(mean + reach)), float(p_value), level)


def plot_differences(comparisons: Mapping[str, Comparison], *, tolerance: tuple[float, float] | None = None) -> Picture:
    """Draw, for each comparison, the difference in every fold, their mean and its interval, beside a line at 0.

    Taught in notebook ``08_better_models``.

    Parameters
    ----------
    comparisons : mapping of str to Comparison
        By the name of the candidate, as `compare_models` returns them, drawn from top to bottom.
    tolerance : tuple of two floats, optional
        What the numbers in the description are held to, in percentage points, for the differences with their mean and
        for the ends of the intervals: another processor may move them so far.

    Returns
    -------
    Picture
        One row for each. Dots are folds, in percentage points, to the right of 0 where the candidate is better; the
        diamond is the mean, the bar through it the interval. Differences that are all equal have none.

    Raises
    ------
    ValueError
        If there is no comparison, or the tolerance is not two positive numbers.
    TypeError
        If an entry is no Comparison.

    Examples
    --------
    >>> from convtour import compare_models
    >>> ours = compare_models([0.95, 0.96, 0.94], [0.96, 0.98, 0.94])
    >>> print(plot_differences({"ours": ours}).description[48:])
    ours lies on both sides of 0: folds 1.00, 2.00, 0.00, mean 1.00; 95 % interval: -2.93 to 4.93.
    """
    if not isinstance(comparisons, Mapping) or not comparisons:
        raise ValueError(f"comparisons={brief(repr(comparisons))}: expected a mapping of at least one name.")
    for name, comparison in comparisons.items():
        if not isinstance(comparison, Comparison):
            raise TypeError(
                f"comparisons[{name!r}] is {type(comparison).__name__}; expected a Comparison, from compare_models."
            )
    limits = two_tolerances(tolerance, "two numbers, for differences and intervals")
    with styled(figsize=(7, 1.5 + 0.4 * len(comparisons))) as picture:
        axes = picture.subplots()
        axes.axvline(0, color=GREY, linestyle="--", linewidth=1, zorder=0)
        words = [
            _draw_comparison(axes, row, comparison, str(name), limits)
            for row, (name, comparison) in enumerate(comparisons.items())
        ]
        axes.set(title="Against the baseline, on the same folds", xlabel="candidate minus baseline (points)")
        axes.set_yticks(range(len(comparisons)), list(map(str, comparisons)))
        axes.set_ylim(len(comparisons) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        shown = dict(reversed(pair) for pair in zip(*axes.get_legend_handles_labels(), strict=True))
        picture.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=3)
    picture.description = f"Candidate minus baseline, in percentage points. {' '.join(words)}"
    return picture


def _number(name: str, value: object) -> float:
    """Return a number, or say that it is none."""
    given = numbers(name, value)  # type: ignore[arg-type]
    if given.ndim or given.dtype.kind == "b":
        raise TypeError(f"{name}={brief(repr(value))}: expected one number.")
    return float(given)


def _scores(name: str, scores: object) -> npt.NDArray[np.float64]:
    """Return the accuracies of at least two folds, or say what is wrong with them."""
    values = numbers(name, scores).astype(np.float64)  # type: ignore[arg-type]
    if values.ndim != 1 or len(values) < 2 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"{name}={brief(repr(scores))}: expected the accuracies of at least two folds, each from 0 to 1."
        )
    return values


def _check_same_folds(baseline: CrossValidation, candidate: CrossValidation) -> None:
    """Say where two cross-validations held out different samples."""
    sizes = [(result.n_samples, len(result.folds)) for result in (baseline, candidate)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"baseline has {sizes[0][0]} samples in {sizes[0][1]} folds, candidate {sizes[1][0]} in {sizes[1][1]}; "
            "expected the same data and the same cv for both."
        )
    for number, (ours, theirs) in enumerate(zip(baseline.folds, candidate.folds, strict=True), 1):
        if not np.array_equal(np.sort(ours.held_out), np.sort(theirs.held_out)):
            raise ValueError(
                f"baseline and candidate hold out different samples in fold {number}; expected the same folds for "
                "both: give cross_validate the same cv, with a fixed random_state if it shuffles."
            )


def _draw_comparison(
    axes: Axes, row: int, comparison: Comparison, name: str, limits: tuple[float | None, float | None]
) -> str:
    """Draw the folds, the mean and the interval in a row, and say what is drawn."""
    say, held = spoken("tolerance", limits[0], 2)
    say_end, held_end = spoken("tolerance", limits[1], 2)
    percent = 100 * np.array(comparison.differences)
    dots = axes.scatter(percent, np.full(len(percent), row + 0.12), s=22, color=BLUE, zorder=3, label="one fold")
    mean, half = 100 * comparison.difference, 50 * np.subtract(*comparison.interval[::-1])
    known = comparison.interval != _UNKNOWN
    look: dict[str, Any] = {"color": VERMILION, "markerfacecolor": "none", "capsize": 3, "zorder": 2}
    bar = axes.errorbar(mean, row - 0.16, xerr=half if known else None, fmt="D", **look)
    bar.set_label("mean and its interval")
    drawn = np.asarray(cast("npt.NDArray[np.float64]", dots.get_offsets()))[:, 0]
    centre = np.asarray(bar.lines[0].get_xdata())[0]
    folds = f"folds {', '.join(map(say, drawn))}, mean {say(centre)}{held}"
    if not known:
        return f"{name}: {folds}; no interval, all are the same."
    low, high = _ends(bar)
    side = "above 0" if low > 0 else "below 0" if high < 0 else "on both sides of 0"
    interval = f"{100 * comparison.confidence:g} % interval: {say_end(low)} to {say_end(high)}{held_end}"
    return f"{name} lies {side}: {folds}; {interval}."


def _ends(bar: ErrorbarContainer) -> tuple[float, float]:
    """Where the interval that was drawn begins and ends."""
    (segment,) = bar.lines[2][0].get_segments()
    return float(segment[0][0]), float(segment[-1][0])

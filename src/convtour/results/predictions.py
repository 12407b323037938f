"""What a model said of each sample: where it errs, and whether its probabilities can be believed."""

from collections.abc import Sequence
from typing import cast

from convtour._checks import brief, entries, finite_numbers, one_hot_rows, whole
from convtour.picture import BLUE, GREY, VERMILION, Picture, styled
from convtour.plots import spoken
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

_Floats = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int64]
_MOST_CLASSES = 30  # whose counts can still be read
_ERRORS = LinearSegmentedColormap.from_list("errors", ["#FFFFFF", "#F6C9A8", VERMILION, "#8A3A00"])
_RIGHT = ListedColormap(["#BDBDBD"])


def plot_confusion(
    y_true: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    *,
    class_names: Sequence[object] | None = None,
    tolerance: float | None = None,
) -> Picture:
    """Count which class is taken for which, the errors in colour.

    Taught in notebook ``07_reading_the_results``.

    Parameters
    ----------
    y_true : array-like of int, shape (n,), or one-hot, shape (n, classes)
        The true classes, counted from 0.
    probabilities : array-like of float, shape (n, classes)
        What the model said, as ``model.predict`` and ``CrossValidation.probabilities`` give it, 0 to 1. The answer is
        the column with the largest number. 2 to 30 classes.
    class_names : sequence, optional
        A name for each class; its number if left out.
    tolerance : float, optional
        What the counts in the description are held to, in samples: another processor may move them so far.

    Returns
    -------
    Picture
        A row for each true class, a column for each answer, a count in each cell that has one. Right answers lie on the
        grey diagonal; the more often an error occurs, the darker its cell. The description begins with the largest
        errors, those before the widest gap among the first six, in the order of the classes.

    Raises
    ------
    ValueError
        If the shapes do not fit, a label is no class, or the rows are not probabilities.
    TypeError
        If they are not numbers, or the labels not whole ones.

    Examples
    --------
    >>> said = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]
    >>> print(plot_confusion([0, 0, 1, 1], said, class_names=["cat", "dog"]).description[:59])
    Wrong: 1 of 4 answers. Largest errors, dog taken for cat: 1
    """
    truth, shares = _check_answers(y_true, probabilities)
    classes = shares.shape[1]
    given = range(classes) if class_names is None else class_names
    names = [str(name) for name in entries("class_names", given, "names")]
    if len(names) != classes or classes > _MOST_CLASSES:
        raise ValueError(
            f"class_names has {len(names)} names and probabilities {classes} columns; expected a name for each class, "
            f"and 2 to {_MOST_CLASSES} classes. Leave out or put together some of them."
        )
    held = spoken("tolerance", tolerance, 0)[1]
    counted = confusion_matrix(truth, shares.argmax(axis=1), labels=range(classes))
    side = float(np.clip(0.5 * classes, 2, 6.5))
    with styled(figsize=(side + 0.9, side + 0.9)) as picture:
        drawn = _draw_counts(picture.subplots(), counted, names)
    alone = held.replace("each ", "")
    wrong = drawn.sum() - np.trace(drawn)
    errors = ", ".join(
        f"{names[true]} taken for {names[answer]}: {drawn[true, answer]}{alone}"
        for true, answer in _largest_errors(drawn)
    )
    rows = "; ".join(f"true {name}: {' '.join(map(str, row))}{held}" for name, row in zip(names, drawn, strict=True))
    picture.description = (
        f"Wrong: {wrong}{alone} of {drawn.sum()} answers. {f'Largest errors, {errors}. ' if errors else ''}"
        f"Counts for {', '.join(names)} as answers; {rows}."
    )
    return picture


def plot_reliability(
    y_true: npt.ArrayLike, probabilities: npt.ArrayLike, *, bins: int = 10, tolerance: float | None = None
) -> Picture:
    """Compare how sure a model is of its answers with how often they are right.

    Taught in notebook ``07_reading_the_results``.

    Parameters
    ----------
    y_true : array-like of int, shape (n,), or one-hot, shape (n, classes)
        The true classes, counted from 0.
    probabilities : array-like of float, shape (n, classes)
        What the model said, 0 to 1. The confidence of an answer is the largest number of its row.
    bins : int
        Answers are sorted by confidence into so many parts of 0 to 1, equally wide, 2 to 50. One on the edge of two
        belongs to the lower.
    tolerance : float, optional
        What the numbers in the description are held to, in answers; percentages to that share of all answers.

    Returns
    -------
    Picture
        Above, a point for each bin with answers: their mean confidence, and the share of them that is right. Below the
        diagonal the model is overconfident, above it underconfident. The grey bar at each point spans two standard
        errors to either side of the diagonal: a calibrated model stays within in about 95 of 100 bins. Points outside
        are orange (with a tolerance only those that are off the diagonal by more answers than it). Below, how many
        answers there are. The description says first where points are orange; then for each bin how many answers are
        right, and how many ought to be by their own confidence.

    Raises
    ------
    ValueError
        If the shapes do not fit, a label is no class, the rows are not probabilities, or ``bins`` is out of range.
    TypeError
        If they are not numbers, or the labels or ``bins`` not whole ones.

    Notes
    -----
    The expected calibration error is the mean over all answers of the distance between share right and mean confidence
    of their bin, here in percentage points. It depends on the number of bins.

    References
    ----------
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015; Guo, Pleiss,
    Sun and Weinberger, "On calibration of modern neural networks", 2017.

    Examples
    --------
    Ten answers, each 90 % sure, of which six are right.

    >>> picture = plot_reliability([0] * 6 + [1] * 4, [[0.9, 0.1]] * 10, bins=2)
    >>> print(picture.description[:70])
    Overconfident where the confidence is 0.5 to 1; underconfident nowhere
    """
    truth, shares = _check_answers(y_true, probabilities)
    bins = whole("bins", bins, at_least=2)
    if bins > 50:
        raise ValueError(f"bins={bins}: expected at most 50.")
    say, held = spoken("tolerance", tolerance, 1)
    points = None if tolerance is None else float(f"{100 * tolerance / len(truth):.1g}")
    percent, near = spoken("tolerance", points, 1)
    with styled(figsize=(6, 6)) as picture:
        above, below = picture.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        hits, confidence = shares.argmax(axis=1) == truth, shares.max(axis=1)
        bin_of = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)  # the lower one, at an edge
        counted = np.bincount(bin_of, minlength=bins)
        variance = np.clip(confidence * (1 - confidence), 0, None)
        sums = np.array([np.bincount(bin_of, values, bins) for values in (confidence, hits, variance)])
        confident, right, outside = _draw_reliability(above, counted, sums, tolerance or 0)
        answers, edges = _draw_numbers(below, counted)
        picture.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    there = answers > 0
    over, under = (_stretches(outside & side, edges) for side in (right < confident, right > confident))
    gap = np.abs(answers * (right - confident))[there].sum() / answers.sum()
    rows = [
        f"{low:g} to {high:g}: answers {number:.0f}, right {number * share:.0f}, expected {say(number * mean)}{held}"
        for low, high, number, share, mean in zip(edges[:-1], edges[1:], answers, right, confident, strict=True)
    ]
    overall = [100 * (answers * values)[there].sum() / answers.sum() for values in (confident, right)]
    picture.description = (
        f"Overconfident {over}; underconfident {under}. Mean confidence: {percent(overall[0])}, share right "
        f"{percent(overall[1])}, expected calibration error {percent(100 * gap)}{near}, in percent. By confidence; "
        f"{'; '.join(rows)}."
    )
    return picture


def _check_answers(y_true: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], _Floats]:
    """Return the true class of each sample, and the rows of probabilities, or say why they do not fit."""
    shares = finite_numbers("probabilities", probabilities).astype(np.float64)
    if shares.ndim != 2 or not len(shares) or shares.shape[1] < 2:
        raise ValueError(
            f"probabilities has shape {shares.shape}; expected (n, classes), a row for each of at least one sample and "
            "a column for each of at least 2 classes. From a sigmoid p make np.column_stack([1 - p, p])."
        )
    # A hundredth: float16 is no more exact than that, over many classes.
    strange = (shares < -1e-6).any(axis=1) | (abs(shares.sum(axis=1) - 1) > 0.01)
    if strange.any():
        row = int(strange.argmax())
        raise ValueError(
            f"probabilities: row {row} is {brief(shares[row].round(3).tolist())}; expected numbers from 0 to 1 that "
            "add up to 1. Logits become probabilities with keras.ops.softmax(logits)."
        )
    truth = finite_numbers("y_true", y_true)
    if truth.ndim == 2 and truth.shape == shares.shape:
        if not one_hot_rows(truth).all():
            raise ValueError("y_true has the shape of one-hot labels; expected a single 1 among zeros in every row.")
        return truth.argmax(axis=1), shares
    if truth.shape != shares.shape[:1]:
        raise ValueError(
            f"y_true has shape {truth.shape} and probabilities {shares.shape}; expected {shares.shape[:1]} "
            f"whole-number labels, or one-hot ones of shape {shares.shape}."
        )
    if truth.dtype.kind not in "iu":
        raise TypeError(f"y_true holds {truth.dtype}; expected whole numbers, the classes counted from 0.")
    if truth.min() < 0 or truth.max() >= shares.shape[1]:
        raise ValueError(
            f"y_true runs from {truth.min()} to {truth.max()}; expected 0 to {shares.shape[1] - 1}, the columns of "
            "probabilities."
        )
    return truth.astype(np.intp), shares


def _draw_counts(axes: Axes, counted: _Counts, names: list[str]) -> _Counts:
    """Draw counts, errors in colour and right answers in grey; return what can be read in the cells."""
    diagonal = np.eye(len(counted), dtype=bool)
    errors = axes.imshow(np.ma.masked_array(counted, diagonal), cmap=_ERRORS, vmin=0)
    errors.set_clim(0, max(1, counted[~diagonal].max()))
    right = axes.imshow(np.ma.masked_array(counted, ~diagonal), cmap=_RIGHT)
    seen = np.where(diagonal, np.asarray(right.get_array()), np.asarray(errors.get_array()))
    size = min(11.0, 440 / len(names) / len(str(seen.max())))
    for row, column in np.argwhere(seen):
        pale = row == column or errors.to_rgba(seen)[row, column, :3] @ (0.3, 0.6, 0.1) > 0.5
        colour = "black" if pale else "white"
        axes.text(column, row, str(seen[row, column]), color=colour, fontsize=size, ha="center", va="center")
    axes.set(xlabel="answer", ylabel="true class", title="Errors in colour, right answers in grey")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    if max(map(len, names)) > 3:
        axes.tick_params(axis="x", rotation=90)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    read = np.zeros_like(counted)
    for text in axes.texts:
        column, row = text.get_position()
        read[int(row), int(column)] = int(text.get_text())
    return read


def _largest_errors(counts: _Counts) -> list[tuple[int, int]]:
    """The cells off the diagonal whose counts come before the widest gap among the first six, row by row."""
    errors = counts * ~np.eye(len(counts), dtype=bool)
    sizes = np.append(np.sort(errors, axis=None)[::-1], np.zeros(6, int))[:6]
    widest = int(np.diff(sizes).argmin())  # the first of equal ones
    return [(int(row), int(column)) for row, column in np.argwhere(errors >= max(1, sizes[widest]))]


def _draw_reliability(
    axes: Axes, counted: npt.NDArray[np.intp], sums: _Floats, tolerance: float
) -> tuple[_Floats, _Floats, npt.NDArray[np.bool_]]:
    """Draw confidence against share right; return for each bin its point, and whether it is outside, that is orange.

    The rows of `sums` are, for each bin, its answers' confidences, how many are right, and the variance of that number
    if the model is calibrated.
    """
    there = np.flatnonzero(counted)
    mean, share, error = (values[there] / counted[there] for values in (sums[0], sums[1], np.sqrt(sums[2])))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="calibrated")
    low, high = np.clip(mean - 2 * error, 0, 1), np.clip(mean + 2 * error, 0, 1)
    spans = axes.vlines(mean, low, high, color=GREY, alpha=0.5, linewidth=8, label="within two standard errors")
    more = f", over {tolerance:g} answers off" if tolerance else ""
    points = axes.scatter(
        mean, share, color=BLUE, zorder=3, clip_on=False, label=f"answers of a bin (orange: outside{more})"
    )
    axes.set(title="How often it is right", ylabel="share right", ylim=(-0.03, 1.03), xlim=(0, 1))
    drawn = np.zeros((4, len(counted)))  # read back from the drawing; 0 where nothing was drawn
    drawn[:2, there] = np.asarray(cast("_Floats", points.get_offsets())).T
    drawn[2:, there] = np.array(spans.get_segments())[:, :, 1].T
    off = counted * np.abs(drawn[1] - drawn[0])
    outside = ((drawn[1] < drawn[2]) | (drawn[1] > drawn[3])) & (off > tolerance)
    points.set_color([VERMILION if bad else BLUE for bad in outside[there]])
    return drawn[0], drawn[1], outside


def _draw_numbers(axes: Axes, counted: npt.NDArray[np.intp]) -> tuple[_Floats, _Floats]:
    """Draw how many answers lie in each bin, with their numbers; return what was drawn."""
    edges = np.linspace(0, 1, len(counted) + 1)
    bars = axes.bar(edges[:-1], counted, np.diff(edges), align="edge", color=BLUE, edgecolor="white", linewidth=0.5)
    axes.set(title="How many answers", xlabel="confidence", yscale="log", ylim=(0.8, 8 * counted.max()))
    heights = np.array([bar.get_height() for bar in bars])
    if len(counted) <= 12:
        axes.bar_label(bars, [f"{height:.0f}" if height else "" for height in heights], color="#767676", padding=2)
    return heights, np.array([bar.get_x() for bar in bars] + [1.0])


def _stretches(chosen: npt.NDArray[np.bool_], edges: _Floats) -> str:
    """Say in words which bins are meant, neighbours together."""
    parts: list[list[float]] = []
    for number in np.flatnonzero(chosen):
        low, high = edges[number], edges[number + 1]
        if parts and np.isclose(parts[-1][1], low):
            parts[-1][1] = high
        else:
            parts.append([low, high])
    said = ", ".join(f"{low:.3g} to {high:.3g}" for low, high in parts)
    return f"where the confidence is {said}" if said else "nowhere"

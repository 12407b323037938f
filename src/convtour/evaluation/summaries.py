"""What came out of the folds: their curves, their scores, and who was held out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from convtour._checks import brief, entries, numbers, whole
from convtour.evaluation.checks import check_folds, shuffled_folds
from convtour.picture import BLUE, VERMILION, Picture, styled
from convtour.plots import draw_cells
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

_MEASURES = ("loss", "val_loss", "accuracy", "val_accuracy")


def summarize_diagnostics(histories: "Sequence[keras.callbacks.History]", *, decimals: int = 3) -> Picture:
    """Draw loss and accuracy over the epochs: the mean over the folds, its spread, and each fold faintly.

    Parameters
    ----------
    histories : sequence of keras.callbacks.History
        As ``evaluate_model`` returns them, one per fold, all with the same number of epochs.
    decimals : int
        Decimals of the percentages in the description; losses get one more, but 3 at most. The last digits of a
        training differ from one kind of processor to the next, so where the words must be the same everywhere, take 0.

    Returns
    -------
    Picture
        Two panels: cross-entropy loss on the left, accuracy in percent on the right. The band is one standard deviation
        over the folds to either side of the mean.

    Raises
    ------
    ValueError
        If there is no history, one lacks a curve or holds NaN, or their numbers of epochs differ.
    TypeError
        If they are no histories, as where all that ``evaluate_model`` returns is given.

    Examples
    --------
    >>> import numpy as np
    >>> from convtour import evaluate_model
    >>> noise = np.random.default_rng(0).normal(size=(12, 6, 1))
    >>> scores, histories = evaluate_model(noise, np.eye(2)[np.arange(12) % 2], n_folds=2, epochs=3, verbose=0)
    >>> summarize_diagnostics(histories).description[:47]
    'Learning curves of 2 folds over epochs 1 to 3. '
    """
    decimals = whole("decimals", decimals, at_least=0)
    curves = _curves(entries("histories", histories, "histories, one for each fold"))
    with styled(figsize=(9, 3.8)) as picture:
        left, right = picture.subplots(1, 2)
        loss = _draw_curves(left, "Cross-entropy loss", curves[:2], min(decimals + 1, 3))
        accuracy = _draw_curves(right, "Accuracy (%)", 100 * curves[2:], decimals)
    _, folds, epochs = curves.shape
    picture.description = (
        f"Learning curves of {folds} fold{'s' * (folds > 1)} over epochs 1 to {epochs}. {loss} {accuracy} "
        "Bands: one standard deviation over the folds to either side; faint lines: single folds."
    )
    return picture


def summarize_performance(scores: Sequence[float]) -> Picture:
    """Print the mean and spread of the fold accuracies, and draw a box plot with every point.

    Parameters
    ----------
    scores : sequence of float
        Accuracies, 0 to 1, as ``evaluate_model`` returns them.

    Returns
    -------
    Picture
        The box spans the quartiles, its line is the median, its whiskers reach the lowest and the highest score; the
        points are the scores, the diamond is their mean. In percent.

    Raises
    ------
    ValueError
        If there are no scores or one is not between 0 and 1.
    TypeError
        If they are not numbers.

    Notes
    -----
    ``std`` is the standard deviation of these n scores, ``numpy.std(scores)``: it divides by n. It describes the folds;
    it is not the uncertainty of the mean.

    Examples
    --------
    >>> picture = summarize_performance([11842 / 12000, 11825 / 12000, 11816 / 12000, 11852 / 12000, 11851 / 12000])
    Accuracy: mean=98.643 std=0.120, n=5
    """
    values = numbers("scores", scores).astype(np.float64)
    if values.ndim != 1 or not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"scores={brief(repr(scores))}: expected at least one accuracy, each from 0 to 1.")
    percent = 100 * values
    print(f"Accuracy: mean={percent.mean():.3f} std={percent.std():.3f}, n={len(percent)}")
    with styled(figsize=(7, 2.6)) as picture:
        axes = picture.subplots()
        looks: dict[str, Any] = {
            "medianprops": {"color": VERMILION, "linewidth": 2},
            "meanprops": {"marker": "D", "markerfacecolor": "white", "markeredgecolor": "black", "zorder": 4},
        }
        box = axes.boxplot(percent, orientation="horizontal", whis=(0, 100), widths=0.5, showmeans=True, **looks)
        heights = 1 + 0.15 * (np.arange(len(percent)) % 3 - 1)  # side by side, so that equal scores stay apart
        points = axes.scatter(percent, heights, color=BLUE, zorder=3)
        axes.set(title=f"Accuracy on {len(percent)} held-out folds", xlabel="accuracy (%)", yticks=[])
        axes.spines["left"].set_visible(False)
        shown = [points, box["medians"][0], box["means"][0]]
        axes.legend(shown, ["one fold", "median", "mean"], loc="center left", bbox_to_anchor=(1, 0.5))
    picture.description = _describe_box(box, points)
    return picture


def plot_folds(n_samples: int = 20, n_folds: int = 5) -> Picture:
    """Draw which samples each fold holds out and which it trains on.

    Parameters
    ----------
    n_samples, n_folds : int
        Few enough samples to see each one; at least as many samples as folds, and at least 2 folds.

    Returns
    -------
    Picture
        One row per fold, one column per sample; held-out samples are dark and carry their number. The folds are
        those of ``evaluate_model`` for so many samples.

    Raises
    ------
    ValueError, TypeError
        If a number is not a whole one, or there are fewer than 2 folds or fewer samples than folds.

    Examples
    --------
    >>> plot_folds(n_samples=6, n_folds=3).description[:52]
    '6 samples in 3 folds. Held out: fold 1: samples 1 2;'
    """
    n_samples = whole("n_samples", n_samples, at_least=2)
    n_folds = check_folds("n_folds", n_folds, n_samples)
    held_out = np.zeros((n_folds, n_samples), dtype=int)
    for fold, (_, indices) in enumerate(shuffled_folds(n_folds).split(range(n_samples))):
        held_out[fold, indices] = 1
    with styled(figsize=(9, 0.6 + 0.42 * n_folds)) as picture:
        axes = picture.subplots()
        colours = ListedColormap(["#CFE3F1", "#A34700"])
        drawn = draw_cells(axes, held_out, gap=4, cmap=colours, vmin=0, vmax=1, aspect="auto")
        for fold, sample in np.argwhere(drawn):
            axes.text(sample, fold, str(sample), ha="center", va="center", color="white", weight="bold")
        axes.set(title="Dark, numbered: held out. Pale: trained on.", xlabel="sample", xticks=[])
        axes.set_yticks(range(n_folds), [f"fold {fold + 1}" for fold in range(n_folds)])
    rows = [f"fold {fold}: samples {' '.join(map(str, np.flatnonzero(row)))}" for fold, row in enumerate(drawn, 1)]
    times = drawn.sum(axis=0)
    once = "exactly once" if (times == 1).all() else f"between {times.min()} and {times.max()} times"
    picture.description = (
        f"{n_samples} samples in {n_folds} folds. Held out: {'; '.join(rows)}. Every sample is held out {once}."
    )
    return picture


def _curves(histories: "Sequence[keras.callbacks.History]") -> npt.NDArray[np.float64]:
    """What was measured, in the order of _MEASURES: for each, one row per fold, one column per epoch."""
    if not histories:
        raise ValueError("histories is empty; expected the histories of at least one fold, from evaluate_model.")
    for fold, history in enumerate(histories):
        held = getattr(history, "history", None)
        if not isinstance(held, Mapping):
            raise TypeError(
                f"histories[{fold}] is {type(history).__name__}; expected a keras.callbacks.History. evaluate_model "
                "returns (scores, histories): pass the second."
            )
        if missing := [name for name in _MEASURES if name not in held]:
            raise ValueError(
                f"histories[{fold}] has no {missing[0]!r}; it has {brief(', '.join(map(str, held))) or 'nothing'}. "
                "Train with validation data and metrics=['accuracy'], as evaluate_model does."
            )
    curves = numbers("histories", [[history.history[name] for history in histories] for name in _MEASURES])
    if curves.ndim != 3 or not curves.size:
        raise ValueError("histories holds no epochs; expected one number for each epoch, and at least one epoch.")
    if not np.isfinite(curves).all():
        measure, fold, epoch = np.argwhere(~np.isfinite(curves))[0]
        raise ValueError(
            f"histories[{fold}] has {_MEASURES[measure]}={curves[measure, fold, epoch]} in epoch {epoch + 1}: the "
            "training diverged. Scale the inputs (prep_pixels) or lower the learning rate."
        )
    return curves.astype(np.float64)


def _draw_curves(axes: Axes, title: str, train_and_validation: npt.NDArray[np.float64], decimals: int) -> str:
    """Draw the folds of one measure, and say what the drawn lines show."""
    words = []
    looks = (("training: mean", BLUE, "-", "o"), ("validation: mean", VERMILION, "--", "s"))
    for (name, colour, dashes, marker), folds in zip(looks, train_and_validation, strict=True):
        epochs = np.arange(1, folds.shape[1] + 1)
        mean, spread = folds.mean(axis=0), folds.std(axis=0)
        faint = axes.plot(epochs, folds.T, color=colour, linestyle=dashes, linewidth=0.8, alpha=0.35)
        band = axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        (line,) = axes.plot(epochs, mean, color=colour, linestyle=dashes, marker=marker, markersize=4, label=name)
        words.append(_describe_curve(line, faint, band, decimals))
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(title="faint: single folds\nband: one std either side", title_fontsize="small", alignment="left")
    return f"{axes.get_title('left')}: {'; '.join(words)}."


def _describe_curve(line: Line2D, faint: list[Line2D], band: PolyCollection, decimals: int) -> str:
    """Say how a drawn mean runs, how wide its band is, and where the drawn folds lie."""
    epochs, values = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    outline = np.asarray(band.get_paths()[0].vertices)
    width = np.mean([np.ptp(outline[outline[:, 0] == epoch, 1]) for epoch in epochs])
    folds = np.array([fold.get_ydata() for fold in faint]).mean(axis=1)
    stops = sorted({0, (len(values) - 1) // 2, len(values) - 1})
    return (
        f"{line.get_label()} {', '.join(f'{values[at]:.{decimals}f} at epoch {epochs[at]:.0f}' for at in stops)}, "
        f"averaging {values.mean():.{decimals}f} over the epochs, band {width:.{decimals}f} wide, single folds "
        f"averaging {folds.min():.{decimals}f} to {folds.max():.{decimals}f}"
    )


def _describe_box(box: dict[str, Any], points: PathCollection) -> str:
    """Say what the drawn box and points show."""
    drawn = np.asarray(cast("npt.NDArray[np.float64]", points.get_offsets()))[:, 0]
    edges = np.asarray(box["boxes"][0].get_xdata())
    whiskers = np.concatenate([whisker.get_xdata() for whisker in box["whiskers"]])
    return (
        f"Box plot of {len(drawn)} fold accuracies in percent: from {whiskers.min():.3f} to {whiskers.max():.3f}, box "
        f"{edges.min():.3f} to {edges.max():.3f}, median {box['medians'][0].get_xdata()[0]:.3f}, "
        f"mean {box['means'][0].get_xdata()[0]:.3f}. Points: {', '.join(f'{value:.3f}' for value in drawn)}."
    )

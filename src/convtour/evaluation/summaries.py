"""What came out of the folds: their curves, their scores, and who was held out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from convtour._checks import brief, entries, numbers, whole
from convtour.evaluation.checks import check_folds, shuffled_folds
from convtour.evaluation.rounds import plan
from convtour.picture import BLUE, GREY, PALETTE, VERMILION, Picture, styled
from convtour.plots import spoken, two_tolerances
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection, PolyCollection
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

_MEASURES = ("loss", "val_loss", "accuracy", "val_accuracy")


def summarize_diagnostics(
    histories: "Sequence[keras.callbacks.History]", *, tolerance: tuple[float, float] | None = None
) -> Picture:
    """Draw loss and accuracy over the epochs: the mean over the folds, its spread, and each fold faintly.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    histories : sequence of keras.callbacks.History
        As ``evaluate_model`` returns them, one per fold, all with the same number of epochs.
    tolerance : tuple of two floats, optional
        What the numbers in the description are held to, for losses and for accuracies in percentage points: another
        processor may move them so far.

    Returns
    -------
    Picture
        Two panels: cross-entropy loss, on a logarithmic axis, and accuracy in percent. The band is one standard
        deviation over the folds to either side of the mean; a fold that lies far from the others is named. The
        description begins with the epoch in which validation first comes close to its best: up to a twentieth of the
        whole way, or the tolerance.

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
    >>> "Learning curves of 2 folds over 3 epochs." in summarize_diagnostics(histories).description
    True
    """
    limits = two_tolerances(tolerance, "two numbers, for losses and for accuracies")
    curves = _curves(entries("histories", histories, "histories, one for each fold"))
    with styled(figsize=(7, 3.9)) as picture:
        left, right = picture.subplots(1, 2)
        seen_loss, loss = _draw_curves(left, "Cross-entropy loss", curves[:2], limits[0], falls=True)
        seen_accuracy, accuracy = _draw_curves(right, "Accuracy (%)", 100 * curves[2:], limits[1], falls=False)
        shown = dict(sorted(zip(*reversed(left.get_legend_handles_labels()), strict=True), reverse=True))
        legend = picture.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=2)
        for of_both in legend.legend_handles[2:]:  # of training and of validation: in neither's colour or dashes
            cast(Artist, of_both).set(color=GREY, alpha=0.5, linestyle="-")
    _, folds, epochs = curves.shape
    seen = f"Validation loss {seen_loss}; validation accuracy {seen_accuracy}. " if epochs > 1 else ""
    band = "Bands: one standard deviation over the folds to either side. " if epochs > 1 else ""
    picture.description = (
        f"{seen}Learning curves of {folds} fold{'s' * (folds > 1)} over {epochs} epoch{'s' * (epochs > 1)}. "
        f"{loss} {accuracy} {band}Faint: single folds."
    )
    return picture


def summarize_performance(
    scores: Sequence[float],
    *,
    tolerance: float | tuple[float, float] | None = None,
    held_out: int | None = None,
    compare_with: Mapping[str, Sequence[float]] | None = None,
) -> Picture:
    """Print the mean and spread of the fold accuracies, and draw a box plot above every fold's own.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    scores : sequence of float
        Accuracies, 0 to 1, as ``evaluate_model`` returns them.
    tolerance : float or tuple of two floats, optional
        What the numbers are held to, in percentage points: another processor may move them so far. Two are for the
        scores, and for their mean and spread, which move less.
    held_out : int, optional
        How many samples a fold held out. What chance alone makes of so many is shaded: mean ± 1.96·√(p(1 − p)/m).
    compare_with : mapping of str to sequence of float, optional
        Accuracies of others, by name, drawn below.

    Returns
    -------
    Picture
        One row for each fold. The box spans the quartiles, its line is the median, its whiskers reach the lowest and
        the highest score; the diamond is the mean. In percent.

    Raises
    ------
    ValueError
        If there are no scores, one is not between 0 and 1, ``held_out`` is less than 1, or a tolerance is not positive.
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
    percent = _percent("scores", scores)
    if not isinstance(compare_with or {}, Mapping):
        raise ValueError(f"compare_with={brief(repr(compare_with))}: expected a mapping with named scores.")
    others = {name: _percent(f"compare_with[{name!r}]", given) for name, given in (compare_with or {}).items()}
    samples = None if held_out is None else whole("held_out", held_out, at_least=1)
    each = tolerance if isinstance(tolerance, tuple) else (tolerance, tolerance)
    limits = two_tolerances(each, "one number, or two, for scores and their mean")
    say, held = spoken("tolerance", limits[1], 3)
    print(f"Accuracy: mean={say(percent.mean())} std={say(percent.std())}, n={len(percent)}{held}")
    groups = {"": percent} | others
    tops = -np.cumsum([0, *(len(given) + 1.7 for given in groups.values())])
    with styled(figsize=(7, 1.4 - 0.24 * tops[-1])) as picture:
        axes = picture.subplots()
        words = []
        for top, (name, given) in zip(tops[:-1], groups.items(), strict=True):
            said = _draw_scores(axes, top, name or "all folds", given, (None, None) if name else limits)
            words.append(f"Below, {name}. {said}" if name else said)
        if samples is not None:
            words.insert(0, _draw_chance(axes, samples, limits[1]))
        axes.set(title="Accuracy on held-out folds", xlabel="accuracy (%)", ylim=(tops[-1] + 1.1, 0.6), yticks=[])
        axes.spines["left"].set_visible(False)
        shown = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        picture.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=4)
    picture.description = " ".join(words)
    return picture


def plot_folds(n_samples: int = 20, n_folds: int = 5) -> Picture:
    """Draw which samples each fold holds out and which it trains on.

    Taught in notebook ``06_mnist_baseline``.

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
    cells = [Rectangle((sample - 0.46, fold - 0.42), 0.92, 0.84) for fold, sample in np.ndindex(held_out.shape)]
    with styled(figsize=(7, 0.7 + 0.36 * n_folds)) as picture:
        axes = picture.subplots()
        colours = ListedColormap(["#CFE3F1", "#A34700"])
        patches = axes.add_collection(PatchCollection(cells, cmap=colours, array=held_out.ravel()))
        drawn = np.asarray(patches.get_array()).reshape(held_out.shape)
        for fold, sample in np.argwhere(drawn):
            axes.text(sample, fold, str(sample), ha="center", va="center", color="white", weight="bold")
        axes.set(title="Dark, numbered: held out. Pale: trained on.", xlabel="sample", xticks=[], frame_on=False)
        axes.set_yticks(range(n_folds), [f"fold {fold + 1}" for fold in range(n_folds)])
        axes.set(xlim=(-0.6, n_samples - 0.4), ylim=(n_folds - 0.5, -0.5))
        axes.grid(visible=False)
        axes.tick_params(length=0)
    rows = [f"fold {fold}: samples {' '.join(map(str, np.flatnonzero(row)))}" for fold, row in enumerate(drawn, 1)]
    times = drawn.sum(axis=0)
    once = "exactly once" if (times == 1).all() else f"between {times.min()} and {times.max()} times"
    picture.description = (
        f"{n_samples} samples in {n_folds} folds. Held out: {'; '.join(rows)}. Every sample is held out {once}."
    )
    return picture


def plot_rounds(n_folds: int = 5, epochs: int = 10, n_workers: int = 2) -> Picture:
    """Draw which worker trains which fold in which epoch.

    Taught in notebook ``10_faster_and_bigger``.

    Parameters
    ----------
    n_folds, epochs, n_workers : int
        As for ``evaluate_model``; few enough to see each epoch.

    Returns
    -------
    Picture
        One row per worker, one cell per epoch with the number of the fold that is trained in it; dashed lines where a
        worker changes folds, and with it a round ends.

    Raises
    ------
    ValueError, TypeError
        If a number is not a whole one of at least 1.

    Examples
    --------
    >>> plot_rounds(3, 2, 2).description
    '3 folds of 2 epochs on 2 workers: 3 epochs long. Worker 1: folds 1 1 2; worker 2: folds 2 3 3.'
    """
    n_folds, epochs = whole("n_folds", n_folds, at_least=1), whole("epochs", epochs, at_least=1)
    rounds = plan([epochs] * n_folds, whole("n_workers", n_workers, at_least=1))
    trained: list[list[str]] = [[] for _ in range(max(len(folds) for folds, _ in rounds))]
    with styled(figsize=(7, 0.9 + 0.4 * len(trained))) as picture:
        axes = picture.subplots()
        at = 0
        for folds, count in rounds:
            for worker, fold in enumerate(folds):
                for epoch in range(at, at + count):
                    pale = 0.5 + 0.5 * np.array(to_rgb(PALETTE[fold % len(PALETTE)]))
                    axes.add_patch(Rectangle((epoch + 0.04, worker - 0.4), 0.92, 0.8, facecolor=pale))
                    text = axes.text(epoch + 0.5, worker, str(fold + 1), ha="center", va="center", color="black")
                    trained[worker].append(text.get_text())
            at += count
            axes.axvline(at, color=GREY, linestyle="--", linewidth=0.8)
        axes.set(xlim=(0, at), ylim=(len(trained) - 0.5, -0.5), xlabel="epochs of time", frame_on=False)
        axes.set_yticks(range(len(trained)), [f"worker {number + 1}" for number in range(len(trained))])
        axes.set_title("The fold that each worker trains")
        axes.grid(visible=False)
        axes.tick_params(length=0)
    told = "; ".join(f"worker {number}: folds {' '.join(folds)}" for number, folds in enumerate(trained, 1))
    picture.description = (
        f"{n_folds} folds of {epochs} epochs on {n_workers} workers: {at} epochs long. {told[0].upper()}{told[1:]}."
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


def _draw_curves(
    axes: Axes,
    title: str,
    train_and_validation: npt.NDArray[np.float64],
    tolerance: float | None,
    *,
    falls: bool,
) -> tuple[str, str]:
    """Draw the folds of one measure; say what one sees of its validation, and what all the drawn lines show."""
    words = []
    looks = (("training mean", BLUE, "-", "o"), ("validation mean", VERMILION, "--", "s"))
    for (name, colour, dashes, marker), folds in zip(looks, train_and_validation, strict=True):
        epochs = np.arange(1, folds.shape[1] + 1)
        mean, spread = folds.mean(axis=0), folds.std(axis=0)
        one = "." if len(epochs) == 1 else ""  # a line of one point is not seen
        faint = axes.plot(epochs, folds.T, color=colour, linestyle=dashes, marker=one, linewidth=0.8, alpha=0.6)
        band = axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
        (line,) = axes.plot(epochs, mean, color=colour, linestyle=dashes, marker=marker, markersize=4, label=name)
        words.append(_describe_curve(line, faint, band, tolerance))
    faint[0].set_label("single folds")
    if len(epochs) > 1:
        band.set_label("one std to either side")
    apart = _name_outlier(axes, faint, tolerance or 0.0)
    if falls and (lowest := train_and_validation.min()) > 0:
        axes.set(yscale="log", ylim=(lowest / 1.1, None))  # a band may reach below 0
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(epochs) == 1:
        axes.set(xlim=(0.5, 1.5), xticks=[1])
    seen = _describe_gain(line, tolerance, falls=falls)
    return seen, f"{axes.get_title('left')}{apart}: {'; '.join(words)}."


def _name_outlier(axes: Axes, faint: list[Line2D], tolerance: float) -> str:
    """Name the fold that in the later epochs lies half as far again from the middle as any other, and say so."""
    curves = np.array([line.get_ydata() for line in faint], dtype=np.float64)
    later = curves[:, curves.shape[1] // 2 :].mean(axis=1)
    distances = np.abs(later - np.median(later))
    fold = int(distances.argmax())
    second = np.sort(distances)[-2:][0]
    if len(faint) < 4 or distances[fold] <= max(1.5 * second, second + tolerance):
        return ""
    faint[fold].set_alpha(0.9)
    end = (curves.shape[1], curves[fold, -1])
    axes.annotate(f"fold {fold + 1}", end, (5, 0), textcoords="offset points", va="center", color=VERMILION)
    return f", fold {fold + 1} farthest from the others in validation"


def _describe_gain(line: Line2D, tolerance: float | None, *, falls: bool) -> str:
    """Say in which epoch a drawn mean first comes close to its best, and how far from it it ends."""
    values = np.asarray(line.get_ydata(), dtype=np.float64)
    best = values.min() if falls else values.max()
    behind = np.abs(values - best)
    close = np.flatnonzero(behind <= max(tolerance or 0.0, np.ptp(values) / 20))[0]
    say, held = spoken("tolerance", tolerance, 3)
    epoch = f"{np.asarray(line.get_xdata())[close]}{' (± 1)' * bool(held)}"
    best_name, side = ("lowest", "above") if falls else ("highest", "below")
    ends = f"ends {say(behind[-1])}{held.replace('each ', '')} {side} it"
    return f"comes close to its {best_name} in epoch {epoch} and {ends}"


def _describe_curve(line: Line2D, faint: list[Line2D], band: PolyCollection, tolerance: float | None) -> str:
    """Say how a drawn mean runs, how wide its band is, and where the drawn folds lie."""
    say, held = spoken("tolerance", tolerance, 3)
    epochs, values = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    outline = np.asarray(band.get_paths()[0].vertices)
    width = np.mean([np.ptp(outline[outline[:, 0] == epoch, 1]) for epoch in epochs])
    folds = np.array([fold.get_ydata() for fold in faint]).mean(axis=1)
    stops = sorted({0, (len(values) - 1) // 2, len(values) - 1})
    course = f", averaging {say(values.mean())}, band {say(width)} wide" if len(values) > 1 else ""
    return (
        f"{line.get_label()} at epoch {', '.join(f'{epochs[at]:.0f}' for at in stops)}: "
        f"{', '.join(say(values[at]) for at in stops)}{course}, single folds {'averaging ' * bool(course)}"
        f"{say(folds.min())} to {say(folds.max())}{held}"
    )


def _percent(name: str, scores: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return accuracies in percent, or say what is wrong with them."""
    values = numbers(name, scores).astype(np.float64)
    if values.ndim != 1 or not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"{name}={brief(repr(scores))}: expected at least one accuracy, each from 0 to 1.")
    return 100 * values


def _draw_scores(
    axes: Axes, top: float, name: str, percent: npt.NDArray[np.float64], limits: tuple[float | None, float | None]
) -> str:
    """Draw a box plot and, in rows below it, each fold, and say what is drawn."""
    (say, held), (say_mean, mean_held) = (spoken("tolerance", limit, 3) for limit in limits)
    looks: dict[str, Any] = {f"{part}props": {"color": GREY} for part in ("box", "whisker", "cap")}
    looks["medianprops"] = {"color": VERMILION, "linewidth": 2}
    looks["meanprops"] = {"marker": "D", "markerfacecolor": "none", "markeredgecolor": GREY, "zorder": 4}
    across: dict[str, Any] = {"orientation": "horizontal", "positions": [top], "widths": 0.6, "manage_ticks": False}
    box = axes.boxplot(percent, whis=(0, 100), showmeans=True, **across, **looks)
    points = axes.scatter(percent, top - 1 - np.arange(len(percent)), color=BLUE, zorder=3, label="one fold")
    for row, label in enumerate([name, *(f"fold {fold}" for fold in range(1, len(percent) + 1))]):
        axes.text(-0.02, top - row, label, transform=axes.get_yaxis_transform(), ha="right", va="center")
    box["medians"][0].set_label("median")
    box["means"][0].set_label("mean")
    drawn = np.asarray(cast("npt.NDArray[np.float64]", points.get_offsets()))[:, 0]
    edges = np.asarray(box["boxes"][0].get_xdata())
    whiskers = np.concatenate([whisker.get_xdata() for whisker in box["whiskers"]])
    return (
        f"Accuracies in percent, fold by fold: {', '.join(map(say, drawn))}{held}. Box plot: from "
        f"{say(whiskers.min())} to {say(whiskers.max())}, box {say(edges.min())} to {say(edges.max())}, "
        f"median {say(box['medians'][0].get_xdata()[0])}{held * (held != mean_held)}, "
        f"mean {say_mean(box['means'][0].get_xdata()[0])}{mean_held}."
    )


def _draw_chance(axes: Axes, samples: int, tolerance: float | None) -> str:
    """Shade, behind the folds, what chance alone makes of one accuracy, and say who lies outside."""
    say, held = spoken("tolerance", tolerance, 3)
    percent = np.asarray(cast("npt.NDArray[np.float64]", axes.collections[0].get_offsets()))[:, 0]
    share = percent.mean() / 100
    half = 196 * np.sqrt(share * (1 - share) / samples)
    ends = np.clip([100 * share - half, 100 * share + half], 0, 100)
    band = Rectangle((ends[0], -len(percent) - 0.5), np.ptp(ends), len(percent), color=GREY, alpha=0.2, linewidth=0)
    axes.add_patch(band).set_label("chance: 95 in 100 folds")
    low, high = band.get_x(), band.get_x() + band.get_width()
    outside = [str(fold) for fold in np.flatnonzero((percent < low) | (percent > high)) + 1]
    who = (
        f"Fold{'s' * (len(outside) > 1)} {', '.join(outside)} lie{'s' * (len(outside) == 1)}"
        if outside
        else "No fold lies"
    )
    return (
        f"{who} outside of what chance alone makes of 95 in 100 folds of {samples} samples, shaded: {say(low)} to "
        f"{say(high)}{held}."
    )

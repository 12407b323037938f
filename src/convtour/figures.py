"""Figures that say what they show.

Every function here returns a `Picture`: a matplotlib figure with a sentence that is read back from what was drawn, not
from what was meant to be drawn. In a notebook the picture carries that sentence as its alt text and as its plain text,
and shows it folded up beneath. A screen reader can read it, and a test that compares text notices a wrong curve.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import html
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from convtour._files import write
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold

if TYPE_CHECKING:
    import keras

BLUE, VERMILION = "#0072B2", "#D55E00"
_STYLE = Path(__file__).with_name("convtour.mplstyle")


class Picture(Figure):
    """A matplotlib figure with a description in words.

    It is made without pyplot, so that nothing is shown twice and nothing stays open; ``savefig`` and ``axes`` work as
    usual.

    Attributes
    ----------
    description : str
        What the figure shows, with its numbers.

    Examples
    --------
    >>> picture = plot_folds(n_samples=4, n_folds=2)
    >>> print(picture.description)
    4 samples in 2 folds. Held out: fold 1: samples 2 3; fold 2: samples 0 1. Every sample is held out exactly once.
    """

    description: str = ""

    def __repr__(self) -> str:
        return self.description or super().__repr__()

    __str__ = __repr__

    def _ipython_display_(self) -> None:
        """Show the picture and, folded up beneath it, its words: JupyterLab gives a screen reader no alt text."""
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        words = html.escape(self.description, quote=False)
        display({"text/html": f"<details><summary>The picture in words</summary>{words}</details>"}, raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What Jupyter displays: the picture, its alt text, and the same sentence as plain text."""
        width = round(100 * self.get_figwidth())
        return (
            {"image/png": self._png(), "text/plain": self.description},
            {"image/png": {"alt": self.description, "width": width}},
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as PNG, and its description into it and beside it, as ``.txt``.

        Parameters
        ----------
        path : path
            A file name that ends in ``.png``, in a folder that exists. A file that is there already is replaced, whole.

        Raises
        ------
        ValueError
            If the name ends otherwise or the folder does not exist.
        """
        target = Path(path)
        if target.suffix != ".png" or not target.parent.is_dir():
            raise ValueError(f"{target}: expected a name that ends in .png, in a folder that exists.")
        write(target, self._png())
        write(target.with_suffix(".txt"), f"{self.description}\n".encode())

    def _png(self) -> bytes:
        buffer = io.BytesIO()
        with mpl.rc_context(fname=_STYLE):
            self.savefig(buffer, format="png", metadata={"Software": None, "Description": self.description})
        return buffer.getvalue()


def summarize_diagnostics(histories: "Sequence[keras.callbacks.History]", *, decimals: int = 3) -> Picture:
    """Draw loss and accuracy over the epochs: the mean over the folds, its spread, and each fold faintly.

    Parameters
    ----------
    histories : sequence of keras.callbacks.History
        As ``evaluate_model`` returns them, one a fold, all with the same number of epochs.
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

    Examples
    --------
    >>> import numpy as np
    >>> from convtour import evaluate_model
    >>> noise = np.random.default_rng(0).normal(size=(12, 6, 1))
    >>> scores, histories = evaluate_model(noise, np.eye(2)[np.arange(12) % 2], n_folds=2, epochs=3, verbose=0)
    >>> summarize_diagnostics(histories).description[:47]
    'Learning curves of 2 folds over epochs 1 to 3. '
    """
    with _styled(figsize=(9, 3.8)) as picture:
        left, right = picture.subplots(1, 2)
        loss = [_curves(histories, key) for key in ("loss", "val_loss")]
        accuracy = [100 * _curves(histories, key) for key in ("accuracy", "val_accuracy")]
        words = [
            _draw_curves(left, "Cross-entropy loss", loss, min(decimals + 1, 3)),
            _draw_curves(right, "Accuracy (%)", accuracy, decimals),
        ]
    folds, epochs = loss[0].shape
    picture.description = (
        f"Learning curves of {folds} fold{'s' * (folds > 1)} over epochs 1 to {epochs}. {' '.join(words)} "
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

    Notes
    -----
    ``std`` is the standard deviation of these n scores, ``numpy.std(scores)``: it divides by n. It describes the folds;
    it is not the uncertainty of the mean.

    Examples
    --------
    >>> picture = summarize_performance([11842 / 12000, 11825 / 12000, 11816 / 12000, 11852 / 12000, 11851 / 12000])
    Accuracy: mean=98.643 std=0.120, n=5
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"scores={scores!r}: expected at least one accuracy, each from 0 to 1.")
    percent = 100 * values
    print(f"Accuracy: mean={percent.mean():.3f} std={percent.std():.3f}, n={len(percent)}")
    with _styled(figsize=(7, 2.6)) as picture:
        axes = picture.subplots()
        box = axes.boxplot(
            percent,
            orientation="horizontal",
            whis=(0, 100),
            widths=0.5,
            showmeans=True,
            meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": "black", "zorder": 4},
            medianprops={"color": VERMILION, "linewidth": 2},
        )
        heights = 1 + 0.15 * (np.arange(len(percent)) % 3 - 1)  # side by side, so that equal scores stay apart
        points = axes.scatter(percent, heights, color=BLUE, zorder=3)
        axes.set(title=f"Accuracy on {len(percent)} held-out folds", xlabel="accuracy (%)", yticks=[])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.legend(
            [points, box["medians"][0], box["means"][0]],
            ["one fold", "median", "mean"],
            loc="center left",
            bbox_to_anchor=(1, 0.5),
        )
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
        A row a fold, a column a sample; held-out samples are dark and carry their number. The folds are those of
        ``evaluate_model`` for so many samples.

    Examples
    --------
    >>> plot_folds(n_samples=6, n_folds=3).description[:52]
    '6 samples in 3 folds. Held out: fold 1: samples 1 2;'
    """
    held_out = np.zeros((n_folds, n_samples), dtype=int)
    for fold, (_, indices) in enumerate(KFold(n_folds, shuffle=True, random_state=1).split(range(n_samples))):
        held_out[fold, indices] = 1
    with _styled(figsize=(9, 0.6 + 0.42 * n_folds)) as picture:
        axes = picture.subplots()
        image = axes.imshow(held_out, cmap=ListedColormap(["#CFE3F1", "#A34700"]), vmin=0, vmax=1, aspect="auto")
        drawn = np.asarray(image.get_array())
        for fold, sample in np.argwhere(drawn):
            axes.text(sample, fold, str(sample), ha="center", va="center", color="white", weight="bold")
        axes.set(title="Dark, numbered: held out. Pale: trained on.", xlabel="sample")
        axes.set_yticks(range(n_folds), [f"fold {fold + 1}" for fold in range(n_folds)])
        axes.set_xticks(np.arange(n_samples + 1) - 0.5, labels=[])
        axes.set_yticks(np.arange(n_folds + 1) - 0.5, minor=True)
        axes.grid(visible=False, axis="y")
        axes.grid(color="white", linewidth=2, which="major", axis="x")
        axes.grid(color="white", linewidth=4, which="minor", axis="y")
        axes.set_axisbelow(False)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
    rows = "; ".join(
        f"fold {fold + 1}: samples {' '.join(map(str, np.flatnonzero(row)))}" for fold, row in enumerate(drawn)
    )
    times = drawn.sum(axis=0)
    once = "exactly once" if (times == 1).all() else f"between {times.min()} and {times.max()} times"
    picture.description = f"{n_samples} samples in {n_folds} folds. Held out: {rows}. Every sample is held out {once}."
    return picture


def plot_digits(images: npt.ArrayLike, titles: Sequence[object], *, columns: int = 8) -> Picture:
    """Draw small grey images side by side, each under its title.

    Parameters
    ----------
    images : array-like, shape (n, rows, columns) or (n, rows, columns, 1)
        Grey values, uint8 0..255 or float 0..1; high values are drawn dark, as ink.
    titles : sequence
        One title for each image.
    columns : int
        Images in a row.

    Returns
    -------
    Picture
        Its description names, for each image, the title and how much of it is ink: its mean grey value in percent.

    Raises
    ------
    ValueError
        If the images are not grey, their values are out of range, or there is not one title for each.

    Examples
    --------
    >>> from convtour import load_dataset
    >>> x_train, y_train, _, _ = load_dataset("sample")
    >>> print(plot_digits(x_train[:3], y_train[:3].argmax(axis=1)).description)
    3 images, with their share of ink: 9 (17 %), 3 (10 %), 4 (10 %).
    """
    pixels = np.asarray(images)
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim != 3 or not len(pixels) or len(titles) != len(pixels):
        raise ValueError(
            f"images has shape {np.shape(images)} with {len(titles)} titles; expected (n, rows, columns) or "
            "(n, rows, columns, 1), at least one image, and a title for each."
        )
    white = 255 if np.issubdtype(pixels.dtype, np.integer) else 1
    if not (pixels.min() >= 0 and pixels.max() <= white) or columns < 1:
        raise ValueError(
            f"images run from {pixels.min()} to {pixels.max()} in {columns} columns; expected whole numbers 0 to 255 "
            "or floats 0 to 1, and at least 1 column."
        )
    rows = -(-len(pixels) // columns)
    words = []
    with _styled(figsize=(9, 1.45 * rows)) as picture:
        grid = picture.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for axes, image, title in zip(grid.flat, pixels, titles, strict=False):
            shown = axes.imshow(image, vmin=0, vmax=white)
            axes.set_title(str(title), loc="center", weight="normal")
            ink = np.mean(np.asarray(shown.get_array(), dtype=np.float64)) / white
            words.append(f"{axes.get_title()} ({100 * ink:.0f} %)")
    picture.description = f"{len(pixels)} images, with their share of ink: {', '.join(words)}."
    return picture


@contextmanager
def _styled(**kwargs: Any) -> Iterator[Picture]:
    """A new picture, in the tour's style while it is drawn."""
    with mpl.rc_context(fname=_STYLE):
        yield Picture(**kwargs)


def _curves(histories: "Sequence[keras.callbacks.History]", key: str) -> npt.NDArray[np.float64]:
    """One row a fold, one column an epoch."""
    if not len(histories):
        raise ValueError("histories is empty; expected the histories of at least one fold, from evaluate_model.")
    for fold, history in enumerate(histories):
        if key not in history.history:
            raise ValueError(
                f"histories[{fold}] has no {key!r}; it has {', '.join(history.history) or 'nothing'}. Train with "
                "validation data and metrics=['accuracy'], as evaluate_model does."
            )
    lengths = sorted({len(history.history[key]) for history in histories})
    if len(lengths) > 1 or lengths[0] < 1:
        raise ValueError(f"The histories have {lengths} epochs; expected the same number, at least 1, in each.")
    curves = np.array([history.history[key] for history in histories], dtype=np.float64)
    if not np.isfinite(curves).all():
        fold, epoch = np.argwhere(~np.isfinite(curves))[0]
        raise ValueError(
            f"histories[{fold}] has {key}={curves[fold, epoch]} in epoch {epoch + 1}: the training diverged. Scale the "
            "inputs (prep_pixels) or lower the learning rate."
        )
    return curves


def _draw_curves(axes: Axes, title: str, train_and_validation: list[npt.NDArray[np.float64]], decimals: int) -> str:
    """Draw the folds of one measure, and say what the drawn lines show."""
    words = []
    looks = (("training", BLUE, "-", "o"), ("validation", VERMILION, "--", "s"))
    for (name, colour, dashes, marker), folds in zip(looks, train_and_validation, strict=True):
        epochs = np.arange(1, folds.shape[1] + 1)
        mean, spread = folds.mean(axis=0), folds.std(axis=0)
        faint = axes.plot(epochs, folds.T, color=colour, linestyle=dashes, linewidth=0.8, alpha=0.35)
        band = axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        (line,) = axes.plot(
            epochs, mean, color=colour, linestyle=dashes, marker=marker, markersize=4, label=f"{name}: mean"
        )
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

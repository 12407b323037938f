"""Pictures of arrays: digits, maps of numbers, signals."""

from collections.abc import Mapping, Sequence
from typing import Any

from convtour._checks import brief, entries, finite_numbers, numbers, one_of, whole
from convtour.picture import Picture, styled
from matplotlib.axes import Axes
import numpy as np
import numpy.typing as npt


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
    TypeError
        If they do not hold numbers, or ``columns`` is not a whole number.

    Examples
    --------
    >>> from convtour import load_dataset
    >>> x_train, y_train, _, _ = load_dataset("sample")
    >>> print(plot_digits(x_train[:3], y_train[:3].argmax(axis=1)).description)
    3 images, with their share of ink: 9 (17 %), 3 (10 %), 4 (10 %).
    """
    pixels, names = finite_numbers("images", images), entries("titles", titles, "titles")
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim != 3 or not pixels.size or len(names) != len(pixels):
        raise ValueError(
            f"images has shape {np.shape(images)} with {len(names)} titles; expected (n, rows, columns) or "
            "(n, rows, columns, 1), at least one image, and a title for each."
        )
    white = 255 if np.issubdtype(pixels.dtype, np.integer) else 1
    if pixels.min() < 0 or pixels.max() > white:
        raise ValueError(
            f"images run from {pixels.min()} to {pixels.max()}; expected whole numbers 0 to 255 or floats 0 to 1."
        )
    columns = whole("columns", columns, at_least=1)
    rows = -(-len(pixels) // columns)
    with styled(figsize=(9, 1.45 * rows)) as picture:
        drawn = _draw_images(picture, rows, columns, pixels, names, "medium", vmin=0, vmax=white)
    words = [f"{title} ({100 * (image.mean() / white):.0f} %)" for title, image in drawn]
    picture.description = f"{len(pixels)} images, with their share of ink: {', '.join(words)}."
    return picture


def plot_maps(
    maps: Sequence[npt.ArrayLike] | npt.NDArray[Any],
    titles: Sequence[object],
    *,
    diverging: bool = False,
    columns: int = 8,
) -> Picture:
    """Draw images of numbers side by side on one scale: kernels, feature maps, filtered photographs.

    Parameters
    ----------
    maps : sequence of array-like, each of shape (rows, columns)
        What to draw.
    titles : sequence
        One for each map.
    diverging : bool
        True draws values below 0 in blue and above 0 in red on a scale symmetric about 0, as suits weights. False draws
        from light to dark on a scale from the lowest to the highest value.
    columns : int
        Maps in a row.

    Returns
    -------
    Picture
        With one colour bar for all. Its description gives, for each map, lowest, mean and highest value.

    Raises
    ------
    ValueError, TypeError
        If the maps are not real, finite numbers of that shape, or there is not one title for each.

    Examples
    --------
    >>> print(plot_maps([[[0, 1], [2, 3]]], ["a ramp"]).description)
    1 maps on one scale from 0.00 to 3.00, as lowest / mean / highest: a ramp 0.00 / 1.50 / 3.00.
    """
    names = entries("titles", titles, "titles")
    given = entries("maps", maps, "maps")
    arrays = [finite_numbers(f"maps[{number}]", values).astype(np.float64) for number, values in enumerate(given)]
    if not arrays or len(names) != len(arrays) or any(array.ndim != 2 or not array.size for array in arrays):
        raise ValueError(
            f"maps has {len(arrays)} entries of shapes {brief(sorted({array.shape for array in arrays}))} and "
            f"{len(names)} titles; expected at least one map of shape (rows, columns), and a title for each."
        )
    low, high = min(array.min() for array in arrays), max(array.max() for array in arrays)
    if one_of("diverging", diverging, (True, False)):
        high = max(abs(low), abs(high))
        low = -high
    columns = min(whole("columns", columns, at_least=1), len(arrays))
    rows = -(-len(arrays) // columns)
    side = min(9 / columns, 3.5)
    ratio = float(np.mean([array.shape[0] / array.shape[1] for array in arrays]))
    look: dict[str, Any] = {"cmap": "RdBu_r" if diverging else "gray_r", "vmin": low, "vmax": high}
    with styled(figsize=(side * columns + 0.8, rows * (side * ratio + 0.35))) as picture:
        drawn = _draw_images(picture, rows, columns, arrays, names, "small", **look)
        picture.colorbar(picture.axes[0].images[0], ax=picture.axes, fraction=0.03)
    words = [f"{title} {_short(seen.min())} / {_short(seen.mean())} / {_short(seen.max())}" for title, seen in drawn]
    picture.description = (
        f"{len(arrays)} maps on one scale from {_short(low)} to {_short(high)}, as lowest / mean / highest: "
        f"{', '.join(words)}."
    )
    return picture


def plot_signals(signals: Mapping[str, npt.ArrayLike], *, xlabel: str = "step", ylabel: str = "value") -> Picture:
    """Draw signals over their steps, each with its name, line style and marker.

    Parameters
    ----------
    signals : mapping of str to array-like, each of shape (steps,)
        At most five, to be told apart without colour; NaN leaves a gap.
    xlabel, ylabel : str
        Names of the axes.

    Returns
    -------
    Picture
        Its description gives, for each signal, lowest, mean and highest value and the step of the highest.

    Raises
    ------
    ValueError, TypeError
        If there are none or more than five, or one of them is not of that shape, infinite or nothing but gaps.

    Examples
    --------
    >>> print(plot_signals({"a bump": [0, 0, 1, 0]}).description)
    Signals over 4 steps: a bump from 0.00 to 1.00, highest at step 2, mean 0.25.
    """
    looks = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), ((0, (5, 1)), "v"))
    if not isinstance(signals, Mapping) or not 1 <= len(signals) <= len(looks):
        raise ValueError(f"signals={brief(repr(signals))}: expected a mapping with 1 to {len(looks)} named signals.")
    heights = [_check_signal(f"signals[{name!r}]", values) for name, values in signals.items()]
    words, steps = [], 0
    with styled(figsize=(9, 3.2)) as picture:
        axes = picture.subplots()
        for name, values, (dashes, marker) in zip(signals, heights, looks, strict=False):
            every = max(1, len(values) // 20)
            (line,) = axes.plot(values, linestyle=dashes, marker=marker, markersize=4, markevery=every, label=name)
            drawn = np.asarray(line.get_ydata())
            steps = max(steps, len(drawn))
            words.append(
                f"{line.get_label()} from {_short(np.nanmin(drawn))} to {_short(np.nanmax(drawn))}, highest at step "
                f"{np.nanargmax(drawn)}, mean {_short(np.nanmean(drawn))}"
            )
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    picture.description = f"Signals over {steps} steps: {'; '.join(words)}."
    return picture


def draw_cells(axes: Axes, values: npt.NDArray[Any], *, gap: float, **look: Any) -> npt.NDArray[Any]:
    """Draw a matrix as coloured cells between white lines, rows as far apart as the gap; return what was drawn."""
    image = axes.imshow(values, **look)
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", axis="x", color="white", linewidth=2)
    axes.grid(which="minor", axis="y", color="white", linewidth=gap)
    axes.set(axisbelow=False, frame_on=False)
    axes.tick_params(which="both", length=0)
    return np.asarray(image.get_array())


def _draw_images(
    picture: Picture, rows: int, columns: int, images: Any, titles: Sequence[object], size: str, **look: Any
) -> list[tuple[str, npt.NDArray[np.float64]]]:
    """Draw images row by row, each under its title; return, for each, the title and the numbers that were drawn."""
    drawn = []
    for place, (image, title) in enumerate(zip(images, titles, strict=True), 1):
        axes = picture.add_subplot(rows, columns, place)
        axes.axis("off")
        axes.set_title(str(title), loc="center", weight="normal", fontsize=size)
        shown = axes.imshow(image, **look)
        drawn.append((axes.get_title(), np.asarray(shown.get_array(), dtype=np.float64)))
    return drawn


def _check_signal(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a signal as floats, NaN where it has a gap, or say what is wrong with it."""
    heights = numbers(name, values).astype(np.float64)
    if heights.ndim != 1 or not finite_numbers(name, heights[~np.isnan(heights)]).size:
        raise ValueError(f"{name} has shape {heights.shape}; expected (steps,), with at least one number.")
    return heights


def _short(value: Any) -> str:
    """A number with two decimals, never a negative zero."""
    return f"{round(float(value), 2) + 0.0:.2f}"

"""Pictures of arrays: digits, maps of numbers, signals, histograms."""

from collections.abc import Callable, Mapping, Sequence
import textwrap
from typing import Any

from convtour._checks import brief, entries, finite_numbers, numbers, one_of, whole
from convtour.picture import BLUE, GREY, VERMILION, Picture, styled
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
import numpy as np
import numpy.typing as npt

# In inches: what a page holds, and a line of a title.
_WIDTH, _LINE = 7.0, 0.19


def plot_digits(images: npt.ArrayLike, titles: Sequence[object], *, columns: int = 8) -> Picture:
    """Draw small grey images side by side, each under its title.

    Taught in notebook ``00_start_here``.

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
    looks = [{"vmin": 0, "vmax": white}] * len(pixels)
    with styled() as picture:
        drawn = _draw_images(picture, pixels, names, looks, columns)
    words = [f"{title} ({100 * (_seen(image).mean() / white):.0f} %)" for title, image in drawn]
    picture.description = f"{len(pixels)} image{'s' * (len(pixels) > 1)}, with their share of ink: {', '.join(words)}."
    return picture


def plot_maps(
    maps: Sequence[npt.ArrayLike] | npt.NDArray[Any],
    titles: Sequence[object],
    *,
    diverging: bool = False,
    columns: int = 8,
    shared_scale: bool = True,
    border: int = 0,
    tolerance: float | None = None,
) -> Picture:
    """Draw images of numbers side by side: kernels, feature maps, filtered photographs.

    Taught in notebook ``04_conv2d``.

    Parameters
    ----------
    maps : sequence of array-like, each of shape (rows, columns)
        What to draw. Where there is room, a small one, as a kernel, has its numbers written into its cells.
    titles : sequence
        One for each map.
    diverging : bool
        True draws values below 0 in blue and above 0 in red on a scale symmetric about 0, as suits weights. False draws
        from light to dark on a scale from the lowest to the highest value.
    columns : int
        Maps in a row.
    shared_scale : bool
        False draws each map on a scale of its own, written below it; where ``diverging``, one without negative numbers,
        as a grey digit, from light to dark.
    border : int
        So many rows and columns at each edge are left out of the scale, as what padding did there may outshine
        the rest. A map less than four borders wide keeps all.
    tolerance : float, optional
        What the numbers in the description are held to, where they come from a training: another processor may move
        them so far.

    Returns
    -------
    Picture
        With a colour bar for all where they share a scale. Its description gives, for each map, lowest, mean and
        highest value.

    Raises
    ------
    ValueError, TypeError
        If the maps are not real, finite numbers of that shape, or there is not one title for each.

    Examples
    --------
    >>> print(plot_maps([[[0, 1], [2, 3]]], ["a ramp"]).description)
    Maps, lowest / mean / highest; a ramp: 0.00 / 1.50 / 3.00. One scale: 0.00 to 3.00.
    """
    arrays, names = _check_maps(maps, titles)
    columns = min(whole("columns", columns, at_least=1), len(arrays))
    one_of("diverging", diverging, (True, False))
    shared, border = one_of("shared_scale", shared_scale, (True, False)), whole("border", border, at_least=0)
    say, held = spoken("tolerance", tolerance, 2)
    looks = [_look(arrays if shared else [array], diverging, shared, border) for array in arrays]
    words = []
    with styled() as picture:
        for title, image in _draw_images(picture, arrays, names, looks, columns, (0.7, 0) if shared else (0, _LINE)):
            seen, (low, high) = _seen(image), image.get_clim()
            words.append(f"{title}: {say(seen.min())} / {say(seen.mean())} / {say(seen.max())}{held}")
            if not shared:
                words[-1] += f", shades from {say(low)} to {say(high)}{held}"
                image.axes.set_xlabel(f"{round(low, 2) + 0.0:g} to {round(high, 2):g}".replace("-", "−"))
        if shared:
            picture.colorbar(image, ax=picture.axes, fraction=0.03).outline.set_visible(False)
    ending = f" One scale: {say(low)} to {say(high)}{held}." if shared else " Each on a scale of its own."
    if border:
        ending += f" Left out of it: {border} at each edge."
    picture.description = f"Maps, lowest / mean / highest; {'; '.join(words)}.{ending}"
    return picture


def plot_signals(
    signals: Mapping[str, npt.ArrayLike],
    *,
    xlabel: str = "step",
    ylabel: str = "value",
    now: int | None = None,
    marked: Mapping[str, tuple[int, int]] | None = None,
    tolerance: float | None = None,
) -> Picture:
    """Draw signals over their steps, each in a row of its own, all to one scale.

    Taught in notebook ``03_conv1d``.

    Parameters
    ----------
    signals : mapping of str to array-like, each of shape (steps,)
        At most eight, from top to bottom; NaN leaves a gap. Up to sixty steps are drawn as stems, more as a line.
    xlabel, ylabel : str
        Names of the axes.
    now : int, optional
        A step to mark as the present; what comes after is shaded.
    marked : mapping of str to (int, int), optional
        For signals by name, the first and the last step of a stretch to mark with a band.
    tolerance : float, optional
        What the numbers in the description are held to, where they come from a training.

    Returns
    -------
    Picture
        Its description gives, for each signal, lowest, mean and highest value and the step of the highest; with a
        tolerance, where this step may be a close race, the first and the last value instead.

    Raises
    ------
    ValueError, TypeError
        If there are none or more than eight, one of them is not of that shape, infinite or nothing but gaps, or a
        step to mark is not one of theirs.

    Examples
    --------
    >>> print(plot_signals({"a bump": [0, 0, 1, 0]}).description)
    1 signal over 4 steps. a bump: from 0.00 to 1.00, highest at step 2, mean 0.25.
    """
    if not isinstance(signals, Mapping) or not 1 <= len(signals) <= 8:
        raise ValueError(f"signals={brief(repr(signals))}: expected a mapping with 1 to 8 named signals.")
    heights = [_check_signal(f"signals[{name!r}]", values) for name, values in signals.items()]
    steps = max(map(len, heights))
    bands = _check_steps(now, marked, signals, steps)
    words = []
    with styled(figsize=(_WIDTH, 0.6 + max(1.05 * len(signals), 2.2))) as picture:
        rows = picture.subplots(len(signals), sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, name, values in zip(rows, signals, heights, strict=True):
            title, drawn = _draw_signal(axes, name, values, bands.get(name), stems=steps <= 60)
            words.append(f"{title}: {_extent(drawn, tolerance)}")
            if now is not None:
                axes.axvline(now, color=VERMILION, linestyle="--", linewidth=1.5)
                axes.axvspan(now, steps - 0.5, color=GREY, alpha=0.2, linewidth=0)
        rows[0].margins(y=0.15)  # a dot at the edge is drawn whole
        rows[0].yaxis.set_major_locator(MaxNLocator(4))
        rows[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        rows[-1].set_xlabel(xlabel)
        picture.supylabel(ylabel, fontsize="medium")
        present = ""
        if now is not None:
            over = {"xycoords": rows[0].get_xaxis_transform(), "textcoords": "offset points"}
            rows[0].annotate("now", (now, 1), (-3, 3), **over)
            present = f", now at step {rows[0].lines[-1].get_xdata()[0]} and what comes after shaded"
    picture.description = f"{len(rows)} signal{'s' * (len(rows) > 1)} over {steps} steps{present}. {'; '.join(words)}."
    return picture


def plot_histogram(
    values: npt.ArrayLike, marked: Mapping[str, float], *, xlabel: str = "value", tolerance: float | None = None
) -> Picture:
    """Draw how often numbers fall where, and mark some among them: many tossed coins, and ours.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    values : array-like, shape (n,)
        What is counted.
    marked : mapping of str to float
        Numbers to mark with a line, by name.
    xlabel : str
        What the numbers are.
    tolerance : float, optional
        What the numbers in the description are held to, where they come from a training.

    Returns
    -------
    Picture
        Bars of equal width; the middle 95 % of the values lie in the shaded part.

    Raises
    ------
    ValueError, TypeError
        If they are not real, finite numbers of that shape, or there are none.

    Examples
    --------
    >>> print(plot_histogram([1, 2, 2, 3], {"ours": 4}).description)
    Histogram of 4 values, balanced at: 2.00. Middle 95 %, shaded: 1.07 to 2.92. Marked, ours: 4.00.
    """
    counted = finite_numbers("values", values).astype(np.float64)
    if counted.ndim != 1 or not counted.size:
        raise ValueError(f"values has shape {counted.shape}; expected (n,), with at least one number.")
    if not isinstance(marked, Mapping):
        raise ValueError(f"marked={brief(repr(marked))}: expected a mapping with named numbers.")
    say, held = spoken("tolerance", tolerance, 2)
    words = []
    with styled(figsize=(_WIDTH, 2.8 + 0.2 * len(marked))) as picture:
        axes = picture.subplots()
        of_height = axes.get_xaxis_transform()
        bars = axes.stairs(*np.histogram(counted, _edges(counted)), fill=True, color=BLUE)
        shaded = axes.axvspan(*np.quantile(counted, [0.025, 0.975]), color=GREY, alpha=0.2, zorder=0, linewidth=0)
        low, high = shaded.get_x(), shaded.get_x() + shaded.get_width()
        for line, (name, value) in enumerate(marked.items()):
            place = float(_check_signal(f"marked[{name!r}]", [value])[0])
            dashes = ("--", "-", ":")[line % 3]
            drawn = axes.axvline(place, ymax=1 + 0.1 * line, clip_on=False, color=VERMILION, linestyle=dashes)
            axes.text(place, 1.02 + 0.1 * line, name, transform=of_height, ha="center", va="bottom")
            words.append(f"{name}: {say(np.asarray(drawn.get_xdata())[0])}{held}")
        axes.set(xlabel=xlabel, ylabel="how many")
        picture.legend([shaded], ["the middle 95 %"], loc="outside lower center")
    counts, edges, _ = bars.get_data()
    mean = counts @ (edges[:-1] + edges[1:]) / 2 / counts.sum()
    picture.description = (
        f"Histogram of {counts.sum():.0f} values, balanced at: {say(mean)}{held}. Middle 95 %, shaded: {say(low)} to "
        f"{say(high)}{held}.{' Marked, ' * bool(words)}{'; '.join(words)}{'.' * bool(words)}"
    )
    return picture


def spoken(name: str, tolerance: float | None, decimals: int) -> tuple[Callable[[Any], str], str]:
    """How to write measured numbers, and what follows them: the tolerance that they are held to, if there is one.

    With a tolerance they are rounded to a fifth of it or less; the decimals are for numbers without. Held are all
    numbers since the last colon.
    """
    held = ""
    if tolerance is not None:
        limit = numbers(name, tolerance)
        if limit.ndim or limit.dtype.kind == "b" or not 0 < limit < np.inf:
            raise ValueError(f"{name}={brief(repr(tolerance))}: expected a positive number.")
        decimals = max(0, int(np.ceil(np.round(-np.log10(limit / 5), 9))))
        held = f" (each ± {np.format_float_positional(float(limit), trim='-')})"
    return lambda value: f"{round(float(value), decimals) + 0.0:.{decimals}f}", held


def two_tolerances(tolerance: object, expected: str) -> tuple[float | None, float | None]:
    """Return the tolerances of two kinds of numbers, none of either if there is none, or say what was expected."""
    limits = (None, None) if tolerance is None else entries("tolerance", tolerance, "two numbers")
    if len(limits) != 2:
        raise ValueError(f"tolerance={brief(repr(tolerance))}: expected {expected}.")
    return limits


def _draw_images(
    picture: Picture,
    images: Sequence[npt.NDArray[Any]] | npt.NDArray[Any],
    titles: Sequence[object],
    looks: Sequence[dict[str, Any]],
    columns: int,
    room: tuple[float, float] = (0, 0),
) -> list[tuple[str, AxesImage]]:
    """Draw images row by row, each under its title, with room at the right and under each; return what was drawn."""
    largest = max(max(image.shape) for image in images)
    side = min((_WIDTH - room[0]) / columns, 3.5, 0.7 * largest)
    names = ["\n".join(textwrap.fill(line, int(12 * side)) for line in str(title).splitlines()) for title in titles]
    rows, lines = -(-len(images) // columns), 1 + max(name.count("\n") for name in names)
    ratio = max(image.shape[0] / image.shape[1] for image in images)
    picture.set_size_inches(side * columns + room[0], rows * (side * ratio + _LINE * lines + room[1] + 0.1))
    drawn = []
    for place, (image, name, look) in enumerate(zip(images, names, looks, strict=True), 1):
        axes = picture.add_subplot(rows, columns, place)
        axes.set(xticks=[], yticks=[], frame_on=False)
        axes.grid(visible=False)
        axes.set_title(name, loc="center", weight="normal", fontsize=10)
        shown = axes.imshow(image, **look)
        frame = Rectangle((-0.5, -0.5), *image.shape[::-1], fill=False, edgecolor=GREY, linewidth=0.8, clip_on=False)
        axes.add_patch(frame)
        share = 0.6 if 4 * max(image.shape) <= largest else 1.0  # as a kernel beside its map
        half, (y, x) = max(image.shape) / 2 / share, (np.array(image.shape) - 1) / 2
        if share < 1:
            axes.set(xlim=(x - half, x + half), ylim=(y + half, y - half))
        _write_numbers(shown, side * share / max(image.shape))
        drawn.append((" ".join(axes.get_title().split()), shown))
    return drawn


def _write_numbers(image: AxesImage, cell: float) -> None:
    """Write the numbers of a map into its cells, so many inches wide, if they fit."""
    if cell < 0.2:
        return
    seen = _seen(image)
    texts = {
        place: np.format_float_positional(round(value, 2) + 0.0, trim="-").replace("-", "−")
        for place, value in np.ndenumerate(seen)
    }
    if 0.09 * max(map(len, texts.values())) > cell:
        return
    for (row, column), text in texts.items():
        bright = image.to_rgba(seen)[row, column, :3] @ (0.3, 0.6, 0.1) > 0.5
        image.axes.text(column, row, text, ha="center", va="center", fontsize=10, color="black" if bright else "white")


def _seen(image: AxesImage) -> npt.NDArray[np.float64]:
    """The numbers that an image was drawn from."""
    return np.asarray(image.get_array(), dtype=np.float64)


def _look(arrays: Sequence[npt.NDArray[np.float64]], diverging: bool, shared: bool, border: int) -> dict[str, Any]:
    """Colours and scale for some maps: what lies inside of their borders sets it."""
    inner = [
        array[border : len(array) - border, border : array.shape[1] - border]
        if 4 * border <= min(array.shape)
        else array
        for array in arrays
    ]
    low, high = min(array.min() for array in inner), max(array.max() for array in inner)
    if low == high:
        low, high = min(low, 0), max(high, 0)
    if diverging and (shared or low < 0):
        high = max(abs(low), abs(high))
        return {"cmap": "RdBu_r", "vmin": -high, "vmax": high}
    return {"cmap": "gray_r", "vmin": low, "vmax": high}


def _draw_signal(
    axes: Axes, name: str, values: npt.NDArray[np.float64], band: tuple[int, int] | None, *, stems: bool
) -> tuple[str, npt.NDArray[np.float64]]:
    """Draw a signal in its row; return its name, with the stretch that is marked, and what was drawn."""
    axes.set_title(name, weight="normal", pad=3)
    if stems:
        axes.axhline(0, color=GREY, linewidth=1)
        line = axes.stem(values, linefmt=BLUE, basefmt=" ").markerline
        line.set_markersize(4)
    else:
        (line,) = axes.plot(values, color=BLUE, linewidth=1.5)
    words = axes.get_title("left")
    if band is not None:
        span = axes.axvspan(band[0] - 0.5, band[1] + 0.5, color=VERMILION, alpha=0.25, linewidth=0)
        words += f", marked from step {span.get_x() + 0.5:.0f} to {span.get_x() + span.get_width() - 0.5:.0f}"
    return words, np.asarray(line.get_ydata())


def _edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where some thirty bars begin and end: each over as many of the possible values, where these are few."""
    places = np.unique(values.round(9))
    if not 1 < len(places) <= 200:
        return np.histogram_bin_edges(values, 30)
    gap = np.diff(places).min()
    width = gap * np.ceil(np.ptp(places) / gap / 30)
    return np.arange(places[0] - gap / 2, places[-1] + width, width)


def _check_maps(
    maps: Sequence[npt.ArrayLike] | npt.NDArray[Any], titles: Sequence[object]
) -> tuple[list[npt.NDArray[np.float64]], tuple[object, ...]]:
    """Return the maps as floats, and their titles, or say what is wrong with them."""
    names = entries("titles", titles, "titles")
    given = entries("maps", maps, "maps")
    arrays = [finite_numbers(f"maps[{number}]", values).astype(np.float64) for number, values in enumerate(given)]
    if not arrays or len(names) != len(arrays) or any(array.ndim != 2 or not array.size for array in arrays):
        raise ValueError(
            f"maps has {len(arrays)} entries of shapes {brief(sorted({array.shape for array in arrays}))} and "
            f"{len(names)} titles; expected at least one map of shape (rows, columns), and a title for each."
        )
    return arrays, names


def _check_signal(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a signal as floats, NaN where it has a gap, or say what is wrong with it."""
    heights = numbers(name, values).astype(np.float64)
    if heights.ndim != 1 or not finite_numbers(name, heights[~np.isnan(heights)]).size:
        raise ValueError(f"{name} has shape {heights.shape}; expected (steps,), with at least one number.")
    return heights


def _check_steps(
    now: int | None, marked: Mapping[str, tuple[int, int]] | None, names: Mapping[str, Any], steps: int
) -> dict[str, tuple[int, int]]:
    """Return the stretches to mark, or say which step is not one of the signals'."""
    if now is not None and whole("now", now, at_least=0) >= steps:
        raise ValueError(f"now={now}: expected one of {steps} steps, counted from 0.")
    if not isinstance(marked or {}, Mapping) or set(marked or {}) - set(names):
        raise ValueError(f"marked={brief(repr(marked))}: expected a mapping with names of signals.")
    bands = {}
    for name, ends in (marked or {}).items():
        named = f"marked[{name!r}]"
        band = tuple(whole(named, step, at_least=0) for step in entries(named, ends, "two steps"))
        if len(band) != 2 or not band[0] <= band[1] < steps:
            raise ValueError(f"{named}={band}: expected the first and the last of some of {steps} steps.")
        bands[name] = (band[0], band[1])
    return bands


def _extent(drawn: npt.NDArray[np.float64], tolerance: float | None) -> str:
    """Say how far a drawn signal runs; with a tolerance not where it is highest, which may be a close race."""
    say, held = spoken("tolerance", tolerance, 2)
    heights = drawn[~np.isnan(drawn)]
    ends = f"first {say(heights[0])}, last {say(heights[-1])}" if held else f"highest at step {np.nanargmax(drawn)}"
    return f"from {say(heights.min())} to {say(heights.max())}, {ends}, mean {say(heights.mean())}{held}"

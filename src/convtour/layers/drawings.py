"""Pictures of a convolution layer at work, drawn from real numbers.

All take their values from `convolve`, and so from what a Keras layer computes. A picture of a layer at work shows the
padded input, the taps of the kernel where it stands, and the output; its words are read back from what was written.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from convtour._checks import brief, entries, finite_numbers, whole
from convtour.layers.arguments import check_groups
from convtour.layers.arithmetic import conv_output_length, conv_padding
from convtour.layers.convolution import convolve
from convtour.picture import BLUE, VERMILION, Picture, styled
from convtour.plots import draw_cells
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
import numpy as np
import numpy.typing as npt

_PALE, _PADDING = "#EAF3F9", "#F0F0F0"


def plot_convolution(
    inputs: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    at: Sequence[int] | None = None,
    strides: int = 1,
    padding: str = "valid",
    dilation_rate: int = 1,
) -> Picture:
    """Draw one step of a convolution: the taps on the padded input, the kernel, the output, and the sum written out.

    Parameters
    ----------
    inputs : array-like
        One channel: a signal ``(steps,)``, an image ``(rows, columns)`` or a volume ``(depth, rows, columns)``, drawn
        as slices side by side. Small, for every number is written into its cell.
    kernel : array-like
        As many axes as the inputs.
    at : sequence of int, optional
        The output cell to explain, counted from 0; the first one if left out.
    strides, padding, dilation_rate
        As for the Keras layer, one number for all axes.

    Returns
    -------
    Picture
        Dark frames mark the taps and the output cell that they make; grey cells are padding.

    Raises
    ------
    ValueError
        If the ranks differ or are not 1, 2 or 3, ``at`` is outside the output, or Keras would refuse the layer.
    TypeError
        If the arrays do not hold real numbers, or ``at`` no whole ones.

    Examples
    --------
    >>> picture = plot_convolution([0, 1, 2, 3, 4, 5], [1, 10, 100], strides=2, padding="same")
    >>> picture.description[-65:]
    'Output cell 0: 1·0 + 10·1 + 100·2 = 210. All outputs: 210 432 54.'
    """
    values, weights = finite_numbers("inputs", inputs), finite_numbers("kernel", kernel)
    if values.ndim != weights.ndim or values.ndim not in (1, 2, 3) or not values.size:
        raise ValueError(
            f"inputs has shape {values.shape} and kernel {weights.shape}; expected both of rank 1, 2 or 3, not empty, "
            "without batch and channel axes."
        )
    options: dict[str, Any] = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    result = convolve(values[np.newaxis, ..., np.newaxis], weights[..., np.newaxis, np.newaxis], **options)[0, ..., 0]
    places = (0,) * values.ndim if at is None else entries("at", at, "places, one for each axis of the output")
    cell = tuple(whole("at", place, at_least=0) for place in places)
    if len(cell) != values.ndim or any(place >= n for place, n in zip(cell, result.shape, strict=True)):
        raise ValueError(
            f"at={brief(cell)}: expected one place for each axis of an output of {_by(result.shape)}, counted from 0."
        )
    around = [conv_padding(length, size, **options) for length, size in zip(values.shape, weights.shape, strict=True)]
    padded = np.pad(values, around)
    is_padding = np.pad(np.zeros(values.shape, bool), around, constant_values=True)
    taps = {tuple(strides * np.array(cell) + dilation_rate * np.array(tap)): tap for tap in np.ndindex(weights.shape)}
    with styled() as picture:
        parts = _parts(picture, [padded, weights, result])
        name = "input, with its padding" if is_padding.any() else "input"
        _write_cells(parts[0], name, padded, dict.fromkeys(taps, BLUE), is_padding)
        _write_cells(parts[1], "kernel", weights, {})
        written = _write_cells(parts[2], "output", result, {cell: VERMILION})
        terms = [f"{_number(weights[tap])}·{_number(padded[place])}" for place, tap in taps.items()]
        sum_in_words = f"{' + '.join(terms)} = {written[cell].get_text()}"
        if len(terms) <= 9:
            picture.supxlabel(sum_in_words, fontsize="medium")
    numbers = " ".join(text.get_text() for text in written.values())
    picture.description = (
        f"Input of {_by(values.shape)}, kernel of {_by(weights.shape)}, strides {strides}, dilation {dilation_rate}, "
        f"padding {padding}: output of {_by(result.shape)}. Output cell {', '.join(map(str, cell))}: {sum_in_words}. "
        f"All outputs: {numbers}."
    )
    return picture


def plot_connections(length: int, layers: Sequence[Mapping[str, Any]], *, at: int = -1) -> Picture:
    """Draw which positions each output position reads, through one layer or a stack of them.

    Parameters
    ----------
    length : int
        Number of input positions, drawn at the bottom.
    layers : sequence of mapping
        From the input upward, each with ``kernel_size`` and, where they differ from Keras's defaults, ``strides``,
        ``padding`` and ``dilation_rate``.
    at : int
        The output position whose connections are drawn in colour; the last one if left out.

    Returns
    -------
    Picture
        One row of dots per layer, one line per tap. Hollow dots are padding. In colour is what leads to the chosen
        output.

    Raises
    ------
    ValueError, TypeError
        If there is no layer, one has other keys, Keras would refuse it, or the last one has no such output.

    Examples
    --------
    >>> picture = plot_connections(8, [{"kernel_size": 3}, {"kernel_size": 3, "dilation_rate": 2}])
    >>> picture.description[-68:]
    'Output 1 of the last layer reads inputs 1 2 3 4 5 6 7 (7 positions).'
    """
    stack = [_check_layer(f"layers[{n}]", layer) for n, layer in enumerate(entries("layers", layers, "mappings"))]
    if not stack:
        raise ValueError('layers is empty; expected at least one layer, such as {"kernel_size": 3}.')
    with styled(figsize=(9, 0.8 + 1.0 * len(stack))) as picture:
        picture.description = _draw_connections(picture.subplots(), length, stack, at)
    return picture


def plot_paddings(length: int, kernel_size: int, *, at: int = 0, strides: int = 1, dilation_rate: int = 1) -> Picture:
    """Draw which inputs each output reads with padding valid, same and causal, side by side.

    Parameters
    ----------
    length : int
        Number of input positions.
    kernel_size, strides, dilation_rate : int
        As for ``Conv1D``.
    at : int
        The output position whose connections are drawn in colour, counted from 0.

    Returns
    -------
    Picture
        One panel per padding, drawn as by `plot_connections`.

    Raises
    ------
    ValueError, TypeError
        If Keras would refuse the layer, or one of the three has no such output.

    Examples
    --------
    >>> plot_paddings(6, 3, at=2).description[-60:]
    'Output 2 of the last layer reads inputs 0 1 2 (3 positions).'
    """
    words = []
    with styled(figsize=(9, 2.2)) as picture:
        for axes, padding in zip(picture.subplots(1, 3, sharex=True), ("valid", "same", "causal"), strict=True):
            layer = {"kernel_size": kernel_size, "strides": strides, "dilation_rate": dilation_rate, "padding": padding}
            words.append(_draw_connections(axes, length, [layer], at))
            axes.set_title(f'padding="{padding}"')
    picture.description = " ".join(words)
    return picture


def plot_groups(in_channels: int, filters: int, groups: int) -> Picture:
    """Draw which input channels each output channel reads.

    Parameters
    ----------
    in_channels, filters, groups : int
        As for the Keras layer; both numbers of channels must be multiples of ``groups``.

    Returns
    -------
    Picture
        One row per output channel, one column per input channel; a dark cell is a connection, with the
        letter of its group.

    Raises
    ------
    ValueError, TypeError
        If a number is not a whole one of at least 1, or the groups do not divide the channels.

    Examples
    --------
    >>> print(plot_groups(4, 2, 2).description)
    4 input channels, 2 filters, 2 groups. Output channel 0 reads input channels 0 1; 1 reads 2 3. 4 of 8 connections.
    """
    in_channels, filters = whole("in_channels", in_channels, at_least=1), whole("filters", filters, at_least=1)
    groups = check_groups(groups, in_channels, filters)
    group_of_input = np.arange(in_channels) // (in_channels // groups)
    group_of_output = np.arange(filters) // (filters // groups)
    with styled(figsize=(1.2 + 0.5 * in_channels, 0.9 + 0.45 * filters)) as picture:
        axes = picture.subplots()
        connected = group_of_output[:, np.newaxis] == group_of_input
        drawn = draw_cells(axes, connected, gap=2, cmap="Blues", vmin=0, vmax=1)
        letters = "ABCDEFGHIJKLMNOP" if groups > 1 else " " * 16
        for row, column in np.argwhere(drawn):
            axes.text(column, row, letters[group_of_output[row] % 16], ha="center", va="center", color="white")
        axes.set(xlabel="input channel", ylabel="output channel", title=f"groups={groups}" if groups > 1 else "")
        axes.set(xticks=range(in_channels), yticks=range(filters))
    reads = [f"{row} reads {' '.join(map(str, np.flatnonzero(line)))}" for row, line in enumerate(drawn)]
    first = reads[0].replace("reads", "reads input channels", 1)
    picture.description = (
        f"{in_channels} input channels, {filters} filters, {groups} group{'s' * (groups > 1)}. Output channel "
        f"{'; '.join([first, *reads[1:]])}. {drawn.sum()} of {drawn.size} connections."
    )
    return picture


def _check_layer(name: str, layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a layer, those with Keras's defaults included, or say what is wrong with them."""
    defaults = {"strides": 1, "padding": "valid", "dilation_rate": 1}
    if not isinstance(layer, Mapping) or "kernel_size" not in layer or layer.keys() - defaults - {"kernel_size"}:
        raise ValueError(
            f"{name}={brief(repr(layer))}: expected a mapping with kernel_size and, if need be, {', '.join(defaults)}."
        )
    return defaults | dict(layer)


def _draw_connections(axes: Axes, length: int, layers: Sequence[dict[str, Any]], at: int) -> str:
    """Draw the connections of a stack of layers, and say what the chosen output reads."""
    length = whole("length", length, at_least=1)
    lengths, edges, words = [length], [], []
    for number, layer in enumerate(layers, 1):
        before, _ = conv_padding(lengths[-1], **layer)
        lengths.append(conv_output_length(lengths[-1], **layer))
        size, strides, dilation = layer["kernel_size"], layer["strides"], layer["dilation_rate"]
        taps = product(range(lengths[-1]), range(size))
        edges.append([(place, strides * place + dilation * tap - before) for place, tap in taps])
        words.append(
            f"layer {number}: kernel {size}, strides {strides}, dilation {dilation}, padding {layer['padding']}, "
            f"{lengths[-1]} outputs"
        )
    at = whole("at", at, at_least=-lengths[-1])
    if at >= lengths[-1]:
        raise ValueError(f"at={at}: the last layer has {lengths[-1]} outputs; expected one of them, counted from 0.")
    chosen = range(lengths[-1])[at]
    reached = [{chosen}]
    for between in reversed(edges):
        reached.insert(0, {source for place, source in between if place in reached[0]})
    for height, between in enumerate(edges):
        for place, source in between:
            colour, width, order = (BLUE, 1.8, 2) if place in reached[height + 1] else ("#C8C8C8", 0.8, 1)
            axes.plot([source, place], [height, height + 1], color=colour, linewidth=width, zorder=order)
    reads = [{source for _, source in between} for between in edges] + [set[int]()]
    has_padding = any(not read <= set(range(count)) for count, read in zip(lengths, reads, strict=True))
    for height, (count, read) in enumerate(zip(lengths, reads, strict=True)):
        for place in sorted(read | set(range(count))):
            colour = VERMILION if place in reached[height] else "#8C8C8C"
            face = colour if 0 <= place < count else "white"
            axes.plot(place, height, "o", markersize=9, color=colour, markerfacecolor=face, zorder=3, clip_on=False)
    axes.set_yticks(range(len(lengths)), ["input", *(f"layer {number}" for number in range(1, len(lengths)))])
    axes.set(xlabel="position", title=f"Blue: what output {chosen} reads.{' Hollow: padding.' * has_padding}")
    axes.set(xticks=range(length), frame_on=False)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    inside = [place for place in sorted(reached[0]) if 0 <= place < length]
    outside = len(reached[0]) - len(inside)
    return (
        f"{length} input positions; {'; '.join(words)}. Output {chosen} of the last layer reads inputs "
        f"{' '.join(map(str, inside))} ({len(inside)} positions{f' and {outside} of padding' if outside else ''})."
    )


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _number(value: Any) -> str:
    """A number as short as it can be written with three significant digits; below zero in brackets."""
    text = f"{float(value):.6g}" if float(value).is_integer() else f"{float(value):.3g}"
    return f"({text})" if text.startswith("-") else text


def _parts(picture: Picture, arrays: Sequence[npt.NDArray[Any]]) -> list[SubFigure]:
    """A part of the picture for each array, side by side for images, else stacked; all cells about alike in size."""
    shapes = [np.array(array, ndmin=3).shape for array in arrays]  # a signal is one row of one slice
    widths = [columns * depth + 0.6 * (depth - 1) for depth, _, columns in shapes]
    heights = [rows for _, rows, _ in shapes]
    side_by_side = arrays[0].ndim == 2
    across = sum(widths) + 2.5 if side_by_side else max(widths)
    cell = min(0.5, 9 / across)
    if side_by_side:
        picture.set_size_inches(max(6.0, cell * across), cell * max(heights) + 0.9)
        ratios = [width + 0.8 for width in widths]
        return list(picture.subfigures(1, len(arrays), squeeze=False, width_ratios=ratios).flat)
    picture.set_size_inches(9, max(1.6, cell * sum(heights) + 0.42 * len(arrays) + 0.5))
    ratios = [height * cell + 0.42 for height in heights]
    return list(picture.subfigures(len(arrays), 1, squeeze=False, height_ratios=ratios).flat)


def _write_cells(
    part: SubFigure,
    name: str,
    array: npt.NDArray[Any],
    marked: Mapping[tuple[int, ...], str],
    is_padding: npt.NDArray[np.bool_] | None = None,
) -> dict[tuple[int, ...], Text]:
    """Write every number into a cell of its own, slice by slice, frame the marked ones, and return texts by place."""
    volume = np.array(array, ndmin=3)
    depth, rows, columns = volume.shape
    part.suptitle(f"{name}, slice by slice" if array.ndim == 3 else name, fontsize="medium", weight="bold")
    slices = part.subplots(1, depth, squeeze=False)[0]
    for number, axes in enumerate(slices):
        axes.axis("off")
        axes.set(xlim=(-0.55, columns - 0.45), ylim=(rows - 0.45, -0.55), aspect="equal")
        if array.ndim == 3:
            axes.set_title(f"depth {number}", loc="center", weight="normal", fontsize="small")
    texts = {}
    size = "small" if max(len(_number(value)) for value in array.flat) < 5 else "x-small"
    for (number, row, column), value in np.ndenumerate(volume):
        place = (number, row, column)[3 - array.ndim :]
        axes, words = slices[number], _number(value).strip("()")
        face, ink = (_PADDING, "#777777") if is_padding is not None and is_padding[place] else (_PALE, "black")
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, edgecolor="white"))
        if place in marked:
            corner = column - 0.44, row - 0.44
            axes.add_patch(Rectangle(corner, 0.88, 0.88, fill=False, edgecolor=marked[place], linewidth=2.2, zorder=3))
        weight = "bold" if place in marked else "normal"
        texts[place] = axes.text(column, row, words, ha="center", va="center", size=size, color=ink, weight=weight)
    return texts

"""Pictures of a convolution layer at work, drawn from real numbers.

All take their values from `convolve`, and so from what a Keras layer computes, and their words from what was drawn.
"""

from collections.abc import Mapping, Sequence
from itertools import product
import textwrap
from typing import Any

from convtour._checks import brief, entries, finite_numbers, whole
from convtour.layers.arguments import check_groups
from convtour.layers.arithmetic import conv_output_length, conv_padding
from convtour.layers.convolution import convolve
from convtour.picture import BLUE, VERMILION, Picture, styled
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, LinearSegmentedColormap
from matplotlib.patches import Circle, Rectangle
import numpy as np
from numpy.polynomial import Polynomial
import numpy.typing as npt

_Array = npt.NDArray[Any]
_Spots = list[tuple[float, float]]  # in the picture: across and down, in cells
_Texts = dict[tuple[int, ...], str]  # by the place of a cell in its array
_INK, _PALE = "#222222", "#CCCCCC"
_FAINT: Any = {"color": "#767676", "alpha": 0.7, "linewidth": 1, "zorder": 1}
_SHADES = LinearSegmentedColormap.from_list("by sign", ["#B9DBF2", "#EDEDED", "#F5CBAE"]).with_extremes(bad=_PALE)


def plot_convolution(
    inputs: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    at: Sequence[int] | None = None,
    strides: int = 1,
    padding: str = "valid",
    dilation_rate: int = 1,
) -> Picture:
    """Draw one step of a convolution: the window on the padded input, the kernel, the output, and the sum written out.

    Taught in notebook ``01_convolution_by_hand``.

    Parameters
    ----------
    inputs, kernel : array-like
        Of one channel: signals ``(steps,)``, images ``(rows, columns)`` or volumes ``(depth, rows, columns)``, drawn as
        slices side by side. Small, for every number is written into its cell.
    at : sequence of int, optional
        The output cell to explain, counted from 0; the first one if left out.
    strides, padding, dilation_rate
        As for the Keras layer, one number for all axes.

    Returns
    -------
    Picture
        Blue frames mark the kernel and the cells that it meets, an orange one the output cell that they make. In a
        signal or volume, kernel and output stand under what they read. Padding is grey.

    Raises
    ------
    ValueError, TypeError
        If the arrays are not numbers of one rank, ``at`` is no cell of the output, or Keras would refuse the layer.

    Examples
    --------
    >>> picture = plot_convolution([0, 1, 2, 3, 4, 5], [1, 10, 100], strides=2, padding="same")
    >>> print(picture.description.split("; ")[1])
    output 0: 1·0 + 10·1 + 100·2 = 210. Grey: padding. Strides 2, dilation 1, padding same. All outputs: 210 432 54.
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
    if cell not in np.ndindex(result.shape):
        raise ValueError(f"at={brief(cell)}: expected one place for each axis of the output, {result.shape}, from 0.")
    around = [conv_padding(length, size, **options) for length, size in zip(values.shape, weights.shape, strict=True)]
    padded = np.ma.masked_array(np.pad(values, around), np.pad(np.zeros(values.shape), around, constant_values=1))
    taps = {tuple(strides * np.array(cell) + dilation_rate * np.array(tap)): tap for tap in np.ndindex(weights.shape)}
    with styled() as picture:
        axes = picture.subplots()
        corners = _lay_out(axes, [padded, weights, result], strides * cell[0], strides, dilation_rate)
        used = _write_cells(axes, weights, corners[1], BLUE, dict.fromkeys(taps.values(), ""))
        notes = {place: f"×{used[tap]}" if values.ndim > 1 else "" for place, tap in taps.items()}
        read = _write_cells(axes, padded, corners[0], BLUE, notes)
        made = _write_cells(axes, result, corners[2], VERMILION, {cell: ""})
        terms = " + ".join(f"{_factor(used[tap])}·{_factor(read[place])}" for place, tap in taps.items())
        total = f"output {', '.join(map(str, cell))}: {terms} = {made[cell]}."
        grey = " Grey: padding." if padded.mask.any() else ""
        _finish(picture, axes, total + grey, 36 if values.ndim == 1 else 26)
    picture.description = (
        f"{len(taps)} framed cells of an input of shape {values.shape}, times the weights of a kernel of shape "
        f"{weights.shape}, make the framed one of an output of shape {result.shape}; {total}{grey} Strides {strides}, "
        f"dilation {dilation_rate}, padding {padding}. All outputs: {' '.join(made.values())}."
    )
    return picture


def plot_connections(length: int, layers: Sequence[Mapping[str, Any]], *, at: int = -1) -> Picture:
    """Draw which positions each output position reads, through one layer or a stack of them.

    Taught in notebook ``01_convolution_by_hand``.

    Parameters
    ----------
    length : int
        Number of input positions, drawn at the bottom.
    layers : sequence of mapping
        From the input upward, each with ``kernel_size`` and, if need be, ``strides``, ``padding``, ``dilation_rate``.
    at : int
        The output position whose connections are drawn in colour; the last one if left out.

    Returns
    -------
    Picture
        A row of numbered dots for each layer, a wire for each tap; small dots are padding. An output stands over the
        middle of what it reads, a causal one over its own time step, the last that it reads.

    Raises
    ------
    ValueError, TypeError
        If there is no layer, one has other keys, Keras would refuse it, or the last one has no such output.

    Examples
    --------
    >>> plot_connections(8, [{"kernel_size": 3}, {"kernel_size": 3, "dilation_rate": 2}]).description[:69]
    'Blue wires lead from output 1 (layer 2) down to inputs 1 2 3 4 5 6 7 '
    """
    stack, defaults = {}, {"kernel_size": 1, "strides": 1, "padding": "valid", "dilation_rate": 1}
    for number, layer in enumerate(entries("layers", layers, "mappings")):
        if not isinstance(layer, Mapping) or "kernel_size" not in layer or layer.keys() - defaults:
            raise ValueError(
                f"layers[{number}]={brief(repr(layer))}: expected a mapping with kernel_size and, if need be, "
                "strides, padding and dilation_rate."
            )
        stack[f"layer {number + 1}"] = defaults | dict(layer)
    if not stack:
        raise ValueError('layers is empty; expected at least one layer, such as {"kernel_size": 3}.')
    return _draw_connections(length, [stack], at)


def plot_paddings(length: int, kernel_size: int, *, at: int = 0, strides: int = 1, dilation_rate: int = 1) -> Picture:
    """Draw which inputs each output reads with padding valid, same and causal, one above the other.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    length, kernel_size, strides, dilation_rate : int
        Number of input positions, and the layer's arguments as for ``Conv1D``.
    at : int
        The output position whose connections are drawn in colour, counted from 0.

    Returns
    -------
    Picture
        One panel per padding, drawn as by `plot_connections`, with the inputs aligned.

    Raises
    ------
    ValueError, TypeError
        If Keras would refuse the layer, or one of the three has no such output.

    Examples
    --------
    >>> plot_paddings(6, 3, at=2).description[:73]
    'Blue wires lead from output 2 (valid) down to inputs 2 3 4 (3 positions).'
    """
    layer = {"kernel_size": kernel_size, "strides": strides, "padding": "", "dilation_rate": dilation_rate}
    return _draw_connections(length, [{name: layer | {"padding": name}} for name in ("valid", "same", "causal")], at)


def plot_groups(in_channels: int, filters: int, groups: int) -> Picture:
    """Draw which input channels each output channel reads.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    in_channels, filters, groups : int
        As for the Keras layer; both numbers of channels must be multiples of ``groups``.

    Returns
    -------
    Picture
        Input channels at the bottom, output channels at the top, wires between; each group has colour and dashes.

    Raises
    ------
    ValueError, TypeError
        If a number is not a whole one of at least 1, or the groups do not divide the channels.

    Examples
    --------
    >>> print(plot_groups(4, 2, 2).description[63:])
    Output channel 0 reads input channels 0 1; 1 reads 2 3. 4 of 8 connections.
    """
    in_channels, filters = whole("in_channels", in_channels, at_least=1), whole("filters", filters, at_least=1)
    groups = check_groups(groups, in_channels, filters)
    sizes = in_channels // groups, filters // groups
    pitch, words, looks = max(sizes) + 0.6, [], [(BLUE, "-"), (VERMILION, "--"), ("#009E73", ":"), ("#CC79A7", "-.")]
    with styled() as picture:
        axes = picture.subplots()
        for group in range(groups):
            colour, dashes = looks[group % len(looks)]
            across = [pitch * group - size / 2 + np.arange(size) for size in sizes]
            lower = {x: _draw_dot(axes, x, 0, str(number)) for number, x in enumerate(across[0], sizes[0] * group)}
            upper = {x: _draw_dot(axes, x, -3, str(number)) for number, x in enumerate(across[1], sizes[1] * group)}
            for x, above in upper.items():
                wires: Any = axes.plot([[*lower], [x] * len(lower)], (0, -3), color=colour, linestyle=dashes)
                words.append(f"{above} reads {' '.join(lower[wire.get_xdata()[0]] for wire in wires)}")
        axes.set_xticks(pitch * np.arange(groups) - 0.5, [f"group {group}" * (groups > 1) for group in range(groups)])
        axes.set_yticks((0, -3), ["input\nchannel", "output\nchannel"])
        _finish(picture, axes, "", 36)
    picture.description = (
        f"Wires lead up from {in_channels} input channels to {filters} filters, in {groups} group{'s' * (groups > 1)}. "
        f"Output channel {'; '.join(words).replace('reads', 'reads input channels', 1)}. {len(axes.lines)} of "
        f"{in_channels * filters} connections."
    )
    return picture


def _draw_connections(length: int, stacks: Sequence[Mapping[str, dict[str, Any]]], at: int) -> Picture:
    """Draw stacks of named layers, one under the other, on one scale."""
    rows: dict[float, str] = {}
    with styled() as picture:
        axes = picture.subplots()
        words = [_draw_stack(axes, rows, whole("length", length, at_least=1), layers, at) for layers in stacks]
        axes.set(yticks=[*rows], yticklabels=rows.values(), xticks=[])
        padding = " Small: padding." if any(not text.get_text() for text in axes.texts) else ""
        _finish(picture, axes, f"Blue: what the orange dot reads.{padding}", 36)
    picture.description = " ".join(words)
    return picture


def _draw_stack(axes: Axes, rows: dict[float, str], length: int, layers: Mapping[str, dict[str, Any]], at: int) -> str:
    """Draw the connections of a stack of layers beneath the named rows that are there; say what its output reads."""
    rise = max(1.7, length / 7)  # from row to row, where a dot takes 1 across
    floor = max(rows, default=0) + rise * (len(layers) + 0.75)
    heights = [floor - rise * row for row in range(len(layers) + 1)]
    rows |= zip(heights, ["input", *layers], strict=True)
    counts, taps, words = [length], [], []
    across = [Polynomial([0, 1])]  # where a position of each row stands
    for name, layer in layers.items():
        size, strides, dilation = layer["kernel_size"], layer["strides"], layer["dilation_rate"]
        before, _ = conv_padding(counts[-1], **layer)
        counts.append(conv_output_length(counts[-1], **layer))
        places = product(range(counts[-1]), range(size))
        taps.append([(strides * place + dilation * tap - before, place) for place, tap in places])
        over = dilation * (size - 1) / (1 if layer["padding"].lower() == "causal" else 2) - before
        across.append(across[-1](Polynomial([over, strides])))
        words.append(f"{name}: {', '.join(f'{key} {value}' for key, value in layer.items())}, {counts[-1]} outputs")
    at = whole("at", at, at_least=-counts[-1])
    if at >= counts[-1]:
        raise ValueError(f"at={at}: the last layer has {counts[-1]} outputs; expected one of them, counted from 0.")
    read, colour, dots, wires = {range(counts[-1])[at]}, VERMILION, {}, []
    for row, (below, above) in reversed([*enumerate(zip([[], *taps], [*taps, []], strict=True))]):
        for place in sorted({*range(counts[row]), *(source for source, _ in above)}):
            x, y, number = across[row](place), heights[row], str(place) if 0 <= place < counts[row] else ""
            dots[x, y] = _draw_dot(axes, x, y, number, colour if place in read else _PALE)
        for source, place in below:
            ends = (across[row - 1](source), across[row](place)), heights[row - 1 : row + 1]
            wires += axes.plot(*ends, **({"color": BLUE} if place in read else _FAINT))
        read, colour = {source for source, place in below if place in read}, BLUE
    blue = [[*map(tuple, np.asarray(wire.get_xydata()))] for wire in wires if wire.get_color() == BLUE]
    found = {lower: dots[lower] for lower, _ in blue}
    inputs = [found[x, y] for x, y in sorted(found) if y == floor and found[x, y]]
    small = sum(not number for number in found.values())
    return (
        f"Blue wires lead from output {dots[blue[0][1]]} ({name}) down to inputs {' '.join(inputs)} ({len(inputs)} "
        f"positions{f' and {small} of padding' if small else ''}). {length} input positions; {'; '.join(words)}."
    )


def _draw_dot(axes: Axes, x: float, y: float, number: str, colour: str = _PALE) -> str:
    """Draw a dot around its number, a small one where there is none; return what was written."""
    axes.add_patch(Circle((x, y), 0.4 if number else 0.2, color=colour, zorder=3))
    return axes.text(x, y, number, color=_INK if colour == _PALE else "white").get_text()


def _lay_out(axes: Axes, arrays: list[_Array], start: int, strides: int, dilation_rate: int) -> list[_Spots]:
    """Label input, kernel and output; return, for each, the upper left corner of every cell.

    Images stand side by side. Otherwise a slice, of a signal a cell, stands under the middle of those that it meets.
    """
    names, rank, is_padding = ["input", "kernel", "output"], arrays[0].ndim, np.ma.getmaskarray(arrays[0])
    rows, columns = np.transpose([(1, 1) if rank == 1 else array.shape[-2:] for array in arrays])
    if rank == 2:
        lefts, tops = [*np.cumsum([0, *columns[:2] + 0.7]).reshape(3, 1)], np.zeros(3)
        axes.set(xticks=np.ravel(lefts) + columns / 2, xticklabels=names, yticks=[])
    else:
        pitch, gap = (1, 0.3) if rank == 1 else (columns[0] + 0.5, 0.5)
        reach = dilation_rate * np.arange(len(arrays[1]))
        meets = [np.arange(len(is_padding)), start + reach, strides * np.arange(len(arrays[2])) + reach.mean()]
        lefts = [pitch * n + (columns[0] - width) / 2 for n, width in zip(meets, columns, strict=True)]
        tops = np.cumsum([0, *rows[:2] + gap])
        inside = lefts[0][~is_padding.reshape(len(is_padding), -1).all(axis=1)]
        labels = [f"depth {number}" if rank == 3 else number for number in range(len(inside))]
        axes.set(xticks=inside + columns[0] / 2, xticklabels=labels, yticks=tops + rows / 2, yticklabels=names)
    return [
        [(left + column, top + row) for left in line for row in range(height) for column in range(width)]
        for line, top, height, width in zip(lefts, tops, rows, columns, strict=True)
    ]


def _write_cells(axes: Axes, array: _Array, corners: _Spots, colour: str, framed: _Texts) -> _Texts:
    """Write every number into a cell of its own, frame some, each over its note; return what was written, by place."""
    written, faces = {}, _SHADES(CenteredNorm(0, np.abs(array).max() or 1)(array))
    for (place, value), (x, y) in zip(np.ndenumerate(array), corners, strict=True):
        edge, note = colour if place in framed else "none", framed.get(place, "")
        axes.add_patch(Rectangle((x + 0.05, y + 0.05), 0.9, 0.9, facecolor=faces[place], edgecolor=edge, linewidth=2))
        number = f"{value:.6g}" if float(value).is_integer() else f"{value:.3g}"
        written[place] = axes.text(x + 0.5, y + (0.3 if note else 0.52), number, color=_INK).get_text()
        axes.text(x + 0.5, y + 0.72, note, color="#00568A", weight="bold")
    return written


def _finish(picture: Picture, axes: Axes, caption: str, size: int) -> None:
    """Give all cells or dots one size, in a picture no wider than a page, and write the caption beneath."""
    box, left = axes.dataLim.padded(0.05), 0.85 if len(axes.get_yticks()) else 0.1
    inches = min(0.45, (6.9 - left) / box.width)
    about = len(caption) // (1 + len(caption) // int(12.5 * (left + inches * box.width)))  # so lines are equally long
    lines = textwrap.wrap(caption, about + 5, break_on_hyphens=False)
    corner, inside = np.array([(left, 0.1 + 0.2 * len(lines)), (inches * box.width, inches * box.height)])
    page = corner + inside + np.array([0.1, 0.35 if len(axes.get_xticks()) else 0.05])
    picture.set_size_inches(page)
    picture.text(0.5, 0.05 / page[1], "\n".join(lines), fontsize=10, horizontalalignment="center")
    axes.set_position((*corner / page, *inside / page))
    axes.set(frame_on=False, xlim=(box.x0, box.x1), ylim=(box.y1, box.y0))
    axes.grid(visible=False)
    axes.tick_params(length=0, pad=6, labelbottom=False, labeltop=True)
    points = min(11, inches * min(size, 92 / max(len(text.get_text()) for text in axes.texts)))
    for text in axes.texts:
        text.set(fontsize=points, ha="center", va="center")


def _factor(number: str) -> str:
    return f"({number})" if number.startswith("-") else number

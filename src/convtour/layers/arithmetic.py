"""What a convolution makes of its input, by arithmetic alone: its shape, its parameters, its work, what it sees.

No layer is built and Keras is not loaded. The arguments are Keras's own, and where a Keras layer refuses them, these
functions raise the same type of error and say why.
"""

from collections.abc import Iterable, Sequence
import math
from typing import Any

from convtour._checks import brief, entries, one_of
from convtour.layers.arguments import (
    Shape,
    Size,
    Window,
    check_groups,
    check_padding,
    check_strides_and_dilation,
    is_channels_first,
    per_axis,
    rank_of,
    shape_of,
    split_shape,
    whole_argument,
    window_of,
)


def conv_output_length(
    length: int, kernel_size: int, *, strides: int = 1, padding: str = "valid", dilation_rate: int = 1
) -> int:
    """Length of one spatial axis after a convolution or pooling.

    The dilated kernel spans ``d * (k - 1) + 1`` positions. With ``"valid"`` padding it stays inside the axis, which
    leaves ``floor((length - span) / strides) + 1`` places for it. With ``"same"`` and ``"causal"`` padding it starts at
    every ``strides``-th position, whatever its size: ``ceil(length / strides)`` places.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    length : int
        Positions along the axis.
    kernel_size : int
        Taps of the kernel, or positions of the pooling window, along the axis; at least 1.
    strides : int
        Positions from one place of the kernel to the next, at least 1.
    padding : {"valid", "same", "causal"}
        No padding; padding on both sides, so that a stride of 1 keeps the length; the same amount, all of it before
        the first position.
    dilation_rate : int
        Positions from one tap to the next, at least 1.

    Returns
    -------
    int
        Positions in the output.

    Raises
    ------
    ValueError
        If the dilated kernel is longer than an axis without padding, if both stride and dilation exceed 1, or if an
        argument is not one of the above: as in Keras.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016: relationships 1 to 6 for strides
    and padding, 7 for pooling, 15 for dilation.

    Examples
    --------
    >>> conv_output_length(28, kernel_size=3)
    26
    >>> conv_output_length(28, kernel_size=3, dilation_rate=2)
    24
    >>> conv_output_length(28, kernel_size=3, strides=2, padding="same")
    14
    """
    kernel, stride = whole_argument("kernel_size", kernel_size, 1), whole_argument("strides", strides, 1)
    dilation = whole_argument("dilation_rate", dilation_rate, 1)
    check_strides_and_dilation((stride,), (dilation,))
    padding = check_padding(padding, rank=1)
    return _places("kernel_size", whole_argument("length", length, 0), kernel, stride, dilation, padding)


def conv_padding(
    length: int, kernel_size: int, *, strides: int = 1, padding: str = "valid", dilation_rate: int = 1
) -> tuple[int, int]:
    """Count the zeros that Keras puts before and after one axis.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    length : int
        Positions along the axis.
    kernel_size : int
        Taps of the kernel along the axis, at least 1.
    strides : int
        Steps from one output position to the next, at least 1.
    padding : {"valid", "same", "causal"}
        ``"valid"`` adds nothing. ``"causal"`` adds as much as the kernel reaches back, all of it before. ``"same"``
        adds what the last of the ``ceil(length / strides)`` windows lacks, half before and half after, the odd one
        after. With strides above 1 it therefore depends on the length: see the examples.
    dilation_rate : int
        Steps from one tap of the kernel to the next, at least 1.

    Returns
    -------
    before, after : int
        Zeros before the first and after the last position.

    Raises
    ------
    ValueError
        If the padding has another name, a number is too small, or it is not a whole one.

    References
    ----------
    TensorFlow's API documentation of ``tf.nn``, "Notes on padding".

    Examples
    --------
    >>> conv_padding(6, 3, padding="same")
    (1, 1)
    >>> conv_padding(6, 3, padding="same", strides=2), conv_padding(7, 3, padding="same", strides=2)
    ((0, 1), (1, 1))
    >>> conv_padding(6, 3, padding="causal", dilation_rate=4)
    (8, 0)
    """
    length, kernel_size = whole_argument("length", length, 0), whole_argument("kernel_size", kernel_size, 1)
    strides, dilation_rate = whole_argument("strides", strides, 1), whole_argument("dilation_rate", dilation_rate, 1)
    padding = check_padding(padding, rank=1)
    reach = dilation_rate * (kernel_size - 1)
    if padding == "causal":
        return reach, 0
    if padding == "valid":
        return 0, 0
    last_start = (math.ceil(length / strides) - 1) * strides
    total = max(last_start + reach + 1 - length, 0)
    return total // 2, total - total // 2


def conv_output_shape(
    input_shape: Sequence[int | None],
    filters: int,
    kernel_size: Size,
    *,
    rank: int | None = None,
    strides: Size = 1,
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Size = 1,
    groups: int = 1,
) -> Shape:
    """Shape of what Conv1D, Conv2D or Conv3D returns.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    input_shape : sequence of int or None
        Any number of leading batch axes, then the spatial axes and the channels in the order that ``data_format``
        says. ``None`` stands for a length that is not known, and stays ``None``.
    filters : int
        Channels of the output, at least 1.
    kernel_size, strides, dilation_rate : int or sequence of int
        One number for all spatial axes, or one for each; at least 1.
    rank : {1, 2, 3}, optional
        Number of spatial axes. Left out, it is the length of ``kernel_size``; if that is a single number there is one
        batch axis, as in Keras, and the rank is ``len(input_shape) - 2``.
    padding : {"valid", "same", "causal"}
        As for `conv_output_length`; causal for rank 1 only.
    data_format : {"channels_last", "channels_first"}
        Whether the channels follow the spatial axes or come before them.
    groups : int
        Parts that the channels are dealt into, each with its own ``filters / groups`` filters.

    Returns
    -------
    tuple of int or None
        The leading axes as they were, the new spatial axes, and ``filters`` in the place of the channels.

    Raises
    ------
    ValueError
        If Keras would refuse: a kernel longer than an axis without padding; both a stride and a dilation above 1, on
        whichever axes; causal padding beyond rank 1; channels or filters that the groups do not divide; a number that
        is too small, a sequence of the wrong length or an unknown name.
    TypeError
        If the number of channels is None; Keras, too, cannot build weights for it.

    Notes
    -----
    Keras itself takes a single batch axis; with more, give ``rank`` here and fold the axes around the layer.

    Examples
    --------
    >>> conv_output_shape((4, 28, 28, 3), filters=2, kernel_size=3)
    (4, 26, 26, 2)
    >>> conv_output_shape((4, 7, 28, 28, 3), filters=2, kernel_size=3, rank=2)
    (4, 7, 26, 26, 2)
    >>> conv_output_shape((None, 3, 28, 28), 2, (3, 5), padding="same", strides=2, data_format="channels_first")
    (None, 2, 14, 14)
    """
    shape = shape_of("input_shape", input_shape)
    rank = rank_of(rank, "kernel_size", kernel_size, shape)
    _, channels, _ = split_shape(shape, rank, data_format)
    window, padding = window_of(kernel_size, strides, padding, dilation_rate, rank)
    conv_params(channels, filters, kernel_size, rank=rank, groups=groups)  # refuses channels that cannot be dealt out
    return _slide(shape, whole_argument("filters", filters, 1), window, padding, data_format)


def conv_params(
    in_channels: int | None,
    filters: int,
    kernel_size: Size,
    *,
    rank: int | None = None,
    groups: int = 1,
    use_bias: bool = True,
) -> int:
    """Count the parameters of Conv1D, Conv2D or Conv3D.

    Each filter has a weight for every tap of the kernel in every channel of its group, and one bias. The size of the
    input has no part in it.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    filters, kernel_size, groups
        As for `conv_output_shape`.
    rank : {1, 2, 3}, optional
        Number of spatial axes; needed if ``kernel_size`` is a single number.
    use_bias : bool
        Whether there is a bias for each filter.

    Returns
    -------
    int
        ``product of kernel_size * in_channels / groups * filters``, and ``filters`` more with biases.

    Raises
    ------
    ValueError
        If ``groups`` does not divide the channels or the filters, or an argument is too small or of the wrong length.
    TypeError
        If ``in_channels`` is None.

    Examples
    --------
    >>> conv_params(3, filters=2, kernel_size=(3, 3))
    56
    >>> conv_params(8, filters=8, kernel_size=3, rank=1, groups=8, use_bias=False)
    24
    """
    kernel = per_axis("kernel_size", kernel_size, rank_of(rank, "kernel_size", kernel_size, None))
    filters = whole_argument("filters", filters, 1)
    if in_channels is None:
        raise TypeError("in_channels is None: the channel axis of input_shape needs a length, for the weights.")
    channels = whole_argument("in_channels", in_channels, 0)
    groups = check_groups(groups, channels, filters)
    biases = filters if one_of("use_bias", use_bias, (True, False)) else 0
    return math.prod(kernel) * (channels // groups) * filters + biases


def conv_multiply_adds(
    input_shape: Sequence[int | None],
    filters: int,
    kernel_size: Size,
    *,
    rank: int | None = None,
    strides: Size = 1,
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Size = 1,
    groups: int = 1,
) -> int:
    """Count the multiply-adds that a convolution takes for one example.

    A multiplication and the addition of its product count as one; adding the bias is not counted. Every weight is used
    once for every position of the output, so the count is the number of weights times the number of positions. Taps
    that fall on padding are counted like all others.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    input_shape, filters, kernel_size, rank, strides, padding, data_format, dilation_rate, groups
        As for `conv_output_shape`. The leading batch axes have no part in the count, whatever their number and
        lengths; the spatial axes must be known.

    Returns
    -------
    int
        Multiply-adds for one example; a batch takes as many times more as it holds examples.

    Raises
    ------
    ValueError, TypeError
        As `conv_output_shape`; and ValueError if the length of a spatial axis is None.

    Examples
    --------
    >>> conv_multiply_adds((None, 28, 28, 3), filters=2, kernel_size=3)  # 26 * 26 positions, 3 * 3 * 3 * 2 weights
    36504
    """
    shape = shape_of("input_shape", input_shape)
    rank = rank_of(rank, "kernel_size", kernel_size, shape)
    options: dict[str, Any] = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate, "groups": groups}
    output_shape = conv_output_shape(shape, filters, kernel_size, rank=rank, data_format=data_format, **options)
    _, channels, _ = split_shape(shape, rank, data_format)
    _, _, lengths = split_shape(output_shape, rank, data_format)
    positions = [length for length in lengths if length is not None]
    if len(positions) < rank:
        raise ValueError(f"input_shape={brief(shape)}: to count multiply-adds, every spatial length is needed.")
    return conv_params(channels, filters, kernel_size, rank=rank, groups=groups, use_bias=False) * math.prod(positions)


def pool_output_shape(
    input_shape: Sequence[int | None],
    pool_size: Size = 2,
    *,
    rank: int | None = None,
    strides: Size | None = None,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> Shape:
    """Shape of what a max or average pooling layer of rank 1, 2 or 3 returns.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    input_shape, rank, data_format
        As for `conv_output_shape`.
    pool_size : int or sequence of int
        Positions of the window along each spatial axis, at least 1.
    strides : int or sequence of int, optional
        Positions from one window to the next, at least 1; by default ``pool_size``, so that windows do not overlap.
    padding : {"valid", "same"}
        Whether windows stay inside the input. Unlike Keras's convolutions, its pooling wants lower case.

    Returns
    -------
    tuple of int or None
        The leading axes and the channels as they were, and the new spatial axes.

    Raises
    ------
    ValueError
        If the window is longer than an axis without padding, a number is too small, a sequence is of the wrong length
        or a name is unknown. (For strides of 0 Keras fails with ZeroDivisionError.)

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016: relationship 7.

    Examples
    --------
    >>> pool_output_shape((None, 26, 26, 32))
    (None, 13, 13, 32)
    >>> pool_output_shape((None, 7, 1), pool_size=3, strides=2, padding="same")
    (None, 4, 1)
    """
    shape = shape_of("input_shape", input_shape)
    rank = rank_of(rank, "pool_size", pool_size, shape)
    pool = per_axis("pool_size", pool_size, rank)
    window = (pool, pool if strides is None else per_axis("strides", strides, rank), (1,) * rank)
    return _slide(shape, None, window, one_of("padding", padding, ("valid", "same")), data_format)


def receptive_field(layers: Iterable[tuple[int, int, int]]) -> int:
    """How many input positions, along one axis, one position of the last output sees.

    Counted from the first to the last position that it depends on, as if the input had no end: near a border, part of
    them is padding. Positions between that a dilated kernel or a long stride leaves out are counted in.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    layers : iterable of (kernel_size, strides, dilation_rate)
        The layers from the input on; pooling counts like a convolution.

    Returns
    -------
    int
        ``1 + sum of d * (k - 1) * (product of the strides of all earlier layers)``.

    Raises
    ------
    ValueError
        If a layer is not three whole numbers of at least 1.

    References
    ----------
    Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019.

    Examples
    --------
    >>> receptive_field([(3, 1, 1), (2, 2, 1), (3, 1, 1)])  # convolution, pooling, convolution
    8
    >>> receptive_field((2, 1, dilation) for dilation in (1, 2, 4, 8))
    16
    """
    names = ("kernel_size", "strides", "dilation_rate")
    field, step = 1, 1  # step: how far apart, in the input, neighbouring positions of this layer lie
    for number, layer in enumerate(entries("layers", layers, f"({', '.join(names)}), one for each layer")):
        sizes = entries(f"layers[{number}]", layer, f"three numbers, {', '.join(names)}")
        if len(sizes) != 3:
            raise ValueError(f"layers[{number}]={brief(layer)}: expected three numbers, {', '.join(names)}.")
        kernel_size, strides, dilation_rate = (
            whole_argument(f"layers[{number}]: {name}", size, 1) for name, size in zip(names, sizes, strict=True)
        )
        field += dilation_rate * (kernel_size - 1) * step
        step *= strides
    return field


def _places(name: str, length: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """How many places a window, the argument of that name, has along an axis."""
    if padding != "valid":
        return -(-length // stride)  # rounded up
    span = dilation * (kernel - 1) + 1
    if span > length:
        raise ValueError(
            f"{name}={kernel} with dilation_rate={dilation} spans {span} positions, but the axis has {length}; "
            'nothing would be left. Use padding="same", a smaller window or a longer input.'
        )
    return (length - span) // stride + 1


def _slide(shape: Shape, filters: int | None, window: Window, padding: str, data_format: str) -> Shape:
    """Shape after a window has slid over every spatial axis; without filters, the channels stay as they are."""
    leading, channels, lengths = split_shape(shape, len(window[0]), data_format)
    name = "pool_size" if filters is None else "kernel_size"
    places = tuple(
        None if length is None else _places(name, length, *axis, padding)
        for length, axis in zip(lengths, zip(*window, strict=True), strict=True)
    )
    channels = channels if filters is None else filters
    return (*leading, channels, *places) if is_channels_first(data_format) else (*leading, *places, channels)

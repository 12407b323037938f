"""What a convolution makes of its input, by arithmetic alone: its shape, its parameters, its work, what it sees.

No layer is built and Keras is not loaded. The arguments are Keras's own, and where a Keras layer refuses them, these
functions raise the same type of error and say why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
import math
import operator
from typing import TYPE_CHECKING, Any, Literal, cast

from convtour._checks import whole

if TYPE_CHECKING:
    import keras

Size = int | Sequence[int]
Shape = tuple[int | None, ...]
_Window = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # kernel, strides and dilation, an entry an axis
_Field = tuple[int, ...] | Literal["all"] | None


def conv_output_length(
    length: int, kernel_size: int, *, strides: int = 1, padding: str = "valid", dilation_rate: int = 1
) -> int:
    """Length of one spatial axis after a convolution or pooling.

    The dilated kernel spans ``d * (k - 1) + 1`` positions. With ``"valid"`` padding it stays inside the axis, which
    leaves ``floor((length - span) / strides) + 1`` places for it. With ``"same"`` and ``"causal"`` padding it starts at
    every ``strides``-th position, whatever its size: ``ceil(length / strides)`` places.

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
    kernel, stride = _whole("kernel_size", kernel_size, 1), _whole("strides", strides, 1)
    dilation = _whole("dilation_rate", dilation_rate, 1)
    _check_strides((stride,), (dilation,))
    return _places(_whole("length", length, 0), kernel, stride, dilation, _check_padding(padding, rank=1))


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
        As for `conv_output_length`; causal for rank 1 alone.
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
    rank = _rank(rank, kernel_size, len(input_shape) - 2)
    _, channels, _ = _split(input_shape, rank, data_format)
    window = (
        _per_axis("kernel_size", kernel_size, rank),
        _per_axis("strides", strides, rank),
        _per_axis("dilation_rate", dilation_rate, rank),
    )
    _check_strides(*window[1:])
    padding = _check_padding(padding, rank)
    conv_params(channels, filters, kernel_size, rank=rank, groups=groups)  # refuses channels that cannot be dealt out
    return _slide(input_shape, operator.index(filters), window, padding, data_format)


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
    kernel = _per_axis("kernel_size", kernel_size, _rank(rank, kernel_size, None))
    filters, groups = _whole("filters", filters, 1), _whole("groups", groups, 1)
    _check_shares("filters", filters, groups)
    if in_channels is None:
        raise TypeError("The number of input channels is None; the weights need it, so fix the channel axis.")
    channels = _whole("in_channels", in_channels, 0)
    _check_shares("input channels", channels, groups)
    return math.prod(kernel) * (channels // groups) * filters + (filters if use_bias else 0)


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
    rank = _rank(rank, kernel_size, len(input_shape) - 2)
    output_shape = conv_output_shape(
        input_shape,
        filters,
        kernel_size,
        rank=rank,
        strides=strides,
        padding=padding,
        data_format=data_format,
        dilation_rate=dilation_rate,
        groups=groups,
    )
    _, channels, _ = _split(input_shape, rank, data_format)
    work = _times_positions(
        conv_params(channels, filters, kernel_size, rank=rank, groups=groups, use_bias=False),
        _split(output_shape, rank, data_format)[2],
    )
    if work is None:
        raise ValueError(f"input_shape={tuple(input_shape)}: to count multiply-adds, every spatial length is needed.")
    return work


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
    rank = _rank(rank, pool_size, len(input_shape) - 2)
    pool = _per_axis("pool_size", pool_size, rank)
    window = (pool, pool if strides is None else _per_axis("strides", strides, rank), (1,) * rank)
    return _slide(input_shape, None, window, _one_of("padding", padding, ("valid", "same")), data_format)


def receptive_field(layers: Iterable[tuple[int, int, int]]) -> int:
    """How many input positions, along one axis, one position of the last output sees.

    Counted from the first to the last position that it depends on, as if the input had no end: near a border, part of
    them is padding. Positions between that a dilated kernel or a long stride leaves out are counted in.

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
        If a number is not a whole one of at least 1.

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
    field, step = 1, 1  # step: how far apart, in the input, neighbouring positions of this layer lie
    for kernel_size, strides, dilation_rate in layers:
        field += _whole("dilation_rate", dilation_rate, 1) * (_whole("kernel_size", kernel_size, 1) - 1) * step
        step *= _whole("strides", strides, 1)
    return field


@dataclass(frozen=True)
class LayerArithmetic:
    """A row of the table that `model_arithmetic` makes.

    Attributes
    ----------
    layer : str
        Type of the layer.
    output_shape : tuple of int or None
        Shape of its output, as Keras gives it.
    parameters : int
        Number of its parameters, those that are not trained included.
    multiply_adds : int or None
        Multiply-adds with its weights, for one example; None where they are not known.
    receptive_field : tuple of int, "all" or None
        Input positions, along each spatial axis, that one value of the output depends on; None where not known.
    """

    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int | None
    receptive_field: _Field

    def _cells(self) -> tuple[str, ...]:
        work = "?" if self.multiply_adds is None else f"{self.multiply_adds:,}"
        match self.receptive_field:
            case None:
                seen = "?"
            case "all":
                seen = "all"
            case lengths:
                seen = "x".join(map(str, lengths)) or "1"
        return self.layer, str(self.output_shape), f"{self.parameters:,}", work, seen


@dataclass(frozen=True, repr=False)
class ModelArithmetic:
    """The table that `model_arithmetic` makes; it displays as one, in a notebook and in print.

    Attributes
    ----------
    rows : tuple of LayerArithmetic
        A row a layer, from the input on.
    """

    rows: tuple[LayerArithmetic, ...]

    @property
    def parameters(self) -> int:
        """Parameters of all layers together; ``model.count_params()``."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one example, of the layers that could be counted."""
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def not_counted(self) -> tuple[str, ...]:
        """Types of the layers whose multiply-adds are not known."""
        return tuple(dict.fromkeys(row.layer for row in self.rows if row.multiply_adds is None))

    def __repr__(self) -> str:
        lines = [_HEADER, *(row._cells() for row in self.rows), self._totals()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = (
            "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, "<<>>>", widths, strict=True))
            for line in lines
        )
        return "\n".join([self._caption(), *(line.rstrip() for line in aligned)])

    def _repr_html_(self) -> str:
        """What Jupyter displays."""
        head = "".join(f'<th scope="col">{name}</th>' for name in _HEADER)
        *body, foot = (
            f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
            for name, *cells in [*(row._cells() for row in self.rows), self._totals()]
        )
        lines = [
            f"<table><caption>{self._caption()}</caption>",
            f"<thead><tr>{head}</tr></thead>",
            *("<tbody>", *body, "</tbody>"),
            f"<tfoot>{foot}</tfoot></table>",
        ]
        return "\n".join(lines)

    def _caption(self) -> str:
        gaps = f" Multiply-adds not known: {', '.join(self.not_counted)}." if self.not_counted else ""
        return f"The layers of the model, and what they take for one example.{gaps}"

    def _totals(self) -> tuple[str, ...]:
        return "total", "", f"{self.parameters:,}", f"{self.multiply_adds:,}{' + ?' * bool(self.not_counted)}", ""


def model_arithmetic(model: "keras.Model") -> ModelArithmetic:
    """Tabulate a Keras model layer by layer: output shape, parameters, multiply-adds, receptive field.

    Parameters
    ----------
    model : keras.Model
        A Sequential model that knows its input shape, or a functional one that is a single chain of layers.

    Returns
    -------
    ModelArithmetic
        Displays as a table with totals; ``rows``, ``parameters`` and ``multiply_adds`` hold the numbers.

    Raises
    ------
    ValueError
        If the model is not a single chain of layers, or does not know its input shape yet.
    TypeError
        If it is not a Keras model.

    Notes
    -----
    Multiply-adds are those with a layer's weights, for one example, counted as in `conv_multiply_adds`. A dense layer
    takes one for each weight at each position, batch normalisation one for each value: in a trained model it is a scale
    and a shift. Pooling, activations, dropout and what moves values about have no weights and take none.

    A receptive field is "all" from where it stops growing: a dense layer after Flatten, or global pooling, depends on
    all that the layers before it have read. A dense layer on more axes works on the last of them alone: with channels
    last, those are the channels, and it sees no further than the layer before.

    Layers of other types are not guessed at: they show "?" and are named above the table. Their shapes and parameters
    are Keras's own.

    Examples
    --------
    >>> from convtour import define_model
    >>> model_arithmetic(define_model((28, 28, 1), num_classes=10))
    The layers of the model, and what they take for one example.
    layer         output shape        parameters  multiply-adds  receptive field
    Conv2D        (None, 26, 26, 32)         320        194,688              3x3
    MaxPooling2D  (None, 13, 13, 32)           0              0              4x4
    Flatten       (None, 5408)                 0              0              4x4
    Dense         (None, 100)            540,900        540,800              all
    Dense         (None, 10)               1,010          1,000              all
    total                                542,230        736,488
    """
    layers = _chain(model)
    shape: Shape = model.input_shape
    itself: _Window = ((1,) * (len(shape) - 2),) * 3
    windows, field = [itself], cast("_Field", itself[0])
    rows = []
    for layer in layers:
        shape, parameters, multiply_adds, sees = _layer_arithmetic(layer, shape)
        if sees == "all" or field == "all":
            field = "all"
        elif sees is None or field is None:
            field = None
        elif sees != "same":
            windows.append(sees)
            field = tuple(map(receptive_field, zip(*(zip(*window, strict=True) for window in windows), strict=True)))
        rows.append(LayerArithmetic(type(layer).__name__, shape, parameters, multiply_adds, field))
    return ModelArithmetic(tuple(rows))


_HEADER = ("layer", "output shape", "parameters", "multiply-adds", "receptive field")

_RANKS = ("1D", "2D", "3D")
_CONVOLUTIONS = {f"{kind}Conv{rank}" for kind in ("", "Depthwise", "Separable") for rank in _RANKS}
_POOLING = {f"{kind}Pooling{rank}" for kind in ("Max", "Average") for rank in _RANKS}
_GLOBAL_POOLING = {f"Global{kind}" for kind in _POOLING}
# Layers without weights whose outputs depend on no more positions than their inputs,
_POINTWISE = {"Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "GaussianNoise", "GaussianDropout", "Identity"} | {
    *("Rescaling", "Flatten"),
    *(f"{kind}{rank}" for kind in ("SpatialDropout", "ZeroPadding", "Cropping") for rank in _RANKS),
}
# and those that may bring other positions together.
_REARRANGING = {"Reshape", "Permute", "Softmax"}


def _layer_arithmetic(
    layer: Any, shape: Shape
) -> tuple[Shape, int, int | None, _Window | Literal["same", "all"] | None]:
    """Output shape, parameters, multiply-adds, and what the layer sees of its input; None for what is not known."""
    # By its exact type: a subclass may do anything.
    kind = type(layer).__name__ if type(layer).__module__.startswith("keras.") else ""
    rank = len(shape) - 2
    if kind in _CONVOLUTIONS:
        window = (layer.kernel_size, layer.strides, layer.dilation_rate)
        filters, weights = _filters_and_weights(kind, layer, _split(shape, rank, layer.data_format)[1] or 0)
        output_shape = _slide(shape, filters, window, layer.padding, layer.data_format)
        positions = _split(output_shape, rank, layer.data_format)[2]
        return output_shape, weights + filters * layer.use_bias, _times_positions(weights, positions), window
    if kind in _POOLING:
        window = (layer.pool_size, layer.strides, (1,) * rank)
        return _slide(shape, None, window, layer.padding, layer.data_format), 0, 0, window
    if kind == "Dense":
        weights = (shape[-1] or 0) * layer.units
        work = _times_positions(weights, shape[1:-1])
        return (*shape[:-1], layer.units), weights + layer.units * layer.use_bias, work, "same" if rank else "all"
    output_shape, parameters = layer.compute_output_shape(shape), layer.count_params()
    if kind == "BatchNormalization":
        return output_shape, parameters, _times_positions(1, output_shape[1:]), "same"
    if kind in _GLOBAL_POOLING:
        return output_shape, parameters, 0, "all"
    if kind in _POINTWISE:
        return output_shape, parameters, 0, "same"
    return output_shape, parameters, 0 if kind in _REARRANGING else None, None


def _filters_and_weights(kind: str, layer: Any, channels: int) -> tuple[int, int]:
    """Channels that a convolution layer returns, and its weights without the biases."""
    if kind.startswith("Conv"):
        return layer.filters, conv_params(
            channels, layer.filters, layer.kernel_size, groups=layer.groups, use_bias=False
        )
    # Depthwise: every channel is a group of its own. Separable: after that, a convolution with a kernel of 1.
    deep = channels * layer.depth_multiplier
    weights = conv_params(channels, deep, layer.kernel_size, groups=channels, use_bias=False)
    if kind.startswith("Depthwise"):
        return deep, weights
    return layer.filters, weights + conv_params(deep, layer.filters, 1, rank=layer.rank, use_bias=False)


def _chain(model: "keras.Model") -> list[Any]:
    """Return the layers of a model in order, or say why there is no such order."""
    from convtour._keras import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"Expected a keras.Model, got {type(model).__name__}.")
    if not hasattr(model, "input_shape"):
        raise ValueError(
            "The model has no input shape: begin it with keras.Input(shape). A model that is a class of its own "
            "cannot be followed either."
        )
    layers = model.layers
    if not isinstance(model, keras.Sequential):
        ends = len(model.inputs) == len(model.outputs) == 1 and layers[-1].output is model.outputs[0]
        if not ends or any(after.input is not before.output for before, after in pairwise(layers)):
            raise ValueError(
                "The model is not a single chain of layers, each called once on the output of the one before; its "
                "branches and joins cannot be followed in a table."
            )
    return [
        inner
        for layer in layers
        if not isinstance(layer, keras.layers.InputLayer)
        for inner in (_chain(layer) if isinstance(layer, keras.Model) else [layer])
    ]


def _places(length: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """How many places the kernel has along an axis."""
    if padding != "valid":
        return -(-length // stride)  # rounded up
    span = dilation * (kernel - 1) + 1
    if span > length:
        raise ValueError(
            f"A window of {kernel} with dilation_rate={dilation} spans {span} positions, but the axis has {length}; "
            'nothing would be left. Use padding="same", a smaller window or a longer input.'
        )
    return (length - span) // stride + 1


def _slide(
    input_shape: Sequence[int | None], filters: int | None, window: _Window, padding: str, data_format: str
) -> Shape:
    """Shape after a window has slid over every spatial axis; without filters, the channels stay as they are."""
    leading, channels, lengths = _split(input_shape, len(window[0]), data_format)
    places = tuple(
        None if length is None else _places(length, *axis, padding)
        for length, axis in zip(lengths, zip(*window, strict=True), strict=True)
    )
    channels = channels if filters is None else filters
    return (*leading, channels, *places) if _is_channels_first(data_format) else (*leading, *places, channels)


def _split(shape: Sequence[int | None], rank: int, data_format: str) -> tuple[Shape, int | None, Shape]:
    """Leading axes, channels and spatial axes of a shape."""
    axes = tuple(None if length is None else _whole("A length in input_shape", length, 0) for length in shape)
    leading, rest = axes[: -rank - 1], axes[-rank - 1 :]
    if len(rest) <= rank:
        raise ValueError(f"input_shape={axes} has {len(axes)} axes; rank {rank} needs {rank} and one of channels.")
    if _is_channels_first(data_format):
        return leading, rest[0], rest[1:]
    return leading, rest[-1], rest[:-1]


def _times_positions(weights: int, lengths: Shape) -> int | None:
    """Weights times positions; None if a length is not known."""
    known = [length for length in lengths if length is not None]
    return weights * math.prod(known) if len(known) == len(lengths) else None


def _rank(rank: int | None, size: Size, otherwise: int | None) -> int:
    """Return the number of spatial axes: as said, or as many as a size has entries, or else one known otherwise."""
    if rank is None:
        rank = len(size) if isinstance(size, Sequence) else otherwise
    if rank is None:
        raise ValueError(f"kernel_size={size!r} is one number for all axes: say how many there are, as in rank=2.")
    if rank not in (1, 2, 3):
        raise ValueError(
            f"rank={rank}: Keras has layers for 1, 2 and 3 spatial axes. Left out, rank follows from the shapes."
        )
    return rank


def _per_axis(name: str, value: Size, rank: int) -> tuple[int, ...]:
    """Return one number for each axis, at least 1, from a single int or a sequence, or refuse as Keras does."""
    try:
        numbers = tuple(map(operator.index, (value,) * rank if isinstance(value, int) else value))
    except TypeError:
        numbers = ()
    if len(numbers) != rank or min(numbers) < 1:
        raise ValueError(f"{name}={value!r}: expected an int of at least 1, or {rank} of them in a tuple.")
    return numbers


def _whole(name: str, value: int, at_least: int) -> int:
    """Return a whole number that is large enough, or refuse as Keras does."""
    return whole(name, value, at_least=at_least, refusal=ValueError)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name}={value!r}: expected {' or '.join(map(repr, choices))}.")
    return value


def _check_padding(padding: str, rank: int) -> str:
    """Return the padding in lower case."""
    chosen = _one_of("padding", str(padding).lower(), ("valid", "same", "causal"))
    if chosen == "causal" and rank > 1:
        raise ValueError(f'padding="causal" is for Conv1D alone, where the axis is time; this is rank {rank}.')
    return chosen


def _check_strides(strides: tuple[int, ...], dilation_rate: tuple[int, ...]) -> None:
    if max(strides) > 1 and max(dilation_rate) > 1:
        raise ValueError(
            f"strides={strides} with dilation_rate={dilation_rate}: Keras takes one or the other above 1, not both, "
            "not even on different axes."
        )


def _check_shares(name: str, number: int, groups: int) -> None:
    if number % groups:
        raise ValueError(f"groups={groups} does not divide the {number} {name}; every group gets an equal share.")


def _is_channels_first(data_format: str) -> bool:
    return _one_of("data_format", str(data_format).lower(), ("channels_last", "channels_first")) == "channels_first"

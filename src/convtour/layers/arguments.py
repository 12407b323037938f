"""The arguments of Keras's convolution layers: what they take, and what they refuse."""

from collections.abc import Sequence

from convtour._checks import brief, entries, one_of, whole

Size = int | Sequence[int]
Shape = tuple[int | None, ...]
Window = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # kernel, strides and dilation, an entry an axis


def whole_argument(name: str, value: object, at_least: int) -> int:
    """Return a whole number that is large enough, or raise ValueError, as Keras does."""
    return whole(name, value, at_least=at_least, refusal=ValueError)


def shape_of(name: str, shape: Sequence[int | None]) -> Shape:
    """Return a shape as a tuple of whole numbers and None, or say why it is none."""
    lengths = entries(name, shape, "lengths, such as (None, 28, 28, 1)")
    return tuple(None if length is None else whole_argument(f"A length in {name}", length, 0) for length in lengths)


def rank_of(rank: int | None, name: str, size: Size, shape: Shape | None) -> int:
    """Return the number of spatial axes: as said, as many as a size has entries, or what a shape leaves for them."""
    if rank is not None:
        return one_of("rank", rank, (1, 2, 3))
    if isinstance(size, Sequence):
        if len(size) not in (1, 2, 3):
            raise ValueError(f"{name}={brief(repr(size))}: expected one number, or 1 to 3 of them in a tuple.")
        return len(size)
    if shape is None:
        raise ValueError(
            f"{name}={whole_argument(name, size, 1)} is one number for all axes: say how many there are, as in rank=2."
        )
    if len(shape) not in (3, 4, 5):
        raise ValueError(
            f"input_shape={brief(shape)} has {len(shape)} axes; expected 3 to 5: one for the batch, 1 to 3 for "
            "positions, one for channels. With more batch axes, say how many are positions, as in rank=2."
        )
    return len(shape) - 2


def per_axis(name: str, value: Size, rank: int) -> tuple[int, ...]:
    """Return one number for each axis, at least 1, from a single one or a sequence."""
    try:
        each = (value,) * rank if isinstance(value, int) else entries(name, value, "whole numbers")
        sizes = tuple(whole_argument(name, size, 1) for size in each)
    except ValueError:
        sizes = ()
    if len(sizes) != rank:
        raise ValueError(f"{name}={brief(repr(value))}: expected an int of at least 1, or {rank} of them in a tuple.")
    return sizes


def check_padding(padding: str, rank: int) -> str:
    """Return the padding in lower case; refuse unknown names, and causal padding beyond rank 1."""
    chosen = _in_any_case("padding", padding, ("valid", "same", "causal"))
    if chosen == "causal" and rank > 1:
        raise ValueError(f'padding="causal" is for Conv1D alone, where the axis is time; this is rank {rank}.')
    return chosen


def check_strides_and_dilation(strides: tuple[int, ...], dilation_rate: tuple[int, ...]) -> None:
    """Refuse strides beside dilation."""
    if max(strides) > 1 and max(dilation_rate) > 1:
        raise ValueError(
            f"strides={strides} with dilation_rate={dilation_rate}: Keras takes one or the other above 1, not both, "
            "not even on different axes."
        )


def window_of(kernel_size: Size, strides: Size, padding: str, dilation_rate: Size, rank: int) -> tuple[Window, str]:
    """Return kernel, strides and dilation, a number for each axis, and the padding in lower case, or refuse them."""
    kernel, steps = per_axis("kernel_size", kernel_size, rank), per_axis("strides", strides, rank)
    dilation = per_axis("dilation_rate", dilation_rate, rank)
    check_strides_and_dilation(steps, dilation)
    return (kernel, steps, dilation), check_padding(padding, rank)


def check_groups(groups: int, channels: int, filters: int) -> int:
    """Return the number of groups, which must divide channels and filters."""
    groups = whole_argument("groups", groups, 1)
    if channels % groups or filters % groups:
        raise ValueError(
            f"groups={groups} must divide both the input channels, here {channels}, and the filters, here {filters}."
        )
    return groups


def is_channels_first(data_format: str) -> bool:
    """Whether the channels come before the positions."""
    return _in_any_case("data_format", data_format, ("channels_last", "channels_first")) == "channels_first"


def split_shape(shape: Shape, rank: int, data_format: str) -> tuple[Shape, int | None, Shape]:
    """Leading axes, channels and spatial axes of a shape."""
    leading, rest = shape[: -rank - 1], shape[-rank - 1 :]
    if len(rest) <= rank:
        raise ValueError(
            f"input_shape={brief(shape)} has {len(shape)} axes; rank {rank} needs {rank} and one of channels."
        )
    if is_channels_first(data_format):
        return leading, rest[0], rest[1:]
    return leading, rest[-1], rest[:-1]


def _in_any_case(name: str, value: str, choices: Sequence[str]) -> str:
    """Return a choice in lower case."""
    return one_of(name, value.lower() if isinstance(value, str) else value, choices)

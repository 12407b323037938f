"""What a convolution layer computes, defined in NumPy."""

from collections.abc import Sequence
from typing import Any

from convtour._checks import numbers
from convtour.layers.arguments import check_groups, is_channels_first, window_of
from convtour.layers.arithmetic import conv_output_length, conv_padding
import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]


def convolve(
    inputs: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: int | Sequence[int] = 1,
    groups: int = 1,
) -> npt.NDArray[np.floating[Any]]:
    """Compute what a Keras convolution layer computes, from its definition and in NumPy alone.

    A tap is one position of the kernel. For each tap: take the inputs that it meets, multiply by its weights, add up.
    The kernel is not flipped: what deep learning calls convolution is cross-correlation. Written to be read and to be
    compared with, not to be fast.

    Taught in notebook ``01_convolution_by_hand``.

    Parameters
    ----------
    inputs : array-like, shape (n, ..., channels)
        A batch of n examples, with as many axes between batch and channels as the kernel has. With
        ``data_format="channels_first"``, ``(n, channels, ...)``.
    kernel : array-like, shape ``(*kernel_size, channels // groups, filters)``
        The weights, in the layout of ``layer.kernel`` whatever the data format.
    bias : array-like, shape (filters,), optional
        Added to every position of a filter's output.
    strides : int or sequence of int
        Steps from one output position to the next, one number for all axes or one for each.
    padding : {"valid", "same", "causal"}
        Zeros around the input: none; so many that stride 1 keeps the size; or all of them before the start, so that no
        output sees what comes after it (rank 1 only).
    data_format : {"channels_last", "channels_first"}
        Where the channels stand, in the inputs and in the result.
    dilation_rate : int or sequence of int
        Steps from one tap of the kernel to the next.
    groups : int
        The channels and the filters are cut into this many equal parts; each part of the filters sees only its own
        part of the channels.

    Returns
    -------
    ndarray, shape (n, ..., filters)
        Computed in float64 and rounded once, at the end, to the floating type of the inputs; float64 where the inputs
        are whole numbers. No activation is applied.

    Raises
    ------
    ValueError
        Where Keras refuses: strides and dilation both above 1; causal padding on rank 2 or 3; channels or filters that
        the groups do not divide; a kernel longer than the padded input; shapes that do not belong together.
    TypeError
        If the arrays do not hold real numbers.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep learning", 2016, section 9.1, equation 9.6.
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, for strides and dilation.
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012, for
    groups.

    Examples
    --------
    Six numbers, one channel, one filter of three taps; its digits show which tap met which number.

    >>> signal = np.arange(6.0).reshape(1, 6, 1)
    >>> kernel = np.array([1, 10, 100]).reshape(3, 1, 1)
    >>> convolve(signal, kernel).squeeze()
    array([210., 321., 432., 543.])
    >>> convolve(signal, kernel, strides=2, padding="same").squeeze()
    array([210., 432.,  54.])
    >>> convolve(signal, kernel, padding="causal", dilation_rate=2).squeeze()
    array([  0., 100., 200., 310., 420., 531.])
    """
    x, kernel, bias, dtype = _check_arrays(inputs, kernel, bias, data_format, groups)
    *kernel_size, _, filters = kernel.shape
    (_, strides, dilation_rate), padding = window_of(kernel_size, strides, padding, dilation_rate, len(kernel_size))
    if is_channels_first(data_format):
        x = np.moveaxis(x, 1, -1)

    pads, lengths = [], []
    for n, k, s, d in zip(x.shape[1:-1], kernel_size, strides, dilation_rate, strict=True):
        lengths.append(conv_output_length(n, k, strides=s, padding=padding, dilation_rate=d))
        pads.append(conv_padding(n, k, strides=s, padding=padding, dilation_rate=d))
    x = np.pad(x, [(0, 0), *pads, (0, 0)])

    outputs = np.zeros((len(x), *lengths, filters))
    for tap in np.ndindex(*kernel_size):
        # What this tap meets, for all output positions at once: along each axis from d·t on, every s-th input.
        axes = zip(tap, lengths, strides, dilation_rate, strict=True)
        met = x[:, *[slice(d * t, d * t + s * length, s) for t, length, s, d in axes]]
        # Each part of the channels goes to its own part of the filters; with groups=1, this is met @ kernel[tap].
        parts = zip(np.split(met, groups, axis=-1), np.split(kernel[tap], groups, axis=-1), strict=True)
        outputs += np.concatenate([channels @ weights for channels, weights in parts], axis=-1)
    outputs += bias

    if is_channels_first(data_format):
        outputs = np.moveaxis(outputs, -1, 1)
    return outputs.astype(dtype)


def _check_arrays(
    inputs: npt.ArrayLike, kernel: npt.ArrayLike, bias: npt.ArrayLike | None, data_format: str, groups: int
) -> tuple[_Array, _Array, _Array, np.dtype[Any]]:
    """Return inputs, kernel and bias in float64, and the type of the result, or say what does not belong together."""
    x, w = numbers("inputs", inputs), numbers("kernel", kernel)
    b = np.zeros(w.shape[-1:]) if bias is None else numbers("bias", bias)
    if w.ndim < 3 or 0 in w.shape:
        raise ValueError(
            f"kernel has shape {w.shape}; expected (*kernel_size, channels // groups, filters), with at least one "
            "number along each, as layer.kernel has it."
        )
    if x.ndim != w.ndim:
        raise ValueError(
            f"inputs has shape {x.shape}, {x.ndim} axes; a kernel of shape {w.shape} expects {w.ndim}: the batch, "
            f"{w.ndim - 2} for the positions, and the channels. One example goes in as example[np.newaxis]; more than "
            "one batch axis through apply_over_batch_axes."
        )
    channels = x.shape[1] if is_channels_first(data_format) else x.shape[-1]
    groups = check_groups(groups, channels, w.shape[-1])
    if channels != w.shape[-2] * groups:
        raise ValueError(
            f"inputs of shape {x.shape} with {data_format} have {channels} channels, but the kernel of shape {w.shape} "
            f"with groups={groups} expects {w.shape[-2]} · {groups} = {w.shape[-2] * groups}."
        )
    if b.shape != w.shape[-1:]:
        raise ValueError(f"bias has shape {b.shape}; expected {w.shape[-1:]}, one number for each filter.")
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float64)
    return x.astype(np.float64), w.astype(np.float64), b.astype(np.float64), dtype

"""Layers that take one batch axis, applied to inputs that have several."""

from collections.abc import Callable
import math
from typing import Any

from convtour._checks import brief, numbers, whole
import keras
import numpy as np


def apply_over_batch_axes(layer: Callable[[Any], Any], inputs: Any, batch_axes: int) -> Any:
    """Apply a layer to inputs with any number of leading batch axes.

    Keras's convolution layers take exactly one batch axis. All leading axes are folded into one, the layer is called
    once, and its output gets the axes back: clips of images ``(4, 7, 28, 28, 3)`` go through ``Conv2D(2, 3)`` as
    ``(28, 28, 28, 3)`` and come out as ``(4, 7, 26, 26, 2)``. For one extra axis, this equals
    ``keras.layers.TimeDistributed(layer)`` for every layer that treats each example on its own.

    Taught in notebook ``04_conv2d``.

    Parameters
    ----------
    layer : keras.Layer, keras.Model or callable
        Called with one argument of shape ``(n, ...)``; everything that it returns must begin with the same n. To pass
        more, wrap it: ``lambda x: model(x, training=True)``.
    inputs : array or tensor, shape ``(*batch, ...)``
        A NumPy array, a tensor of any backend, or the symbolic ``keras.Input`` of a functional model.
    batch_axes : int
        How many leading axes of the inputs count examples: 0 for a single example, 1 for what the layer takes anyway.

    Returns
    -------
    array or tensor, shape ``(*batch, ...)``
        What the layer returns, with the leading axes of the inputs; each of its outputs so where it has several. Where
        the inputs hold no example at all, it holds none either, and its shape is found with one example of zeros.

    Raises
    ------
    ValueError
        If the inputs have fewer axes than ``batch_axes``, or the layer does not keep the batch axis; in a functional
        model, if more than one axis of unknown length would have to be restored.
    TypeError
        If ``batch_axes`` is not a whole number, the layer cannot be called, or the inputs do not hold numbers.

    Examples
    --------
    >>> import keras
    >>> clips = np.ones((4, 7, 28, 28, 3), dtype="float32")
    >>> tuple(apply_over_batch_axes(keras.layers.Conv2D(2, 3, activation="relu"), clips, batch_axes=2).shape)
    (4, 7, 26, 26, 2)
    >>> image = keras.Input((7, 28, 28, 3))
    >>> apply_over_batch_axes(keras.layers.Conv2D(2, 3, activation="relu"), image, batch_axes=2).shape
    (None, 7, 26, 26, 2)
    """
    if not callable(layer):
        raise TypeError(f"layer={brief(repr(layer))}: expected a layer, a model or a function.")
    if not (keras.ops.is_tensor(inputs) or isinstance(inputs, keras.KerasTensor)):
        inputs = numbers("inputs", inputs)
    batch_axes = whole("batch_axes", batch_axes, at_least=0)
    shape = tuple(keras.ops.shape(inputs))
    if batch_axes > len(shape):
        raise ValueError(f"batch_axes={batch_axes}, but inputs of shape {shape} have only {len(shape)} axes.")
    batch, example = shape[:batch_axes], shape[batch_axes:]
    if any(n is None for n in example) or sum(n is None for n in batch) > 1:
        raise ValueError(
            f"inputs of shape {shape}: folding {batch_axes} axes and restoring them needs the length of every axis but "
            "one of the batch. Give the lengths to keras.Input; for one extra axis, keras.layers.TimeDistributed needs "
            "fewer."
        )
    count = math.prod(batch) if all(isinstance(n, int) for n in batch) else -1

    # TensorFlow gives a convolution of no examples a wrong shape, so that one example stands in for none.
    folded = keras.ops.zeros((1, *example), inputs.dtype) if count == 0 else _reshape(inputs, (count, *example))

    def restore(output: Any) -> Any:
        kept = tuple(getattr(output, "shape", ()))
        if len(kept) == 0 or kept[0] not in (None, folded.shape[0]):
            raise ValueError(
                f"the layer turned inputs of shape {tuple(folded.shape)} into {kept}: a layer that is to be "
                f"folded must keep the batch axis, here {folded.shape[0]}, in the first place."
            )
        output = output[:0] if count == 0 else output
        return _reshape(output, (*(-1 if n is None else n for n in batch), *keras.ops.shape(output)[1:]))

    return keras.tree.map_structure(restore, layer(folded))


def _reshape(array: Any, shape: tuple[Any, ...]) -> Any:
    """Reshape a NumPy array as NumPy does, which keeps its type, and anything else as the backend does."""
    return array.reshape(shape) if isinstance(array, np.ndarray) else keras.ops.reshape(array, shape)

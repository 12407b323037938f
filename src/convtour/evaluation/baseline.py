"""One architecture for signals, images and clips."""

from collections.abc import Sequence
import operator
from typing import TYPE_CHECKING

from convtour._checks import whole

if TYPE_CHECKING:
    import keras


def define_model(input_shape: Sequence[int] = (28, 28, 1), num_classes: int = 10) -> "keras.Model":
    """Build and compile the tour's baseline network for inputs of rank 1, 2 or 3.

    Convolution (32 filters, kernel 3, ReLU), max pooling (2), Flatten, Dense (100, ReLU), Dense (softmax); trained by
    stochastic gradient descent (learning rate 0.01, momentum 0.9) on categorical cross-entropy, and evaluated by its
    accuracy.

    Taught in notebook ``06_mnist_baseline``.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one example, channels last and batch axis left out: ``(steps, channels)`` makes a Conv1D network,
        ``(rows, columns, channels)`` Conv2D, ``(depth, rows, columns, channels)`` Conv3D. Every axis but the channels
        needs at least 4 positions: the kernel takes two and the pooling window needs two of what is left.
    num_classes : int
        Number of classes, at least 2.

    Returns
    -------
    keras.Model
        Compiled; maps float32 ``(n, *input_shape)`` to float32 probabilities ``(n, num_classes)`` that sum to 1.

    Raises
    ------
    ValueError
        If the shape has no convolution layer, an axis is too short, or there are fewer than two classes.
    TypeError
        If a number is not a whole one.

    References
    ----------
    He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015, for the initial weights (``he_uniform``).

    Examples
    --------
    >>> model = define_model((28, 28, 1), num_classes=10)
    >>> model.output_shape, model.count_params()
    ((None, 10), 542230)
    >>> [type(layer).__name__ for layer in define_model((40, 1), 10).layers][:2]
    ['Conv1D', 'MaxPooling1D']
    """
    import keras

    shape, classes = _check_input_shape(input_shape), whole("num_classes", num_classes, at_least=2)
    # The rank of the input, its channel axis left out, chooses the layers.
    convolution, pooling = (getattr(keras.layers, f"{kind}{len(shape) - 1}D") for kind in ("Conv", "MaxPooling"))
    last = "channels_last"  # whatever Keras's own configuration says
    model = keras.Sequential(
        [
            keras.Input(shape),
            convolution(32, 3, activation="relu", kernel_initializer="he_uniform", data_format=last),
            pooling(2, data_format=last),
            keras.layers.Flatten(data_format=last),
            keras.layers.Dense(100, activation="relu", kernel_initializer="he_uniform"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    descent = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    model.compile(optimizer=descent, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def _check_input_shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape as whole numbers, or say what is wrong with it."""
    try:
        shape = tuple(operator.index(length) for length in input_shape)
    except TypeError:
        raise TypeError(
            f"input_shape={input_shape!r}: expected whole numbers, such as (28, 28, 1) for grey images of 28x28."
        ) from None
    if len(shape) not in (2, 3, 4):
        raise ValueError(
            f"input_shape={shape} has {len(shape)} axes; expected (steps, channels), (rows, columns, channels) or "
            "(depth, rows, columns, channels). Leave the batch axis out, and give grey images a channel axis of 1."
        )
    if min(shape[:-1]) < 4 or shape[-1] < 1:
        raise ValueError(
            f"input_shape={shape} is too small: before the channels every axis needs at least 4 positions (kernel 3, "
            "then pooling 2), and there must be at least 1 channel. Channels come last."
        )
    return shape

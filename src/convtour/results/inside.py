"""What a trained model looks at."""

from typing import TYPE_CHECKING, Any

from convtour._checks import brief, finite_numbers, whole
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras


def occlusion_map(
    model: "keras.Model", image: npt.ArrayLike, *, size: int = 5, label: int | None = None, fill: float = 0.0
) -> npt.NDArray[np.float32]:
    """Cover an image with a patch at every place in turn, and measure how much an answer loses by it.

    The value at a pixel is p(image) - p(image with the patch there), where p is what the model gives to one class:
    above 0 where the class loses by what is covered, below 0 where it gains.

    Taught in notebook ``07_reading_the_results``.

    Parameters
    ----------
    model : keras.Model
        Takes ``(n, rows, columns, channels)`` and gives ``(n, classes)``. Its weights and state stay as they are.
    image : array-like of float, shape (rows, columns, channels)
        One image, prepared as the model was trained.
    size : int
        Rows and columns of the patch, from 1 to the longer side of the image. It is centred on the pixel; one of even
        size reaches a pixel further up and left. What of it lies outside of the image covers nothing.
    label : int, optional
        The class whose probability is followed, counted from 0; what the model answers for the whole image if left out.
    fill : float
        What the patch puts in place of all channels: 0 is paper in MNIST.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        The loss of probability for a patch at each pixel, -1 to 1 where the model gives probabilities.

    Raises
    ------
    ValueError
        If the image does not fit the model, the model has more than one input or gives no row of classes, or a number
        is out of range.
    TypeError
        If ``model`` is no Keras model, the image holds no numbers, or ``size`` or ``label`` is not a whole number.

    Notes
    -----
    What the model then sees is an image with a hole, and it may never have met one: a map shows what this hole does to
    this answer, with this fill and size. It does not show which pixels would have sufficed.

    References
    ----------
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.2.

    Examples
    --------
    A model that looks at one pixel of a picture of two rows and three columns, and a patch of one pixel.

    >>> import keras
    >>> import numpy as np
    >>> looks_at = np.zeros((2, 3, 1, 2), "float32")
    >>> looks_at[1, 2, 0] = [1, -1]
    >>> inputs = keras.Input((2, 3, 1))
    >>> outputs = keras.layers.Flatten()(keras.layers.Conv2D(2, (2, 3), use_bias=False, activation="softmax")(inputs))
    >>> model = keras.Model(inputs, outputs)
    >>> model.set_weights([looks_at])
    >>> occlusion_map(model, np.ones((2, 3, 1)), size=1).round(2)
    array([[0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.38]], dtype=float32)
    """
    pixels = _check_image(model, image)
    size = whole("size", size, at_least=1)
    if size > max(pixels.shape[:2]):
        raise ValueError(f"size={size}: expected at most {max(pixels.shape[:2])}, the longer side of the image.")
    colour = finite_numbers("fill", fill).astype(np.float32)
    if colour.ndim:
        raise ValueError(f"fill={brief(repr(fill))}: expected one number.")
    uncovered = _answers(model, pixels[np.newaxis])
    classes = uncovered.shape[1]
    followed = int(uncovered.argmax()) if label is None else whole("label", label, at_least=0)
    if followed >= classes:
        raise ValueError(f"label={followed}: expected 0 to {classes - 1}, one of the {classes} classes.")
    rows, columns = (_covered(length, size) for length in pixels.shape[:2])
    drops = np.empty(pixels.shape[:2], np.float32)
    for row, hidden in enumerate(rows):  # a row of places at a time: all of them at once may not fit into memory
        patch = (hidden[:, np.newaxis] & columns[:, np.newaxis, :])[..., np.newaxis]
        drops[row] = uncovered[0, followed] - _answers(model, np.where(patch, colour, pixels))[:, followed]
    return drops


def _covered(length: int, size: int) -> npt.NDArray[np.bool_]:
    """Which positions of an axis a patch at each of them covers, shape (places, positions)."""
    first = np.arange(length)[:, np.newaxis] - size // 2
    at = np.arange(length)
    return np.asarray((first <= at) & (at < first + size))


def _check_image(model: Any, image: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the image as floats, or say why it does not fit the model."""
    import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"model is {type(model).__name__}; expected a keras.Model.")
    pixels = finite_numbers("image", image).astype(np.float32)
    if not model.built or len(model.inputs) != 1:
        raise ValueError("model is not built or has several inputs; expected a model with one, begun with keras.Input.")
    wanted = tuple(model.inputs[0].shape)[1:]
    fits = len(wanted) == 3 and pixels.ndim == 3 and pixels.size
    if not fits or any(side not in (None, given) for side, given in zip(wanted, pixels.shape, strict=True)):
        raise ValueError(
            f"image has shape {pixels.shape}, and the model takes {wanted}; expected one image of shape (rows, "
            "columns, channels), for a model that takes such images. From a batch take one: images[0]."
        )
    return pixels


def _answers(model: "keras.Model", images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the model gives to each class for some images."""
    answers = np.asarray(model.predict_on_batch(images))
    if answers.ndim != 2:
        raise ValueError(
            f"model gives an output of shape {answers.shape[1:]} for an image; expected (classes,), a number for each."
        )
    return answers

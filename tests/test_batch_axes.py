"""Leading batch axes, folded over layers, models and functions."""

import math
from typing import Any

from convtour.layers.batch_axes import apply_over_batch_axes
from convtour.layers.convolution import convolve
from hypothesis import given, settings
from hypothesis import strategies as st
import keras
import numpy as np
import pytest

LAYERS = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def array(tensor: Any) -> np.ndarray:
    """The numbers of a tensor; PyTorch's own conversion refuses those that a layer computed."""
    numbers: np.ndarray = keras.ops.convert_to_numpy(tensor)
    return numbers


@pytest.mark.parametrize(
    ("rank", "shape", "expected"),
    [(2, (4, 7, 28, 28, 3), (4, 7, 26, 26, 2)), (3, (4, 7, 28, 28, 28, 1), (4, 7, 26, 26, 26, 2))],
)
def test_the_articles_extended_batches_have_its_shapes(
    rank: int, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    layer = LAYERS[rank](2, 3, activation="relu")
    inputs = np.ones(shape, "float32")
    with pytest.raises(ValueError):  # noqa: PT011  Keras's message is its own affair
        LAYERS[rank](2, 3, activation="relu")(inputs)
    assert tuple(apply_over_batch_axes(layer, inputs, batch_axes=2).shape) == expected


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_one_extra_axis_equals_time_distributed(rank: int, data_format: str) -> None:
    layer = LAYERS[rank](4, 3, data_format=data_format)
    inputs = normal(2, 5, *[6] * (rank + 1))
    try:
        layer(inputs[0])
    except Exception:
        if data_format == "channels_first" and rank < 3:
            pytest.skip("Keras has no channels_first in ranks 1 and 2 here: TensorFlow on a CPU needs oneDNN for it")
        raise
    folded = apply_over_batch_axes(layer, inputs, batch_axes=2)
    # The same sums, though maybe in another order: 6 · 3^rank products of numbers around 1.
    np.testing.assert_allclose(array(folded), array(keras.layers.TimeDistributed(layer)(inputs)), rtol=0, atol=2e-5)


@settings(max_examples=60)
@given(st.integers(1, 3), st.lists(st.integers(1, 3), max_size=4), st.booleans())
def test_any_number_of_batch_axes_equals_reshaping_by_hand(rank: int, batch: list[int], as_tensor: bool) -> None:
    layer = LAYERS[rank](2, 3)
    inputs = normal(*batch, *[5] * rank, 3)
    by_hand = array(layer(inputs.reshape(math.prod(batch), *[5] * rank, 3)))
    given_as = keras.ops.convert_to_tensor(inputs) if as_tensor else inputs
    outputs = apply_over_batch_axes(layer, given_as, batch_axes=len(batch))
    np.testing.assert_array_equal(array(outputs), by_hand.reshape(*batch, *[3] * rank, 2))


def test_it_folds_over_a_model_that_ends_without_positions() -> None:
    model = keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    assert tuple(apply_over_batch_axes(model, normal(2, 3, 4, 5, 5, 1), batch_axes=3).shape) == (2, 3, 4, 3)


def test_every_output_of_a_model_gets_the_axes_back() -> None:
    image = keras.Input((5, 5, 1))
    model = keras.Model(image, {"mean": keras.layers.GlobalAveragePooling2D()(image), "same": image})
    outputs = apply_over_batch_axes(model, normal(2, 3, 5, 5, 1), batch_axes=2)
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "mean": (2, 3, 1),
        "same": (2, 3, 5, 5, 1),
    }


def test_numpy_stays_numpy_through_a_function_of_numpy() -> None:
    kernel = np.ones((3, 3, 1, 2))
    inputs = normal(2, 3, 5, 5, 1).astype("float64")
    outputs = apply_over_batch_axes(lambda images: convolve(images, kernel), inputs, batch_axes=2)
    assert isinstance(outputs, np.ndarray)
    assert outputs.dtype == np.float64
    np.testing.assert_array_equal(outputs[1, 2], convolve(inputs[1], kernel)[2])


def test_lists_are_taken_as_arrays() -> None:
    assert apply_over_batch_axes(lambda rows: rows.sum(axis=1), [[[1, 2], [3, 4]]], batch_axes=2).tolist() == [[3, 7]]


@pytest.mark.parametrize("batch", [(0,), (0, 7), (4, 0), (2, 0, 3)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_batch_without_examples_gives_none_of_the_right_shape(rank: int, batch: tuple[int, ...]) -> None:
    # Keras on TensorFlow fails here, or gives a wrong shape.
    inputs = np.ones((*batch, *[5] * rank, 3), "float32")
    outputs = apply_over_batch_axes(LAYERS[rank](2, 3), inputs, batch_axes=len(batch))
    assert tuple(outputs.shape) == (*batch, *[3] * rank, 2)


@pytest.mark.parametrize(("batch", "batch_axes"), [((), 1), ((7,), 2), ((7, 2), 3)])
def test_it_builds_a_functional_model_of_any_batch_size(batch: tuple[int, ...], batch_axes: int) -> None:
    layer = keras.layers.Conv2D(2, 3)
    clip = keras.Input((*batch, 6, 6, 1))
    model = keras.Model(clip, apply_over_batch_axes(layer, clip, batch_axes=batch_axes))
    assert model.output_shape == (None, *batch, 4, 4, 2)
    for n in (1, 3):
        inputs = normal(n, *batch, 6, 6, 1)
        outputs = apply_over_batch_axes(layer, inputs, batch_axes=batch_axes)
        np.testing.assert_array_equal(array(model(inputs)), array(outputs))


def test_it_trains_inside_a_model() -> None:
    clip = keras.Input((3, 6, 6, 1))
    features = apply_over_batch_axes(keras.layers.Conv2D(2, 3), clip, batch_axes=2)
    model = keras.Model(clip, keras.layers.Dense(1)(keras.layers.Flatten()(features)))
    model.compile(optimizer="sgd", loss="mse")
    before = [weights.copy() for weights in model.get_weights()]
    model.fit(normal(5, 3, 6, 6, 1), normal(5, 1), batch_size=2, verbose=0)
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_it_works_where_the_batch_size_is_known_only_at_run_time() -> None:
    class Clips(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = keras.layers.Conv2D(2, 3)

        def call(self, inputs: Any) -> Any:
            return apply_over_batch_axes(self.layer, inputs, batch_axes=2)

    model, inputs = Clips(), normal(5, 3, 6, 6, 1)
    outputs = model.predict(inputs, batch_size=2, verbose=0)
    np.testing.assert_allclose(outputs, array(model(inputs)), rtol=0, atol=1e-5)


def _first(images: Any) -> Any:
    return images[:1]


@pytest.mark.parametrize(
    ("layer", "shape", "batch_axes", "error", "complaint"),
    [
        (_first, (2, 3), 3, ValueError, r"batch_axes=3, but inputs of shape \(2, 3\) have only 2 axes"),
        (_first, (2, 3), -1, ValueError, "batch_axes=-1: expected at least 0"),
        (_first, (2, 3), 1.0, TypeError, "batch_axes=1.0: expected a whole number"),
        (_first, (2, 3, 5), 2, ValueError, r"inputs of shape \(6, 5\) into \(1, 5\).*must keep the batch axis, here 6"),
        (np.sum, (2, 3, 5), 2, ValueError, r"inputs of shape \(6, 5\) into \(\).*must keep the batch axis"),
    ],
)
def test_what_cannot_be_folded_is_refused(
    layer: Any, shape: tuple[int, ...], batch_axes: Any, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        apply_over_batch_axes(layer, np.ones(shape), batch_axes=batch_axes)


@pytest.mark.parametrize("shape", [(None, 6, 6, 1), (7, None, 6, 1)])
def test_a_functional_model_needs_every_length_but_one(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs the length of every axis but one of the batch.*TimeDistributed"):
        apply_over_batch_axes(keras.layers.Conv2D(2, 3), keras.Input(shape), batch_axes=2)

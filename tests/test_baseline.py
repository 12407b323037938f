"""The baseline network, in each rank."""

from typing import Any

from convtour import define_model
from hypothesis import given, settings
from hypothesis import strategies as st
import keras
import numpy as np
import pytest


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((12, 3), (keras.layers.Conv1D, keras.layers.MaxPooling1D)),
        ((12, 9, 3), (keras.layers.Conv2D, keras.layers.MaxPooling2D)),
        ((6, 7, 8, 2), (keras.layers.Conv3D, keras.layers.MaxPooling3D)),
    ],
)
def test_the_rank_of_the_input_chooses_the_layers(shape: tuple[int, ...], layers: tuple[type, ...]) -> None:
    model = define_model(shape, num_classes=4)
    expected = (*layers, keras.layers.Flatten, keras.layers.Dense, keras.layers.Dense)
    assert tuple(type(layer) for layer in model.layers) == expected
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, 4)


def test_the_baseline_is_the_articles() -> None:
    model = define_model()
    convolution, pooling, _, hidden, output = model.layers
    assert (convolution.filters, convolution.kernel_size, convolution.strides) == (32, (3, 3), (1, 1))
    assert (convolution.padding, convolution.activation) == ("valid", keras.activations.relu)
    assert pooling.pool_size == (2, 2)
    assert (hidden.units, hidden.activation) == (100, keras.activations.relu)
    assert (output.units, output.activation) == (10, keras.activations.softmax)
    for layer in (convolution, hidden):
        assert isinstance(layer.kernel_initializer, keras.initializers.HeUniform)
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert model.optimizer.momentum == 0.9
    assert model.loss == "categorical_crossentropy"


@settings(max_examples=15)
@given(
    st.integers(1, 3).flatmap(lambda rank: st.tuples(*[st.integers(4, 9)] * rank, st.integers(1, 3))), st.integers(2, 5)
)
def test_outputs_are_probabilities_for_every_shape_it_takes(shape: tuple[int, ...], num_classes: int) -> None:
    outputs = define_model(shape, num_classes).predict_on_batch(np.ones((2, *shape), "float32"))
    assert outputs.shape == (2, num_classes)
    assert outputs.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        (((28,), 10), ValueError, r"input_shape=\(28,\) has 1 axes; expected \(steps, channels\)"),
        (((None, 4, 28, 28, 28, 1), 10), TypeError, "expected whole numbers"),
        (((4, 4, 28, 28, 1), 10), ValueError, "has 5 axes.*Leave the batch axis out"),
        (((3, 28, 1), 10), ValueError, "too small.*at least 4 positions"),
        (((28, 28, 0), 10), ValueError, "too small.*at least 1 channel"),
        ((28, 10), TypeError, "input_shape=28: expected whole numbers"),
        (((28, 28.5, 1), 10), TypeError, "expected whole numbers"),
        (((28, 28, 1), 1), ValueError, "num_classes=1: expected at least 2"),
        (((28, 28, 1), "10"), TypeError, "num_classes='10': expected a whole number"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments: tuple[Any, ...], error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        define_model(*arguments)


def test_the_smallest_shape_that_is_taken_is_the_smallest_that_keras_can_build() -> None:
    define_model((4, 4, 1), 2)
    with pytest.raises(ValueError, match="too small"):
        define_model((3, 4, 1), 2)
    with pytest.raises(ValueError, match=r"dimension|negative|positive|zero"):
        keras.Sequential(
            [keras.Input((3, 4, 1)), keras.layers.Conv2D(1, 3), keras.layers.MaxPooling2D(2), keras.layers.Flatten()]
        )

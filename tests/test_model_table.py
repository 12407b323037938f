"""The table of a model, held to Keras layer by layer."""

from collections.abc import Callable
from functools import partial
import itertools
from typing import Any

from convtour import define_model
from convtour.layers.arithmetic import conv_multiply_adds, conv_params
from convtour.layers.model_table import model_table
from hypothesis import given, settings
from hypothesis import strategies as st
import keras
from keras import layers
import numpy as np
import pytest


@pytest.mark.parametrize("shape", [(40, 1), (28, 28, 1), (6, 7, 8, 2)])
def test_the_table_of_the_baseline_is_that_of_keras(shape: tuple[int, ...]) -> None:
    model = define_model(shape, 10)
    table = model_table(model)
    assert [row.layer for row in table.rows] == [type(layer).__name__ for layer in model.layers]
    assert [row.output_shape for row in table.rows] == [layer.output.shape for layer in model.layers]
    assert [row.parameters for row in table.rows] == [layer.count_params() for layer in model.layers]
    assert table.parameters == model.count_params()
    rank = len(shape) - 1
    assert [row.receptive_field for row in table.rows] == [(3,) * rank, (4,) * rank, (4,) * rank, "all", "all"]
    flat = model.layers[2].output.shape[1]
    work = [conv_multiply_adds((None, *shape), 32, 3), 0, 0, 100 * flat, 1000]
    assert [row.multiply_adds for row in table.rows] == work
    assert table.multiply_adds == sum(work)
    assert table.not_counted == ()


@st.composite
def chains(draw: st.DrawFn) -> list[Callable[[], Any]]:
    """What makes the layers of a model, one after another."""
    rank = draw(st.sampled_from([1, 2, 3]))
    data_format = draw(st.sampled_from(["channels_last", "channels_first"]))
    lengths, channels = (24,) * rank, draw(st.integers(1, 3))
    windows = st.sampled_from([1, 2, *itertools.product([1, 2], repeat=rank)])
    chain: list[Callable[[], Any]] = [
        partial(keras.Input, (channels, *lengths) if data_format == "channels_first" else (*lengths, channels))
    ]
    kinds = ["Conv", "MaxPooling", "AveragePooling", "BatchNormalization", "ReLU"]
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(kinds + ["DepthwiseConv", "SeparableConv"] * (rank < 3)))
        window: dict[str, Any] = {"padding": draw(st.sampled_from(["same", "valid"])), "data_format": data_format}
        if kind.endswith("Conv"):
            window["strides"], window["dilation_rate"] = draw(st.sampled_from([(1, 1), (2, 1), (1, 2)]))
            window["kernel_size"], window["use_bias"] = draw(windows), draw(st.booleans())
        if kind in ("Conv", "SeparableConv"):
            window["filters"] = 4
        if kind in ("DepthwiseConv", "SeparableConv"):
            window["depth_multiplier"] = 2
        if kind.endswith("Pooling"):
            window["pool_size"], window["strides"] = draw(windows), 1
        if kind in ("BatchNormalization", "ReLU"):
            chain.append(getattr(layers, kind))
        else:
            chain.append(partial(getattr(layers, f"{kind}{rank}D"), **window))
    return [*chain, partial(layers.Flatten, data_format), partial(layers.Dense, 3, use_bias=draw(st.booleans()))]


@settings(max_examples=25)
@given(chains())
def test_every_row_of_a_table_is_what_keras_says_of_the_layer(chain: list[Callable[[], Any]]) -> None:
    model = keras.Sequential([make() for make in chain])
    table = model_table(model)
    assert [(row.output_shape, row.parameters) for row in table.rows] == [
        (layer.output.shape, layer.count_params()) for layer in model.layers
    ]
    assert table.not_counted == ()


def test_depthwise_and_separable_layers_work_as_convolutions_in_groups() -> None:
    both = {"strides": 2, "dilation_rate": 2}  # which Keras refuses for Conv2D and takes for these two
    depthwise = keras.Sequential([keras.Input((9, 9, 4)), layers.DepthwiseConv2D(3, depth_multiplier=2, **both)])
    separable = keras.Sequential([keras.Input((9, 9, 4)), layers.SeparableConv2D(5, 3, depth_multiplier=2, **both)])
    (deep,), (two,) = model_table(depthwise).rows, model_table(separable).rows
    assert deep.parameters == conv_params(4, 8, (3, 3), groups=4) == depthwise.count_params()
    assert deep.multiply_adds == 3 * 3 * conv_params(4, 8, (3, 3), groups=4, use_bias=False)
    pointwise = conv_multiply_adds((None, 3, 3, 8), 5, 1)
    assert two.multiply_adds == deep.multiply_adds + pointwise
    assert two.parameters == separable.count_params()
    assert deep.output_shape == (None, 3, 3, 8)
    assert deep.receptive_field == two.receptive_field == (5, 5)


def test_each_axis_of_a_model_has_a_receptive_field_of_its_own() -> None:
    model = keras.Sequential(
        [
            keras.Input((40, 40, 1)),
            layers.Conv2D(1, (3, 1), strides=(1, 2), kernel_initializer="ones"),
            layers.AveragePooling2D((1, 3), (1, 2)),
            layers.Conv2D(1, (2, 4), dilation_rate=(5, 1), kernel_initializer="ones"),
        ]
    )
    field = model_table(model).rows[-1].receptive_field
    pixels = np.eye(1600, dtype="float32").reshape(1600, 40, 40, 1)
    seen = np.argwhere(model.predict_on_batch(pixels)[:, 0, 0, 0].reshape(40, 40))
    assert field == tuple(seen.max(axis=0) - seen.min(axis=0) + 1) == (8, 17)


def test_a_layer_that_cannot_be_counted_is_named_and_not_guessed() -> None:
    class Doubled(layers.Conv1D):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return 2 * super().call(inputs)

    model = keras.Sequential([keras.Input((8, 2)), layers.Conv1D(3, 3), Doubled(3, 3), layers.LSTM(4), layers.Dense(2)])
    table = model_table(model)
    assert [row.receptive_field for row in table.rows] == [(3,), None, None, "all"]
    assert [row.multiply_adds for row in table.rows] == [108, None, None, 8]
    assert table.not_counted == ("Doubled", "LSTM")
    assert table.parameters == model.count_params()
    assert str(table).splitlines()[0].endswith("Multiply-adds not known: Doubled, LSTM.")
    assert str(table).splitlines()[-1].split() == ["total", str(model.count_params()), "116", "+", "?"]


def test_lengths_that_are_not_known_leave_gaps_in_the_table() -> None:
    model = keras.Sequential(
        [keras.Input((None, 2)), layers.Conv1D(3, 3), layers.GlobalMaxPooling1D(), layers.Dropout(0.5), layers.Dense(2)]
    )
    rows = model_table(model).rows
    assert [row.output_shape for row in rows] == [(None, None, 3), (None, 3), (None, 3), (None, 2)]
    assert [row.multiply_adds for row in rows] == [None, 0, 0, 6]
    assert [row.receptive_field for row in rows] == [(3,), "all", "all", "all"]


def test_a_dense_layer_without_flatten_sees_no_further_than_the_layer_before() -> None:
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Dense(5)])
    row = model_table(model).rows[-1]
    assert (row.output_shape, row.parameters, row.multiply_adds) == ((None, 6, 6, 5), 15, 6 * 6 * 2 * 5)
    assert row.receptive_field == (3, 3)


def test_a_chain_of_layers_gives_one_table_however_it_was_put_together() -> None:
    model = define_model((12, 12, 1), 3)
    nested = keras.Sequential([keras.Input((12, 12, 1)), keras.Sequential(model.layers[:2]), *model.layers[2:]])
    functional = keras.Model(model.inputs[0], model.outputs[0])
    assert model_table(model) == model_table(nested) == model_table(functional)


def test_a_layer_that_is_in_two_models_has_in_each_the_shape_that_it_has_there() -> None:
    shared = layers.Conv2D(2, 3)
    shapes = [(28, 28, 1), (14, 14, 1)]
    models = [keras.Sequential([keras.Input(shape), shared]) for shape in shapes]
    assert [model_table(model).rows[0].output_shape for model in models] == [model.output_shape for model in models]
    work = [conv_multiply_adds((None, *shape), 2, 3) for shape in shapes]
    assert [model_table(model).multiply_adds for model in models] == work


def test_what_is_not_a_chain_of_layers_is_refused() -> None:
    inputs = keras.Input((8, 1))
    convolved = layers.Conv1D(1, 3, padding="same")(inputs)
    twice = layers.Conv1D(1, 3)
    for outputs in (layers.Add()([inputs, convolved]), layers.ReLU()(convolved + 1), twice(twice(inputs))):
        with pytest.raises(ValueError, match="not a single chain of layers"):
            model_table(keras.Model(inputs, outputs))
    with pytest.raises(ValueError, match=r"begin it with keras\.Input"):
        model_table(keras.Sequential([layers.Dense(1)]))
    with pytest.raises(TypeError, match=r"model=<Dense .*: expected a keras\.Model, got Dense"):
        model_table(layers.Dense(1))


def test_the_table_says_the_same_in_text_and_in_html_every_time() -> None:
    text, html = ([getattr(model_table(define_model()), name)() for _ in "ab"] for name in ("__repr__", "_repr_html_"))
    assert text[0] == text[1] == str(model_table(define_model()))
    assert html[0] == html[1]
    caption, header, *rows, totals = text[0].splitlines()
    assert f"<caption>{caption}</caption>" in html[0]
    assert html[0].count('<th scope="col">') == 5
    assert html[0].count('<th scope="row">') == len(rows) + 1
    assert header.split("  ")[0] == "layer"
    assert totals.split() == ["total", "542,230", "736,488"]
    for cell in "Conv2D", "(None, 26, 26, 32)", "320", "194,688", "3x3", "total", "542,230", "736,488":
        assert f">{cell}<" in html[0]
        assert cell in text[0]
    assert len({len(row) for row in rows}) == 1  # columns stand under each other

"""The pictures of convolution: their numbers are Keras's, and their words are what was drawn."""

import re
from typing import Any

from convtour import (
    Picture,
    conv_output_length,
    plot_connections,
    plot_convolution,
    plot_groups,
    plot_paddings,
    receptive_field,
)
import keras
from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
import pytest

SIGNAL, KERNEL = [0, 1, 2, 3, 4, 5], [1, 10, 100]
IMAGE = np.arange(25).reshape(5, 5) % 7
EDGE = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


def everything() -> dict[str, Picture]:
    return {
        "signal": plot_convolution(SIGNAL, KERNEL, strides=2, padding="same", at=[1]),
        "image": plot_convolution(IMAGE, EDGE, at=[1, 2]),
        "volume": plot_convolution(np.arange(27).reshape(3, 3, 3), np.ones((2, 2, 2), int), at=[1, 0, 1]),
        "connections": plot_connections(6, [{"kernel_size": 3, "padding": "causal"}]),
        "groups": plot_groups(6, 4, 2),
    }


@pytest.mark.parametrize("name", everything())
def test_a_picture_has_words_and_something_is_drawn(name: str) -> None:
    picture = everything()[name]
    assert isinstance(picture, Figure)
    assert len(picture.description) > 40
    assert picture.description.endswith(".")
    picture.canvas.draw()


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strides": 2},
        {"padding": "same"},
        {"padding": "same", "strides": 2},
        {"dilation_rate": 2, "padding": "same"},
    ],
)
def test_the_numbers_of_a_picture_are_those_of_keras(rank: int, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(rank)
    inputs = rng.integers(0, 9, size=(5,) * rank)
    kernel = rng.integers(-2, 3, size=(2,) * rank)
    layer = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)[rank - 1](1, 2, use_bias=False, **options)
    layer.build((1, *inputs.shape, 1))
    layer.set_weights([kernel[..., np.newaxis, np.newaxis]])
    expected = np.asarray(layer(inputs[np.newaxis, ..., np.newaxis].astype("float32")))[0, ..., 0]
    words = plot_convolution(inputs, kernel, **options).description
    numbers = words.split("All outputs: ")[1].rstrip(".").split()
    assert [float(number) for number in numbers] == expected.ravel().tolist()


def test_the_sum_that_is_written_out_is_the_output_cell() -> None:
    words = plot_convolution(IMAGE, EDGE, at=[1, 2]).description
    terms, total = re.findall(r"Output cell 1, 2: (.*?) = (\S+)\.", words)[0]
    assert eval(terms.replace("·", "*")) == float(total) == (IMAGE[1:4, 2:5] * EDGE).sum()


def test_an_error_in_the_drawing_shows_in_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    right = plot_convolution(SIGNAL, KERNEL).description
    text = Axes.text
    monkeypatch.setattr(Axes, "text", lambda self, x, y, s, **kwargs: text(self, x, y, s.replace("3", "4"), **kwargs))
    assert plot_convolution(SIGNAL, KERNEL).description != right


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("strides", "dilation_rate"), [(1, 1), (2, 1), (1, 2), (3, 1)])
def test_the_connections_are_those_of_a_keras_layer(padding: str, strides: int, dilation_rate: int) -> None:
    """Where an input reaches an output of ones, the picture must have a line."""
    options: dict[str, Any] = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    layer = keras.layers.Conv1D(1, 3, kernel_initializer="ones", use_bias=False, **options)
    reached = np.asarray(layer(np.eye(9, dtype="float32")[..., np.newaxis]))[..., 0] != 0  # input, output
    for place in range(conv_output_length(9, 3, **options)):
        words = plot_connections(9, [{"kernel_size": 3, **options}], at=place).description
        reads = re.findall(r"reads inputs ([\d ]*) \(", words)[0]
        assert [int(number) for number in reads.split()] == np.flatnonzero(reached[:, place]).tolist()


def test_paddings_stand_side_by_side() -> None:
    picture = plot_paddings(6, 3, at=2)
    assert [axes.get_title("left") for axes in picture.axes] == [
        f'padding="{name}"' for name in ("valid", "same", "causal")
    ]
    reads = re.findall(r"reads inputs ([\d ]*) \(", picture.description)
    assert reads == ["2 3 4", "1 2 3", "0 1 2"]


def test_a_stack_reads_its_receptive_field() -> None:
    layers = [{"kernel_size": 2, "padding": "causal", "dilation_rate": dilation} for dilation in (1, 2, 4)]
    words = plot_connections(12, layers).description
    assert f"({receptive_field([(2, 1, 1), (2, 1, 2), (2, 1, 4)])} positions)" in words


def test_groups_connect_each_output_to_its_own_inputs() -> None:
    words = plot_groups(6, 4, 2).description
    assert "Output channel 0 reads input channels 0 1 2; 1 reads 0 1 2; 2 reads 3 4 5; 3 reads 3 4 5." in words
    assert "12 of 24 connections" in words


@pytest.mark.parametrize(
    ("draw", "complaint"),
    [
        (lambda: plot_convolution(SIGNAL, EDGE), r"shape \(6,\) and kernel \(3, 3\); expected both of rank"),
        (lambda: plot_convolution(SIGNAL, KERNEL, at=[4]), r"at=\(4,\): expected one place for each axis"),
        (lambda: plot_convolution(SIGNAL, KERNEL, at=[0, 0]), "one place for each axis"),
        (lambda: plot_convolution([1, 2], KERNEL), "spans 3 positions, but the axis has 2"),
        (lambda: plot_connections(0, [{"kernel_size": 1}]), "length=0: expected at least 1"),
        (lambda: plot_connections(6, []), "layers is empty"),
        (
            lambda: plot_connections(6, [{"strides": 2}]),
            r"layers\[0\]={'strides': 2}: expected a mapping with kernel_size",
        ),
        (lambda: plot_connections(6, [{"kernel_size": 3, "groups": 2}]), r"expected a mapping .* dilation_rate"),
        (lambda: plot_connections(9, [{"kernel_size": 2, "strides": 2, "dilation_rate": 2}]), "dilation"),
        (lambda: plot_connections(6, [{"kernel_size": 3}], at=4), "at=4: the last layer has 4 outputs"),
        (lambda: plot_groups(6, 4, 4), "groups=4 must divide both the input channels, here 6, and the filters, here 4"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        draw()

"""The pictures of convolution: their numbers are Keras's, all stands where it belongs, the words are what was drawn."""

from collections.abc import Callable
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
from convtour.picture import BLUE, VERMILION
import keras
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
import numpy as np
import pytest

SIGNAL, KERNEL = [0, 1, 2, 3, 4, 5], [1, 10, 100]
IMAGE = np.arange(25).reshape(5, 5) % 7
EDGE = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
PICTURES: dict[str, Callable[[], Picture]] = {
    "signal": lambda: plot_convolution(SIGNAL, KERNEL, strides=2, padding="same", at=[1]),
    "image": lambda: plot_convolution(IMAGE, EDGE, at=[1, 2]),
    "volume": lambda: plot_convolution(np.arange(27).reshape(3, 3, 3), np.ones((2, 2, 2), int), at=[1, 0, 1]),
    "connections": lambda: plot_connections(6, [{"kernel_size": 3, "padding": "causal"}]),
    "stack": lambda: plot_connections(
        16, [{"kernel_size": 2, "padding": "causal", "dilation_rate": d} for d in (1, 8)]
    ),
    "paddings": lambda: plot_paddings(8, 3, at=2, strides=2),
    "groups": lambda: plot_groups(6, 4, 2),
}


def numbers_of(picture: Picture) -> dict[tuple[float, float], str]:
    """What is written into cells and dots, by its place."""
    return {text.get_position(): text.get_text() for text in picture.axes[0].texts if text.get_text()}


def rows_of(picture: Picture) -> list[dict[float, str]]:
    """What is written in each row from the top, by how far across it stands."""
    numbers = numbers_of(picture)
    return [{x: numbers[x, y] for x, y in sorted(numbers) if y == row} for row in sorted({y for _, y in numbers})]


def wires_of(picture: Picture) -> list[Any]:
    """The lower and the upper end of each wire."""
    return [
        [tuple(end) for end in np.transpose([wire.get_xdata(), wire.get_ydata()])] for wire in picture.axes[0].lines
    ]


def cells_of(picture: Picture) -> list[Rectangle]:
    return [patch for patch in picture.axes[0].patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_words_and_something_is_drawn_no_wider_than_a_page(name: str) -> None:
    picture = PICTURES[name]()
    assert isinstance(picture, Figure)
    assert len(picture.description) > 40
    assert picture.description.endswith(".")
    picture.canvas.draw()
    assert picture.get_figwidth() <= 7


@pytest.mark.parametrize("name", PICTURES)
def test_an_error_in_the_numbers_shows_in_the_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right, text, wrong = PICTURES[name]().description, Axes.text, str.maketrans("0123456789", "1234567890")
    monkeypatch.setattr(Axes, "text", lambda self, x, y, s, **look: text(self, x, y, s.translate(wrong), **look))
    assert PICTURES[name]().description != right


@pytest.mark.parametrize("name", ["connections", "paddings", "groups"])
def test_a_missing_wire_shows_in_the_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right, plot = PICTURES[name]().description, Axes.plot

    def plot_but_not_from_there(self: Axes, *ends: Any, **look: Any) -> list[Any]:
        wires: list[Any] = plot(self, *ends, **look)
        if wires[-1].get_xdata()[0] in (4, 0.5):  # position 4; in the first group, channel 2
            wires.pop().remove()
        return wires

    monkeypatch.setattr(Axes, "plot", plot_but_not_from_there)
    assert PICTURES[name]().description != right


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
    expected = keras.ops.convert_to_numpy(layer(inputs[np.newaxis, ..., np.newaxis].astype("float32")))[0, ..., 0]
    words = plot_convolution(inputs, kernel, at=[n - 1 for n in expected.shape], **options).description
    numbers = words.split("All outputs: ")[1].rstrip(".").split()
    assert [float(number) for number in numbers] == expected.ravel().tolist()
    terms, total = re.findall(r"output [\d, ]+: (.*?) = (\S+)\.", words)[0]
    assert eval(terms.replace("·", "*")) == float(total) == expected.flat[-1]


@pytest.mark.parametrize(
    "options", [{}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}, {"padding": "causal"}]
)
@pytest.mark.parametrize("at", [0, 1])
def test_kernel_and_output_of_a_signal_stand_under_their_window(options: dict[str, Any], at: int) -> None:
    signal, kernel = [5, 1, 7, 2, 9, 4], [3, 6, 8]
    inputs, weights, outputs = (
        list(row.items()) for row in rows_of(plot_convolution(signal, kernel, at=[at], **options))
    )
    window = [x for x, _ in weights]
    start = [x for x, _ in inputs].index(window[0])
    read = [int(number) for x, number in inputs if x in window]
    assert read == [int(number) for _, number in inputs[start :: options.get("dilation_rate", 1)]][:3]
    x, total = outputs[at]
    assert x == np.mean(window)
    assert int(total) == np.dot(read, kernel)


def test_slices_of_a_volume_stand_under_the_slices_that_they_meet() -> None:
    picture = plot_convolution(np.arange(27).reshape(3, 3, 3), np.full((2, 2, 2), 5), at=[1, 0, 0])
    depth_0, depth_1, depth_2 = picture.axes[0].get_xticks()
    top_rows = sorted({cell.get_y() for cell in cells_of(picture)})
    kernel, output = (
        sorted({cell.get_x() + 0.45 for cell in cells_of(picture) if cell.get_y() == row})
        for row in (top_rows[3], top_rows[5])
    )
    assert np.reshape(kernel, (2, 2)).mean(axis=1) == pytest.approx([depth_1, depth_2])
    assert np.reshape(output, (2, 2)).mean(axis=1) == pytest.approx([(depth_0 + depth_1) / 2, (depth_1 + depth_2) / 2])


@pytest.mark.parametrize("name", ["signal", "image", "volume"])
def test_all_cells_have_one_size_and_the_framed_ones_are_the_taps_the_kernel_and_the_output(name: str) -> None:
    picture = PICTURES[name]()
    cells = cells_of(picture)
    assert {(cell.get_width(), cell.get_height()) for cell in cells} == {(0.9, 0.9)}
    across, down = np.diff(picture.axes[0].transData.transform([(0, 0), (1, 1)]), axis=0)[0]
    assert across == pytest.approx(-down)
    frames = [to_hex(cell.get_edgecolor()).upper() for cell in cells if to_rgba(cell.get_edgecolor())[3]]
    size = {"signal": 3, "image": 9, "volume": 8}[name]
    assert frames == [BLUE] * 2 * size + [VERMILION]


def test_the_weights_of_an_image_are_written_into_the_cells_that_they_meet() -> None:
    numbers = numbers_of(plot_convolution(IMAGE, EDGE, at=[1, 2]))
    cells = {(int(x), int(y)): float(number) for (x, y), number in numbers.items() if "×" not in number}
    products = [cells[int(x), int(y)] * float(note[1:]) for (x, y), note in numbers.items() if "×" in note]
    assert len(products) == 9
    assert sum(products) == (IMAGE[1:4, 2:5] * EDGE).sum()


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("strides", "dilation_rate"), [(1, 1), (2, 1), (1, 2), (3, 1)])
def test_the_connections_are_those_of_a_keras_layer(padding: str, strides: int, dilation_rate: int) -> None:
    """Where an input reaches an output of ones, the picture must have a line."""
    options: dict[str, Any] = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    layer = keras.layers.Conv1D(1, 3, kernel_initializer="ones", use_bias=False, **options)
    outputs = keras.ops.convert_to_numpy(layer(np.eye(9, dtype="float32")[..., np.newaxis]))
    reached = outputs[..., 0] != 0  # input, output
    for place in range(conv_output_length(9, 3, **options)):
        words = plot_connections(9, [{"kernel_size": 3, **options}], at=place).description
        reads = re.findall(r"to inputs ([\d ]*) \(", words)[0]
        assert [int(number) for number in reads.split()] == np.flatnonzero(reached[:, place]).tolist()


def test_paddings_stand_above_each_other_with_their_inputs_aligned() -> None:
    picture = plot_paddings(6, 3, at=2)
    assert re.findall(r"output 2 \((\w+)\) down to inputs ([\d ]*) \(", picture.description) == [
        ("valid", "2 3 4"),
        ("same", "1 2 3"),
        ("causal", "0 1 2"),
    ]
    rows = rows_of(picture)
    assert rows[1] == rows[3] == rows[5] == {x: str(x) for x in range(6)}
    names = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert names == ["input", "valid", "input", "same", "input", "causal"]


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("strides", "dilation_rate"), [(1, 1), (2, 1), (1, 2)])
def test_an_output_stands_over_the_middle_of_what_it_reads_and_a_causal_one_over_the_last(
    padding: str, strides: int, dilation_rate: int
) -> None:
    layer = {"kernel_size": 3, "padding": padding, "strides": strides, "dilation_rate": dilation_rate}
    picture = plot_connections(16, [layer, layer])
    ends = wires_of(picture)
    for above in {above for _, above in ends}:
        window = [below[0] for below, end in ends if end == above]
        assert len(window) == 3
        assert above[0] == (max(window) if padding == "causal" else np.mean(window))


def test_dots_that_are_read_have_the_colour_of_the_wires() -> None:
    picture = plot_connections(8, [{"kernel_size": 3, "padding": "causal"}], at=1)
    axes = picture.axes[0]
    blue = {ends[0] for ends, wire in zip(wires_of(picture), axes.lines, strict=True) if wire.get_color() == BLUE}
    dots: dict[Any, str] = {
        dot.get_center(): to_hex(dot.get_facecolor()).upper() for dot in axes.patches if isinstance(dot, Circle)
    }
    assert {spot for spot, colour in dots.items() if colour == BLUE} == blue
    assert {text.get_text() for text in axes.texts if text.get_position() in blue} == {"", "0", "1"}
    assert [spot[0] for spot, colour in dots.items() if colour == VERMILION] == [1]


def test_padding_is_small_dots_without_a_number() -> None:
    picture = plot_connections(8, [{"kernel_size": 3, "padding": "causal"}])
    dots = [dot for dot in picture.axes[0].patches if isinstance(dot, Circle)]
    small = [dot.get_center() for dot in dots if dot.radius < max(dot.radius for dot in dots)]
    assert [spot[0] for spot in np.array(small)] == [-2, -1]
    assert not set(small) & set(numbers_of(picture))


def test_a_stack_reads_its_receptive_field() -> None:
    layers = [{"kernel_size": 2, "padding": "causal", "dilation_rate": dilation} for dilation in (1, 2, 4)]
    words = plot_connections(12, layers).description
    assert f"({receptive_field([(2, 1, 1), (2, 1, 2), (2, 1, 4)])} positions)" in words


def test_groups_connect_each_output_to_its_own_inputs() -> None:
    words = plot_groups(6, 4, 2).description
    assert "Output channel 0 reads input channels 0 1 2; 1 reads 0 1 2; 2 reads 3 4 5; 3 reads 3 4 5." in words
    assert "12 of 24 connections" in words


def test_groups_differ_in_place_colour_and_dashes() -> None:
    axes = plot_groups(4, 8, 4).axes[0]
    looks = [(wire.get_color(), wire.get_linestyle()) for wire in axes.lines]
    assert looks == [look for look in dict.fromkeys(looks) for _ in range(2)]
    assert len({colour for colour, _ in looks}) == len({dashes for _, dashes in looks}) == 4
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"group {number}" for number in range(4)]
    assert not any(label.get_text() for label in plot_groups(4, 8, 1).axes[0].get_xticklabels())


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

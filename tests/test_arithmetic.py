"""The arithmetic of convolutions, held to Keras over all options, and to counting by hand.

CONVTOUR_EXAMPLES sets how many configurations are drawn for each rank: 300 unless it says otherwise.
"""

from collections import Counter
from collections.abc import Callable
import itertools
import math
import os
import subprocess
import sys
from typing import Any

from convtour.layers.arguments import Shape, Size
from convtour.layers.arithmetic import (
    conv_multiply_adds,
    conv_output_length,
    conv_output_shape,
    conv_params,
    pool_output_shape,
    receptive_field,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import keras
from keras import layers
import numpy as np
import pytest

EXAMPLES = int(os.environ.get("CONVTOUR_EXAMPLES", "300"))
RANKS = [1, 2, 3]
CONVOLUTION = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
POOLING = {
    1: (layers.MaxPooling1D, layers.AveragePooling1D),
    2: (layers.MaxPooling2D, layers.AveragePooling2D),
    3: (layers.MaxPooling3D, layers.AveragePooling3D),
}
LEADING: list[Shape] = [(None,), (4,), (), (4, 7), (None, 0, 2)]
LENGTHS = [5, 6, 7, 8, 9, 12, 4, 3, 2, 1, 0, None]

Answer = tuple[Shape, int] | type[Exception]


def mistakes(rank: int) -> list[tuple[str, Any]]:
    """Arguments that no layer of this rank takes."""
    wrong: dict[str, list[Any]] = {
        "kernel_size": [0, -1, 2.5, np.int64(3), (3.0,) * rank, (2,) * (rank + 1), (2,) * (rank - 1) + (0,)],
        "strides": [0, -2, 1.5, (1,) * (rank + 1), (1,) * (rank - 1) + (-1,)],
        "dilation_rate": [0, -1, 1.5, (), (1,) * (rank - 1) + (0,)],
        "padding": ["full", "", "causal" if rank > 1 else "casual", ((1, 1),) * rank],
        "data_format": ["channels", "NHWC"],
        "filters": [0, -1, 2.5, 2.0, None],
        "groups": [0, -1, 5, 1.0],
        "channels": [None, 7],
        "lengths": [(8,) * (rank - 1)],
    }
    return [(name, value) for name, values in wrong.items() for value in values]


def per_axis(rank: int, sizes: list[int]) -> list[Size]:
    """One number for all axes, or one for each in a tuple or a list."""
    each = list(itertools.product(sizes, repeat=rank))
    return [*sizes * (len(each) // len(sizes)), *each, *map(list, each)]


def convolutions(rank: int, *, refused: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Configurations over all options: most can be built; unless told otherwise, some are refused for what they ask."""
    plain = [(1, 1)] * 6
    strides = [(size, 1) for size in per_axis(rank, [1, 2, 3])]
    dilation = [(1, size) for size in per_axis(rank, [1, 2, 3] if refused else [1, 2])]
    both = list(zip(per_axis(rank, [1, 2]), reversed(per_axis(rank, [1, 2])), strict=True)) if refused else []
    options: dict[str, list[Any]] = {
        "lengths": list(itertools.product(LENGTHS if refused else LENGTHS[:6], repeat=rank)),
        "kernel_size": per_axis(rank, [1, 2, 3, 4] if refused else [1, 2, 3]),
        "spread": [*plain, *strides, *dilation, *both],
        "shares": list(itertools.product([1, 1, 2, 3], range(0 if refused else 1, 4), [1, 2, 3])),
        "names": list(
            itertools.product(
                ["valid", "same", "SAME", "Valid"] + ["causal"] * (rank == 1),
                ["channels_last", "channels_first", "Channels_First"],
                [True, False],
                LEADING,
                [True, False],
            )
        ),
        "mistake": [None] * 99 + mistakes(rank) if refused else [None],
    }
    return st.fixed_dictionaries({name: st.sampled_from(choices) for name, choices in options.items()}).map(arguments)


def arguments(drawn: dict[str, Any]) -> dict[str, Any]:
    """One dictionary of what was drawn together."""
    groups, channels, filters = drawn["shares"]
    padding, data_format, use_bias, leading, say_rank = drawn["names"]
    chosen = {
        "lengths": drawn["lengths"],
        "channels": groups * channels,
        "filters": groups * filters,
        "kernel_size": drawn["kernel_size"],
        "strides": drawn["spread"][0],
        "dilation_rate": drawn["spread"][1],
        "padding": padding,
        "data_format": data_format,
        "groups": groups,
        "use_bias": use_bias,
        "leading": leading,
        "say_rank": say_rank,
    }
    if drawn["mistake"]:
        name, value = drawn["mistake"]
        chosen[name] = value
        if name == "lengths":
            chosen["leading"] = ()  # else a batch axis would be taken for the length that is missing
    return chosen


def shape_of(leading: Shape, lengths: Shape, channels: int | None, data_format: str) -> Shape:
    if data_format.lower() == "channels_first":
        return (*leading, channels, *lengths)
    return (*leading, *lengths, channels)


def answer(call: Callable[[], tuple[Shape, int]]) -> Answer:
    """What a call returns, or the type of the error that it raises, with a message."""
    try:
        return call()
    except (ValueError, TypeError, ZeroDivisionError) as error:
        assert str(error)
        return type(error)


def ours(rank: int, drawn: dict[str, Any]) -> Answer:
    options = {name: drawn[name] for name in ("strides", "padding", "data_format", "dilation_rate", "groups")}
    shape = shape_of(drawn["leading"], drawn["lengths"], drawn["channels"], drawn["data_format"])
    plain = isinstance(drawn["kernel_size"], int | float | np.integer)
    inferred = len(shape) - 2 if plain else len(drawn["kernel_size"])
    said = rank if drawn["say_rank"] or inferred != rank else None
    kernel, filters = drawn["kernel_size"], drawn["filters"]
    return answer(
        lambda: (
            conv_output_shape(shape, filters, kernel, rank=said, **options),
            conv_params(
                drawn["channels"], filters, kernel, rank=rank, groups=drawn["groups"], use_bias=drawn["use_bias"]
            ),
        )
    )


def keras_says(rank: int, drawn: dict[str, Any]) -> Answer:
    """Shape and parameters from Keras, for the one batch axis that it takes, with the others put back."""
    options = {name: drawn[name] for name in drawn if name not in ("lengths", "channels", "leading", "say_rank")}

    def build() -> tuple[Shape, int]:
        shape = shape_of((None,), drawn["lengths"], drawn["channels"], drawn["data_format"])
        with keras.StatelessScope():  # the weights get their shapes and no values, which takes half the time
            layer = CONVOLUTION[rank](**options, kernel_initializer="zeros")
            layer.build(shape)
        return (*drawn["leading"], *layer.compute_output_shape(shape)[1:]), layer.count_params()

    return answer(build)


@pytest.mark.drawn
@pytest.mark.parametrize("rank", RANKS)
def test_shapes_parameters_and_refusals_are_those_of_keras(rank: int) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(convolutions(rank))
    def compare(drawn: dict[str, Any]) -> None:
        expected = keras_says(rank, drawn)
        assert ours(rank, drawn) == expected
        seen[expected.__name__ if isinstance(expected, type) else "built"] += 1

    compare()
    assert seen["built"] > EXAMPLES / 5
    assert seen["ValueError"] > EXAMPLES / 10
    assert EXAMPLES < 500 or seen["TypeError"]


@pytest.mark.drawn
@pytest.mark.parametrize("rank", RANKS)
def test_pooled_shapes_and_refusals_are_those_of_keras(rank: int) -> None:
    options = st.fixed_dictionaries(
        {
            "pool_size": st.sampled_from([*per_axis(rank, [1, 2, 3, 4]), 0, 1.5, (2,) * (rank + 1), np.int64(2)]),
            "strides": st.sampled_from([None] * 9 + [*per_axis(rank, [1, 2, 3]), -1, ()]),
            "padding": st.sampled_from(["valid", "same"] * 3 + ["causal", "SAME"]),
            "data_format": st.sampled_from(["channels_last", "channels_first"] * 3 + ["channels"]),
        }
    )
    lengths = st.sampled_from(list(itertools.product(LENGTHS, repeat=rank)))
    batch_and_channels = st.sampled_from(list(itertools.product(LEADING, [1, 3, 0, None])))

    @settings(max_examples=max(EXAMPLES // 4, 1))
    @given(options, lengths, batch_and_channels, st.sampled_from(POOLING[rank]))
    def compare(options: dict[str, Any], lengths: Shape, others: tuple[Shape, int | None], layer: Any) -> None:
        leading, channels = others

        def theirs() -> tuple[Shape, int]:
            shape = shape_of((None,), lengths, channels, options["data_format"])
            return (*leading, *layer(**options).compute_output_shape(shape)[1:]), 0

        shape = shape_of(leading, lengths, channels, options["data_format"])
        assert answer(lambda: (pool_output_shape(shape, rank=rank, **options), 0)) == answer(theirs)

    compare()


def test_a_pooling_window_that_does_not_move_is_refused_where_keras_divides_by_zero() -> None:
    with pytest.raises(ValueError, match=r"strides=0: expected an int of at least 1"):
        pool_output_shape((None, 8, 1), 2, strides=0)
    with pytest.raises(ZeroDivisionError):
        layers.MaxPooling1D(2, strides=0).compute_output_shape((None, 8, 1))


def test_a_negative_length_is_refused_as_it_is_by_an_input_of_keras() -> None:
    with pytest.raises(ValueError, match=r"-3: expected at least 0"):
        conv_output_shape((None, -3, 1), 2, 1, padding="same")
    with pytest.raises(ValueError, match="Negative dimensions"):
        keras.Input((-3, 1))


@pytest.mark.parametrize(
    ("input_shape", "filters", "options", "expected"),
    [
        ((5, 12, 128), 32, {}, (5, 10, 32)),
        ((4, 28, 28, 3), 2, {}, (4, 26, 26, 2)),
        ((4, 28, 28, 3), 2, {"dilation_rate": 2}, (4, 24, 24, 2)),
        ((4, 28, 28, 3), 2, {"padding": "same"}, (4, 28, 28, 2)),
        ((4, 28, 28, 28, 1), 2, {}, (4, 26, 26, 26, 2)),
    ],
)
def test_the_articles_examples_have_its_shapes_in_arithmetic_and_in_keras(
    input_shape: tuple[int, ...], filters: int, options: dict[str, Any], expected: Shape
) -> None:
    assert conv_output_shape(input_shape, filters, 3, **options) == expected
    layer = CONVOLUTION[len(input_shape) - 2](filters, 3, activation="relu", **options)
    assert tuple(layer(np.zeros(input_shape, "float32")).shape) == expected


@pytest.mark.parametrize(
    ("input_shape", "rank", "expected"),
    [((4, 7, 28, 28, 3), 2, (4, 7, 26, 26, 2)), ((4, 7, 28, 28, 28, 1), 3, (4, 7, 26, 26, 26, 2))],
)
def test_more_batch_axes_than_keras_takes_pass_through(input_shape: Shape, rank: int, expected: Shape) -> None:
    assert conv_output_shape(input_shape, 2, 3, rank=rank) == expected
    assert conv_output_shape(input_shape, 2, (3,) * rank) == expected
    with pytest.raises(ValueError, match="shape"):
        CONVOLUTION[rank](2, 3).compute_output_shape(input_shape)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: conv_output_length(4, 3, dilation_rate=2), r"kernel_size=3 with dilation_rate=2 spans 5.*axis has 4"),
        (lambda: conv_output_length(9, 3, strides=2, dilation_rate=2), "one or the other above 1"),
        (lambda: conv_output_length(9, 3, padding="full"), r"padding='full': expected 'valid' or 'same' or 'causal'"),
        (lambda: conv_output_length(9, 0), r"kernel_size=0: expected at least 1"),
        (lambda: conv_output_length(9, 3.0), r"kernel_size=3.0: expected a whole number, got float"),  # type: ignore[arg-type]
        (lambda: conv_output_length(9, 3, strides=0), r"strides=0: expected at least 1"),
        (lambda: conv_output_shape((1, 9, 9, 1), 2, 3, strides=(2, 1), dilation_rate=(1, 2)), "not even on different"),
        (lambda: conv_output_shape((1, 9, 9, 1), 2, 3, padding="causal"), "Conv1D alone"),
        (
            lambda: conv_output_shape((1, 9, 9, 4), 3, 3, groups=2),
            r"groups=2 must divide both .* and the filters, here 3",
        ),
        (
            lambda: conv_output_shape((1, 9, 9, 3), 4, 3, groups=2),
            "groups=2 must divide both the input channels, here 3",
        ),
        (lambda: conv_output_shape((1, 9, 9, 1), 2, (3, 3), rank=3), r"\(3, 3\): expected.*3 of them in a tuple"),
        (lambda: conv_output_shape((1, 9), 2, 3), r"input_shape=\(1, 9\) has 2 axes; expected 3 to 5"),
        (lambda: conv_output_shape((9,), 2, 3, rank=1), r"input_shape=\(9,\) has 1 axes; rank 1 needs 1 and"),
        (lambda: conv_output_shape((1, 9, 1), 2, 3, data_format="NWC"), "'channels_last' or 'channels_first'"),
        (lambda: conv_output_shape((1, 9, 1), 2, np.int64(3)), r"expected an int of at least 1"),  # type: ignore[arg-type]
        (lambda: conv_params(3, 2, 3), "say how many there are, as in rank=2"),
        (lambda: conv_multiply_adds((1, None, 3), 2, 3), "every spatial length is needed"),
        (lambda: receptive_field([(3, 1, 1), (3, 0, 1)]), "strides=0: expected at least 1"),
    ],
)
def test_what_is_refused_is_told_why(call: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        call()


def test_channels_that_are_not_known_are_refused_with_the_type_of_keras() -> None:
    with pytest.raises(TypeError, match="in_channels is None: the channel axis of input_shape needs a length"):
        conv_output_shape((None, 9, None), 2, 3)
    with pytest.raises(TypeError):
        layers.Conv1D(2, 3).build((None, 9, None))


def places(length: int, kernel: int, stride: int, dilation: int, padding: str) -> list[list[int]]:
    """The taps of every place of the kernel, counted from the first position that is padded or not."""
    span = dilation * (kernel - 1) + 1
    first = range(0, length - span + 1 if padding == "valid" else length, stride)
    return [[start + dilation * tap for tap in range(kernel)] for start in first]


@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.sampled_from([(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]),
    st.sampled_from(["valid", "same", "causal"]),
)
def test_an_output_has_a_position_for_every_place_of_the_kernel(
    length: int, kernel: int, spread: tuple[int, int], padding: str
) -> None:
    counted = places(length, kernel, *spread, padding)
    if counted:
        options: dict[str, Any] = {"strides": spread[0], "dilation_rate": spread[1], "padding": padding}
        assert conv_output_length(length, kernel, **options) == len(counted)
    else:
        with pytest.raises(ValueError, match="nothing would be left"):
            conv_output_length(length, kernel, strides=spread[0], dilation_rate=spread[1], padding=padding)


@pytest.mark.parametrize("rank", RANKS)
def test_multiply_adds_are_those_of_the_loops_that_convolve(rank: int) -> None:
    @settings(max_examples=60)
    @given(convolutions(rank, refused=False))
    def compare(drawn: dict[str, Any]) -> None:
        axes = []
        padded = []
        for axis, length in enumerate(drawn["lengths"]):
            kernel, stride, dilation = (
                drawn[name] if isinstance(drawn[name], int) else drawn[name][axis]
                for name in ("kernel_size", "strides", "dilation_rate")
            )
            axes.append(places(length, kernel, stride, dilation, drawn["padding"].lower()))
            pad = 0 if drawn["padding"].lower() == "valid" else dilation * (kernel - 1)
            padded.append(length + pad)
        group = np.ones((*padded, drawn["channels"] // drawn["groups"]))
        products = sum(group[np.ix_(*taps)].size for _ in range(drawn["filters"]) for taps in itertools.product(*axes))
        shape = shape_of((None, 5), drawn["lengths"], drawn["channels"], drawn["data_format"])
        options = {name: drawn[name] for name in ("strides", "padding", "data_format", "dilation_rate", "groups")}
        work = conv_multiply_adds(shape, drawn["filters"], drawn["kernel_size"], rank=rank, **options)
        assert work == products

    compare()


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(1, 4), st.integers(1, 3), st.just(1)),
            st.tuples(st.integers(1, 3), st.just(1), st.integers(1, 4)),
        ),
        max_size=4,
    ),
    st.sampled_from(["valid", "same", "causal"]),
    st.booleans(),
)
def test_a_receptive_field_reaches_from_the_first_to_the_last_input_that_matters(
    stack: list[tuple[int, int, int]], padding: str, pool: bool
) -> None:
    field = receptive_field(stack)
    step = math.prod(strides for _, strides, _ in stack)
    length = 4 * (field + step)  # so that what the output in the middle sees is far from the padding
    outputs = np.eye(length, dtype="float32")[..., np.newaxis]  # each example has a single input that is not zero
    for kernel, stride, dilation in stack:
        layer = layers.Conv1D(
            1, kernel, strides=stride, dilation_rate=dilation, padding=padding, kernel_initializer="ones"
        )
        if pool and dilation == 1 and padding != "causal":
            layer = layers.AveragePooling1D(kernel, stride, padding)
        outputs = keras.ops.convert_to_numpy(layer(outputs))
    matters = np.flatnonzero(outputs[:, outputs.shape[1] // 2, 0])
    assert matters[-1] - matters[0] + 1 == field


def test_a_dilated_causal_stack_doubles_its_receptive_field_with_every_layer() -> None:
    assert [receptive_field((2, 1, 2**layer) for layer in range(depth)) for depth in range(6)] == [1, 2, 4, 8, 16, 32]


def test_a_dilated_kernel_spans_d_times_k_minus_1_plus_1() -> None:
    assert all(receptive_field([(k, 1, d)]) == d * (k - 1) + 1 for k in range(1, 6) for d in range(1, 6))


def test_the_arithmetic_of_a_layer_needs_no_keras() -> None:
    code = (
        "import sys; from convtour.layers.arithmetic import conv_output_shape; conv_output_shape((1, 9, 1), 2, 3); "
        "print({'keras', 'tensorflow', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

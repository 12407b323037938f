"""The definition of convolution in NumPy, held to Keras's layers."""

from dataclasses import dataclass
import math
import os
from typing import Any

from convtour.layers.arithmetic import conv_padding
from convtour.layers.convolution import convolve
from hypothesis import given, settings
from hypothesis import strategies as st
import keras
import numpy as np
import pytest

# Configurations drawn for each rank. `CONVTOUR_EXAMPLES=20000 pytest tests/test_convolution.py` looks deeper.
EXAMPLES = int(os.environ.get("CONVTOUR_EXAMPLES", "300"))

LAYERS = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
LONGEST = {1: 12, 2: 7, 3: 5}


@pytest.fixture(scope="session")
def data_formats() -> list[str]:
    """The data formats that Keras has in ranks 1 and 2 on this machine."""
    try:
        keras.layers.Conv2D(1, 1, data_format="channels_first")(np.ones((1, 1, 1, 1), "float32"))
    except Exception:  # which one is the backend's affair
        return ["channels_last"]
    return ["channels_last", "channels_first"]


@dataclass
class Case:
    """A layer's arguments and the inputs it meets."""

    shape: tuple[int, ...]
    filters: int
    kernel_size: tuple[int, ...]
    options: dict[str, Any]
    use_bias: bool
    seed: int

    @property
    def channels(self) -> int:
        return self.shape[1] if self.options["data_format"] == "channels_first" else self.shape[-1]

    def values(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        rng = np.random.default_rng(self.seed)
        shapes = (self.shape, (*self.kernel_size, self.channels // self.options["groups"], self.filters), self.filters)
        inputs, kernel, bias = (rng.normal(size=shape).astype("float32") for shape in shapes)
        return inputs, kernel, bias if self.use_bias else None


def last_inputs_read(case: Case) -> list[int]:
    """Where the last window ends along each axis, if strides leave gaps between windows; what follows is not read."""
    strides = np.broadcast_to(case.options["strides"], len(case.kernel_size)).tolist()
    return [
        (math.ceil(n / s) - 1) * s + k if s > k else n
        for n, k, s in zip(case.shape[1:-1], case.kernel_size, strides, strict=True)
    ]


@st.composite
def cases(draw: st.DrawFn, rank: int, data_formats: list[str], *, in_groups: bool) -> Case:
    """Any configuration of whole numbers, most of which Keras accepts."""

    def each(most: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(1, most)] * rank))

    def one_or_each(most: int) -> int | tuple[int, ...]:
        return each(most) if draw(st.booleans()) else draw(st.integers(1, most))

    data_format = draw(st.sampled_from(data_formats))
    groups = draw(st.integers(1 if rank == 3 and data_format == "channels_first" else 2, 4)) if in_groups else 1
    # What Keras refuses is drawn as well, but seldom: strides beside dilation, causal padding beyond rank 1, channels
    # or filters that the groups do not divide, an axis one too short for the kernel.
    steps = draw(st.sampled_from(["strides", "dilation_rate"] * 4 + ["neither", "both"]))
    strides = one_or_each(4) if steps in ("strides", "both") else 1
    dilation_rate = one_or_each(3) if steps in ("dilation_rate", "both") else 1
    padding = draw(st.sampled_from(["valid", "same", "causal"] if rank == 1 else ["valid", "same"] * 5 + ["causal"]))
    kernel_size, sizes = each(4), each(LONGEST[rank])
    if padding == "valid":
        reach = np.multiply(dilation_rate, np.subtract(kernel_size, 1))
        too_short = draw(st.sampled_from([0] * 9 + [1]))
        sizes = tuple(max(1, size + more - too_short) for size, more in zip(sizes, reach.tolist(), strict=True))
    one_off = st.sampled_from([0] * 9 + [1])
    channels, filters = (groups * draw(st.integers(1, 3)) + draw(one_off) for _ in range(2))
    batch = draw(st.integers(1, 2))
    return Case(
        shape=(batch, *sizes, channels) if data_format == "channels_last" else (batch, channels, *sizes),
        filters=filters,
        kernel_size=kernel_size,
        options={
            "strides": strides,
            "padding": padding,
            "data_format": data_format,
            "dilation_rate": dilation_rate,
            "groups": groups,
        },
        use_bias=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def layer_of(case: Case, kernel: np.ndarray, bias: np.ndarray | None) -> keras.Layer:
    """The layer of the same rank, with these weights."""
    return LAYERS[len(case.shape) - 2](
        case.filters,
        case.kernel_size,
        use_bias=bias is not None,
        kernel_initializer=lambda shape, dtype: kernel,
        bias_initializer=lambda shape, dtype: bias,
        **case.options,
    )


def keras_answer(case: Case) -> np.ndarray:
    """What Keras's layer computes; steered around three defects, which the expected failures below show."""
    inputs, kernel, bias = case.values()
    if case.options["padding"] == "same" and case.options["data_format"] == "channels_last":
        inputs = inputs[:, *[slice(end) for end in last_inputs_read(case)]]
    layer = layer_of(case, kernel, bias)
    channels_first = case.options["data_format"] == "channels_first"
    rank, output_shape = len(case.kernel_size), layer.compute_output_shape(case.shape)
    columns = output_shape[-1] if channels_first else output_shape[-2]
    if rank > 1 and case.channels == 1 and columns == 1 and np.broadcast_to(case.options["strides"], rank)[-1] > 1:
        # A second channel, which is zero, changes no sum.
        kernel = np.concatenate([kernel, np.zeros_like(kernel)], axis=-2)
        inputs = np.concatenate([inputs, np.zeros_like(inputs)], axis=1 if channels_first else -1)
        layer = layer_of(case, kernel, bias)
    added = np.zeros(1, "float32")
    if bias is not None and channels_first and columns == case.filters:
        layer, added = layer_of(case, kernel, None), bias.reshape(-1, *[1] * rank)
    outputs: np.ndarray = keras.ops.convert_to_numpy(layer(inputs))
    return outputs + added


def assert_equals_keras(case: Case) -> None:
    """Hold the definition to the layer: both give the same values, or both refuse with the same type of exception.

    An output is a sum of m products, and maybe a bias. In float32 each of its at most m + 1 roundings, in whichever
    order it is added up, is off by at most u = 2^-24 of a partial sum of absolute values (Higham, "Accuracy and
    stability of numerical algorithms", 2002, section 3.1: (m + 1)u to first order). The definition rounds once more.
    One u is left for what is not first order.
    """
    inputs, kernel, bias = case.values()
    try:
        expected = keras_answer(case)
    except ValueError as refusal:
        with pytest.raises(type(refusal)):
            convolve(inputs, kernel, bias, **case.options)
        return
    outputs = convolve(inputs, kernel, bias, **case.options)
    assert outputs.shape == expected.shape
    assert outputs.dtype == expected.dtype == np.float32
    inputs, kernel = np.abs(inputs).astype("float64"), np.abs(kernel)
    sums = convolve(inputs, kernel, None if bias is None else np.abs(bias), **case.options)
    bound = (kernel[..., 0].size + 3) * 2.0**-24 * sums
    assert (np.abs(outputs.astype("float64") - expected) <= bound).all()


@pytest.mark.drawn
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_definition_computes_what_keras_computes_and_refuses_what_keras_refuses(
    rank: int, data_formats: list[str]
) -> None:
    @settings(max_examples=EXAMPLES)
    @given(cases(rank, data_formats if rank < 3 else ["channels_last"], in_groups=False))
    def compare(case: Case) -> None:
        assert_equals_keras(case)

    compare()


@pytest.mark.drawn
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_so_it_does_in_groups_and_with_channels_first_in_rank_3(rank: int) -> None:
    # These Keras on TensorFlow compiles with XLA, anew in each call. That takes ten times as long as the layers above,
    # so that there are ten times fewer.
    @settings(max_examples=max(EXAMPLES // 10, 1))
    @given(cases(rank, ["channels_last", "channels_first"], in_groups=True))
    def compare(case: Case) -> None:
        assert_equals_keras(case)

    compare()


def test_channels_first_was_compared(data_formats: list[str]) -> None:
    if "channels_first" not in data_formats:
        pytest.skip("Keras has no channels_first in ranks 1 and 2 here: TensorFlow on a CPU needs oneDNN for it")


ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.mark.xfail(
    ON_TENSORFLOW, reason="Keras 3.15 on TensorFlow takes the last axis for the channels if it is as long as the bias"
)
def test_keras_adds_the_bias_to_the_filters_even_where_there_are_as_many_columns() -> None:
    outputs = keras.ops.add(np.zeros((1, 3, 2, 3)), np.array([1, 2, 3]).reshape(1, 3, 1, 1))
    assert keras.ops.convert_to_numpy(outputs)[0, :, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.xfail(
    ON_TENSORFLOW, reason="oneDNN in TensorFlow 2.21 misses outputs of one channel, in one column, with a stride"
)
def test_keras_fills_a_single_column_with_a_stride() -> None:
    inputs, kernel = np.reshape([1.0, 2, 1, 2], (2, 2, 1, 1)), np.reshape([10.0, 100], (1, 2, 1, 1))
    outputs = keras.ops.conv(inputs.astype("float32"), kernel.astype("float32"), strides=(1, 2), padding="same")
    assert keras.ops.convert_to_numpy(outputs).ravel().tolist() == [10, 20, 10, 20]


@pytest.mark.xfail(
    ON_TENSORFLOW,
    reason="without oneDNN, Conv3D of TensorFlow 2.21 starts windows late with strides far above the kernel",
)
def test_keras_starts_the_windows_of_a_volume_where_padding_same_says() -> None:
    # The last window could reach r = n - (ceil(n / s) - 1) * s positions. With k taps and r - k >= 2 (padding "same",
    # channels last, no groups), all windows start (r - k) // 2 positions late.
    n, k, s = 11, 2, 6
    assert n - (math.ceil(n / s) - 1) * s - k >= 2
    line = np.arange(n, dtype="float32").reshape(1, n, 1, 1, 1)
    outputs = keras.ops.conv(line, np.reshape([1.0, 100.0], (k, 1, 1, 1, 1)).astype("float32"), (s, 1, 1), "same")
    assert keras.ops.convert_to_numpy(outputs).ravel().tolist() == [100, 706]


def test_each_output_is_the_sum_of_what_the_taps_meet() -> None:
    outputs = convolve(np.arange(6).reshape(1, 6, 1), np.reshape([1, 10, 100], (3, 1, 1)), strides=2, padding="same")
    assert outputs.ravel().tolist() == [210, 432, 54]


def test_the_kernel_is_not_flipped() -> None:
    signal, kernel = np.array([0.0, 0, 1, 0, 0, 4]), np.array([1.0, 2, 3])
    outputs = convolve(signal.reshape(1, -1, 1), kernel.reshape(-1, 1, 1)).ravel()
    assert outputs.tolist() == np.correlate(signal, kernel, "valid").tolist()
    assert outputs.tolist() != np.convolve(signal, kernel, "valid").tolist()


def test_each_group_of_filters_sees_only_its_own_channels() -> None:
    rng = np.random.default_rng(0)
    inputs, kernel = rng.normal(size=(2, 6, 7, 4)), rng.normal(size=(3, 2, 2, 6))
    changed = inputs.copy()
    changed[..., 2:] += 1
    before, after = convolve(inputs, kernel, groups=2), convolve(changed, kernel, groups=2)
    assert (before[..., :3] == after[..., :3]).all()
    assert (before[..., 3:] != after[..., 3:]).all()


def test_causal_outputs_do_not_see_what_comes_after_them() -> None:
    rng = np.random.default_rng(0)
    inputs, kernel = rng.normal(size=(1, 12, 2)), rng.normal(size=(3, 2, 1))
    changed = inputs.copy()
    changed[:, 7] += 1
    options: dict[str, Any] = {"padding": "causal", "dilation_rate": 2}
    differs = (convolve(inputs, kernel, **options) != convolve(changed, kernel, **options)).ravel()
    assert np.flatnonzero(differs).tolist() == [7, 9, 11]


@pytest.mark.parametrize(
    ("given_type", "returned"),
    [("float16", "float16"), ("float32", "float32"), ("float64", "float64"), ("uint8", "float64"), ("bool", "float64")],
)
def test_the_result_has_the_floating_type_of_the_inputs(given_type: str, returned: str) -> None:
    assert convolve(np.ones((1, 4, 1), given_type), np.ones((3, 1, 1), "float32")).dtype == returned


def test_sums_are_rounded_once_only() -> None:
    # In float32 the ones would be lost one by one beside the first term, which is 2^24.
    signal = np.array([2**24, *[1] * 64, -(2**24)], "float32")
    assert convolve(signal.reshape(1, -1, 1), np.ones((66, 1, 1))).item() == 64


def test_pixels_of_eight_bits_do_not_overflow() -> None:
    assert convolve(np.full((1, 3, 1), 255, "uint8"), np.full((3, 1, 1), 255, "uint8")).item() == 3 * 255 * 255


def test_arguments_are_left_as_they_are() -> None:
    arrays = np.ones((1, 5, 1)), np.ones((3, 1, 2)), np.ones(2)
    convolve(*arrays, padding="same")
    assert all((array == 1).all() for array in arrays)


def test_a_batch_without_examples_gives_none() -> None:
    # Keras on TensorFlow fails here, or gives a wrong shape.
    assert convolve(np.ones((0, 9, 9, 3)), np.ones((3, 3, 3, 2)), strides=2).shape == (0, 4, 4, 2)


def test_names_are_taken_in_any_case_as_keras_takes_them() -> None:
    inputs, kernel = np.ones((1, 2, 9)), np.ones((3, 2, 4))
    assert convolve(inputs, kernel, padding="SAME", data_format="Channels_First").shape == (1, 4, 9)
    assert conv_padding(9, 3, padding="SAME") == (1, 1)


def test_it_works_beyond_rank_3() -> None:
    assert convolve(np.ones((1, 3, 3, 3, 3, 2)), np.ones((2, 2, 2, 2, 2, 1))).ravel().tolist() == [32] * 16


@pytest.mark.parametrize(
    ("length", "kernel_size", "options", "expected"),
    [
        (6, 3, {}, (0, 0)),
        (6, 3, {"padding": "same"}, (1, 1)),
        (6, 4, {"padding": "same"}, (1, 2)),
        (6, 3, {"padding": "same", "strides": 2}, (0, 1)),
        (7, 3, {"padding": "same", "strides": 2}, (1, 1)),
        (28, 3, {"padding": "same", "strides": 2}, (0, 1)),
        (224, 7, {"padding": "same", "strides": 2}, (2, 3)),
        (9, 2, {"padding": "same", "strides": 5}, (0, 0)),
        (2, 3, {"padding": "same", "dilation_rate": 4}, (4, 4)),
        (0, 3, {"padding": "causal"}, (2, 0)),
        (6, 3, {"padding": "causal"}, (2, 0)),
        (6, 3, {"padding": "causal", "strides": 2}, (2, 0)),
        (6, 3, {"padding": "causal", "dilation_rate": 4}, (8, 0)),
    ],
)
def test_padding_is_counted_as_tensorflow_counts_it(
    length: int, kernel_size: int, options: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert conv_padding(length, kernel_size, **options) == expected


@pytest.mark.parametrize(
    ("arguments", "options", "complaint"),
    [
        ((6, 3), {"padding": "full"}, "padding='full': expected 'valid' or 'same' or 'causal'"),
        ((-1, 3), {"padding": "same"}, "length=-1: expected at least 0"),
        ((6, 0), {"padding": "same"}, "kernel_size=0: expected at least 1"),
        ((6, 3), {"padding": "same", "strides": 0}, "strides=0: expected at least 1"),
        ((6, 3), {"padding": "same", "dilation_rate": 1.5}, "dilation_rate=1.5: expected a whole number"),
    ],
)
def test_padding_that_does_not_exist_is_refused(
    arguments: tuple[int, int], options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        conv_padding(*arguments, **options)


@pytest.mark.parametrize(
    ("inputs", "kernel", "options", "complaint"),
    [
        (
            (1, 9, 9, 2),
            (3, 3, 2, 4),
            {"strides": (2, 1), "dilation_rate": (1, 2)},
            "one or the other above 1, not both",
        ),
        ((1, 9, 9, 2), (3, 3, 2, 4), {"padding": "causal"}, "is for Conv1D alone"),
        ((1, 9, 9, 9, 2), (3, 3, 3, 2, 4), {"padding": "causal"}, "is for Conv1D alone"),
        ((1, 9, 2), (3, 2, 4), {"padding": "full"}, "padding='full'"),
        ((1, 9, 2), (3, 2, 4), {"data_format": "NHWC"}, "data_format='nhwc': expected"),
        ((1, 4, 2), (5, 2, 4), {}, "spans 5 positions, but the axis has 4"),
        ((1, 4, 2), (3, 2, 4), {"dilation_rate": 2}, "spans 5 positions, but the axis has 4"),
        ((1, 9, 5), (3, 2, 4), {"groups": 2}, "groups=2 must divide both the input channels, here 5"),
        ((1, 9, 4), (3, 2, 3), {"groups": 2}, "and the filters, here 3"),
        ((1, 9, 4), (3, 2, 4), {"groups": 0}, "groups=0: expected at least 1"),
        (
            (1, 7, 9, 9, 2),
            (3, 3, 2, 4),
            {},
            r"5 axes.* expects 4.*more than one batch axis through apply_over_batch_axes",
        ),
        ((9, 9, 2), (3, 3, 2, 4), {}, r"3 axes.* expects 4.*example\[np.newaxis\]"),
        ((1, 9, 2), (3, 2, 4), {"strides": 0}, "strides=0: expected an int of at least 1"),
        ((1, 9, 2), (3, 2, 4), {"dilation_rate": (1, 1)}, r"dilation_rate=\(1, 1\): expected an int"),
    ],
)
def test_what_keras_refuses_is_refused_with_the_reason(
    inputs: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], complaint: str
) -> None:
    layer = LAYERS[len(kernel) - 2]
    with pytest.raises(ValueError):  # noqa: PT011  Keras's message is its own affair
        layer(kernel[-1], kernel[:-2], **options)(np.ones(inputs, "float32"))
    with pytest.raises(ValueError, match=complaint):
        convolve(np.ones(inputs), np.ones(kernel), **options)


@pytest.mark.parametrize(
    ("inputs", "kernel", "bias", "error", "complaint"),
    [
        (np.ones((1, 9, 3)), np.ones((3, 2, 4)), None, ValueError, r"have 3 channels, but .* expects 2 · 1 = 2"),
        (np.ones((1, 9, 2)), np.ones((3, 2, 4)), np.ones(3), ValueError, r"bias has shape \(3,\); expected \(4,\)"),
        (np.ones((1, 9)), np.ones((3, 2)), None, ValueError, r"kernel has shape \(3, 2\); expected \(\*kernel_size"),
        (np.ones((1, 9, 2)), np.ones((0, 2, 4)), None, ValueError, "at least one number along each"),
        (np.ones((1, 0, 2)), np.ones((3, 2, 4)), None, ValueError, "but the axis has 0"),
        (np.ones((1, 9, 2)), np.ones((3, 2, 4), complex), None, TypeError, "kernel holds complex128"),
        (np.full((1, 9, 2), "1"), np.ones((3, 2, 4)), None, TypeError, "inputs holds <U1; expected real numbers"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    inputs: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        convolve(inputs, kernel, bias)

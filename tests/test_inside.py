"""What a model looks at: a patch at every place, against models whose answer is known."""

from convtour import occlusion_map
from hypothesis import given, settings
from hypothesis import strategies as st
import keras
import numpy as np
import numpy.typing as npt
import pytest

Floats = npt.NDArray[np.float32]


def linear(weights: npt.ArrayLike) -> keras.Model:
    """A model whose first output is the weighted sum of the pixels, its second minus that."""
    kernel = np.asarray(weights, "float32")
    inputs = keras.Input(kernel.shape)
    model = keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(keras.layers.Flatten()(inputs)))
    model.set_weights([np.stack([kernel.ravel(), -kernel.ravel()], axis=1)])
    return model


def by_hand(image: Floats, weights: Floats, size: int, fill: float) -> Floats:
    """The same map, pixel by pixel."""
    drops = np.zeros(image.shape[:2], "float32")
    for row, column in np.ndindex(*drops.shape):
        top, left = row - size // 2, column - size // 2
        covered = image.copy()
        covered[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = fill
        drops[row, column] = ((image - covered) * weights).sum()
    return drops


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_model_of_one_pixel_loses_where_an_odd_patch_covers_it(size: int) -> None:
    weights = np.zeros((9, 7, 1))
    weights[4, 2] = 1
    expected = np.zeros((9, 7))
    reach = size // 2
    expected[4 - reach : 5 + reach, max(0, 2 - reach) : 3 + reach] = 1
    assert np.allclose(occlusion_map(linear(weights), np.ones((9, 7, 1)), size=size), expected)


def test_a_patch_of_even_size_reaches_a_pixel_further_up_and_left() -> None:
    weights = np.zeros((5, 5, 1))
    weights[2, 2] = 1
    (rows, columns) = np.nonzero(occlusion_map(linear(weights), np.ones((5, 5, 1)), size=2))
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(2, 2), (2, 3), (3, 2), (3, 3)}


@given(
    size=st.integers(1, 6),
    rows=st.integers(6, 7),
    channels=st.sampled_from([1, 3]),
    fill=st.sampled_from([0.0, 0.5, -1.0]),
)
@settings(max_examples=10)
def test_the_map_is_that_of_a_loop_over_all_places(size: int, rows: int, channels: int, fill: float) -> None:
    rng = np.random.default_rng([size, rows, channels])
    image, weights = rng.normal(size=(2, rows, 5, channels)).astype("float32")
    drops = occlusion_map(linear(weights), image, size=size, label=0, fill=fill)
    assert drops.shape == (rows, 5)
    assert drops.dtype == np.float32
    assert np.allclose(drops, by_hand(image, weights, size, fill), atol=1e-4)


def test_the_label_left_out_is_the_answer_of_the_model() -> None:
    weights, image = np.full((4, 4, 1), -1.0), np.ones((4, 4, 1))
    model = linear(weights)  # the second output is the larger
    assert np.array_equal(occlusion_map(model, image, size=3), occlusion_map(model, image, size=3, label=1))
    assert np.allclose(occlusion_map(model, image, size=3, label=0), -occlusion_map(model, image, size=3, label=1))


def test_a_patch_that_changes_nothing_costs_nothing() -> None:
    image = np.full((4, 5, 1), 0.5)
    assert not occlusion_map(linear(np.ones((4, 5, 1))), image, size=3, fill=0.5).any()


def test_neither_the_image_nor_the_model_is_changed_and_dropout_rests() -> None:
    inputs = keras.Input((4, 4, 1))
    hidden = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(keras.layers.Flatten()(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    image, before = np.random.default_rng(0).random((4, 4, 1)), model.get_weights()
    kept = image.copy()
    first, second = (occlusion_map(model, image, size=2) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(image, kept)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_an_image_of_whole_numbers_may_be_filled_with_a_fraction() -> None:
    drops = occlusion_map(linear(np.ones((2, 2, 1))), np.ones((2, 2, 1), "uint8"), size=1, label=0, fill=0.25)
    assert np.allclose(drops, 0.75)

"""Bad input, for every public function: refused by the function itself, in words that name the argument."""

from collections.abc import Callable
import inspect
from pathlib import Path
import re
import tempfile
from types import SimpleNamespace
from typing import Any

import convtour
import keras
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

PACKAGE = Path(convtour.__file__).parent
# What is called wrongly on purpose has no types here.
tour: Any = convtour
# Both run other functions of the table, or take no arguments.
ELSEWHERE = {"run_test_harness", "check_machine"}

FOLDER = tempfile.TemporaryDirectory()
RAGGED = [[1, 2], [3]]
NAN, INFINITE = [[1.0, np.nan]], [[1.0, np.inf]]
LETTERS = np.full((1, 9, 2), "a")
STRUCTURED = np.zeros((1, 9, 2), [("red", "u1"), ("green", "u1")])
INPUTS, KERNEL = np.ones((1, 9, 2)), np.ones((3, 2, 4))
X, Y = np.zeros((12, 8, 1), "float32"), np.eye(2)[np.arange(12) % 2]
HISTORY = SimpleNamespace(history={name: [0.5, 0.6] for name in ("loss", "val_loss", "accuracy", "val_accuracy")})
COMPARISON = tour.compare_models([0.5, 0.6], [0.5, 0.7])
NO_INPUT = keras.Sequential([keras.layers.Dense(1)])


def npz(**changes: Any) -> str:
    """A file in the layout of Keras's mnist.npz, but for the changes."""
    digits = np.zeros((2, 28, 28), "uint8"), np.zeros(2, int)
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), 2 * digits, strict=True)) | changes
    handle = tempfile.NamedTemporaryFile(dir=FOLDER.name, suffix=".npz", delete=False)  # noqa: SIM115
    with handle:
        np.savez(handle, **arrays)
    return handle.name


def history(**changes: Any) -> Any:
    return SimpleNamespace(history={**HISTORY.history, **changes})


def not_compiled(input_shape: Any, num_classes: Any) -> keras.Model:
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(num_classes)])


def branched() -> keras.Model:
    inputs = keras.Input((8, 1))
    return keras.Model(inputs, keras.layers.Add()([inputs, keras.layers.ReLU()(inputs)]))


EVEN = [[0.5, 0.5], [0.5, 0.5]]
PIXELS, OF_PIXELS = np.ones((4, 5, 1)), not_compiled((4, 5, 1), 2)
DIGITS = tour.define_model()
PASSES_ON = keras.Sequential([keras.Input((4, 5, 1)), keras.layers.ReLU()])

Case = tuple[str, Callable[[], object], str]
TABLE: dict[str, list[Case]] = {
    "load_dataset": [
        ("a number", lambda: tour.load_dataset(3), "source"),
        ("a list", lambda: tour.load_dataset(["sample"]), "source"),
        ("no such file", lambda: tour.load_dataset("absent.npz"), "source"),
        ("a name too long for the system", lambda: tour.load_dataset("a" * 256), "source"),
        ("a folder", lambda: tour.load_dataset(FOLDER.name), "source"),
        ("times for labels", lambda: tour.load_dataset(npz(y_train=np.zeros(2, "m8[s]"))), "y_train"),
        ("objects for labels", lambda: tour.load_dataset(npz(y_test=np.array([{}, 1]))), "y_test"),
        ("floats for labels", lambda: tour.load_dataset(npz(y_test=np.zeros(2))), "y_test"),
        ("labels beyond 9", lambda: tour.load_dataset(npz(y_test=np.array([0, 10]))), "y_test"),
        ("a structured array", lambda: tour.load_dataset(npz(x_train=STRUCTURED)), "x_train"),
        ("images of floats", lambda: tour.load_dataset(npz(x_test=np.zeros((2, 28, 28)))), "x_test"),
    ],
    "prep_pixels": [
        ("rows of different lengths", lambda: tour.prep_pixels(RAGGED, [1]), "train"),
        ("strings", lambda: tour.prep_pixels(["a"], [1]), "train"),
        ("None", lambda: tour.prep_pixels([1], None), "test"),
        ("floats", lambda: tour.prep_pixels([1], [0.5]), "test"),
        ("times", lambda: tour.prep_pixels(np.zeros(2, "m8[s]"), [1]), "train"),
        ("negative numbers", lambda: tour.prep_pixels([1], [-1]), "test"),
    ],
    "prepare_digit": [
        ("no such file", lambda: tour.prepare_digit("absent.png"), "picture"),
        ("a folder", lambda: tour.prepare_digit(FOLDER.name), "picture"),
        ("None", lambda: tour.prepare_digit(None), "picture"),
        ("NaN", lambda: tour.prepare_digit(np.full((9, 9), np.nan)), "picture"),
        ("floats to 255", lambda: tour.prepare_digit(np.full((9, 9), 255.0)), "picture"),
        ("long integers", lambda: tour.prepare_digit(np.zeros((9, 9), int)), "picture"),
        ("a batch", lambda: tour.prepare_digit(np.zeros((1, 28, 28, 1), "uint8")), "picture"),
        ("no pixels", lambda: tour.prepare_digit(np.zeros((0, 9), "uint8")), "picture"),
        ("a blank page", lambda: tour.prepare_digit(np.zeros((28, 28), "uint8")), "picture"),
    ],
    "define_model": [
        ("a number", lambda: tour.define_model(28), "input_shape"),
        ("a batch axis", lambda: tour.define_model((None, 28, 28, 1)), "input_shape"),
        ("no positions", lambda: tour.define_model((3,)), "input_shape"),
        ("too short", lambda: tour.define_model((3, 28, 1)), "input_shape"),
        ("one class", lambda: tour.define_model((8, 1), 1), "num_classes"),
        ("a float", lambda: tour.define_model((8, 1), 2.0), "num_classes"),
        ("a bool", lambda: tour.define_model((8, 1), True), "num_classes"),
    ],
    "evaluate_model": [
        ("strings", lambda: tour.evaluate_model([["a"]] * 12, Y), "data_x"),
        ("rows of different lengths", lambda: tour.evaluate_model(RAGGED, Y), "data_x"),
        ("NaN", lambda: tour.evaluate_model(X * np.nan, Y), "data_x"),
        ("infinite values", lambda: tour.evaluate_model(X + np.inf, Y), "data_x"),
        ("no samples", lambda: tour.evaluate_model(X[:0], Y[:0]), "n_folds"),
        ("other lengths", lambda: tour.evaluate_model(X, Y[:5]), "data_y"),
        ("labels that are not one-hot", lambda: tour.evaluate_model(X, Y.argmax(axis=1)), "data_y"),
        ("None", lambda: tour.evaluate_model(X, None), "data_y"),
        ("one fold", lambda: tour.evaluate_model(X, Y, 1), "n_folds"),
        ("more folds than samples", lambda: tour.evaluate_model(X, Y, 13), "n_folds"),
        ("a float", lambda: tour.evaluate_model(X, Y, 2.0), "n_folds"),
        ("no epochs", lambda: tour.evaluate_model(X, Y, 2, epochs=0), "epochs"),
        ("a string", lambda: tour.evaluate_model(X, Y, 2, epochs="3"), "epochs"),
    ],
    "cross_validate": [
        ("one signal", lambda: tour.cross_validate(X[0, :, 0], Y), "x"),
        ("complex numbers", lambda: tour.cross_validate(X + 1j, Y), "x"),
        ("a string of folds", lambda: tour.cross_validate(X, Y, cv="five"), "cv"),
        ("a fraction of a fold", lambda: tour.cross_validate(X, Y, cv=2.5), "cv"),
        ("no pairs", lambda: tour.cross_validate(X, Y, cv=[]), "cv"),
        ("samples in both parts", lambda: tour.cross_validate(X, Y, cv=[([0, 1], [1, 2])]), "cv"),
        ("rows that are not there", lambda: tour.cross_validate(X, Y, cv=[([0, 1], [99])]), "cv"),
        ("too few groups", lambda: tour.cross_validate(X, Y, cv=GroupKFold(3), groups=[0] * 12), "cv"),
        ("groups of other samples", lambda: tour.cross_validate(X, Y, groups=[1, 2]), "groups"),
        ("no batch", lambda: tour.cross_validate(X, Y, batch_size=0), "batch_size"),
        ("half a batch", lambda: tour.cross_validate(X, Y, batch_size=0.5), "batch_size"),
        ("a negative seed", lambda: tour.cross_validate(X, Y, seed=-1), "seed"),
        ("a seed beyond 32 bits", lambda: tour.cross_validate(X, Y, seed=2**32), "seed"),
        ("no workers", lambda: tour.cross_validate(X, Y, n_jobs=0), "n_jobs"),
        ("a string of workers", lambda: tour.cross_validate(X, Y, n_jobs="all"), "n_jobs"),
        ("a number", lambda: tour.cross_validate(X, Y, resume_dir=3), "resume_dir"),
        ("no path", lambda: tour.cross_validate(X, Y, resume_dir="a\0b"), "resume_dir"),
        ("a built-in class", lambda: tour.cross_validate(X, Y, model_fn=dict), "model_fn"),
        ("groups of different lengths", lambda: tour.cross_validate(X, Y, groups=[[1], [2, 3]]), "groups"),
        ("no folder", lambda: tour.cross_validate(X, Y, resume_dir=""), "resume_dir"),
        ("a model", lambda: tour.cross_validate(X, Y, model_fn=NO_INPUT), "model_fn"),
        ("a function without arguments", lambda: tour.cross_validate(X, Y, model_fn=lambda: None), "model_fn"),
        ("a model that is not compiled", lambda: tour.cross_validate(X, Y, model_fn=not_compiled), "model_fn"),
    ],
    "plot_rounds": [
        ("no fold", lambda: tour.plot_rounds(0, 2, 2), "n_folds"),
        ("half an epoch", lambda: tour.plot_rounds(5, 0.5, 2), "epochs"),
        ("no worker", lambda: tour.plot_rounds(5, 2, 0), "n_workers"),
    ],
    "plot_folds": [
        ("one sample", lambda: tour.plot_folds(1, 2), "n_samples"),
        ("a string", lambda: tour.plot_folds("20"), "n_samples"),
        ("one fold", lambda: tour.plot_folds(6, 1), "n_folds"),
        ("more folds than samples", lambda: tour.plot_folds(3, 4), "n_folds"),
        ("a float", lambda: tour.plot_folds(6, 2.0), "n_folds"),
    ],
    "summarize_diagnostics": [
        ("all that evaluate_model returns", lambda: tour.summarize_diagnostics(([0.5], [HISTORY])), "histories"),
        ("one history alone", lambda: tour.summarize_diagnostics(HISTORY), "histories"),
        ("scores", lambda: tour.summarize_diagnostics([0.5, 0.6]), "histories"),
        ("none", lambda: tour.summarize_diagnostics([]), "histories"),
        (
            "no epochs",
            lambda: tour.summarize_diagnostics([history(**{name: [] for name in HISTORY.history})]),
            "histories",
        ),
        ("a missing curve", lambda: tour.summarize_diagnostics([SimpleNamespace(history={1: [2]})]), "histories"),
        ("other lengths", lambda: tour.summarize_diagnostics([HISTORY, history(loss=[1])]), "histories"),
        ("strings", lambda: tour.summarize_diagnostics([history(loss=["a", "b"])]), "histories"),
        ("NaN", lambda: tour.summarize_diagnostics([history(loss=[1, np.nan])]), "histories"),
        ("one number", lambda: tour.summarize_diagnostics([HISTORY], tolerance=0.1), "tolerance"),
        ("three numbers", lambda: tour.summarize_diagnostics([HISTORY], tolerance=(1, 1, 1)), "tolerance"),
        ("strings", lambda: tour.summarize_diagnostics([HISTORY], tolerance="ab"), "tolerance"),
        ("none to one side", lambda: tour.summarize_diagnostics([HISTORY], tolerance=(0.1, 0)), "tolerance"),
    ],
    "summarize_performance": [
        ("all that evaluate_model returns", lambda: tour.summarize_performance(([0.5], [HISTORY])), "scores"),
        ("strings", lambda: tour.summarize_performance(["0.5"]), "scores"),
        ("NaN", lambda: tour.summarize_performance([0.5, np.nan]), "scores"),
        ("percent", lambda: tour.summarize_performance(98.0 + np.zeros(5000)), "scores"),
        ("None", lambda: tour.summarize_performance(None), "scores"),
        ("nothing", lambda: tour.summarize_performance([0.5], tolerance=0), "tolerance"),
        ("NaN", lambda: tour.summarize_performance([0.5], tolerance=np.nan), "tolerance"),
        ("a bool", lambda: tour.summarize_performance([0.5], tolerance=True), "tolerance"),
        ("no samples", lambda: tour.summarize_performance([0.5], held_out=0), "held_out"),
        ("half a sample", lambda: tour.summarize_performance([0.5], held_out=0.5), "held_out"),
        ("no names", lambda: tour.summarize_performance([0.5], compare_with=[0.5]), "compare_with"),
        ("percent", lambda: tour.summarize_performance([0.5], compare_with={"they": [98.0]}), "compare_with"),
    ],
    "conv_output_length": [
        ("a float", lambda: tour.conv_output_length(28.0, 3), "length"),
        ("a negative length", lambda: tour.conv_output_length(-1, 3), "length"),
        ("a tuple", lambda: tour.conv_output_length(28, (3,)), "kernel_size"),
        ("a kernel too long", lambda: tour.conv_output_length(2, 3), "kernel_size"),
        ("a bool", lambda: tour.conv_output_length(28, 3, strides=True), "strides"),
        ("a number of zeros", lambda: tour.conv_output_length(28, 3, padding=3), "padding"),
        ("None", lambda: tour.conv_output_length(28, 3, dilation_rate=None), "dilation_rate"),
    ],
    "conv_output_shape": [
        ("a number", lambda: tour.conv_output_shape(28, 2, 3), "input_shape"),
        ("a string", lambda: tour.conv_output_shape("28", 2, 3), "input_shape"),
        ("bytes", lambda: tour.conv_output_shape(b"abcd", 2, 3), "input_shape"),
        ("a set", lambda: tour.conv_output_shape({4, 28, 1}, 2, 3), "input_shape"),
        ("an empty sequence", lambda: tour.conv_output_shape((), 2, 3), "input_shape"),
        ("thousands of axes", lambda: tour.conv_output_shape(range(5000), 2, 3), "input_shape"),
        ("floats", lambda: tour.conv_output_shape((None, 28.0, 1), 2, 3), "input_shape"),
        ("unknown channels", lambda: tour.conv_output_shape((None, 28, None), 2, 3), "input_shape"),
        ("None", lambda: tour.conv_output_shape((None, 28, 1), None, 3), "filters"),
        ("a string for a kernel", lambda: tour.conv_output_shape((None, 28, 1), 2, "3"), "kernel_size"),
        ("an empty kernel", lambda: tour.conv_output_shape((None, 28, 1), 2, ()), "kernel_size"),
        ("a bool", lambda: tour.conv_output_shape((None, 28, 1), 2, True), "kernel_size"),
        ("a float", lambda: tour.conv_output_shape((None, 28, 1), 2, 3, rank=1.0), "rank"),
        ("a dictionary", lambda: tour.conv_output_shape((None, 28, 1), 2, 3, strides={1: 1}), "strides"),
        ("no format", lambda: tour.conv_output_shape((None, 28, 1), 2, 3, data_format=None), "data_format"),
        ("groups that do not divide", lambda: tour.conv_output_shape((None, 28, 3), 4, 3, groups=2), "groups"),
    ],
    "conv_params": [
        ("None", lambda: tour.conv_params(None, 2, (3, 3)), "in_channels"),
        ("a negative number", lambda: tour.conv_params(-1, 2, (3, 3)), "in_channels"),
        ("no filters", lambda: tour.conv_params(3, 0, (3, 3)), "filters"),
        ("None for a kernel", lambda: tour.conv_params(3, 2, None), "kernel_size"),
        ("a rank that is not said", lambda: tour.conv_params(3, 2, 3), "rank"),
        ("a float", lambda: tour.conv_params(3, 2, 3, rank=2.0), "rank"),
        ("a string", lambda: tour.conv_params(3, 2, 3, rank=2, use_bias="no"), "use_bias"),
    ],
    "conv_multiply_adds": [
        ("None", lambda: tour.conv_multiply_adds(None, 2, 3), "input_shape"),
        ("an unknown length", lambda: tour.conv_multiply_adds((1, None, 3), 2, 3), "input_shape"),
        ("a fourth rank", lambda: tour.conv_multiply_adds((1, 9, 9, 9, 9, 3), 2, 3, rank=4), "rank"),
        ("an unknown name", lambda: tour.conv_multiply_adds((1, 9, 3), 2, 3, padding="full"), "padding"),
    ],
    "pool_output_shape": [
        ("a number", lambda: tour.pool_output_shape(28), "input_shape"),
        ("a float", lambda: tour.pool_output_shape((None, 8, 1), 2.0), "pool_size"),
        ("a window too long", lambda: tour.pool_output_shape((None, 8, 1), 9), "pool_size"),
        ("strides of another rank", lambda: tour.pool_output_shape((None, 8, 1), 2, strides=(2, 2)), "strides"),
        ("causal", lambda: tour.pool_output_shape((None, 8, 1), padding="causal"), "padding"),
    ],
    "receptive_field": [
        ("one layer alone", lambda: tour.receptive_field((3, 1, 1)), "layers"),
        ("a number", lambda: tour.receptive_field(3), "layers"),
        ("strings", lambda: tour.receptive_field(["conv"]), "layers"),
        ("two numbers", lambda: tour.receptive_field([(3, 1)]), "layers"),
        ("a float", lambda: tour.receptive_field([(3.0, 1, 1)]), "layers"),
        ("a stride of none", lambda: tour.receptive_field([(3, 0, 1)]), "strides"),
    ],
    "conv_padding": [
        ("a string", lambda: tour.conv_padding("6", 3), "length"),
        ("no kernel", lambda: tour.conv_padding(6, 0), "kernel_size"),
        ("a number of zeros", lambda: tour.conv_padding(6, 3, padding=1), "padding"),
    ],
    "convolve": [
        ("strings", lambda: tour.convolve(LETTERS, KERNEL), "inputs"),
        ("None", lambda: tour.convolve(None, KERNEL), "inputs"),
        ("rows of different lengths", lambda: tour.convolve(RAGGED, KERNEL), "inputs"),
        ("a structured array", lambda: tour.convolve(STRUCTURED, KERNEL), "inputs"),
        ("a symbolic tensor", lambda: tour.convolve(keras.Input((9, 2)), KERNEL), "inputs"),
        ("no batch axis", lambda: tour.convolve(INPUTS[0], KERNEL), "inputs"),
        ("complex numbers", lambda: tour.convolve(INPUTS, KERNEL + 1j), "kernel"),
        ("an empty kernel", lambda: tour.convolve(INPUTS, KERNEL[:0]), "kernel"),
        ("a bias too short", lambda: tour.convolve(INPUTS, KERNEL, [1]), "bias"),
        ("a float", lambda: tour.convolve(INPUTS, KERNEL, strides=1.0), "strides"),
        ("no format", lambda: tour.convolve(INPUTS, KERNEL, data_format=None), "data_format"),
        ("a list", lambda: tour.convolve(INPUTS, KERNEL, groups=[1]), "groups"),
    ],
    "apply_over_batch_axes": [
        ("a number", lambda: tour.apply_over_batch_axes(3, INPUTS, 1), "layer"),
        ("the name of a layer", lambda: tour.apply_over_batch_axes("Conv2D", INPUTS, 1), "layer"),
        ("a layer that returns nothing", lambda: tour.apply_over_batch_axes(lambda x: None, INPUTS, 1), "layer"),
        ("strings", lambda: tour.apply_over_batch_axes(np.abs, LETTERS, 1), "inputs"),
        ("None", lambda: tour.apply_over_batch_axes(np.abs, None, 1), "inputs"),
        ("a shape alone", lambda: tour.apply_over_batch_axes(np.abs, SimpleNamespace(shape=(1, 2)), 1), "inputs"),
        ("a float", lambda: tour.apply_over_batch_axes(np.abs, INPUTS, 1.0), "batch_axes"),
        ("more than there are", lambda: tour.apply_over_batch_axes(np.abs, INPUTS, 4), "batch_axes"),
    ],
    "model_table": [
        ("None", lambda: tour.model_table(None), "model"),
        ("a layer", lambda: tour.model_table(keras.layers.Dense(1)), "model"),
        ("the function that builds it", lambda: tour.model_table(tour.define_model), "model"),
        ("a model without an input shape", lambda: tour.model_table(NO_INPUT), "model"),
        ("a model with branches", lambda: tour.model_table(branched()), "model"),
    ],
    "explore_convolution": [
        ("a float", lambda: tour.explore_convolution(rank=2.0), "rank"),
        ("a bool", lambda: tour.explore_convolution(rank=True), "rank"),
        ("an array", lambda: tour.explore_convolution(rank=np.array([1, 2])), "rank"),
        ("a list", lambda: tour.explore_convolution(rank=[1]), "rank"),
    ],
    "explore_kernel": [
        ("None", lambda: tour.explore_kernel(None), "image"),
        ("strings", lambda: tour.explore_kernel(np.full((28, 28), "a")), "image"),
        ("rows of different lengths", lambda: tour.explore_kernel(RAGGED), "image"),
        ("NaN", lambda: tour.explore_kernel(np.full((28, 28), np.nan)), "image"),
        ("infinite values", lambda: tour.explore_kernel(np.full((28, 28), np.inf)), "image"),
        ("all digits at once", lambda: tour.explore_kernel(np.zeros((9, 28, 28, 1), "uint8")), "image"),
        ("three channels", lambda: tour.explore_kernel(np.zeros((28, 28, 3))), "image"),
        ("another size", lambda: tour.explore_kernel(np.zeros((32, 32))), "image"),
        ("grey values as floats", lambda: tour.explore_kernel(np.full((28, 28), 255.0)), "image"),
        ("values below 0", lambda: tour.explore_kernel(np.full((28, 28), -0.5)), "image"),
    ],
    "plot_convolution": [
        ("strings", lambda: tour.plot_convolution("abc", [1]), "inputs"),
        ("rows of different lengths", lambda: tour.plot_convolution(RAGGED, [[1]]), "inputs"),
        ("NaN", lambda: tour.plot_convolution(NAN, [[1]]), "inputs"),
        ("nothing", lambda: tour.plot_convolution([], [1]), "inputs"),
        ("another rank", lambda: tour.plot_convolution([1, 2], [[1]]), "kernel"),
        ("infinite values", lambda: tour.plot_convolution([[1, 2]], INFINITE), "kernel"),
        ("a number", lambda: tour.plot_convolution([1, 2], [1], at=1), "at="),
        ("a float", lambda: tour.plot_convolution([1, 2], [1], at=[1.0]), "at="),
        ("a negative place", lambda: tour.plot_convolution([1, 2], [1], at=[-1]), "at="),
        ("beyond the output", lambda: tour.plot_convolution([1, 2], [1], at=[2]), "at="),
        ("one for each axis", lambda: tour.plot_convolution([1, 2], [1], strides=(1,)), "strides"),
    ],
    "plot_connections": [
        ("a float", lambda: tour.plot_connections(6.0, [{"kernel_size": 3}]), "length"),
        ("no layers", lambda: tour.plot_connections(6, []), "layers"),
        ("a number", lambda: tour.plot_connections(6, 3), "layers"),
        ("one layer alone", lambda: tour.plot_connections(6, {"kernel_size": 3}), "layers"),
        ("no kernel", lambda: tour.plot_connections(6, [{"strides": 2}]), "layers"),
        ("an unknown key", lambda: tour.plot_connections(6, [{"kernel_size": 3, "groups": 2}]), "layers"),
        ("numbers", lambda: tour.plot_connections(6, [(3, 1, 1)]), "layers"),
        ("a string for a kernel", lambda: tour.plot_connections(6, [{"kernel_size": "3"}]), "kernel_size"),
        ("half a place", lambda: tour.plot_connections(6, [{"kernel_size": 3}], at=0.5), "at="),
        ("beyond the output", lambda: tour.plot_connections(6, [{"kernel_size": 3}], at=4), "at="),
        ("before the output", lambda: tour.plot_connections(6, [{"kernel_size": 3}], at=-5), "at="),
    ],
    "plot_paddings": [
        ("None", lambda: tour.plot_paddings(None, 3), "length"),
        ("a float", lambda: tour.plot_paddings(6, 3.0), "kernel_size"),
        ("a tuple", lambda: tour.plot_paddings(6, 3, at=(2,)), "at="),
        ("strides beside dilation", lambda: tour.plot_paddings(6, 3, strides=2, dilation_rate=2), "strides"),
    ],
    "plot_groups": [
        ("no channels", lambda: tour.plot_groups(0, 2, 1), "in_channels"),
        ("a float", lambda: tour.plot_groups(4, 2.0, 1), "filters"),
        ("no groups", lambda: tour.plot_groups(4, 2, 0), "groups"),
        ("groups that do not divide", lambda: tour.plot_groups(4, 3, 2), "groups"),
    ],
    "plot_digits": [
        ("strings", lambda: tour.plot_digits([["a"]], "a"), "images"),
        ("rows of different lengths", lambda: tour.plot_digits([RAGGED], "a"), "images"),
        ("NaN", lambda: tour.plot_digits([NAN], "a"), "images"),
        ("no images", lambda: tour.plot_digits([], ""), "images"),
        ("images without pixels", lambda: tour.plot_digits(np.zeros((1, 0, 4)), "a"), "images"),
        ("beyond 1", lambda: tour.plot_digits(np.full((1, 4, 4), 2.0), "a"), "images"),
        ("a number", lambda: tour.plot_digits(np.zeros((1, 4, 4)), 7), "titles"),
        ("None", lambda: tour.plot_digits(np.zeros((1, 4, 4)), None), "titles"),
        ("too few", lambda: tour.plot_digits(np.zeros((2, 4, 4)), ["a"]), "titles"),
        ("no columns", lambda: tour.plot_digits(np.zeros((1, 4, 4)), "a", columns=0), "columns"),
        ("half a column", lambda: tour.plot_digits(np.zeros((1, 4, 4)), "a", columns=0.5), "columns"),
    ],
    "plot_maps": [
        ("a number", lambda: tour.plot_maps(3, "a"), "maps"),
        ("strings", lambda: tour.plot_maps([[["a"]]], "a"), "maps"),
        ("rows of different lengths", lambda: tour.plot_maps([RAGGED], "a"), "maps"),
        ("NaN", lambda: tour.plot_maps([NAN], "a"), "maps"),
        ("infinite values", lambda: tour.plot_maps([INFINITE], "a"), "maps"),
        ("no maps", lambda: tour.plot_maps([], ""), "maps"),
        ("an empty map", lambda: tour.plot_maps([[[]]], "a"), "maps"),
        ("None", lambda: tour.plot_maps([[[1]]], None), "titles"),
        ("a string", lambda: tour.plot_maps([[[1]]], "a", diverging="yes"), "diverging"),
        ("no columns", lambda: tour.plot_maps([[[1]]], "a", columns=0), "columns"),
        ("a number", lambda: tour.plot_maps([[[1]]], "a", shared_scale=1), "shared_scale"),
        ("a negative border", lambda: tour.plot_maps([[[1]]], "a", border=-1), "border"),
        ("half a border", lambda: tour.plot_maps([[[1]]], "a", border=0.5), "border"),
        ("a string", lambda: tour.plot_maps([[[1]]], "a", tolerance="0.1"), "tolerance"),
    ],
    "plot_signals": [
        ("no mapping", lambda: tour.plot_signals([1, 2, 3]), "signals"),
        ("none", lambda: tour.plot_signals({}), "signals"),
        ("nine", lambda: tour.plot_signals({name: [1] for name in "abcdefghi"}), "signals"),
        ("strings", lambda: tour.plot_signals({"a": ["b"]}), "signals"),
        ("a number", lambda: tour.plot_signals({"a": 1}), "signals"),
        ("an empty signal", lambda: tour.plot_signals({"a": []}), "signals"),
        ("nothing but gaps", lambda: tour.plot_signals({"a": [np.nan]}), "signals"),
        ("infinite values", lambda: tour.plot_signals({"a": [1, np.inf]}), "signals"),
        ("half a step", lambda: tour.plot_signals({"a": [1]}, now=0.5), "now"),
        ("beyond the end", lambda: tour.plot_signals({"a": [1]}, now=1), "now"),
        ("no names", lambda: tour.plot_signals({"a": [1]}, marked=[(0, 0)]), "marked"),
        ("a number", lambda: tour.plot_signals({"a": [1]}, marked=3), "marked"),
        ("another name", lambda: tour.plot_signals({"a": [1]}, marked={"b": (0, 0)}), "marked"),
        ("one step", lambda: tour.plot_signals({"a": [1]}, marked={"a": 0}), "marked"),
        ("three steps", lambda: tour.plot_signals({"a": [1]}, marked={"a": (0, 0, 0)}), "marked"),
        ("beyond the end", lambda: tour.plot_signals({"a": [1]}, marked={"a": (0, 1)}), "marked"),
        ("a list", lambda: tour.plot_signals({"a": [1]}, tolerance=[0.1]), "tolerance"),
    ],
    "plot_histogram": [
        ("strings", lambda: tour.plot_histogram("ab", {}), "values"),
        ("a number", lambda: tour.plot_histogram(3, {}), "values"),
        ("nothing", lambda: tour.plot_histogram([], {}), "values"),
        ("NaN", lambda: tour.plot_histogram([1, np.nan], {}), "values"),
        ("a table", lambda: tour.plot_histogram([[1]], {}), "values"),
        ("no names", lambda: tour.plot_histogram([1], [1]), "marked"),
        ("a string", lambda: tour.plot_histogram([1], {"ours": "a"}), "marked"),
        ("NaN", lambda: tour.plot_histogram([1], {"ours": np.nan}), "marked"),
        ("infinite", lambda: tour.plot_histogram([1], {"ours": np.inf}), "marked"),
        ("infinite", lambda: tour.plot_histogram([1], {}, tolerance=np.inf), "tolerance"),
    ],
    "compare_models": [
        ("strings", lambda: tour.compare_models(["a", "b"], [0.5, 0.5]), "baseline"),
        ("None", lambda: tour.compare_models([0.5, 0.5], None), "candidate"),
        ("percent", lambda: tour.compare_models([98.0, 98.5], [0.5, 0.5]), "baseline"),
        ("NaN", lambda: tour.compare_models([0.5, 0.5], [0.5, np.nan]), "candidate"),
        ("one fold", lambda: tour.compare_models([0.5], [0.5]), "baseline"),
        ("rows of different lengths", lambda: tour.compare_models(RAGGED, [0.5, 0.5]), "baseline"),
        ("other folds", lambda: tour.compare_models([0.5, 0.5], [0.5, 0.5, 0.5]), "candidate"),
        ("mixed kinds", lambda: tour.compare_models([0.5, 0.5], tour.CrossValidation((), 0)), "candidate"),
        ("no folds", lambda: tour.compare_models(*2 * [tour.CrossValidation((), 0)]), "baseline"),
        ("negative", lambda: tour.compare_models([0.5, 0.6], [0.5, 0.5], test_to_train=-1), "test_to_train"),
        ("NaN", lambda: tour.compare_models([0.5, 0.6], [0.5, 0.5], test_to_train=np.nan), "test_to_train"),
        ("a string", lambda: tour.compare_models([0.5, 0.6], [0.5, 0.5], test_to_train="1/4"), "test_to_train"),
        ("percent", lambda: tour.compare_models([0.5, 0.6], [0.5, 0.5], confidence=95), "confidence"),
        ("a bool", lambda: tour.compare_models([0.5, 0.6], [0.5, 0.5], confidence=True), "confidence"),
        ("two", lambda: tour.compare_models([0.5, 0.6], [0.5, 0.5], confidence=[0.9, 0.95]), "confidence"),
    ],
    "plot_differences": [
        ("no mapping", lambda: tour.plot_differences([COMPARISON]), "comparisons"),
        ("one comparison", lambda: tour.plot_differences(COMPARISON), "comparisons"),
        ("none", lambda: tour.plot_differences({}), "comparisons"),
        ("scores", lambda: tour.plot_differences({"ours": [0.5, 0.6]}), "comparisons"),
        ("one number", lambda: tour.plot_differences({"ours": COMPARISON}, tolerance=0.5), "tolerance"),
        ("three", lambda: tour.plot_differences({"ours": COMPARISON}, tolerance=(1, 1, 1)), "tolerance"),
        ("nothing", lambda: tour.plot_differences({"ours": COMPARISON}, tolerance=(1, 0)), "tolerance"),
    ],
    "plot_confusion": [
        ("letters", lambda: tour.plot_confusion([0, 1], [["a", "b"]] * 2), "probabilities"),
        ("rows of different lengths", lambda: tour.plot_confusion([0, 1], RAGGED), "probabilities"),
        ("a column of a sigmoid", lambda: tour.plot_confusion([0, 1], [[0.3], [0.8]]), "probabilities"),
        ("no samples", lambda: tour.plot_confusion([], np.empty((0, 2))), "probabilities"),
        ("NaN", lambda: tour.plot_confusion([0], NAN), "probabilities"),
        ("logits", lambda: tour.plot_confusion([0], [[3.0, -1.0]]), "probabilities"),
        ("answers in place of probabilities", lambda: tour.plot_confusion([0, 1], [0, 1]), "probabilities"),
        ("too few labels", lambda: tour.plot_confusion([0], EVEN), "y_true"),
        ("one-hot labels of other classes", lambda: tour.plot_confusion(np.eye(3)[[0, 1]], EVEN), "y_true"),
        ("labels that are not one-hot", lambda: tour.plot_confusion([[1, 1], [0, 1]], EVEN), "y_true"),
        ("a class beyond the last", lambda: tour.plot_confusion([0, 2], EVEN), "y_true"),
        ("a negative class", lambda: tour.plot_confusion([0, -1], EVEN), "y_true"),
        ("floats for labels", lambda: tour.plot_confusion([0.0, 1.0], EVEN), "y_true"),
        ("names for labels", lambda: tour.plot_confusion(["cat", "dog"], EVEN), "y_true"),
        ("too few names", lambda: tour.plot_confusion([0, 1], EVEN, class_names=["cat"]), "class_names"),
        ("a number for names", lambda: tour.plot_confusion([0, 1], EVEN, class_names=2), "class_names"),
        ("too many classes", lambda: tour.plot_confusion([0], np.eye(31)[:1]), "classes"),
        ("a negative tolerance", lambda: tour.plot_confusion([0, 1], EVEN, tolerance=-1), "tolerance"),
    ],
    "plot_reliability": [
        ("None", lambda: tour.plot_reliability([0, 1], None), "probabilities"),
        ("logits", lambda: tour.plot_reliability([0], [[3.0, -1.0]]), "probabilities"),
        ("too few labels", lambda: tour.plot_reliability([0], EVEN), "y_true"),
        ("one bin", lambda: tour.plot_reliability([0, 1], EVEN, bins=1), "bins"),
        ("many bins", lambda: tour.plot_reliability([0, 1], EVEN, bins=51), "bins"),
        ("half a bin", lambda: tour.plot_reliability([0, 1], EVEN, bins=2.5), "bins"),
        ("two tolerances", lambda: tour.plot_reliability([0, 1], EVEN, tolerance=(1, 2)), "tolerance"),
    ],
    "occlusion_map": [
        ("no model", lambda: tour.occlusion_map("model", PIXELS), "model"),
        ("a layer", lambda: tour.occlusion_map(keras.layers.Dense(2), PIXELS), "model"),
        ("a model that is not built", lambda: tour.occlusion_map(NO_INPUT, PIXELS), "model"),
        ("a model of signals", lambda: tour.occlusion_map(not_compiled((8, 1), 2), PIXELS), "model"),
        ("a model without a row of classes", lambda: tour.occlusion_map(PASSES_ON, PIXELS), "model"),
        ("letters", lambda: tour.occlusion_map(OF_PIXELS, LETTERS), "image"),
        ("NaN", lambda: tour.occlusion_map(OF_PIXELS, PIXELS * np.nan), "image"),
        ("a batch", lambda: tour.occlusion_map(OF_PIXELS, PIXELS[None]), "image"),
        ("no channels", lambda: tour.occlusion_map(OF_PIXELS, PIXELS[..., 0]), "image"),
        ("another size", lambda: tour.occlusion_map(OF_PIXELS, PIXELS[:3]), "image"),
        ("no patch", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, size=0), "size"),
        ("a patch larger than the image", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, size=6), "size"),
        ("half a pixel", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, size=2.5), "size"),
        ("a class beyond the last", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, label=2), "label"),
        ("one-hot", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, label=[1, 0]), "label"),
        ("a colour", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, fill=[0, 0, 0]), "fill"),
        ("a word", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, fill="black"), "fill"),
        ("infinite", lambda: tour.occlusion_map(OF_PIXELS, PIXELS, fill=np.inf), "fill"),
    ],
    "draw_digit": [
        ("a string", lambda: tour.draw_digit("model.keras"), "model"),
        ("a function", lambda: tour.draw_digit(tour.define_model), "model"),
        ("other images", lambda: tour.draw_digit(OF_PIXELS), "model"),
        ("two classes", lambda: tour.draw_digit(tour.define_model((28, 28, 1), 2)), "model"),
        ("not built", lambda: tour.draw_digit(NO_INPUT), "model"),
        ("logits", lambda: tour.draw_digit(not_compiled((28, 28, 1), 10)), "model"),
        ("a list", lambda: tour.draw_digit(DIGITS, [np.eye(28)]), "samples"),
        ("none", lambda: tour.draw_digit(DIGITS, {}), "samples"),
        ("another shape", lambda: tour.draw_digit(DIGITS, {"a": np.eye(27)}), "samples"),
        ("beyond 1", lambda: tour.draw_digit(DIGITS, {"a": 2 * np.eye(28)}), "samples"),
        ("NaN", lambda: tour.draw_digit(DIGITS, {"a": np.nan * np.eye(28)}), "samples"),
        ("strings", lambda: tour.draw_digit(DIGITS, {"a": "b"}), "samples"),
        ("a number", lambda: tour.draw_digit(DIGITS, layer=0), "layer"),
        ("no such layer", lambda: tour.draw_digit(DIGITS, layer="absent"), "layer"),
        ("a layer without maps", lambda: tour.draw_digit(DIGITS, layer=DIGITS.layers[-1].name), "layer"),
        ("a string", lambda: tour.draw_digit(DIGITS, tolerance="3"), "tolerance"),
    ],
}


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        pytest.param(call, argument, id=f"{function}, {argument}: {case}")
        for function, cases in TABLE.items()
        for case, call, argument in cases
    ],
)
def test_bad_input_is_refused_by_the_function_itself_in_words_that_name_the_argument(
    call: Callable[[], object], argument: str
) -> None:
    with pytest.raises((ValueError, TypeError, FileNotFoundError)) as caught:
        call()
    message = str(caught.value)
    assert re.search(rf"(?<!\w){re.escape(argument)}", message), message
    assert len(message) <= 400, message
    assert Path(caught.traceback[-1].path).is_relative_to(PACKAGE), f"{caught.traceback[-1].path} says: {message}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_every_public_function_is_in_the_table() -> None:
    functions = {name for name in tour.__all__ if inspect.isfunction(getattr(tour, name))}
    assert TABLE.keys() == functions - ELSEWHERE
    assert all(TABLE.values())

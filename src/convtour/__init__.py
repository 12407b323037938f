"""A tour of Keras convolution layers: the functions that its notebooks call.

Importing the package is instant: Keras, matplotlib and scikit-learn load when a function that needs them is first used.

Examples
--------
>>> import convtour
>>> x_train, y_train, x_test, y_test = convtour.load_dataset("sample")
>>> x_train.shape, y_train.shape
((8000, 28, 28, 1), (8000, 10))
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convtour.arithmetic import (
        conv_multiply_adds,
        conv_output_length,
        conv_output_shape,
        conv_params,
        model_arithmetic,
        pool_output_shape,
        receptive_field,
    )
    from convtour.axes import fold_batch_axes
    from convtour.data import load_dataset, prep_pixels
    from convtour.definition import convolve, pad_amounts
    from convtour.explorer import explore_convolution
    from convtour.figures import Picture, plot_digits, plot_folds, summarize_diagnostics, summarize_performance
    from convtour.harness import run_test_harness
    from convtour.kfold import evaluate_model
    from convtour.machine import check_machine
    from convtour.models import define_model
    from convtour.pictures import (
        plot_connections,
        plot_convolution,
        plot_groups,
        plot_maps,
        plot_paddings,
        plot_signals,
    )

__version__ = "0.1.0"

__all__ = [
    "Picture",
    "check_machine",
    "conv_multiply_adds",
    "conv_output_length",
    "conv_output_shape",
    "conv_params",
    "convolve",
    "define_model",
    "evaluate_model",
    "explore_convolution",
    "fold_batch_axes",
    "load_dataset",
    "model_arithmetic",
    "pad_amounts",
    "plot_connections",
    "plot_convolution",
    "plot_digits",
    "plot_folds",
    "plot_groups",
    "plot_maps",
    "plot_paddings",
    "plot_signals",
    "pool_output_shape",
    "prep_pixels",
    "receptive_field",
    "run_test_harness",
    "summarize_diagnostics",
    "summarize_performance",
]

# Where each public name is defined.
_NAMES_OF = {
    "arithmetic": [
        "conv_multiply_adds",
        "conv_output_length",
        "conv_output_shape",
        "conv_params",
        "model_arithmetic",
        "pool_output_shape",
        "receptive_field",
    ],
    "axes": [
        "fold_batch_axes",
    ],
    "data": [
        "load_dataset",
        "prep_pixels",
    ],
    "definition": [
        "convolve",
        "pad_amounts",
    ],
    "explorer": [
        "explore_convolution",
    ],
    "figures": [
        "Picture",
        "plot_digits",
        "plot_folds",
        "summarize_diagnostics",
        "summarize_performance",
    ],
    "harness": [
        "run_test_harness",
    ],
    "kfold": [
        "evaluate_model",
    ],
    "machine": [
        "check_machine",
    ],
    "models": [
        "define_model",
    ],
    "pictures": [
        "plot_connections",
        "plot_convolution",
        "plot_groups",
        "plot_maps",
        "plot_paddings",
        "plot_signals",
    ],
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'convtour' has no attribute {name!r}; it offers {', '.join(__all__)}")
    value: object = getattr(import_module(f"convtour.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

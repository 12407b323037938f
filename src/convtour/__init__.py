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
    from convtour.data import load_dataset, prep_pixels
    from convtour.figures import Picture, plot_digits, plot_folds, summarize_diagnostics, summarize_performance
    from convtour.harness import run_test_harness
    from convtour.kfold import evaluate_model
    from convtour.models import define_model

__version__ = "0.1.0"

__all__ = [
    "Picture",
    "define_model",
    "evaluate_model",
    "load_dataset",
    "plot_digits",
    "plot_folds",
    "prep_pixels",
    "run_test_harness",
    "summarize_diagnostics",
    "summarize_performance",
]

_MODULE_OF = {
    "Picture": "figures",
    "define_model": "models",
    "evaluate_model": "kfold",
    "load_dataset": "data",
    "plot_digits": "figures",
    "plot_folds": "figures",
    "prep_pixels": "data",
    "run_test_harness": "harness",
    "summarize_diagnostics": "figures",
    "summarize_performance": "figures",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'convtour' has no attribute {name!r}; it offers {', '.join(__all__)}")
    value: object = getattr(import_module(f"convtour.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""A tour of Keras convolution layers: the functions that its notebooks call.

Importing the package is instant: Keras, matplotlib and scikit-learn load when a function that needs them is first used.
The public names stand in ``__init__.pyi``.

Examples
--------
>>> import convtour
>>> x_train, y_train, x_test, y_test = convtour.load_dataset("sample")
>>> x_train.shape, y_train.shape
((8000, 28, 28, 1), (8000, 10))
"""

from convtour import _keras as _keras  # sets what must be set before Keras is imported, by whomever
import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

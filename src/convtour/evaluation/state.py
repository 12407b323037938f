"""What passes between a cross-validation and its workers, and what comes out of it: types only, without Keras."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.intp]
ModelFunction = Callable[[tuple[int, ...], int], "keras.Model"]
Verbose = int | Literal["bar"]


NOT_YET: Array = np.empty((0, 0), np.float32)  # probabilities of a fold that has not ended


@dataclass(frozen=True)
class Job:
    """What all parts share; everything but the data."""

    model_fn: bytes  # pickled, and unpickled only when the settings are in place
    input_shape: tuple[int, ...]
    num_classes: int
    epochs: int
    batch_size: int
    seed: int
    backend: str
    floatx: str
    epsilon: float
    image_data_format: str
    dtype_policy: str
    caller: int | None  # process that wants this, if its workers are its children


@dataclass(frozen=True)
class Part:
    """Some epochs of one fold, ``start`` up to and without ``stop``."""

    fold: int
    start: int
    stop: int
    train: Rows
    held_out: Rows
    variables: bytes | None  # as they were after `start` epochs; None for a fold that begins

    @property
    def epochs(self) -> str:
        """Its epochs in words, counted from 1."""
        return f"epoch {self.start + 1}" + f" to {self.stop}" * (self.stop > self.start + 1)


@dataclass(frozen=True)
class Report:
    """What a worker says of a part."""

    logs: list[dict[str, float]]  # an entry per epoch
    variables: bytes | None  # where the fold goes on
    probabilities: Array  # where it has ended
    one_thread: bool  # whether the worker computes on one, as far as can be known


@dataclass(frozen=True)
class Progress:
    """How far a fold has come."""

    logs: list[dict[str, float]] = field(default_factory=list)  # an entry per epoch
    variables: bytes | None = None
    probabilities: Array = field(default_factory=lambda: NOT_YET)

    @property
    def epochs(self) -> int:
        """Number of epochs that are done."""
        return len(self.logs)

    def after(self, report: Report) -> "Progress":
        """The same, some epochs later."""
        return Progress([*self.logs, *report.logs], report.variables, report.probabilities)


class FoldError(RuntimeError):
    """The training of a fold failed; the message says which, where and why."""


@dataclass(frozen=True, repr=False)
class Fold:
    """One fold of a cross-validation.

    Attributes
    ----------
    held_out : ndarray of int, shape (m,)
        Rows of the data that the model has not seen.
    probabilities : ndarray, shape (m, num_classes)
        What the trained model said of each of them, in the order of `held_out`.
    history : keras.callbacks.History
        Its curves: ``history.history["val_loss"]`` and the others, a value per epoch.
    score : float
        Accuracy on the rows held out, 0 to 1.
    """

    held_out: Rows
    probabilities: Array
    history: "keras.callbacks.History"
    score: float

    def __repr__(self) -> str:
        return f"Fold(score={self.score:.5f}, {len(self.held_out)} samples held out)"


@dataclass(frozen=True, repr=False)
class CrossValidation:
    """What `cross_validate` returns.

    Taught in notebook ``06_mnist_baseline``.

    Attributes
    ----------
    folds : tuple of Fold
        In the order of the splitter.
    n_samples : int
        Number of samples that there were.
    """

    folds: tuple[Fold, ...]
    n_samples: int

    @property
    def scores(self) -> list[float]:
        """Accuracy on each held-out fold, 0 to 1."""
        return [fold.score for fold in self.folds]

    @property
    def histories(self) -> "list[keras.callbacks.History]":
        """The curves of each fold."""
        return [fold.history for fold in self.folds]

    @property
    def probabilities(self) -> Array:
        """What was said of each sample by the one model that had not seen it, shape (n, num_classes).

        Raises
        ------
        ValueError
            If the folds are not a partition: some sample is held out more than once, or never.
        """
        rows = np.concatenate([fold.held_out for fold in self.folds])
        times = np.bincount(rows, minlength=self.n_samples)
        if (times != 1).any():
            raise ValueError(
                f"The folds hold out {(times > 1).sum()} samples more than once and {(times == 0).sum()} never, so "
                "there is not one answer for each; the answers of a fold are in folds[i].probabilities."
            )
        return np.concatenate([fold.probabilities for fold in self.folds])[np.argsort(rows)]

    def __repr__(self) -> str:
        percent = 100 * np.array(self.scores)
        return (
            f"CrossValidation of {self.n_samples} samples: accuracy mean={percent.mean():.3f} std={percent.std():.3f}, "
            f"n={len(percent)}"
        )

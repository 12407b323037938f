"""One part of one fold, trained."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from convtour._keras import keras
from convtour._worker import Job, Part, Report, Variables
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from convtour.kfold import ModelFunction

# TensorFlow runs this many steps for one call from Python. The numbers are the same; what each call costs is saved.
_STEPS_PER_EXECUTION = 100


def train(
    part: Part, job: Job, model_fn: "ModelFunction", x: npt.NDArray[Any], y: npt.NDArray[Any]
) -> Iterator[Report]:
    """Yield, for each epoch, its loss and accuracy on both sides of the split, and the variables where wanted."""
    keras.utils.set_random_seed(job.seed + part.fold)
    model = model_fn(x.shape[1:], y.shape[1])
    if keras.backend.backend() == "tensorflow":
        model.steps_per_execution = max(model.steps_per_execution, _STEPS_PER_EXECUTION)
    if part.variables is not None:
        model.test_on_batch(x[:1], y[:1])  # a model without an Input layer has no variables before its first batch
        model.optimizer.build(model.trainable_variables)
        _restore(model, part.variables)
    # No gradients to keep, so four times as many samples fit where a training step does.
    held_out = Batches(x, y, part.held_out, 4 * job.batch_size)
    for epoch in range(part.start, part.stop):
        # The order depends on nothing that came before, so that a fold can go on in another process.
        order = np.random.default_rng([job.seed, part.fold, epoch]).permutation(part.train)
        history = model.fit(Batches(x, y, order, job.batch_size), shuffle=False, verbose=0).history
        logs = {name: float(values[-1]) for name, values in history.items()}
        judged = model.evaluate(held_out, return_dict=True, verbose=0)
        logs |= {f"val_{name}": float(value) for name, value in judged.items()}
        ends = epoch + 1 == part.stop
        goes_on = not part.last if ends else job.keep_state
        yield logs, _variables(model) if goes_on else None


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Some rows of two arrays, in a given order, a batch at a time; the arrays themselves are never copied."""

    def __init__(self, x: npt.NDArray[Any], y: npt.NDArray[Any], rows: npt.NDArray[np.intp], batch_size: int) -> None:
        super().__init__()
        self._x, self._y, self._rows, self._batch_size = x, y, rows, batch_size

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        rows = self._rows[index * self._batch_size : (index + 1) * self._batch_size]
        return self._x[rows], self._y[rows]


def _variables(model: keras.Model) -> Variables:
    """All that the model and its optimizer remember, random states included."""
    return [np.asarray(variable).copy() for variable in [*model.variables, *model.optimizer.variables]]


def _restore(model: keras.Model, values: Variables) -> None:
    variables = [*model.variables, *model.optimizer.variables]
    if [variable.shape for variable in variables] != [value.shape for value in values]:
        raise ValueError("model_fn did not build the same model again; it must depend on nothing but its arguments.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value.view(variable.dtype) if value.dtype.kind == "V" else value)

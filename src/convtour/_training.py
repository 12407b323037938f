"""One part of one fold, trained."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from convtour._keras import keras
from convtour._worker import Job, Part, Report, Variables
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from convtour.kfold import ModelFunction

# Steps that TensorFlow is given at once. The numbers are the same; what each call costs, and each batch that is handed
# over, is saved.
_STEPS_AT_ONCE = 50


def train(
    part: Part, job: Job, model_fn: "ModelFunction", x: npt.NDArray[Any], y: npt.NDArray[Any]
) -> Iterator[Report]:
    """Yield, for each epoch, its loss and accuracy on both sides of the split, and the variables where wanted."""
    keras.utils.set_random_seed(job.seed + part.fold)
    model = model_fn(x.shape[1:], y.shape[1])
    # A model without an Input layer has no variables before its first batch, and no model has those of its metrics.
    eager, model.run_eagerly = model.run_eagerly, True
    model.test_on_batch(x[:1], y[:1])
    model.run_eagerly = eager
    model.optimizer.build(model.trainable_variables)
    if part.variables is not None:
        _restore(model, part.variables)
    at_once = keras.backend.backend() == "tensorflow" and not (eager or has_gpu())
    trainer = ManySteps(model, job.batch_size) if at_once else model
    # No gradients to keep, so four times as many samples fit where a training step does.
    held_out = Batches(x, y, part.held_out, 4 * job.batch_size)
    for epoch in range(part.start, part.stop):
        # The order depends on nothing that came before, so that a fold can go on in another process.
        order = np.random.default_rng([job.seed, part.fold, epoch]).permutation(part.train)
        model.reset_metrics()
        trainer.fit(Batches(x, y, order, job.batch_size * (_STEPS_AT_ONCE if at_once else 1)), shuffle=False, verbose=0)
        logs = {name: float(value) for name, value in sorted(model.get_metrics_result().items())}
        judged = model.evaluate(held_out, return_dict=True, verbose=0)
        logs |= {f"val_{name}": float(value) for name, value in sorted(judged.items())}
        ends = epoch + 1 == part.stop
        goes_on = not part.last if ends else job.keep_state
        yield logs, _variables(model) if goes_on else None


class ManySteps(keras.Model):  # type: ignore[misc]
    """Train another model on many batches in one step of this one, without going back to Python between them."""

    def __init__(self, model: keras.Model, batch_size: int) -> None:
        super().__init__()
        self._model, self._batch_size = model, batch_size
        self.compile(optimizer=None, jit_compile=model.jit_compile)

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Run the other model's own training step on one batch of the rows after the other."""
        x, y = data
        rows = keras.ops.shape(x)[0]

        def one_batch(start: Any) -> tuple[Any]:
            stop = start + self._batch_size
            self._model.train_step((x[start:stop], y[start:stop]))
            return (stop,)

        keras.ops.while_loop(lambda start: start < rows, one_batch, (0,))
        result: dict[str, Any] = self._model.get_metrics_result()
        return result


def has_gpu() -> bool:
    """Whether Keras computes on a GPU."""
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except Exception:  # Keras on JAX raises where there is none, and Keras on PyTorch has no such list
        return False


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

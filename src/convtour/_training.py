"""One part of one fold, trained."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from convtour._keras import keras
from convtour._worker import Job, Part, Report, Variables
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from convtour.kfold import ModelFunction

# What TensorFlow is handed at once, many batches. The numbers do not depend on it.
_BYTES_AT_ONCE = 8_000_000


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
    many_at_once = keras.backend.backend() == "tensorflow" and not (model.run_eagerly or model.jit_compile or has_gpu())
    walk = _many_at_once if many_at_once else _one_by_one
    if model.optimizer.use_ema and not many_at_once:
        raise ValueError(
            "an optimizer with use_ema=True is kept apart from epoch to epoch only by TensorFlow on a CPU."
        )
    training = walk(model, job.batch_size, x, y)
    # No gradients to keep, so four times as many samples fit where a training step does.
    judging = walk(model, 4 * job.batch_size, x, y, learn=False)
    for epoch in range(part.start, part.stop):
        # The order depends on nothing that came before, so that a fold can go on in another process.
        order = np.random.default_rng([job.seed, part.fold, epoch]).permutation(part.train)
        training(order)
        logs = _metrics(model)
        ends = epoch + 1 == part.stop
        if ends and part.last and many_at_once:
            model.optimizer.finalize_variable_values(model.trainable_variables)  # as fit does when it ends
        judging(part.held_out)
        logs |= {f"val_{name}": value for name, value in _metrics(model).items()}
        goes_on = not part.last if ends else job.keep_state
        yield logs, _variables(model) if goes_on else None


Walk = Callable[[npt.NDArray[np.intp]], object]


def _one_by_one(
    model: keras.Model, batch_size: int, x: npt.NDArray[Any], y: npt.NDArray[Any], *, learn: bool = True
) -> Walk:
    """Train or judge a model as Keras does, on the rows that are asked for."""
    if learn:
        return lambda rows: model.fit(Batches(x, y, rows, batch_size), shuffle=False, verbose=0)
    return lambda rows: model.evaluate(Batches(x, y, rows, batch_size), verbose=0)


def _many_at_once(
    model: keras.Model, batch_size: int, x: npt.NDArray[Any], y: npt.NDArray[Any], *, learn: bool = True
) -> Walk:
    """Do the same without going back to Python between batches, and without threads that hand them over.

    The model's own training or test step is what is run, inside a loop of TensorFlow's, so the numbers are those of
    `fit` and `evaluate`.
    """
    import tensorflow as tf

    step = model.train_step if learn else model.test_step

    def many_steps(x: Any, y: Any) -> None:
        rows = tf.shape(x)[0]

        def one_step(start: Any) -> tuple[Any]:
            stop = start + batch_size
            step((x[start:stop], y[start:stop]))
            return (stop,)

        tf.while_loop(lambda start: start < rows, one_step, (0,), parallel_iterations=1)

    at_once = batch_size * max(1, _BYTES_AT_ONCE // (batch_size * (x[0].nbytes + y[0].nbytes)))
    specs = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in (x, y)]
    compiled = tf.function(many_steps, input_signature=specs, autograph=False)

    def walk(rows: npt.NDArray[np.intp]) -> None:
        model.reset_metrics()
        for batch in Batches(x, y, rows, at_once):
            compiled(*batch)

    return walk


def _metrics(model: keras.Model) -> dict[str, float]:
    return {name: float(value) for name, value in sorted(model.get_metrics_result().items())}


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

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
    # No gradients to keep, so four times as many samples fit where a training step does.
    sizes = job.batch_size, 4 * job.batch_size
    keras.utils.set_random_seed(job.seed + part.fold)
    model = model_fn(x.shape[1:], y.shape[1])
    many_steps = ManySteps(model, *sizes) if trains_many_steps(model) else None
    # A model without an Input layer has no variables before its first batch, and no model has those of its metrics.
    eager, model.run_eagerly = model.run_eagerly, True
    model.test_on_batch(x[:1], y[:1])
    model.run_eagerly = eager
    model.make_test_function(force=True)
    model.optimizer.build(model.trainable_variables)
    if part.variables is not None:
        _restore(model, part.variables)
    for epoch in range(part.start, part.stop):
        # The order depends on nothing that came before, so that a fold can go on in another process.
        order = np.random.default_rng([job.seed, part.fold, epoch]).permutation(part.train)
        ends = epoch + 1 == part.stop
        if many_steps:
            trained = many_steps.walk(many_steps.train_on_batch, x, y, order, sizes[0])
            if ends and part.last:
                model.optimizer.finalize_variable_values(model.trainable_variables)  # as fit does when it ends
            judged = many_steps.walk(many_steps.test_on_batch, x, y, part.held_out, sizes[1])
        else:
            fit = model.fit(Batches(x, y, order, sizes[0]), shuffle=False, verbose=0)
            trained = {name: values[-1] for name, values in fit.history.items()}
            judged = model.evaluate(Batches(x, y, part.held_out, sizes[1]), return_dict=True, verbose=0)
        logs = {name: float(value) for name, value in sorted(trained.items())}
        logs |= {f"val_{name}": float(value) for name, value in sorted(judged.items())}
        goes_on = not part.last if ends else job.keep_state
        yield logs, _variables(model) if goes_on else None


def trains_many_steps(model: keras.Model) -> bool:
    """Whether a model can be trained many steps at a time here; if not, refuse what `fit` would do differently."""
    own = any(
        getattr(getattr(model, name), "__func__", None) is not getattr(keras.Model, name)
        for name in ("train_step", "test_step", "compute_metrics")
    )
    answer = keras.backend.backend() == "tensorflow" and not (
        model.run_eagerly or model.jit_compile or own or has_gpu()
    )
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if optimizer.use_ema and not answer:
        raise ValueError(
            "use_ema=True: the averages stay apart from the weights until the last epoch only on TensorFlow without a "
            "GPU, for a model that has no training of its own and neither run_eagerly nor jit_compile."
        )
    return answer


class ManySteps(keras.Model):  # type: ignore[misc]
    """Train and judge another model on many batches in a step of this one, without going back to Python between them.

    What runs is the other model's own step, so the numbers are those of its `fit` and `evaluate`. These would hand
    over the batches through an iterator of TensorFlow's, which may take a second to go away after every epoch.
    """

    def __init__(self, model: keras.Model, train_size: int, test_size: int) -> None:
        super().__init__()
        self._model, self._train_size, self._test_size = model, train_size, test_size
        self.compile(optimizer=None, jit_compile=False)

    def train_step(self, data: tuple[Any, Any, None]) -> dict[str, Any]:
        """Run the other model's training step on one batch of the rows after the other."""
        return self._each(self._model.train_step, self._train_size, data)

    def test_step(self, data: tuple[Any, Any, None]) -> dict[str, Any]:
        """Run the other model's test step on one batch of the rows after the other."""
        return self._each(self._model.test_step, self._test_size, data)

    def reset_metrics(self) -> None:
        """Keep what the metrics of the other model hold, since an epoch is more than one call."""

    def walk(
        self,
        call: Callable[..., object],
        x: npt.NDArray[Any],
        y: npt.NDArray[Any],
        rows: npt.NDArray[np.intp],
        batch_size: int,
    ) -> dict[str, Any]:
        """Call with pieces of whole batches, as large as should be copied at once; what the metrics then hold."""
        self._model.reset_metrics()
        steps = max(1, _BYTES_AT_ONCE // (batch_size * (x[0].nbytes + y[0].nbytes)))
        pieces = Batches(x, y, rows, steps * batch_size)
        for index in range(len(pieces)):
            call(*pieces[index])
        result: dict[str, Any] = self._model.get_metrics_result()
        return result

    @staticmethod
    def _each(step: Callable[..., Any], size: int, data: tuple[Any, Any, None]) -> dict[str, Any]:
        x, y, _ = data
        rows = keras.ops.shape(x)[0]

        def one_batch(start: Any) -> tuple[Any]:
            stop = start + size
            step((x[start:stop], y[start:stop]))
            return (stop,)

        keras.ops.while_loop(lambda start: start < rows, one_batch, (0,))
        return {}


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
        return _floatx(self._x[rows]), _floatx(self._y[rows])


def _floatx(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Convert real numbers to Keras's type, as `fit` converts whole arrays."""
    return values.astype(keras.config.floatx(), copy=False) if values.dtype.kind == "f" else values


def _variables(model: keras.Model) -> Variables:
    """All that the model and its optimizer remember, random states included."""
    return [np.asarray(variable).copy() for variable in [*model.variables, *model.optimizer.variables]]


def _restore(model: keras.Model, values: Variables) -> None:
    variables = [*model.variables, *model.optimizer.variables]
    if [variable.shape for variable in variables] != [value.shape for value in values]:
        raise ValueError("model_fn did not build the same model again; it must depend on nothing but its arguments.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value.view(variable.dtype) if value.dtype.kind == "V" else value)

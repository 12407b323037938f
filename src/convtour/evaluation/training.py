"""One part of one fold, trained."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
import io
import random
import threading
from typing import Any

import cloudpickle
from convtour.evaluation.description import describe_model, plain_names, variables_of
from convtour.evaluation.state import NOT_YET, Array, Job, Part, Rows
import keras
import numpy as np

# What TensorFlow is handed at once, many batches. The numbers do not depend on it.
_BYTES_AT_ONCE = 8_000_000


@dataclass
class _Kept:
    """A compiled model that this process has trained with, and may train with again."""

    job: Job | None = None
    model: Any = None
    many_steps: "ManySteps | None" = None
    description: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    folds: set[int] = field(default_factory=set)  # whose models are known to be like this one


_kept = _Kept()
_turn = threading.RLock()
_shared = random._inst  # what the functions of the module are methods of


def train(part: Part, job: Job, x: Array, y: Array) -> tuple[list[dict[str, float]], bytes | None, Array]:
    """Return loss and accuracy on both sides of the split for each epoch, and what is needed afterwards.

    That is the variables of the model where the fold goes on, and the probabilities of what is held out where it ends.
    """
    with own_random():
        keras.config.set_floatx(job.floatx)
        keras.config.set_epsilon(job.epsilon)
        keras.config.set_image_data_format(job.image_data_format)
        keras.config.set_dtype_policy(job.dtype_policy)
        if part.variables is None or _kept.job != job or part.fold not in _kept.folds:
            model_fn = cloudpickle.loads(job.model_fn)
            # After the import of what that needs, which may have drawn numbers. Not in every epoch: seeded, TensorFlow
            # prepares anew all that it runs, and a model that can be kept draws from nothing but its variables.
            keras.utils.set_random_seed(job.seed + part.fold)
            new = model_fn(job.input_shape, job.num_classes)
            make_variables(new, x, y)
            _take(new, part.fold, job)
        if part.variables is not None:
            _restore(_kept.model, part.variables)
        logs = [_epoch(part, epoch, job, x, y) for epoch in range(part.start, part.stop)]
        if part.stop < job.epochs:
            return logs, _packed(_kept.model), NOT_YET
        batches = Batches(x, y, part.held_out, 4 * job.batch_size)
        probabilities = [_kept.model.predict_on_batch(batches[index][0]) for index in range(len(batches))]
        return logs, None, np.concatenate(probabilities)


def _epoch(part: Part, epoch: int, job: Job, x: Array, y: Array) -> dict[str, float]:
    """Train the kept model for one epoch, and evaluate it."""
    model, many_steps = _kept.model, _kept.many_steps
    # The order depends on nothing that came before, so that a fold can go on in another process.
    drawn = np.random.default_rng([job.seed, part.fold, epoch])
    order = drawn.permutation(part.train)
    if keras.backend.backend() == "torch":  # Dropout draws from a state of the process there, and from no variable
        keras.utils.set_random_seed(int(drawn.integers(2**32)))
    # No gradients to keep, so four times as many samples fit where a training step does.
    sizes = job.batch_size, 4 * job.batch_size
    if many_steps is not None:
        trained = many_steps.walk(many_steps.train_on_batch, x, y, order, sizes[0])
        if epoch + 1 == job.epochs:
            model.optimizer.finalize_variable_values(model.trainable_variables)  # as fit does when it ends
        tested = many_steps.walk(many_steps.test_on_batch, x, y, part.held_out, sizes[1])
    else:
        fit = model.fit(Batches(x, y, order, sizes[0]), shuffle=False, verbose=0)
        trained = {name: values[-1] for name, values in fit.history.items()}
        tested = model.evaluate(Batches(x, y, part.held_out, sizes[1]), return_dict=True, verbose=0)
    logs = {_kept.names.get(name, name): float(value) for name, value in sorted(trained.items())}
    return logs | {f"val_{_kept.names.get(name, name)}": float(value) for name, value in sorted(tested.items())}


@contextmanager
def own_random() -> Iterator[None]:
    """Have this thread seed ``random``, and draw from it, undisturbed by others.

    Keras draws the seed of every initializer from Python's module ``random``, which belongs to the whole process: what
    another thread draws meanwhile (a Dask worker has one that does) must not change the weights. So the functions of
    ``random`` draw from a generator of this thread's own, and for other threads as before. One thread at a time.
    """
    own, thread = random.Random(), threading.get_ident()
    shared = {name: getattr(_shared, name) for name in dir(_shared) if name in vars(random) and name[0] != "_"}

    def one_of(ours: Callable[..., Any], theirs: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **named: (ours if threading.get_ident() == thread else theirs)(*args, **named)

    with _turn:
        vars(random).update({name: one_of(getattr(own, name), theirs) for name, theirs in shared.items()})
        try:
            yield
        finally:
            vars(random).update(shared)


def make_variables(model: keras.Model, x: Array, y: Array) -> None:
    """Make all that a compiled model remembers: one without Input has no weights before its first batch."""
    eager, model.run_eagerly = model.run_eagerly, True
    model.test_on_batch(x[:1], y[:1])
    model.run_eagerly = eager
    model.make_test_function(force=True)
    model.optimizer.build(model.trainable_variables)


def _take(model: keras.Model, fold: int, job: Job) -> None:
    """Keep a new model; or only its variables, in the compiled one of before, if that is just like it."""
    description = describe_model(model)
    if _is_compiled_alike(job, _kept.job) and description is not None and description == _kept.description:
        _restore(_kept.model, _packed(model))
        _kept.folds = {fold} | (_kept.folds if job == _kept.job else set())
        _kept.job = job
        return
    _kept.job, _kept.model, _kept.description, _kept.names = job, model, description, plain_names(model)
    _kept.folds = set() if description is None else {fold}
    _kept.many_steps = ManySteps(model, job.batch_size, 4 * job.batch_size) if trains_many_steps(model) else None


def _is_compiled_alike(job: Job, before: Job | None) -> bool:
    """Whether two jobs differ in nothing that is compiled with a model, and is not in its description."""
    return before is not None and job == replace(before, model_fn=job.model_fn, epochs=job.epochs, seed=job.seed)


def trains_many_steps(model: keras.Model) -> bool:
    """Whether a model can be trained many steps at a time here; if not, refuse what `fit` would do differently."""
    own = any(
        getattr(getattr(model, name), "__func__", None) is not getattr(keras.Model, name)
        for name in ("train_step", "test_step", "compute_metrics", "fit", "evaluate", "make_train_function")
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
    """Train and test another model on many batches in a step of this one, without going back to Python between them.

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

    def walk(self, call: Callable[..., object], x: Array, y: Array, rows: Rows, batch_size: int) -> dict[str, Any]:
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

    def __init__(self, x: Array, y: Array, rows: Rows, batch_size: int) -> None:
        super().__init__()
        self._x, self._y, self._rows, self._batch_size = x, y, rows, batch_size

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        rows = self._rows[index * self._batch_size : (index + 1) * self._batch_size]
        return _floatx(self._x[rows]), _floatx(self._y[rows])


def _floatx(values: Array) -> Array:
    """Convert real numbers to Keras's type, as `fit` converts whole arrays."""
    return values.astype(keras.config.floatx(), copy=False) if values.dtype.kind == "f" else values


def _packed(model: keras.Model) -> bytes:
    """The values of all variables, as bytes: joblib would put arrays in shared memory and leave them there."""
    buffer = io.BytesIO()
    np.savez(buffer, *[keras.ops.convert_to_numpy(variable) for variable in variables_of(model)])
    return buffer.getvalue()


def _restore(model: keras.Model, packed: bytes) -> None:
    variables = variables_of(model)
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        values = [arrays[name] for name in arrays.files]
    if [variable.shape for variable in variables] != [value.shape for value in values]:
        raise ValueError("model_fn did not build the same model again; it must depend on nothing but its arguments.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value.view(variable.dtype) if value.dtype.kind == "V" else value)

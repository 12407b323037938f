"""What a worker trains: what fit and evaluate do, whoever trains it, whatever other threads draw."""

from collections.abc import Iterator
import contextlib
import functools
import random
import threading
from typing import Any

import cloudpickle
from convtour import define_model, evaluate_model
from convtour.evaluation import training
from convtour.evaluation.description import describe_model
from convtour.evaluation.state import Job, Part
from convtour.evaluation.training import own_random, train, trains_many_steps
import keras
import numpy as np
import pytest

Bumps = tuple[np.ndarray, np.ndarray]
Trained = tuple[list[float], list[keras.callbacks.History]]

FUNCTIONS: dict[bytes, Any] = {}  # what is pickled elsewhere


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is kept from another test, and functions are not copied."""
    monkeypatch.setattr(training, "_kept", training._Kept())
    monkeypatch.setattr(cloudpickle, "loads", FUNCTIONS.__getitem__)


def job(model_fn: Any, *, epochs: int, seed: int = 1, shape: tuple[int, ...] = (12, 1)) -> Job:
    """Batches of 8, three classes."""
    FUNCTIONS[name := str(id(model_fn)).encode()] = model_fn
    backend = keras.backend.backend()
    return Job(name, shape, 3, epochs, 8, seed, backend, "float32", 1e-7, "channels_last", "float32", None)


def forgetful(input_shape: tuple[int, ...], num_classes: int, **settings: Any) -> keras.Model:
    """A model with dropout, normalisation and Adam, which all have something to remember."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(num_classes, activation="softmax"),
        ]
    )
    eager = settings.pop("run_eagerly", False)
    model.compile(
        keras.optimizers.Adam(**settings), "categorical_crossentropy", metrics=["accuracy"], run_eagerly=eager
    )
    return model


class OwnSteps(keras.Sequential):  # type: ignore[misc]
    """A model that judges in its own way."""

    def test_step(self, *given: Any) -> Any:
        """Given the data alone; on JAX the state and the data, and then the state is returned as well."""
        result = super().test_step(*given)
        logs, *state = result if isinstance(result, tuple) else (result,)
        logs = {**logs, "twice": 2 * keras.ops.mean(given[-1][1])}
        return (logs, *state) if state else logs


@pytest.mark.parametrize(
    ("kind", "bytes_at_once"),
    [
        ("", 1500),
        ("eager", 1500),
        *(pytest.param("", size, marks=pytest.mark.slow) for size in (1, 10**9)),
        *(pytest.param(kind, 1500, marks=pytest.mark.slow) for kind in ("average", "own")),
    ],
)
def test_a_part_is_trained_on_its_own_rows_and_judged_on_the_others_as_fit_and_evaluate_do(
    bumps: Bumps, monkeypatch: pytest.MonkeyPatch, kind: str, bytes_at_once: int
) -> None:
    monkeypatch.setattr(training, "has_gpu", lambda: False)
    monkeypatch.setattr(training, "_BYTES_AT_ONCE", bytes_at_once)
    if kind == "average" and keras.backend.backend() != "tensorflow":
        pytest.skip("averages are refused on this backend")
    x, y = bumps[0].astype("float64"), bumps[1]
    rows, held_out = np.arange(10, 63), np.concatenate([np.arange(10), np.arange(63, 90)])

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        model = forgetful(input_shape, num_classes, use_ema=kind == "average", run_eagerly=kind == "eager")
        if kind == "own":
            own = OwnSteps(model.layers)
            own.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
            return own
        return model

    task = job(model_fn, epochs=3)
    reports, variables, probabilities = train(Part(4, 0, 3, rows, held_out, None), task, x, y)
    assert variables is None
    assert len(reports) == 3
    keras.utils.set_random_seed(task.seed + 4)
    model = model_fn(x.shape[1:], y.shape[1])
    assert trains_many_steps(model) == (kind in ("", "average") and keras.backend.backend() == "tensorflow")
    put_in_place = model.optimizer.finalize_variable_values
    for epoch, logs in enumerate(reports):
        # One fit of three epochs puts the averages in place when it ends.
        model.optimizer.finalize_variable_values = put_in_place if epoch == 2 else lambda variables: None
        drawn = np.random.default_rng([task.seed, 4, epoch])
        order = drawn.permutation(rows)
        if keras.backend.backend() == "torch":  # dropout draws from the state that loading data moves
            training.make_variables(model, x, y)  # or the first fit would do it, and load a batch to see its shape
            keras.utils.set_random_seed(int(drawn.integers(2**32)))
        fit = model.fit(x[order], y[order], batch_size=task.batch_size, shuffle=False, verbose=0).history
        judged = model.evaluate(x[held_out], y[held_out], batch_size=4 * task.batch_size, return_dict=True, verbose=0)
        expected = {name: values[0] for name, values in fit.items()}
        expected |= {f"val_{name}": value for name, value in judged.items()}
        assert logs == expected
        assert ("val_twice" in logs) == (kind == "own")
    np.testing.assert_allclose(probabilities, model.predict(x[held_out], verbose=0), atol=1e-6)


@pytest.mark.parametrize("average", [False, True])
def test_a_fold_that_changes_hands_ends_as_if_it_had_not(
    bumps: Bumps, monkeypatch: pytest.MonkeyPatch, average: bool
) -> None:
    monkeypatch.setattr(training, "has_gpu", lambda: False)
    if average and keras.backend.backend() != "tensorflow":
        pytest.skip("averages are refused on this backend")

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        return forgetful(input_shape, num_classes, use_ema=average)

    rows = np.arange(60), np.arange(60, 90)

    task = job(model_fn, epochs=4)

    def reports(*stretches: tuple[int, int]) -> Iterator[dict[str, float]]:
        variables = None
        for start, stop in stretches:
            training._kept = training._Kept()
            logs, variables, _ = train(Part(2, start, stop, *rows, variables), task, *bumps)
            yield from logs

    whole = list(reports((0, 4)))
    assert whole == list(reports((0, 3), (3, 4)))
    _, variables, _ = train(Part(2, 0, 1, *rows, None), task, *bumps)
    with pytest.raises(ValueError, match="did not build the same model again"):
        train(Part(2, 3, 4, *rows, variables), job(define_model, epochs=4), *bumps)


def test_a_compiled_model_is_kept_for_other_folds_and_changes_no_number(bumps: Bumps) -> None:
    rows = np.arange(60), np.arange(60, 90)
    built: list[keras.Model] = []

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        built.append(forgetful(input_shape, num_classes))
        return built[-1]

    task = job(model_fn, epochs=2)
    fresh = []
    for fold in (0, 1):
        training._kept = training._Kept()
        fresh.append(train(Part(fold, 0, 2, *rows, None), task, *bumps))
    training._kept = training._Kept()
    built.clear()
    state: dict[int, bytes | None] = {0: None, 1: None}
    logs: dict[int, list[dict[str, float]]] = {0: [], 1: []}
    for epoch in (0, 1):
        for fold in (0, 1):  # a worker may be given either, in turn
            report, state[fold], probabilities = train(Part(fold, epoch, epoch + 1, *rows, state[fold]), task, *bumps)
            logs[fold] += report
            if epoch == 1:
                np.testing.assert_array_equal(probabilities, fresh[fold][2])
            assert training._kept.model is built[0]
    assert len(built) == 2  # one for the first weights of each fold
    assert [logs[0], logs[1]] == [fresh[0][0], fresh[1][0]]


def adapted(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
    """A model that was fitted to some random numbers when it was built: they are no variables."""
    normalisation = keras.layers.Normalization()
    normalisation.adapt(np.random.normal(size=(5, *input_shape)))  # noqa: NPY002
    layers = normalisation, keras.layers.Flatten(), keras.layers.Dense(num_classes, activation="softmax")
    model = keras.Sequential([keras.Input(input_shape), *layers])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    return model


def drawn_rate(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
    return forgetful(input_shape, num_classes, beta_1=random.choice([0.1, 0.2, 0.3, 0.4, 0.5]))


def drawn_regularizer(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
    model = define_model(input_shape, num_classes)
    model.layers[0].kernel.regularizer = keras.regularizers.L2(random.random())
    return model


@pytest.mark.parametrize(
    "model_fn",
    [adapted, *(pytest.param(model_fn, marks=pytest.mark.slow) for model_fn in (drawn_rate, drawn_regularizer))],
)
def test_a_model_that_differs_from_fold_to_fold_is_not_mistaken_for_the_one_kept(bumps: Bumps, model_fn: Any) -> None:
    rows, task = (np.arange(60), np.arange(60, 90)), job(model_fn, epochs=1)
    for fold in range(4):
        kept, _, _ = train(Part(fold, 0, 1, *rows, None), task, *bumps)
        before, training._kept = training._kept, training._Kept()
        assert train(Part(fold, 0, 1, *rows, None), task, *bumps)[0] == kept
        training._kept = before


def test_another_job_gets_a_model_of_its_own(bumps: Bumps) -> None:
    """The same function with an optimizer that its configuration does not tell apart; and with other data."""
    rows = np.arange(60), np.arange(60, 90)

    def excluding(input_shape: tuple[int, ...], num_classes: int, *, exclude: bool = True) -> keras.Model:
        model = define_model(input_shape, num_classes)
        optimizer = keras.optimizers.AdamW(weight_decay=0.5)
        if exclude:
            optimizer.exclude_from_weight_decay(var_names=["kernel"])
        model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
        return model

    plain = functools.partial(excluding, exclude=False)
    one, _, _ = train(Part(0, 0, 2, *rows, None), job(plain, epochs=2), *bumps)
    other, _, _ = train(Part(0, 0, 2, *rows, None), job(excluding, epochs=2), *bumps)
    assert one != other
    assert describe_model(plain((12, 1), 3)) != describe_model(excluding((12, 1), 3))

    longer = np.concatenate([bumps[0], bumps[0]], axis=1), bumps[1]
    task = job(define_model, epochs=2)
    logs, variables, _ = train(Part(0, 0, 1, *rows, None), task, *bumps)
    train(Part(0, 0, 1, *rows, None), job(define_model, epochs=2, shape=(24, 1)), *longer)
    again, _, _ = train(Part(0, 1, 2, *rows, variables), task, *bumps)
    training._kept = training._Kept()
    assert [*logs, *again] == train(Part(0, 0, 2, *rows, None), task, *bumps)[0]


def test_metrics_have_the_same_names_whatever_was_built_before(bumps: Bumps) -> None:
    rows = np.arange(60), np.arange(60, 90)

    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        model = define_model(input_shape, num_classes)
        metrics = ["accuracy", keras.metrics.AUC(), keras.metrics.AUC(), keras.metrics.Precision(name="mine_9")]
        model.compile("sgd", "categorical_crossentropy", metrics=metrics)
        return model

    for _ in range(2):
        training._kept = training._Kept()
        (logs,), _, _ = train(Part(0, 0, 1, *rows, None), job(model_fn, epochs=1), *bumps)
        assert {name for name in logs if "val_" not in name} == {"loss", "accuracy", "auc", "auc_1", "mine_9"}


@contextlib.contextmanager
def a_thread_that_draws() -> Iterator[None]:
    stop = threading.Event()
    drawn: list[float] = []

    def draw() -> None:
        while not stop.is_set():
            drawn.append(random.random())
            random.seed()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert len(set(drawn)) > 10


def test_what_another_thread_draws_does_not_change_the_weights() -> None:
    def weights() -> list[np.ndarray]:
        with own_random():
            keras.utils.set_random_seed(7)
            found: list[np.ndarray] = forgetful((12, 1), 3).get_weights() + define_model((12, 1), 3).get_weights()
            return [*found, np.array([random.random(), random.gauss(), random.randint(0, 99)])]

    undisturbed = weights()
    with a_thread_that_draws():
        for _ in range(20):
            for ours, theirs in zip(weights(), undisturbed, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_what_a_module_draws_as_it_is_imported_does_not_change_the_weights(
    bumps: Bumps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module of a model function is imported when the function is unpickled, once in each worker."""
    part = Part(0, 0, 1, np.arange(60), np.arange(60, 90), None)
    whole = job(forgetful, epochs=1)
    undisturbed = train(part, whole, *bumps)

    def draw_and_load(name: bytes) -> Any:
        random.random(), keras.layers.Dense(3)
        return FUNCTIONS[name]

    monkeypatch.setattr(training, "_kept", training._Kept())
    monkeypatch.setattr(cloudpickle, "loads", draw_and_load)
    logs, _, probabilities = train(part, whole, *bumps)
    assert logs == undisturbed[0]
    np.testing.assert_array_equal(probabilities, undisturbed[2])


def test_the_random_numbers_of_the_caller_are_left_as_they_were() -> None:
    random.seed(3)
    with own_random():
        random.seed(7)
        random.random()
    assert random.random() == random.Random(3).random()


def test_averages_that_fit_would_put_in_place_after_every_epoch_are_refused(bumps: Bumps) -> None:
    def model_fn(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        return forgetful(input_shape, num_classes, use_ema=True, run_eagerly=True)

    with pytest.raises(ValueError, match=r"use_ema=True.*run_eagerly"):
        evaluate_model(*bumps, model_fn=model_fn)
    keras.config.set_dtype_policy("mixed_float16")  # wraps the optimizer
    try:
        with pytest.raises(ValueError, match="use_ema=True"):
            evaluate_model(*bumps, model_fn=model_fn)
    finally:
        keras.config.set_dtype_policy("float32")


# Whether a model is known


def compiled(*layers: Any, **settings: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "metrics": ["accuracy"]} | settings)
    return model


class Mine(keras.layers.Dense):  # type: ignore[misc]
    """A layer of one's own."""


@keras.saving.register_keras_serializable()
class Registered(keras.layers.Dense):  # type: ignore[misc]
    """A layer of one's own that Keras knows by name."""


def relu(x: Any) -> Any:
    """Not Keras's."""
    return keras.ops.relu(x) + 1


def my_loss(y: Any, p: Any) -> Any:
    return keras.ops.mean(y - p)


@pytest.mark.parametrize(
    "model",
    [
        lambda: compiled(Mine(3)),
        lambda: compiled(Registered(3)),
        lambda: compiled(keras.layers.Dense(3, activation=relu)),
        lambda: compiled(keras.Sequential([Mine(3)])),
        lambda: compiled(keras.layers.Lambda(lambda x: 2 * x)),
        lambda: compiled(keras.layers.Dense(3, activation=lambda x: 2 * x)),
        lambda: compiled(keras.layers.Dense(3, kernel_initializer=lambda shape, dtype: np.ones(shape))),
        lambda: compiled(loss=my_loss),
        lambda: compiled(loss=lambda y, p: keras.ops.mean(y)),
        lambda: compiled(metrics=[my_loss]),
        lambda: compiled(keras.layers.Reshape((2, 2, 1)), keras.layers.AugMix(), keras.layers.Flatten()),
    ],
)
def test_code_that_is_not_kerass_own_is_seen_wherever_it_stands(model: Any) -> None:
    assert describe_model(model()) is None


def test_a_model_is_described_without_the_names_that_keras_numbers() -> None:
    def model(units: int = 3, **settings: Any) -> keras.Model:
        layers = keras.layers.Dense(units, "relu"), keras.layers.Dropout(0.1), keras.layers.BatchNormalization()
        return compiled(*layers, **settings)

    assert describe_model(model()) == describe_model(model()) is not None
    assert describe_model(compiled(keras.layers.Dense(3, keras.activations.relu))) is not None
    inputs = keras.Input((4,))
    assert describe_model(compiled(keras.Model(inputs, keras.layers.Dense(4)(inputs)))) is not None
    assert describe_model(model(4)) != describe_model(model())
    assert describe_model(model(optimizer=keras.optimizers.SGD(0.1))) != describe_model(model())
    assert describe_model(model(loss="mae")) != describe_model(model())


def test_two_graphs_of_the_same_layers_are_told_apart() -> None:
    def graph(which: int) -> keras.Model:
        inputs = keras.Input((4,))
        branches = [keras.layers.Dense(4)(inputs) for _ in range(2)]
        model = keras.Model(inputs, keras.layers.Add()([branches[which], keras.layers.ReLU()(branches[0])]))
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    assert describe_model(graph(0)) == describe_model(graph(0))
    assert describe_model(graph(0)) != describe_model(graph(1))

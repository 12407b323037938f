"""The protocol: fresh models on fixed folds, refused early where something does not fit."""

from collections.abc import Callable
from typing import Any, ClassVar

from convtour import CrossValidation, cross_validate, define_model, evaluate_model
from convtour.evaluation import cross_validation
import keras
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, ShuffleSplit, StratifiedKFold
from tqdm import tqdm

Bumps = tuple[np.ndarray, np.ndarray]
Trained = tuple[list[float], list[keras.callbacks.History]]


def test_scores_and_histories_have_one_entry_a_fold(trained: Trained) -> None:
    scores, histories = trained
    assert len(scores) == len(histories) == 3
    for score, history in zip(scores, histories, strict=True):
        assert isinstance(history, keras.callbacks.History)
        assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
        assert all(len(curve) == 3 for curve in history.history.values())
        assert 0 <= score <= 1
        assert score == history.history["val_accuracy"][-1]


def test_the_same_call_twice_gives_the_same_scores_and_losses(bumps: Bumps, trained: Trained) -> None:
    np.random.default_rng().normal()
    keras.utils.set_random_seed(12345)
    scores, histories = evaluate_model(*bumps, n_folds=3, epochs=3, verbose=0)
    assert scores == trained[0]
    assert [history.history for history in histories] == [history.history for history in trained[1]]


def test_it_is_the_loop_of_the_article(bumps: Bumps, trained: Trained) -> None:
    x, y = bumps
    scores = []
    for fold, (train, held_out) in enumerate(KFold(3, shuffle=True, random_state=1).split(x)):
        keras.utils.set_random_seed(1 + fold)
        model = define_model((12, 1), 3)
        for epoch in range(3):
            order = np.random.default_rng([1, fold, epoch]).permutation(train)
            model.fit(x[order], y[order], shuffle=False, batch_size=32, verbose=0)
        _, accuracy = model.evaluate(x[held_out], y[held_out], verbose=0)
        scores.append(accuracy)
    assert scores == pytest.approx(trained[0], abs=1e-6)


def test_another_seed_starts_from_other_weights(bumps: Bumps, trained: Trained) -> None:
    _, histories = evaluate_model(*bumps, n_folds=3, epochs=1, seed=2, verbose=0)
    assert histories[0].history["loss"][0] != trained[1][0].history["loss"][0]


def test_epochs_and_batch_size_reach_the_training(bumps: Bumps) -> None:
    _, histories = evaluate_model(*bumps, n_folds=2, epochs=4, batch_size=7, verbose=0)
    assert [len(history.epoch) for history in histories] == [4, 4]
    assert histories[0].params["steps"] == -(-45 // 7)


@pytest.mark.parametrize("shape", [(8, 2), (8, 8, 1), (6, 6, 6, 1)])
@pytest.mark.parametrize("num_classes", [2, 4])
def test_signals_images_and_clips_of_any_number_of_classes_are_learned(
    shape: tuple[int, ...], num_classes: int
) -> None:
    labels = np.arange(24 * num_classes) % num_classes
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(len(labels), *shape)) * 0.1 + labels.reshape(-1, *[1] * len(shape)) / num_classes
    scores, _ = evaluate_model(inputs, np.eye(num_classes)[labels], n_folds=2, epochs=12, batch_size=8, verbose=0)
    assert np.mean(scores) > 0.6


def test_lists_and_whole_numbers_are_data_too() -> None:
    inputs = [[[value % 2], [value % 2], [0], [1]] for value in range(12)]
    labels = [[1, 0] if value % 2 else [0, 1] for value in range(12)]
    scores, _ = evaluate_model(inputs, labels, n_folds=2, epochs=1, verbose=0)
    assert len(scores) == 2


def test_each_fold_is_printed_in_percent(bumps: Bumps, capsys: pytest.CaptureFixture[str]) -> None:
    scores, _ = evaluate_model(*bumps, n_folds=2, epochs=1)
    assert capsys.readouterr().out == "".join(f"> {100 * score:.3f}\n" for score in scores)


def test_verbose_0_is_silent(bumps: Bumps, capfd: pytest.CaptureFixture[str]) -> None:
    evaluate_model(*bumps, n_folds=2, epochs=1, verbose=0)
    assert tuple(capfd.readouterr()) == ("", "")


def test_verbose_bar_names_the_folds(bumps: Bumps, capsys: pytest.CaptureFixture[str]) -> None:
    scores, _ = evaluate_model(*bumps, n_folds=2, epochs=1, verbose="bar")
    assert capsys.readouterr().out == "".join(f"fold {n}: {100 * s:.3f}\n" for n, s in enumerate(scores, 1))


def test_in_jupyter_verbose_bar_names_them_in_the_bar_alone(
    bumps: Bumps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bar(tqdm):  # type: ignore[type-arg]
        postfixes: ClassVar[list[str]] = []

        def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
            self.postfixes.append(s)

    monkeypatch.setattr(cross_validation, "tqdm", Bar)
    monkeypatch.setattr(cross_validation, "notebook_tqdm", Bar)
    scores, _ = evaluate_model(*bumps, n_folds=2, epochs=1, verbose="bar")
    assert capsys.readouterr().out == ""
    assert Bar.postfixes[-1] == f"fold 1: {100 * scores[0]:.1f}, 2: {100 * scores[1]:.1f}"


def test_the_progress_bar_can_be_switched_off(bumps: Bumps, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    def watched(**options: Any) -> Any:
        made.append(options)
        return tqdm(**{**options, "disable": True})

    monkeypatch.setattr(cross_validation, "tqdm", watched)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    evaluate_model(*bumps, n_folds=2, epochs=1)
    monkeypatch.delenv("TQDM_DISABLE")
    evaluate_model(*bumps, n_folds=2, epochs=1, verbose=0)
    evaluate_model(*bumps, n_folds=2, epochs=1)
    # A clock and a bar for each call; None: shown where somebody watches.
    assert [options["disable"] for options in made] == [True, True, True, True, None, None]


def network(input_shape: tuple[int, ...], *last: Any, compiled: dict[str, Any] | None = None) -> keras.Model:
    model = keras.Sequential([keras.Input(input_shape), *last])
    if compiled is not None:
        model.compile(**compiled)
    return model


FIT = {"optimizer": "sgd", "loss": "categorical_crossentropy", "metrics": ["accuracy"]}


def test_a_model_of_ones_own_is_judged(bumps: Bumps) -> None:
    def my_model(input_shape: tuple[int, ...], num_classes: int) -> keras.Model:
        layers = keras.layers.Flatten(), keras.layers.Dense(num_classes, activation="softmax")
        return network(input_shape, *layers, compiled={**FIT, "optimizer": keras.optimizers.SGD(0.5)})

    scores, _ = evaluate_model(*bumps, n_folds=2, epochs=30, model_fn=my_model, verbose=0)
    assert np.mean(scores) > 0.9


def shared_model() -> Callable[..., keras.Model]:
    model = define_model((12, 1), 3)
    return lambda input_shape, num_classes: model


def shared_inside(wrap: Callable[[Any], Any]) -> Callable[..., keras.Model]:
    shared = keras.layers.Dense(3)

    def model_fn(shape: tuple[int, ...], classes: int) -> keras.Model:
        layers = wrap(shared), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")
        return network(shape, *layers, compiled=FIT)

    return model_fn


def shared_optimizer() -> Callable[..., keras.Model]:
    optimizer = keras.optimizers.SGD()
    layers = keras.layers.Flatten, lambda: keras.layers.Dense(3, activation="softmax")
    return lambda shape, classes: network(shape, *[make() for make in layers], compiled={**FIT, "optimizer": optimizer})


def shared_layer() -> Callable[..., keras.Model]:
    dense = keras.layers.Dense(3, activation="softmax")
    return lambda shape, classes: network(shape, keras.layers.Flatten(), dense, compiled=FIT)


@pytest.mark.parametrize(
    ("model_fn", "complaint"),
    [
        (lambda: define_model((12, 1), 3), r"called as model_fn\(input_shape, num_classes\).*too many positional"),
        (lambda shape, classes: "a model", "returned str; expected a compiled keras.Model"),
        (lambda shape, classes: network(shape, keras.layers.Flatten(), keras.layers.Dense(3)), "is not compiled"),
        (
            lambda shape, classes: network(shape, keras.layers.Dense(3), compiled=FIT),
            r"output of shape \(8, 12, 3\); expected \(8, 3\).*Flatten",
        ),
        (
            lambda shape, classes: network(shape, keras.layers.Flatten(), keras.layers.Dense(5), compiled=FIT),
            r"output of shape \(8, 5\); expected \(8, 3\)",
        ),
        (lambda shape, classes: define_model((9, 1), 3), r"does not take samples of shape \(12, 1\)"),
        (
            lambda shape, classes: network(
                shape, keras.layers.Flatten(), keras.layers.Dense(3), compiled={**FIT, "metrics": ["mse"]}
            ),
            "reports loss, .*expected accuracy as well",
        ),
        (
            lambda shape, classes: network(
                shape, keras.layers.Flatten(), keras.layers.Dense(3), compiled={**FIT, "loss": "no_such_loss"}
            ),
            "loss or metrics do not fit",
        ),
        (shared_model(), "the same model, or the same layer, twice"),
        (shared_layer(), "the same model, or the same layer, twice"),
        (shared_inside(lambda layer: keras.Sequential([layer])), "the same model, or the same layer, twice"),
        (shared_inside(lambda layer: keras.Sequential([keras.Sequential([layer])])), "the same layer, twice"),
        (shared_inside(keras.layers.TimeDistributed), "the same model, or the same layer, twice"),
        (shared_optimizer(), "the same optimizer"),
        (define_model((12, 1), 3), "model_fn is a model; pass the function that builds it"),
        (
            lambda shape, classes: network(
                shape,
                keras.layers.Flatten(),
                keras.layers.Dense(3, activation="softmax"),
                compiled={**FIT, "metrics": [keras.metrics.BinaryAccuracy("accuracy")]},
            ),
            "metric called accuracy reports .* of the samples are classified correctly",
        ),
        (
            lambda shape, classes: network(
                shape,
                keras.layers.Flatten(),
                keras.layers.Dense(3, activation="softmax"),
                compiled={**FIT, "metrics": ["accuracy", keras.metrics.F1Score()]},
            ),
            "metric f1_score gives 3 values; expected one number",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_training(
    bumps: Bumps, monkeypatch: pytest.MonkeyPatch, model_fn: Any, complaint: str
) -> None:
    monkeypatch.setattr(cross_validation, "run", lambda *args, **named: pytest.fail("it trained"))
    with pytest.raises(ValueError, match=complaint):
        evaluate_model(*bumps, n_folds=2, epochs=1, model_fn=model_fn, verbose=0)


SAMPLES = np.zeros((6, 8, 1))
LABELS = np.eye(2)[np.arange(6) % 2]


def with_one(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.copy()
    changed.flat[-1] = value
    return changed


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        ((SAMPLES, LABELS, 7), ValueError, "n_folds=7, but there are only 6 samples"),
        ((SAMPLES, LABELS, 1), ValueError, "n_folds=1: expected at least 2"),
        ((SAMPLES, LABELS, 2.5), TypeError, "n_folds=2.5: expected a whole number, got float"),
        ((SAMPLES, LABELS[:5], 2), ValueError, r"\(6, 8, 1\) and data_y \(5, 2\).*the same n"),
        ((SAMPLES, LABELS.argmax(axis=1), 2), ValueError, r"data_y \(6,\).*to_categorical"),
        ((SAMPLES, LABELS.argmax(axis=1)[:, np.newaxis], 2), ValueError, "not one-hot.*at least 2 columns"),
        ((SAMPLES, LABELS * 2, 2), ValueError, "not one-hot"),
        ((SAMPLES, np.ones((6, 2)), 2), ValueError, "not one-hot"),
        ((SAMPLES, np.full((6, 2), 0.5), 2), ValueError, "not one-hot"),
        (
            (with_one(SAMPLES, np.nan), LABELS, 2),
            ValueError,
            r"data_x holds NaN, infinite .* in 1 of 6 rows.*row 5",
        ),
        ((with_one(SAMPLES, np.inf), LABELS, 2), ValueError, "data_x holds NaN, infinite"),
        ((SAMPLES, with_one(LABELS, np.nan), 2), ValueError, "data_y holds NaN, infinite"),
        ((with_one(SAMPLES, 1e300), LABELS, 2), ValueError, "for float32, too large"),
        ((SAMPLES + 0j, LABELS, 2), TypeError, "data_x holds complex128; expected real numbers"),
        (([[[0.0]], [[0.0], [1.0]]], LABELS, 2), ValueError, r"data_x .*rows of different lengths"),
        ((SAMPLES, with_one(LABELS, 1) * 0, 2), ValueError, r"not one-hot; row 0 is \[0.0, 0.0\]"),
        ((np.zeros(6), LABELS, 2), ValueError, r"data_x has shape \(6,\)"),
        ((np.full((6, 8, 1), "a"), LABELS, 2), TypeError, "data_x holds <U1; expected real numbers"),
        ((np.zeros((6, 3, 1)), LABELS, 2), ValueError, "too small"),
        ((np.zeros((6, 8)), LABELS, 2), ValueError, "has 1 axes"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_training(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[Any, ...], error: type[Exception], complaint: str
) -> None:
    monkeypatch.setattr(cross_validation, "run", lambda *args, **named: pytest.fail("it trained"))
    with pytest.raises(error, match=complaint):
        evaluate_model(*arguments, verbose=0)


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("batch_size", 0), ("seed", -1)])
def test_numbers_that_are_too_small_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}={value}: expected at least"):
        evaluate_model(SAMPLES, LABELS, 2, **{name: value})  # type: ignore[arg-type]


def test_the_folds_are_those_of_scikit_learn(bumps: Bumps) -> None:
    result = cross_validate(*bumps, cv=4, epochs=1, verbose=0)
    for fold, (_, held_out) in zip(result.folds, KFold(4, shuffle=True, random_state=1).split(bumps[0]), strict=True):
        np.testing.assert_array_equal(fold.held_out, held_out)


def test_seeds_end_where_those_of_the_last_fold_would_not_fit() -> None:
    with pytest.raises(ValueError, match="seed=4294967295: expected at most 4294967294"):
        evaluate_model(SAMPLES, LABELS, 2, seed=2**32 - 1)


# Other ways to cut the samples


def test_evaluate_model_is_its_face(bumps: Bumps, trained: Trained) -> None:
    result = cross_validate(*bumps, cv=3, epochs=3, verbose=0)
    assert isinstance(result, CrossValidation)
    assert result.scores == trained[0]
    assert [history.history for history in result.histories] == [history.history for history in trained[1]]
    assert repr(result).startswith("CrossValidation of 90 samples: accuracy mean=")


def test_every_sample_gets_the_probabilities_of_the_model_that_had_not_seen_it(bumps: Bumps) -> None:
    result = cross_validate(*bumps, cv=3, epochs=3, verbose=0)
    assert result.probabilities.shape == (90, 3)
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=1e-5)
    right = result.probabilities.argmax(axis=1) == bumps[1].argmax(axis=1)
    for fold in result.folds:
        np.testing.assert_array_equal(result.probabilities[fold.held_out], fold.probabilities)
        assert right[fold.held_out].mean() == pytest.approx(fold.score)
        assert fold.score == fold.history.history["val_accuracy"][-1]


@pytest.mark.parametrize(
    ("splitter", "partition"),
    [
        (StratifiedKFold(3), True),
        (GroupKFold(3), True),
        (RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), False),
        (ShuffleSplit(3, random_state=0), False),
        ([(np.arange(45), np.arange(45, 90)), (range(45, 90), range(45))], True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_splitter_of_scikit_learn_cuts_the_samples(bumps: Bumps, splitter: Any, partition: bool) -> None:
    groups = np.arange(90) // 4 if isinstance(splitter, GroupKFold) else None
    result = cross_validate(*bumps, cv=splitter, groups=groups, epochs=1, verbose=0)
    pairs = splitter if isinstance(splitter, list) else splitter.split(bumps[0], bumps[1].argmax(axis=1), groups)
    for fold, (_, held_out) in zip(result.folds, pairs, strict=True):
        np.testing.assert_array_equal(fold.held_out, held_out)
    if partition:
        assert result.probabilities.shape == (90, 3)
    else:
        with pytest.raises(ValueError, match=r"hold out \d+ samples more than once and \d+ never"):
            _ = result.probabilities


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"cv": 7}, "cv=7, but there are only 6 samples"),
        ({"cv": "five"}, "cv='five': expected a number of folds, a splitter"),
        ({"cv": 2.0}, "cv=2.0: expected a whole number"),
        ({"cv": GroupKFold(2)}, "cv=GroupKFold.* cannot cut these samples: .*groups"),
        ({"cv": GroupKFold(2), "groups": [1, 2]}, r"groups has shape \(2,\); expected \(6,\)"),
        ({"cv": StratifiedKFold(5)}, "cannot cut these samples: .*n_splits=5"),
        ({"cv": []}, "gives no folds"),
        ({"cv": [([0, 1, 2], [2, 3])]}, "fold 1 trains on 1 of the samples that it holds out, row 2"),
        ({"cv": [([0, 1], [9])]}, "names row 9 to 9; there are 0 to 5"),
        ({"cv": [([0, 1], [])]}, "should hold out is .* expected row numbers"),
        ({"cv": [3, 4]}, r"cv=\[3, 4\] cannot cut these samples"),
    ],
)
def test_folds_that_cannot_be_are_refused_before_training(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], complaint: str
) -> None:
    monkeypatch.setattr(cross_validation, "run", lambda *args, **named: pytest.fail("it trained"))
    with pytest.raises((TypeError, ValueError), match=complaint):
        cross_validate(SAMPLES, LABELS, **options)

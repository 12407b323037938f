"""What a model is, in words: whether it is like another, and whether all of it is known."""

from collections.abc import Sequence
import hashlib
import json
import re
from types import FunctionType, MethodType
from typing import Any
import warnings

import keras


def describe_model(model: keras.Model) -> str | None:
    """All that tells a model from another but its weights, as text; None where code that is not Keras's has a part.

    Code could not be told from what it was before an edit, and what it remembers is not known. None also where Keras's
    own code draws from more than its variables.
    """
    if type(model).__module__.split(".")[0] != "keras":
        return None
    written = keras.saving.serialize_keras_object
    with warnings.catch_warnings(action="ignore"):  # Keras warns of lambdas, as of files to load
        try:
            compiled = model.get_compile_config()
            variables = [
                [list(v.shape), str(v.dtype), v.trainable, written(v.regularizer), written(v.constraint)]
                for v in variables_of(model)
            ]
            excluded = str(getattr(model.optimizer, "_exclude_from_weight_decay_pattern", None))
            names = [plain_names(model).get(metric.name, f"named {metric.name}") for metric in all_metrics(model)]
            text = json.dumps([model.get_config(), compiled, variables, excluded, names, model.jit_compile])
        except Exception:  # whatever cannot be written down is not known
            return None
    if re.search(r'"module": (?!"keras[".])|"value": \["[^"]*\\n"', text):
        return None  # an object of a class, or a function, that is not Keras's (null: of __main__); or a lambda's code
    if compiled["loss"] is None or compiled["metrics"] is None:
        return None  # compiled again: Keras goes on with what it was given first, and does not say so
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.AugMix):  # draws from Python's random as well, and not from its variables
            return None
        for part in vars(layer).values():
            # A function named like one of Keras's is written as that; what a layer was adapted to is not written.
            if isinstance(part, (FunctionType, MethodType)) and not str(part.__module__).startswith("keras."):
                return None
            if keras.ops.is_tensor(part) and not isinstance(part, keras.Variable):
                text += hashlib.sha256(keras.ops.convert_to_numpy(part).tobytes()).hexdigest()
    # Keras numbers names through the process: conv2d, conv2d_1. Here they are numbered in the order of the text.
    numbers: dict[str, dict[str, int]] = {}

    def number(name: re.Match[str]) -> str:
        seen = numbers.setdefault(name[1], {})
        return f'"{name[1]}#{seen.setdefault(name[0], len(seen))}"'

    return re.sub(r'"([a-z][a-z0-9_]*?)(?:_\d+)?"', number, text)


def plain_names(model: keras.Model) -> dict[str, str]:
    """Names for the metrics that do not depend on what was built before: Keras numbers auc, auc_1 through a process."""
    names: dict[str, str] = {}
    for metric in all_metrics(model):
        words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(metric).__name__)
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
        if re.fullmatch(rf"{kind}(_\d+)?", metric.name):
            before = sum(re.fullmatch(rf"{kind}(_\d+)?", name) is not None for name in names.values())
            names[metric.name] = f"{kind}_{before}" if before else kind
    return names


def all_metrics(model: keras.Model) -> list[Any]:
    """The metrics of a model, those that it was compiled with one by one."""
    return [one for metric in model.metrics for one in getattr(metric, "metrics", [metric])]


def variables_of(model: keras.Model) -> Sequence[keras.Variable]:
    """All that a model and its optimizer remember, random states included."""
    return [*model.variables, *model.optimizer.variables]

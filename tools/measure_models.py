"""Measure the models of notebook 08 on all of MNIST: each on the same five folds, then the final one on the test set.

    python tools/measure_models.py mnist.npz [--out docs/full-models/results.json]

The models are those of the notebook: its cells whose names begin with ``model-`` are run here. A model that is stored
already is not trained again, so the tool can be stopped and called again. The test set is used once, at the end, by the
final model.
"""

import argparse
import json
from pathlib import Path
import time
from typing import Any

import convtour
from convtour import _files, cross_validate, load_dataset, prep_pixels
from convtour.machine import versions
import keras
import nbformat
import numpy as np

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "08_better_models.ipynb"
NAMES = ("define_model", "batch_norm", "deeper", "dropout", "augmented", "dense_control", "everything")
EPOCHS, HELD_OUT_EPOCHS, FINAL_EPOCHS = 10, 12, 30


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("mnist")
    parser.add_argument("--out", type=Path, default=Path("docs/full-models/results.json"))
    options = parser.parse_args()
    functions = defined(NOTEBOOK)
    train, y, test, y_test = load_dataset(options.mnist)
    x, x_test = prep_pixels(train, test)
    found: dict[str, Any] = {"models": {}} | stored(options.out)
    found |= {"setting": versions(), "epochs": EPOCHS}
    for name in NAMES:
        if name not in found["models"]:
            result = cross_validate(x, y, model_fn=functions[name], epochs=EPOCHS, verbose=0)
            weights = functions[name](x.shape[1:], 10).count_params()
            wrong = wrong_rows(result.probabilities, y)
            found["models"][name] = {"weights": weights, "scores": result.scores, "wrong": wrong}
            print(name, result, flush=True)
            store(options.out, found)
    if "held_out" not in found:
        rows = np.random.default_rng(0).permutation(len(x))
        used, kept = rows[:50000], rows[50000:]
        network = functions["train_final"](x[used], y[used], epochs=HELD_OUT_EPOCHS)
        wrong = wrong_rows(network.predict(x[kept], verbose=0), y[kept])
        found["held_out"] = {"epochs": HELD_OUT_EPOCHS, "right": len(kept) - len(wrong), "n": len(kept)}
        print(found["held_out"], flush=True)
        store(options.out, found)
    if "final" not in found:
        begun = time.perf_counter()
        network = functions["train_final"](x, y, epochs=FINAL_EPOCHS)
        seconds = time.perf_counter() - begun
        found["final"] = {
            "model": "everything",
            "epochs": FINAL_EPOCHS,
            "train_seconds": round(seconds),
            "test_right": len(x_test) - len(wrong_rows(network.predict(x_test, verbose=0), y_test)),
            "test_n": len(x_test),
        }
        print(found["final"], flush=True)
        store(options.out, found)


def defined(notebook: Path) -> dict[str, Any]:
    """What the notebook's cells named ``model-...`` define, and the baseline."""
    names: dict[str, Any] = {"keras": keras, "define_model": convtour.define_model}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code" and cell.id.startswith("model-"):
            exec(cell.source, names)
    return names


def wrong_rows(probabilities: Any, y: Any) -> list[int]:
    """Which pictures are read wrongly."""
    wrong: list[int] = np.flatnonzero(probabilities.argmax(axis=1) != y.argmax(axis=1)).tolist()
    return wrong


def stored(out: Path) -> dict[str, Any]:
    """What an earlier call has found, or nothing."""
    found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    return found


def store(out: Path, found: dict[str, Any]) -> None:
    """Keep what has been found so far."""
    _files.write(out, f"{json.dumps(found)}\n".encode())


if __name__ == "__main__":
    main()

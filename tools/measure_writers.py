"""Measure what folds by writer change: the baseline on all of MNIST, random folds against folds of whole writers.

    python tools/measure_writers.py mnist.npz writers.npz [--seeds 1 2 3] [--out docs/writers/results.json]

``mnist.npz`` has the layout of Keras's file. ``writers.npz`` holds ``writer``, a whole number for each of the 60,000
training images in MNIST's order; docs/writers/README.md says how to get it. A run that is stored already is not made
again, so the tool can be stopped and called again.
"""

import argparse
from pathlib import Path
import time
from typing import Any

from convtour import cross_validate, load_dataset, prep_pixels
from convtour.machine import versions
from measure_models import store, stored, wrong_rows
import numpy as np
from sklearn.model_selection import GroupKFold, KFold

Array = np.ndarray[Any, Any]
CUTS = {"random": KFold, "writer": GroupKFold}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("mnist")
    parser.add_argument("writers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("docs/writers/results.json"))
    options = parser.parse_args()
    train, y, test, _ = load_dataset(options.mnist)
    x, _ = prep_pixels(train, test)
    with np.load(options.writers) as file:
        writer = file["writer"]
    found: dict[str, Any] = {"runs": []} | stored(options.out)
    found |= {"setting": versions(), "writers": len(np.unique(writer))}
    done = {(run["folds"], run["seed"]) for run in found["runs"]}
    for seed in options.seeds:
        for name, splitter in CUTS.items():
            if (name, seed) not in done:
                found["runs"].append(measure(name, splitter, seed, x, y, writer))
                store(options.out, found)


def measure(name: str, splitter: Any, seed: int, x: Array, y: Array, writer: Array) -> dict[str, Any]:
    folds, begun = splitter(5, shuffle=True, random_state=seed), time.perf_counter()
    groups = writer if name == "writer" else None
    result = cross_validate(x, y, cv=folds, groups=groups, seed=seed, verbose=0)
    print(name, seed, result, f"{time.perf_counter() - begun:.0f} s", flush=True)
    return {"folds": name, "seed": seed, "scores": result.scores, "wrong": wrong_rows(result.probabilities, y)}


if __name__ == "__main__":
    main()

"""Measure k-fold cross-validation done in several ways, in turn, and store a table and a picture in docs/bench.

Usage: python tools/bench.py [--images N] [--epochs N] [--repeats N] [--full PATH] [--full-repeats N] [--out DIR]

Every way trains the same network on the same folds with batches of 32, in a process of its own, which is started anew
each time: its time includes starting Python, importing and reading the data. The ways take turns, so that a machine
that slows down slows all of them. CPU time and memory are summed over the process and all that it starts; memory is
the proportional set size, which counts a page that several processes share once.

--images 40000 --epochs 2 --repeats 3 is the default. --full names an mnist.npz with all of MNIST: all ways are then
also run once on its 60,000 images, with 10 epochs, and after that evaluate_model, the loop and the fastest of the
others again, --full-repeats times in all. A way whose library is not installed is named as missing.
"""

import argparse
from collections.abc import Callable
from importlib.util import find_spec
import json
import os
from pathlib import Path
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

import numpy as np
import psutil

OUT = Path(__file__).parents[1] / "docs" / "bench"
FOLDS = 5
BATCH = 32

# What each way is called, what it needs, and the backend it runs on.
WAYS = {
    "evaluate_model": ("`evaluate_model`", None, "tensorflow"),
    "loop": ("the loop of the article, repaired", None, "tensorflow"),
    "scikeras": ("scikeras and scikit-learn's `cross_val_score`", "scikeras", "tensorflow"),
    "torch": ("a plain PyTorch loop", "torch", "torch"),
    "keras_jax": ("the same loop, Keras on JAX", "jax", "jax"),
    "keras_torch": ("the same loop, Keras on PyTorch", "torch", "torch"),
}
# Where the time of a step goes, with one thread and with those that TensorFlow takes by itself.
THREADS = {"one thread": {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}, "all threads": {}}


# The ways. Each takes images, whole-number labels, folds, epochs and workers, and returns an accuracy a fold.


def loop(x: np.ndarray, labels: np.ndarray, n_folds: int, epochs: int, workers: int) -> list[float]:
    """What a learner writes: fit with validation, evaluate, next fold. All with Keras's defaults."""
    import keras
    from sklearn.model_selection import KFold

    y = keras.utils.to_categorical(labels)
    scores = []
    for train, held_out in KFold(n_folds, shuffle=True, random_state=1).split(x):
        model = network()
        train_x, train_y, test_x, test_y = x[train], y[train], x[held_out], y[held_out]
        model.fit(train_x, train_y, epochs=epochs, batch_size=BATCH, validation_data=(test_x, test_y), verbose=0)
        _, accuracy = model.evaluate(test_x, test_y, verbose=0)
        scores.append(accuracy)
    return scores


keras_jax = keras_torch = loop


def evaluate_model(x: np.ndarray, labels: np.ndarray, n_folds: int, epochs: int, workers: int) -> list[float]:
    """What convtour offers."""
    import convtour

    y = np.eye(10, dtype="float32")[labels]
    return convtour.evaluate_model(x, y, n_folds, epochs=epochs, n_jobs=workers or None, verbose=0)[0]


def scikeras(x: np.ndarray, labels: np.ndarray, n_folds: int, epochs: int, workers: int) -> list[float]:
    """Folds in parallel as scikit-learn does it; there is no validation after each epoch."""
    from scikeras.wrappers import KerasClassifier
    from sklearn.model_selection import KFold, cross_val_score

    classifier = KerasClassifier(network, loss="categorical_crossentropy", epochs=epochs, batch_size=BATCH, verbose=0)
    folds = KFold(n_folds, shuffle=True, random_state=1)
    return list(cross_val_score(classifier, x, labels, cv=folds, n_jobs=workers or -1))


def torch(x: np.ndarray, labels: np.ndarray, n_folds: int, epochs: int, workers: int) -> list[float]:
    """A PyTorch training loop as its tutorials write it."""
    from sklearn.model_selection import KFold
    import torch
    from torch import nn

    images, targets = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)
    scores = []
    for train, held_out in KFold(n_folds, shuffle=True, random_state=1).split(x):
        model = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 100), nn.ReLU(),
            nn.Linear(100, 10),
        )  # fmt: skip
        for layer in (model[0], model[4]):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        rows, others = torch.from_numpy(train), torch.from_numpy(held_out)
        for _ in range(epochs):
            for batch in rows[torch.randperm(len(rows))].split(BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images[batch]), targets[batch]).backward()
                optimizer.step()
            with torch.no_grad():
                right = sum(
                    int((model(images[batch]).argmax(1) == targets[batch]).sum()) for batch in others.split(BATCH)
                )
        scores.append(right / len(others))
    return scores


def profile(x: np.ndarray, labels: np.ndarray, n_folds: int, epochs: int, workers: int) -> dict[str, float]:
    """Milliseconds a training step takes, whole and with parts left out; medians of several rounds in turn."""
    from convtour._training import train
    from convtour._worker import Job, Part
    import keras
    from keras import layers

    def compiled(*parts: Any) -> Any:
        model = keras.Sequential([*parts, layers.Dense(10, activation="softmax")])
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
        return model

    images, y = x[: 200 * BATCH], keras.utils.to_categorical(labels[: 200 * BATCH])
    flat = np.zeros((len(images), 13 * 13 * 32), "float32")
    start = [keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2)]
    trained = {
        "a call for each step": (network(), 1, images),
        "a call for 100 steps": (network(), 100, images),
        "dense layers alone": (compiled(keras.Input(flat.shape[1:]), layers.Dense(100, activation="relu")), 100, flat),
        "convolution and pooling alone": (compiled(*start, layers.GlobalAveragePooling2D()), 100, images),
    }
    ours = "a call for many steps, as in evaluate_model"
    names = list(trained)
    seconds: dict[str, list[float]] = {name: [] for name in [*names[:2], ours, *names[2:]]}
    job = Job(b"", BATCH, 1, False, "tensorflow", "float32", 1e-7, "channels_last", "float32", None)
    part = Part(0, 0, 6, True, np.arange(len(images)), np.arange(BATCH), None)
    epochs_of_ours = train(part, job, lambda input_shape, num_classes: network(), images, y)
    for turn in range(6):
        begun = time.perf_counter()
        next(epochs_of_ours)
        if turn:
            seconds[ours].append(time.perf_counter() - begun)
        for name, (model, steps, inputs) in trained.items():
            model.steps_per_execution = steps
            begun = time.perf_counter()
            model.fit(inputs, y, batch_size=BATCH, verbose=0)
            if turn:  # the first builds the graph
                seconds[name].append(time.perf_counter() - begun)
    return {name: 1000 * statistics.median(values) / 200 for name, values in seconds.items()}


def network() -> Any:
    """The article's network."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", kernel_initializer="he_uniform"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(100, activation="relu", kernel_initializer="he_uniform"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


# The measuring.


def measure(
    way: str, data: Path, *, images: int, n_folds: int = FOLDS, epochs: int, workers: int = 0
) -> dict[str, Any]:
    """Run a way in a process of its own, and watch it and what it starts."""
    command = [sys.executable, __file__, "--way", way, "--data", data, "--images", images, "--epochs", epochs]
    command += ["--folds", n_folds, "--workers", workers]
    environment = {**os.environ, "KERAS_BACKEND": WAYS[way][2], "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [str(word) for word in command], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        watch = Watch(process.pid)
        output, _ = process.communicate()
        seconds = time.perf_counter() - start
        watch.stop()
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{way} failed: {errors.read()[-2000:]}")
    scores = json.loads(output.splitlines()[-1])
    result = {"way": way, "images": images, "folds": n_folds, "epochs": epochs, "workers": workers, "scores": scores}
    result |= {"seconds": seconds, "cpu_seconds": watch.cpu_seconds, "megabytes": watch.peak / 1e6}
    task = f"{images} images, {n_folds} folds, {epochs} epochs, workers {workers or 'default'}"
    cost = f"{seconds:.1f} s, CPU {watch.cpu_seconds:.1f} s, {watch.peak / 1e6:.0f} MB"
    print(f"{way}: {task}: {cost}, accuracy {100 * np.mean(scores):.3f}", flush=True)
    return result


def measure_profile(data: Path) -> dict[str, dict[str, float]]:
    """Run `profile` in processes of its own, with few and with all threads."""
    command = [sys.executable, __file__, "--way", "profile", "--data", str(data)]
    profiles = {}
    for name, threads in THREADS.items():
        environment = {**os.environ, **threads, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        output = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout
        profiles[name] = json.loads(output.splitlines()[-1])
        print(name, profiles[name], flush=True)
    return profiles


class Watch(threading.Thread):
    """Sample the processor time and the memory of a process and of all that it starts."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root, self._stopped = psutil.Process(pid), threading.Event()
        self._cpu: dict[int, float] = {}
        self.peak = 0
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(1):  # more often would slow down what it watches
            memory = 0
            for process in self._tree():
                try:
                    times, used = process.cpu_times(), process.memory_full_info()
                except psutil.Error:
                    continue
                self._cpu[process.pid] = times.user + times.system
                memory += getattr(used, "pss", used.uss)
            self.peak = max(self.peak, memory)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []

    @property
    def cpu_seconds(self) -> float:
        """Seconds on all cores; what a process used in its last second is not seen."""
        return sum(self._cpu.values())

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def arithmetic_bound(images: int, n_folds: int, epochs: int) -> float:
    """Seconds that the multiplications and additions alone would take, at the speed of a large matrix product.

    Going back through a layer costs twice what going forward does: once for the kernel, once for the input. The
    convolution is the first layer, so that nothing asks for the gradient of its input.
    """
    from convtour import conv_multiply_adds

    convolution = conv_multiply_adds((1, 28, 28, 1), 32, 3)
    dense = 26 // 2 * (26 // 2) * 32 * 100 + 100 * 10
    trained = epochs * images * (n_folds - 1) * (2 * convolution + 3 * dense)
    judged = epochs * images * (convolution + dense)
    a = np.random.default_rng(0).random((3000, 3000), dtype="float32")
    a @ a
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return (trained + judged) / len(a) ** 3 * statistics.median(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--full", type=Path, help="mnist.npz for a run on all of MNIST")
    parser.add_argument("--full-repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    for name in ("--way", "--data"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--folds", "--workers"):
        parser.add_argument(name, type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        way: Callable[..., object] = globals()[options.way]
        x, labels = (
            np.array(np.load(Path(options.data) / name, mmap_mode="r")[: options.images or None])
            for name in ("x.npy", "labels.npy")
        )
        print(json.dumps(way(x, labels, options.folds, options.epochs, options.workers)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        report(run(options, Path(folder)), options.out)
    return 0


def run(options: argparse.Namespace, data: Path) -> dict[str, Any]:
    """Measure everything, the ways in turn."""
    from convtour import load_dataset, prep_pixels
    from convtour.harness import setting

    x_train, y_train, x_test, _ = load_dataset(options.full or "sample")
    images = min(options.images, len(x_train))
    np.save(data / "x.npy", prep_pixels(x_train, x_test)[0])
    np.save(data / "labels.npy", y_train.argmax(axis=1))
    present = [way for way, (_, library, _) in WAYS.items() if library is None or find_spec(library)]
    missing = [way for way in WAYS if way not in present]
    both = ["evaluate_model", "loop"]

    def rounds(count: int, *, ways: list[str], **task: int) -> list[dict[str, Any]]:
        """Run the ways in turn, so many times; those that do not work with the others' versions drop out."""
        runs = []
        for _ in range(count):
            for way in [way for way in ways if way in present]:
                try:
                    runs.append(measure(way, data, **task))
                except RuntimeError as error:
                    if way in both:
                        raise
                    print(error, flush=True)
                    present.remove(way)
                    missing.append(way)
        return [run for run in runs if run["way"] in present]

    peers = rounds(options.repeats, ways=list(WAYS), images=images, epochs=options.epochs)
    full = []
    if options.full:
        task = {"images": len(x_train), "epochs": 10}
        full = rounds(1, ways=list(WAYS), **task)
        others = sorted((run for run in full if run["way"] not in both), key=lambda run: run["seconds"])
        full += rounds(options.full_repeats - 1, ways=both + [run["way"] for run in others[:1]], **task)
    growth = [
        measure(way, data, images=count, epochs=1) for count in (images // 8, images // 4, images // 2) for way in both
    ]
    growth += [measure(way, data, images=images // 4, n_folds=folds, epochs=1) for folds in (2, 10) for way in both]
    growth += [measure("evaluate_model", data, images=images // 2, epochs=1, workers=workers) for workers in (1, 2, 4)]
    versions = setting() | {library: version(library) for library in ("torch", "jax", "scikeras") if version(library)}
    bounds = [arithmetic_bound(run["images"], FOLDS, run["epochs"]) for run in peers[:1] + full[:1]]
    return {
        "setting": versions | {"processor": processor()},
        "peers": peers,
        "growth": growth,
        "full": full,
        "bounds": bounds,
        "profile": measure_profile(data),
        "missing": missing,
    }


def version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def processor() -> str:
    """The name of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or "unknown"


# The report.


def report(results: dict[str, Any], out: Path) -> None:
    """Write results.json, README.md with the tables, and the picture with its words."""
    from convtour._files import write

    out.mkdir(parents=True, exist_ok=True)
    write(out / "results.json", (json.dumps(results, indent=1) + "\n").encode())
    picture = draw(results)
    picture.save(out / "times.png")
    write(out / "README.md", text(results, picture.description).encode())


def text(results: dict[str, Any], words: str) -> str:
    peers, full = results["peers"], results["full"]
    machine = ", ".join(f"{name} {value}" for name, value in results["setting"].items())
    bounds = results["bounds"]
    parts = [
        "# What cross-validation costs\n",
        "Made by `make bench`; `tools/bench.py` says how. Every way trains the same network, on the same folds, in",
        "batches of 32. Times include starting Python, importing and reading the data. CPU time and memory are those",
        "of all processes together. The ratio is to `evaluate_model` in the same round; all are medians with minimum",
        f"and maximum in brackets.\n\nMachine and versions: {machine}.\n",
        f"![{words}](times.png)\n",
        f"## {peers[0]['images']:,} images, {FOLDS} folds, {peers[0]['epochs']} epochs, "
        f"{sum(run['way'] == 'loop' for run in peers)} rounds\n",
        table(peers, bounds[0]),
    ]
    missing = [WAYS[way][0] for way in results["missing"]]
    if missing:
        parts.append(f"Missing, as their libraries were not installed or failed: {', '.join(missing)}.\n")
    if full:
        parts += [
            f"## All of MNIST: {full[0]['images']:,} images, {FOLDS} folds, {full[0]['epochs']} epochs; "
            "where there are brackets, several rounds\n",
            table(full, bounds[1]),
        ]
    parts += ["## How time grows\n", growth_table(results["growth"])]
    parts += ["## Where the time of a training step goes\n", "Milliseconds, on Keras with TensorFlow.\n"]
    parts.append(profile_table(results["profile"]))
    return "\n".join(parts)


def table(runs: list[dict[str, Any]], bound: float) -> str:
    """A row a way, the fastest first, and the arithmetic bound last."""
    ours = [run for run in runs if run["way"] == "evaluate_model"]
    rows = []
    for way, (name, _, _) in WAYS.items():
        theirs = [run for run in runs if run["way"] == way]
        if theirs:
            ratios = [run["seconds"] / our["seconds"] for run, our in zip(theirs, ours, strict=False)]
            accuracy = 100 * statistics.mean(statistics.mean(run["scores"]) for run in theirs)
            rows.append(
                (
                    statistics.median(ratios),
                    f"| {name} | {accuracy:.2f} | {spread([run['seconds'] for run in theirs], '.0f')} | "
                    f"{spread(ratios, '.2f')} | {spread([run['cpu_seconds'] for run in theirs], '.0f')} | "
                    f"{spread([run['megabytes'] for run in theirs], '.0f')} |",
                )
            )
    head = "| way | accuracy, % | time, s | ratio | CPU time, s | peak memory, MB |\n|---|---|---|---|---|---|\n"
    ratio = bound / statistics.median(run["seconds"] for run in ours)
    last = f"| the arithmetic alone, at the speed of a large matrix product | | {bound:.0f} | {ratio:.2f} | | |"
    return head + "\n".join([row for _, row in sorted(rows)] + [last]) + "\n"


def growth_table(runs: list[dict[str, Any]]) -> str:
    lines = ["| way | images | folds | epochs | workers | time, s | peak memory, MB |", "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {WAYS[run['way']][0]} | {run['images']:,} | {run['folds']} | {run['epochs']} | {run['workers'] or ''} | "
        f"{run['seconds']:.0f} | {run['megabytes']:.0f} |"
        for run in runs
    ]
    return "\n".join(lines) + "\n"


def profile_table(profiles: dict[str, dict[str, float]]) -> str:
    lines = ["| | " + " | ".join(profiles) + " |", "|---|" + "---|" * len(profiles)]
    lines += [
        f"| {name} | " + " | ".join(f"{times[name]:.1f}" for times in profiles.values()) + " |"
        for name in next(iter(profiles.values()))
    ]
    return "\n".join(lines) + "\n"


def spread(values: list[float], form: str) -> str:
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}} to {max(values):{form}})"


def draw(results: dict[str, Any]) -> Any:
    """One row a way, one point a round: how many times as long as evaluate_model."""
    from convtour.figures import _styled

    ours = [run["seconds"] for run in results["peers"] if run["way"] == "evaluate_model"]
    ratios = {
        way: [run["seconds"] / our for run, our in zip(runs, ours, strict=True)]
        for way in WAYS
        if (runs := [run for run in results["peers"] if run["way"] == way])
    }
    order = sorted(ratios, key=lambda way: statistics.median(ratios[way]))
    with _styled(figsize=(8, 0.8 + 0.5 * len(order)), layout="constrained") as picture:
        axes = picture.add_subplot()
        for row, way in enumerate(order):
            axes.plot(ratios[way], [row] * len(ratios[way]), "o", color="#0072B2", alpha=0.6)
            axes.plot([statistics.median(ratios[way])], [row], "|", color="#D55E00", markersize=18, markeredgewidth=2)
        axes.set_yticks(range(len(order)), [WAYS[way][0].replace("`", "") for way in order])
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel("times as long as evaluate_model (a point a round; bar: median)")
    words = "; ".join(f"{WAYS[way][0].replace('`', '')} {statistics.median(ratios[way]):.2f}" for way in order)
    picture.description = f"Times as multiples of evaluate_model's, medians of {len(ours)} rounds: {words}."
    return picture


if __name__ == "__main__":
    sys.exit(main())

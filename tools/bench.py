"""Measure k-fold cross-validation done in several ways, in turn, and store tables and a picture in docs/bench.

Usage: python tools/bench.py [--images N] [--epochs N] [--repeats N] [--ways A,B] [--skip-peers] [--both] [--resume]
           [--full PATH] [--full-repeats N] [--full-ways A,B] [--out DIR]

Every way trains the same network on the same folds with batches of 32, in a process of its own, which is started anew
each time: its time includes starting Python, importing and reading the data. The ways take turns, so that a machine
that slows down slows all of them. CPU time and memory are summed over the process and all that it starts; memory is
the proportional set size, which counts a page that several processes share once.

--images 24000 --epochs 2 --repeats 3 is the default for the short rounds, which --skip-peers leaves out; there are no
more images than the data have. --full names an mnist.npz with all of MNIST, from which the images then come: the ways
of --full-ways are also run once on its 60,000 images, with 10 epochs, and after that evaluate_model, the loop and the
fastest of the others again, --full-repeats times in all (0 for not at all). A way whose library is not installed is
named as missing.

--both makes every short and long run twice, as the processor is and as on one with AVX2 only, in turn.

After every run all of them are in partial.json, in the folder of --out. --resume takes up what is there, or else in
results.json, and makes only the runs that are not.
"""

import argparse
from collections.abc import Callable, Iterator
from importlib.util import find_spec
import json
import os
from pathlib import Path
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, NamedTuple

import numpy as np
import psutil

# As it is before convtour is imported, which switches oneDNN on for all that this process starts.
START = dict(os.environ)
OUT = Path(__file__).parents[1] / "docs" / "bench"
FOLDS = 5
BATCH = 32
WEIGHTS = 542_230  # of the article's network


class Way(NamedTuple):
    """A way to cross-validate: what it is called and needs, and what tells it from the others."""

    name: str
    library: str | None
    backend: str
    parallel: bool  # whether it trains several folds at once
    validation: str  # batch in which it validates after every epoch


WAYS = {
    "evaluate_model": Way("`evaluate_model`", None, "tensorflow", True, "128"),
    "loop": Way("the loop of 06", None, "tensorflow", False, "32"),
    "scikeras": Way("scikeras and scikit-learn's `cross_val_score`", "scikeras", "tensorflow", True, "-"),
    "torch": Way("a plain PyTorch loop", "torch", "torch", False, "32"),
    "keras_jax": Way("the same loop, Keras on JAX", "jax", "jax", False, "32"),
    "keras_torch": Way("the same loop, Keras on PyTorch", "torch", "torch", False, "32"),
}
BOTH = ["evaluate_model", "loop"]  # compared in everything
# Where the time of a step goes, with one thread and with those that TensorFlow takes by itself.
THREADS = {"one thread": {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}, "all threads": {}}
# The processor: as it is, and as if it had AVX2 only. What is measured with the second is stored under names with this
# ending.
AS_IT_IS, AVX2 = "as it is", "AVX2 only"
ENDINGS = {AS_IT_IS: "", AVX2: "_avx2"}
PARTS = ["peers", "growth", "full", "peers_avx2", "full_avx2"]


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
    import keras
    from keras import layers

    def compiled(*parts: Any, momentum: float = 0.9) -> Any:
        model = keras.Sequential([*parts, layers.Dense(10, activation="softmax")])
        model.compile(keras.optimizers.SGD(0.01, momentum=momentum), "categorical_crossentropy", metrics=["accuracy"])
        return model

    images, y = x[: 200 * BATCH], keras.utils.to_categorical(labels[: 200 * BATCH])
    flat = np.zeros((len(images), 13 * 13 * 32), "float32")
    start = [keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2)]
    rest = [layers.Flatten(), layers.Dense(100, activation="relu")]
    trained = {
        "a call for each step": (network(), 1, images),
        "a call for 100 steps": (network(), 100, images),
        "dense layers alone": (compiled(keras.Input(flat.shape[1:]), layers.Dense(100, activation="relu")), 100, flat),
        "convolution and pooling alone": (compiled(*start, layers.GlobalAveragePooling2D()), 100, images),
        "the whole without momentum": (compiled(*start, *rest, momentum=0.0), 100, images),
        "an empty network: one number in, ten out": (compiled(keras.Input((1,))), 100, flat[:, :1]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in trained}
    for turn in range(6):  # the first builds the graphs, and does not count
        for name, (model, steps, inputs) in trained.items():
            model.steps_per_execution = steps
            begun = time.perf_counter()
            model.fit(inputs, y, batch_size=BATCH, verbose=0)
            seconds[name] += [time.perf_counter() - begun] * (turn > 0)
    n_steps = -(-len(images) // BATCH)
    return {name: 1000 * statistics.median(values) / n_steps for name, values in seconds.items()}


def speeds(x: np.ndarray, labels: np.ndarray, n_folds: int, epochs: int, workers: int) -> dict[str, float]:
    """How fast all cores together, and one alone, multiply a large matrix and copy a large array; each the median of 7.

    A multiply-add counts as two operations, and a byte that is copied as two: it is read and written.
    """
    from concurrent.futures import ThreadPoolExecutor

    from joblib import cpu_count
    from threadpoolctl import threadpool_limits

    def median_seconds(call: Callable[[], object]) -> float:
        call()
        seconds = []
        for _ in range(7):
            begun = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begun)
        return statistics.median(seconds)

    a = np.random.default_rng(0).random((3000, 3000), dtype="float32")
    source, target = np.ones(100_000_000, "float32"), np.zeros(100_000_000, "float32")
    found = {}
    for cores, ending in ((cpu_count(), ""), (1, "_one_core")):
        # NumPy copies on one core, so each copies a piece of its own.
        pieces = np.array_split(target, cores), np.array_split(source, cores)
        with threadpool_limits(cores), ThreadPoolExecutor(cores) as pool:
            product = median_seconds(lambda: a @ a)
            copy = median_seconds(lambda: list(pool.map(np.copyto, *pieces)))  # noqa: B023
        found["gflops" + ending] = 2 * len(a) ** 3 / product / 1e9
        found["gigabytes_per_second" + ending] = 2 * source.nbytes / copy / 1e9
    return found


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


def environment(way: str, setting_of: str) -> dict[str, str]:
    """The environment of a way: that of this process, but for the backend, TensorFlow's log and, if wanted, AVX2.

    TensorFlow leaves oneDNN alone on a processor without AVX-512, which here it must be told to do; `evaluate_model`
    switches it on by itself there, so that it is told nothing.
    """
    result = START | {"KERAS_BACKEND": WAYS[way].backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if setting_of == AVX2:
        result |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
        if way == "evaluate_model":
            result.pop("TF_ENABLE_ONEDNN_OPTS", None)
        elif WAYS[way].backend == "tensorflow":
            result["TF_ENABLE_ONEDNN_OPTS"] = "0"
    return result


def measure(task: dict[str, Any], data: Path) -> dict[str, Any]:
    """Run a way in a process of its own, and watch it and what it starts."""
    way = task["way"]
    command = [sys.executable, __file__, "--way", way, "--data", data]
    for name in ("images", "epochs", "folds", "workers"):
        command += [f"--{name}", task[name]]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=environment(way, task["setting_of"]),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        watch = Watch(process.pid)
        output, _ = process.communicate()
        seconds = time.perf_counter() - start
        watch.stop()
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{way} failed: {errors.read()[-2000:]}")
    result = task | {"scores": json.loads(output.splitlines()[-1]), "seconds": seconds}
    result |= {"cpu_seconds": watch.cpu_seconds, "megabytes": watch.peak / 1e6}
    what = ", ".join(f"{name} {value}" for name, value in task.items() if name != "way")
    cost = f"{seconds:.1f} s, CPU {watch.cpu_seconds:.1f} s, {watch.peak / 1e6:.0f} MB"
    print(f"{way}: {what}: {cost}, accuracy {100 * np.mean(result['scores']):.3f}", flush=True)
    return result


def ask(way: str, data: Path, **variables: str) -> dict[str, float]:
    """What `profile` or `speeds` answers, in a process of its own with these environment variables."""
    command = [sys.executable, __file__, "--way", way, "--data", str(data)]
    env = START | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"} | variables
    output = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, text=True).stdout
    answer: dict[str, float] = json.loads(output.splitlines()[-1])
    print(way, variables, answer, flush=True)
    return answer


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


def multiply_adds(images: int, n_folds: int, epochs: int) -> int:
    """Multiplications, each with an addition, of a cross-validation.

    Going back through a layer costs twice what going forward does: once for the kernel, once for the input. The
    convolution is the first layer, so that nothing asks for the gradient of its input.
    """
    from convtour import conv_multiply_adds

    convolution = conv_multiply_adds((1, 28, 28, 1), 32, 3)
    dense = 26 // 2 * (26 // 2) * 32 * 100 + 100 * 10
    trained = epochs * images * (n_folds - 1) * (2 * convolution + 3 * dense)
    return trained + epochs * images * (convolution + dense)


def bytes_moved(images: int, n_folds: int, epochs: int) -> int:
    """Bytes that a cross-validation reads and writes at least, if nothing stays in the cache from one use to the next.

    In float32, trained in batches of 32 and validated in batches of 128. Each layer is taken to be one pass over its
    input and output, with bias and activation in the same pass.

    - The weights, seven times a step: read forward, read backward; gradients written, and read by the optimizer;
      momentum read and written; weights written. (That the optimizer reads the weights, too, is taken to be one with
      reading them backward.) In validation they are read once a batch.
    - For every picture forward: the input read, the map of the convolution (26x26x32) written and read by the pooling,
      the pooled map (13x13x32) written and read by the dense layer.
    - The same on the way back: the gradients of both maps written and read, and the input read again. Which pixels were
      the largest, and which were above 0, is taken to be known without reading the maps again.

    The 110 outputs of the dense layers, the labels and the shuffling are left out.
    """
    forward = 28 * 28 + 2 * 26 * 26 * 32 + 2 * 13 * 13 * 32
    numbers = 0
    for fold in range(n_folds):
        held_out = images // n_folds + (fold < images % n_folds)
        trained = images - held_out
        numbers += 7 * WEIGHTS * -(-trained // BATCH) + 2 * forward * trained
        numbers += WEIGHTS * -(-held_out // (4 * BATCH)) + forward * held_out
    return 4 * epochs * numbers


def main() -> int:
    options = arguments()
    if options.way:
        way: Callable[..., object] = globals()[options.way]
        x, labels = (
            np.array(np.load(Path(options.data) / name, mmap_mode="r")[: options.images or None])
            for name in ("x.npy", "labels.npy")
        )
        print(json.dumps(way(x, labels, options.folds, options.epochs, options.workers)))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        report(run(options, Path(folder)), options.out)
    (options.out / "partial.json").unlink(missing_ok=True)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=24_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="short rounds")
    parser.add_argument("--ways", type=chosen, default=list(WAYS), help="of " + ",".join(WAYS))
    parser.add_argument("--skip-peers", action="store_true", help="leave out the short rounds")
    parser.add_argument("--both", action="store_true", help="run also as on a processor with AVX2 only")
    parser.add_argument("--resume", action="store_true", help="take up the runs that are in --out already")
    parser.add_argument("--full", type=Path, help="mnist.npz for a run on all of MNIST")
    parser.add_argument("--full-repeats", type=int, default=1, help="long rounds; 0 for none")
    parser.add_argument("--full-ways", type=chosen, help="ways of the long run; those of --ways if left out")
    parser.add_argument("--out", type=Path, default=OUT)
    for name in ("--way", "--data"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--folds", "--workers"):
        parser.add_argument(name, type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.full_ways = options.full_ways or options.ways
    if options.both and "avx512f" not in processor()["flags"].split():
        parser.error("--both: this processor has no AVX-512, so that as it is it stands for those with AVX2 only.")
    return options


def chosen(text: str) -> list[str]:
    """The ways of a list with commas."""
    names = text.split(",")
    if unknown := set(names) - set(WAYS):
        raise argparse.ArgumentTypeError(f"no way is called {', '.join(sorted(unknown))}; there are {', '.join(WAYS)}")
    if "evaluate_model" not in names:
        raise argparse.ArgumentTypeError("evaluate_model must be among them, as the ratios are to its time")
    return [way for way in WAYS if way in names]


def run(options: argparse.Namespace, data: Path) -> dict[str, Any]:
    """Measure everything, the ways in turn."""
    from convtour import load_dataset, prep_pixels
    from convtour.machine import versions

    x_train, y_train, x_test, _ = load_dataset(options.full or "sample")
    np.save(data / "x.npy", prep_pixels(x_train, x_test)[0])
    np.save(data / "labels.npy", y_train.argmax(axis=1))
    libraries = {library: version(library) for library in ("torch", "jax", "scikeras") if version(library)}
    origin = {"setting": versions() | libraries | processor(), "samples": len(x_train)}
    wanted = [way for way in WAYS if way in options.ways or way in options.full_ways]
    missing = [way for way in wanted if (library := WAYS[way].library) and not find_spec(library)]
    runs = earlier(options, origin)
    for task in plan(options, len(x_train), runs):
        if task["way"] in missing or any(task.items() <= run.items() for run in runs):
            continue
        try:
            runs.append(measure(task, data))
        except RuntimeError as error:  # a way may not work with the others' versions
            if task["way"] in BOTH:
                raise
            print(error, flush=True)
            missing.append(task["way"])
        write(options.out / "partial.json", origin | parts(runs))
    results = origin | parts(runs)
    for setting_of, ending in ENDINGS.items():
        if setting_of == AS_IT_IS or results["peers_avx2"] or results["full_avx2"]:
            results |= bounds(results, ending, data)
    results["profile"] = {name: ask("profile", data, **threads) for name, threads in THREADS.items()}
    return results | {"missing": missing}


def plan(options: argparse.Namespace, samples: int, runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Name all runs, in turn; `runs` are those made so far, which the later long rounds depend on."""
    settings = [AS_IT_IS, AVX2] if options.both else [AS_IT_IS]
    images = min(options.images, samples)

    def turns(part: str, turn: int, ways: list[str], settings: list[str], **task: int) -> Iterator[dict[str, Any]]:
        for way in ways:
            for setting_of in settings:
                which = {"part": part, "round": turn, "way": way, "setting_of": setting_of}
                yield which | {"folds": FOLDS, "workers": 0} | task

    if not options.skip_peers:
        for turn in range(options.repeats):
            yield from turns("peers", turn, options.ways, settings, images=images, epochs=options.epochs)
    for turn in range(options.full_repeats if options.full else 0):
        ways = options.full_ways
        if turn:
            first = [run for run in parts(runs)["full"] if run["round"] == 0 and run["way"] not in BOTH]
            fastest = [run["way"] for run in sorted(first, key=lambda run: float(run["seconds"]))[:1]]
            ways = [way for way in ways if way in BOTH + fastest]
        yield from turns("full", turn, ways, settings, images=samples, epochs=10)
    both = [way for way in BOTH if way in options.ways]
    for turn in range(2):
        for count in sorted({min(count, images) for count in (300, 1500, 3000, 6000, 12_000, 24_000)}):
            yield from turns("growth", turn, both, [AS_IT_IS], images=count, epochs=1)
    for folds in (2, 10):
        yield from turns("growth", 0, both, [AS_IT_IS], images=images // 4, epochs=1, folds=folds)
    for workers in (1, 2, 4):
        yield from turns("growth", 0, BOTH[:1], [AS_IT_IS], images=images // 2, epochs=1, workers=workers)


def parts(runs: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The runs under the names by which they are stored, round after round."""
    result: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    for run in sorted(runs, key=lambda run: int(run["round"])):
        result[run["part"] + ENDINGS[run["setting_of"]]].append(run)
    return result


def earlier(options: argparse.Namespace, origin: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs to go on from."""
    files = [options.out / name for name in ("partial.json", "results.json") if (options.out / name).exists()]
    if not options.resume:
        if files and files[0].name == "partial.json":
            raise SystemExit(f"{files[0]} is what an interrupted benchmark left: --resume takes it up; or remove it.")
        return []
    if not files:
        return []
    stored = json.loads(files[0].read_text())
    # A library may have been installed since; none may have changed.
    changed = [name for name, value in origin["setting"].items() if stored["setting"].get(name, value) != value]
    if changed or stored.get("samples") != origin["samples"]:
        raise SystemExit(f"{files[0]} comes from other {', '.join(changed) or 'data'}: --resume cannot take it up.")
    return [run for part in PARTS for run in stored[part]]


def bounds(results: dict[str, Any], ending: str, data: Path) -> dict[str, Any]:
    """Seconds that the arithmetic and the memory alone would take for the short and for the long rounds."""
    measured = ask("speeds", data, **({"OPENBLAS_CORETYPE": "Haswell"} if ending else {}))  # NumPy with AVX2 only
    tasks = [runs[0] if (runs := results[part + ending]) else None for part in ("peers", "full")]
    sizes = [task and (task["images"], task["folds"], task["epochs"]) for task in tasks]
    multiplying, moving = 1e9 * measured["gflops"] / 2, 1e9 * measured["gigabytes_per_second"]
    found = {
        "bounds": [size and multiply_adds(*size) / multiplying for size in sizes],
        "bounds_bytes": [size and bytes_moved(*size) / moving for size in sizes],
    }
    return {name + ending: value for name, value in (found | measured).items()}


def version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def processor() -> dict[str, str]:
    """The name of the processor, and which of the instructions it has that matter here, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in reversed(lines) if ":" in line}
    flags = [
        flag
        for flag in told.get("flags", "").split()
        if flag in ("sse4_2", "avx", "avx2", "fma", "avx_vnni") or flag.startswith(("avx512", "amx"))
    ]
    name = told.get("model name") or platform.processor() or "unknown"
    return {"processor": name, "flags": " ".join(sorted(flags)) or "unknown"}


def write(target: Path, results: dict[str, Any]) -> None:
    """Write results aside and move them into place, so that no half of them is ever seen."""
    from convtour import _files

    _files.write(target, f"{json.dumps(results, indent=1)}\n".encode())


# The report.


def report(results: dict[str, Any], out: Path) -> None:
    """Write results.json, README.md with the tables, and the picture with its words."""
    write(out / "results.json", results)
    words = {}
    for name, draw in (("times", draw_times), ("workers", draw_workers), ("roofline", draw_roofline)):
        if picture := draw(results):
            picture.save(out / f"{name}.png")
            words[name] = f"![{picture.description}]({name}.png)\n"
    (out / "README.md").write_text(text(results, words))


INTRODUCTION = """\
# What cross-validation costs

Made by `make bench`; `tools/bench.py` says how. Every way trains the same network, on the same folds, in batches of 32.
Times include starting Python, importing and reading the data. CPU time and memory are those of all processes together.
The ratio is to `evaluate_model` in the same round; all are medians, and where there were several rounds, with minimum
and maximum in brackets.

**The loop of 06** is the one that [notebook 06](../../notebooks/06_mnist_baseline.ipynb) writes by hand, with more
epochs and a validation after each. Its random numbers are its own, as are those of all other ways.

**Folds in parallel.** `evaluate_model` and scikeras train several folds at once, each in a process of its own. The
other ways train one fold after the other, and use the cores for the parts of a step.

**Validation.** After every epoch `evaluate_model` validates in batches of 128, the loop, with all three backends, and
the plain PyTorch loop in batches of 32. Any batch gives the same numbers, but for rounding: nothing is learned in
validation; a larger one takes less time. The loop also evaluates once more after its last epoch, as learners write it.
scikeras does not validate after every epoch: `cross_val_score` scores each fold once, at the end. So it has less to do.

**The last two rows** of a table are not ways but measures to hold them against: how long all multiply-adds would take
as fast as those of a product of two large matrices; and how long it would take to read and write all weights, gradients
and maps of each step, to and from memory, as fast as a large array is copied. The first is hardly to be beaten on these
cores. The second can be, where the processor's cache keeps some of them until they are used again.
"""
TWO_SETTINGS = """
**AVX2 only.** Processors without AVX-512 are common, so these runs were also made as if this were one of them. oneDNN
and PyTorch's own code are held to AVX2 (`ONEDNN_MAX_CPU_ISA=AVX2`, `ATEN_CPU_CAPABILITY=avx2`); TensorFlow is told not
to use oneDNN's operations (`TF_ENABLE_ONEDNN_OPTS=0`), as it does by itself there, except for `evaluate_model`, since
convtour switches them on. Not held to AVX2 are what JAX compiles and the matrix products of PyTorch, which are MKL's.
The two settings took turns, run by run.
"""


def text(results: dict[str, Any], pictures: dict[str, str]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in results["setting"].items())
    both = results["peers_avx2"] or results["full_avx2"]
    pieces = [INTRODUCTION + TWO_SETTINGS * bool(both), f"Machine and versions: {machine}.\n"]
    pieces += [pictures[name] for name in ("times",) if name in pictures]
    for index, part in enumerate(("peers", "full")):
        for setting_of, ending in ENDINGS.items():
            if runs := results[part + ending]:
                rows = [results[name + ending][index] for name in ("bounds", "bounds_bytes")]
                pieces += [heading(runs, part, setting_of), table(runs, *rows)]
    gone = [WAYS[way].name for way in results["missing"]]
    if gone:
        pieces.append(f"Missing, as their libraries were not installed or failed: {', '.join(gone)}.\n")
    for setting_of, ending in ENDINGS.items():
        if "gflops" + ending in results:
            speed = f"{results['gflops' + ending]:.0f} billion operations a second, two for each multiply-add"
            copied = f"{results['gigabytes_per_second' + ending]:.1f} GB a second, read and written together"
            pieces.append(f"The speeds of the last two rows, {setting_of}: {speed}; {copied}.\n")
    pieces += ["## How time grows\n", growth_table(results["growth"])]
    pieces += [pictures[name] for name in ("workers",) if name in pictures]
    pieces += ["## Where the time of a training step goes\n", "Milliseconds, on Keras with TensorFlow and oneDNN.\n"]
    pieces.append(profile_table(results["profile"]))
    pieces += [pictures[name] for name in ("roofline",) if name in pictures]
    return "\n".join(pieces)


def heading(runs: list[dict[str, Any]], part: str, setting_of: str) -> str:
    first, rounds = runs[0], len({run["round"] for run in runs})
    size = f"{first['images']:,} images, {first['folds']} folds, {first['epochs']} epochs, {rounds} rounds"
    size = size.replace(" 1 rounds", " 1 round").replace(" 1 epochs", " 1 epoch")
    return "## " + "All of MNIST: " * (part == "full") + size + ", AVX2 only" * (setting_of == AVX2) + "\n"


def table(runs: list[dict[str, Any]], arithmetic: float, memory: float) -> str:
    """A row a way, the fastest first, and the two bounds last."""
    rows = []
    for way, values in sorted(ratios(runs).items(), key=lambda item: statistics.median(item[1])):
        theirs = [run for run in runs if run["way"] == way]
        accuracy = 100 * statistics.mean(statistics.mean(run["scores"]) for run in theirs)
        costs = {name: [run[name] for run in theirs] for name in ("seconds", "cpu_seconds", "megabytes")}
        name, _, _, parallel, validation = WAYS[way]
        rows.append(
            f"| {name} | {'yes' if parallel else 'no'} | {validation} | {accuracy:.2f} | "
            f"{spread(costs['seconds'], '.0f')} | {spread(values, '.2f')} | "
            f"{spread(costs['cpu_seconds'], '.0f')} | {spread(costs['megabytes'], '.0f')} |"
        )
    ours = statistics.median(run["seconds"] for run in runs if run["way"] == "evaluate_model")
    for name, bound in (
        ("the multiply-adds alone, at the speed of a large matrix product", arithmetic),
        ("the bytes alone, at the speed of a large copy", memory),
    ):
        rows.append(f"| {name} | | | | {bound:.0f} | {bound / ours:.2f} | | |")
    columns = ["way", "folds in parallel", "batch of the validation", "accuracy, %", "time, s", "ratio", "CPU time, s"]
    head = f"| {' | '.join(columns)} | peak memory, MB |\n|{'---|' * (len(columns) + 1)}\n"
    return head + "\n".join(rows) + "\n"


def ratios(runs: list[dict[str, Any]]) -> dict[str, list[float]]:
    """How many times as long as evaluate_model each way took, round by round."""
    ours = {run["round"]: run["seconds"] for run in runs if run["way"] == "evaluate_model"}
    found: dict[str, list[float]] = {}
    for run in runs:
        if run["round"] in ours:
            found.setdefault(run["way"], []).append(run["seconds"] / ours[run["round"]])
    return found


def growth_table(runs: list[dict[str, Any]]) -> str:
    """A row for each size and way, whatever the number of rounds."""
    lines = ["| way | images | folds | epochs | workers | time, s | peak memory, MB |", "|---|---|---|---|---|---|---|"]
    same: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run in runs:
        same.setdefault(tuple(run[name] for name in ("way", "images", "folds", "epochs", "workers")), []).append(run)
    for (way, images, folds, epochs, workers), theirs in same.items():
        seconds, memory = ([run[name] for run in theirs] for name in ("seconds", "megabytes"))
        lines.append(
            f"| {WAYS[way].name} | {images:,} | {folds} | {epochs} | {workers or ''} | {spread(seconds, '.1f')} | "
            f"{spread(memory, '.0f')} |"
        )
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


def draw_times(results: dict[str, Any]) -> Any:
    """A bar for each way, the fastest first: how many times as long as evaluate_model; dots for several rounds."""
    from convtour.picture import BLUE, VERMILION, styled

    if not (runs := results["peers"] or results["full"]):
        return None
    times = ratios(runs)
    order = sorted(times, key=lambda way: statistics.median(times[way]))
    names, medians = (
        [WAYS[way].name.replace("`", "") for way in order],
        [statistics.median(times[way]) for way in order],
    )
    with styled(figsize=(7, 0.9 + 0.4 * len(order))) as picture:
        axes = picture.subplots()
        bars = axes.barh(names, medians, color=BLUE, height=0.6)
        axes.bar_label(bars, fmt="%.2f", padding=6)
        if (rounds := len(times["evaluate_model"])) > 1:
            for row, way in enumerate(order):
                label = "each round" if row == 0 else None
                axes.plot(times[way], [row] * len(times[way]), "o", color=VERMILION, markersize=4, label=label)
            axes.legend()
        axes.invert_yaxis()
        axes.grid(visible=False)  # the bars bear their numbers
        axes.set(xlabel="times as long as evaluate_model", xlim=(0, 1.15 * max(map(max, times.values()))))
    drawn = "; ".join(f"{name} {bar.get_width():.2f}" for name, bar in zip(names, bars, strict=True))
    of = f"medians of {rounds} rounds" if rounds > 1 else "one round"
    picture.description = f"Bars: times as multiples of evaluate_model's, {of}: {drawn}."
    return picture


def draw_workers(results: dict[str, Any]) -> Any:
    """How the time of evaluate_model falls with the number of workers, beside a time that is shared evenly."""
    from convtour.picture import BLUE, VERMILION, styled
    from matplotlib.ticker import MaxNLocator

    runs = sorted((run for run in results["growth"] if run["workers"]), key=lambda run: int(run["workers"]))
    if not runs:
        return None
    workers = [run["workers"] for run in runs]
    with styled(figsize=(6, 3)) as picture:
        axes = picture.subplots()
        axes.plot(workers, [run["seconds"] for run in runs], "o-", color=BLUE, label="measured")
        cores = int(results["setting"]["CPUs"])  # more workers than cores share nothing more
        alone = runs[0]["seconds"] * workers[0]
        shared = {number: alone / number for number in workers if number <= cores}
        axes.plot([*shared], [*shared.values()], "s--", color=VERMILION, label="if all of it could be shared")
        axes.set(xlabel="workers", ylabel="seconds", xticks=workers)
        axes.set_ylim(0, 1.1 * max(run["seconds"] for run in runs))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.legend()
    size = f"{runs[0]['images']:,} images, {runs[0]['folds']} folds, {runs[0]['epochs']} epoch"
    points = ", ".join(f"{run['workers']}: {run['seconds']:.1f} s" for run in runs)
    evenly = ", ".join(f"{number}: {seconds:.1f} s" for number, seconds in shared.items())
    picture.description = (
        f"Time of evaluate_model by number of workers, {size}, on {cores} cores. {points}. Dashed, up to as many "
        f"workers as cores, if all of it could be shared: {evenly}."
    )
    return picture


def draw_roofline(results: dict[str, Any]) -> Any:
    """The speed of training steps on one thread, below what arithmetic and memory alone would let one core do."""
    from convtour.picture import BLUE, VERMILION, styled

    if "gflops_one_core" not in results:
        return None
    arithmetic, memory = results["gflops_one_core"] / 2, results["gigabytes_per_second_one_core"]
    places = {}
    for name, (sums, moved) in step_costs().items():
        milliseconds = results["profile"]["one thread"][name]
        label = "the whole step" if name == "a call for 100 steps" else name
        places[label] = sums / moved, sums / milliseconds / 1e6
    with styled(figsize=(7, 3.6)) as picture:
        axes = picture.subplots()
        across = np.array([0.5, arithmetic / memory, 50])  # the roof's ends and its ridge
        axes.loglog(across, np.minimum(arithmetic, memory * across), color=VERMILION)
        axes.annotate("memory", (0.8, memory), ha="right")
        axes.annotate("arithmetic", (20, 1.06 * arithmetic), va="bottom")
        words = []
        for (name, (x, y)), marker in zip(places.items(), "osD", strict=True):
            axes.plot([x], [y], marker, color=BLUE, markersize=8, label=name, linestyle="none")
            share = 100 * y / min(arithmetic, memory * x)
            words.append(f"{name}: {y:.0f} at {x:.1f} for each byte, {share:.0f} % of the roof")
        axes.set(xlabel="multiply-adds for each byte read or written", ylabel="billion multiply-adds a second")
        axes.set_ylim(1, 3 * arithmetic)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.legend(loc="lower right")
    picture.description = (
        f"A roof that rises with the speed of memory, {memory:.0f} billion bytes a second, and is flat at that of "
        f"arithmetic, {arithmetic:.0f} billion multiply-adds a second, both of one core; below it, training steps on "
        f"one thread. {'; '.join(words)}."
    )
    return picture


def step_costs() -> dict[str, tuple[float, float]]:
    """Multiply-adds and bytes of a step, whole and in parts, as `multiply_adds` and `bytes_moved` count them."""
    convolution, dense = BATCH * 2 * 26 * 26 * 32 * 9, BATCH * 3 * (13 * 13 * 32 * 100 + 100 * 10)
    maps, weights = BATCH * 2 * 4 * (28 * 28 + 2 * 26 * 26 * 32), 7 * 4 * (WEIGHTS - 320)
    pooled = BATCH * 2 * 4 * 13 * 13 * 32  # written by the pooling, and as often read by the dense layer
    return {
        "a call for 100 steps": (convolution + dense, maps + 2 * pooled + weights),
        # The first layer asks for no gradient of its input.
        "dense layers alone": (dense - BATCH * 13 * 13 * 32 * 100, pooled + weights),
        "convolution and pooling alone": (convolution, maps + 2 * pooled),
    }


if __name__ == "__main__":
    sys.exit(main())

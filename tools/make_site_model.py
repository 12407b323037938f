"""Train the network that the page "Draw a digit" runs, and write it to site/_static/digit/weights.js.

Usage: python tools/make_site_model.py

The file is a script, not data, so that a page can load it from a disk as well as from a server. It holds the weights of
``define_model`` in float16, twenty digits to choose from, and what was measured. ``CONVTOUR_DATA`` names a file of all
of MNIST; without it the sample is trained on. The digits of the sample's test part, which the page shows, take no part
in the training.
"""

import base64
from importlib.metadata import version
import json
from pathlib import Path
import platform
from typing import Any

from convtour import define_model, load_dataset, prep_pixels
import keras
import numpy as np
import numpy.typing as npt

TARGET = Path(__file__).parents[1] / "site" / "_static" / "digit" / "weights.js"
EPOCHS, BATCH_SIZE, SEED = 8, 32, 1
SAMPLES = 2  # of each digit
NAMES = (
    "convolution kernels",
    "convolution biases",
    "hidden weights",
    "hidden biases",
    "output weights",
    "output biases",
)
TOP = """\
// Made by tools/make_site_model.py: weights as base64 of float16, little endian, in the order of Keras's arrays, and
// digits as base64 of bytes, 0 (paper) to 255 (ink). The digits are MNIST's, see data/README.md for credit and licence.
"""
BEGIN, END = "globalThis.convtourDigitModel = ", ";\n"

_Float = npt.NDArray[np.float32]
_Bytes = npt.NDArray[np.uint8]


def not_shown(images: _Bytes, shown: _Bytes) -> npt.NDArray[np.bool_]:
    """Say of each image whether it is none of those that the page shows."""
    known = {image.tobytes() for image in shown}
    return np.array([image.tobytes() not in known for image in images])


def rounded(weights: list[_Float]) -> list[_Float]:
    """Return the weights as float16 keeps them."""
    return [weight.astype(np.float16).astype(np.float32) for weight in weights]


def accuracy(model: keras.Model, weights: list[_Float], images: _Float, labels: _Float) -> float:
    """Return the share of images that the model reads right with these weights."""
    model.set_weights(weights)
    said = model.predict(images, batch_size=1000, verbose=0).argmax(axis=1)
    return float(np.mean(said == labels.argmax(axis=1)))


def text_of(array: npt.NDArray[Any]) -> str:
    """Return an array's bytes as base64."""
    return base64.b64encode(array.tobytes()).decode("ascii")


def script(weights: list[_Float], samples: list[tuple[int, _Bytes]], about: dict[str, Any]) -> str:
    """Return the text of weights.js: one JSON object, given to a global name."""
    data = {
        "about": about,
        "weights": [
            {"name": name, "shape": weight.shape, "float16": text_of(weight.astype("<f2"))}
            for name, weight in zip(NAMES, weights, strict=True)
        ],
        "samples": [{"digit": digit, "pixels": text_of(image)} for digit, image in samples],
    }
    # A line for each array: a difference shows which of them has changed.
    parts = []
    for name, part in data.items():
        lines = ",\n".join(map(json.dumps, part)) if isinstance(part, list) else ""
        parts.append(f"{json.dumps(name)}: " + (f"[\n{lines}\n]" if lines else json.dumps(part, indent=1)))
    return f"{TOP}{BEGIN}{{\n" + ",\n".join(parts) + f"\n}}{END}"


def read(text: str) -> dict[str, Any]:
    """Return what a text of weights.js holds; weights and pixels become arrays."""
    data: dict[str, Any] = json.loads(text.removeprefix(TOP).removeprefix(BEGIN).removesuffix(END))
    data["weights"] = [
        np.frombuffer(base64.b64decode(part["float16"]), "<f2").reshape(part["shape"]).astype(np.float32)
        for part in data["weights"]
    ]
    for sample in data["samples"]:
        sample["pixels"] = np.frombuffer(base64.b64decode(sample["pixels"]), np.uint8).reshape(28, 28)
    return data


def main() -> None:
    raw, labels, raw_test, labels_test = load_dataset()
    _, _, shown, labels_shown = load_dataset("sample")
    kept = not_shown(raw, shown)
    raw, labels = raw[kept], labels[kept]
    x, x_test = prep_pixels(raw, raw_test)
    _, x_shown = prep_pixels(raw[:1], shown)

    keras.utils.set_random_seed(SEED)
    model = define_model()
    model.fit(x, labels, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=2)
    full = model.get_weights()
    half = rounded(full)

    digits = labels_shown.argmax(axis=1)
    samples = [(digit, shown[row, ..., 0]) for digit in range(10) for row in np.flatnonzero(digits == digit)[:SAMPLES]]
    about = {
        "trained_on": len(x),
        "tested_on": len(x_test),
        "accuracy": {
            "float32": accuracy(model, full, x_test, labels_test),
            "float16": accuracy(model, half, x_test, labels_test),
        },
        "sample_tested_on": len(x_shown),
        "sample_accuracy": {
            "float32": accuracy(model, full, x_shown, labels_shown),
            "float16": accuracy(model, half, x_shown, labels_shown),
        },
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("convtour", "keras", keras.backend.backend(), "numpy")},
        },
    }
    aside = TARGET.with_suffix(".part")
    aside.write_text(script(half, samples, about), encoding="ascii")
    aside.replace(TARGET)
    print(json.dumps(about, indent=1))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()

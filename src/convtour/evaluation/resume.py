"""A folder that keeps how far each fold has come."""

import hashlib
import io
import json
import os
from pathlib import Path
import sys
import time
from typing import TYPE_CHECKING
import warnings

from convtour._files import write
from convtour.evaluation.state import Array, Progress, Rows
import joblib
import numpy as np

if TYPE_CHECKING:
    import keras


class ResumeFolder:
    """One file for each fold, ``fold-1.npz`` onwards, each with the configuration that it belongs to.

    Raises
    ------
    ValueError
        If the folder holds another run.
    OSError
        If nothing can be written there.
    """

    def __init__(self, path: str | os.PathLike[str], configuration: dict[str, str]) -> None:
        self._path, self._configuration = Path(path), configuration
        for left in self._path.glob(".fold-*.npz.*"):
            if time.time() - left.stat().st_mtime > 3600:  # of a write that was cut short
                left.unlink(missing_ok=True)
        self._kept: dict[str, Progress] = {}
        for file in sorted(self._path.glob("fold-*.npz")):
            try:
                theirs, progress = read(file)
            except (MemoryError, PermissionError):
                raise  # the file may be sound
            except Exception as error:
                warnings.warn(f"{file} is damaged ({error}); that fold is run again.", stacklevel=4)
                continue
            names = [name for name in {**configuration, **theirs} if configuration.get(name) != theirs.get(name)]
            if names:
                differences = "; ".join(
                    f"{name} is {theirs.get(name, 'not there')}, here {configuration.get(name, 'not there')}"
                    for name in names
                )
                raise ValueError(f"resume_dir={str(path)!r} holds another run: {differences}. Take another folder.")
            self._kept[file.name] = progress

    def load(self, fold: int) -> Progress:
        """Return what is known of a fold, nothing if it has not begun."""
        return self._kept.get(f"fold-{fold + 1}.npz", Progress())

    def save(self, fold: int, progress: Progress) -> None:
        """Keep a fold."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            configuration=json.dumps(self._configuration),
            logs=json.dumps(progress.logs),
            variables=np.frombuffer(progress.variables or b"", np.uint8),
            probabilities=progress.probabilities,
        )
        content = buffer.getvalue()
        write(self._path / f"fold-{fold + 1}.npz", content + hashlib.sha256(content).digest())


def read(file: Path) -> tuple[dict[str, str], Progress]:
    """Return the configuration and the progress that a file keeps, or raise for whatever is wrong with it."""
    content = file.read_bytes()
    if hashlib.sha256(content[:-32]).digest() != content[-32:]:  # an archive has no checksum over its directory
        raise ValueError("its content is not what was written")
    with np.load(io.BytesIO(content[:-32]), allow_pickle=False) as arrays:
        progress = Progress(
            json.loads(str(arrays["logs"])), arrays["variables"].tobytes() or None, arrays["probabilities"]
        )
        return json.loads(str(arrays["configuration"])), progress


def describe(
    arguments: dict[str, int],
    splits: list[tuple[Rows, Rows]],
    x: Array,
    y: Array,
    model: "keras.Model",
    text: str | None,
) -> dict[str, str]:
    """What the numbers of a run depend on, in words that differ where it does; the processor is left out.

    The text is what `describe_model` says of the model.

    Raises
    ------
    ValueError
        If the model has code of its own: that could be edited, and old epochs would be taken for new ones.
    """
    import keras

    if text is None:
        raise ValueError(
            "resume_dir: the model has code that is not Keras's own: a layer, loss, metric or step that you wrote, or "
            "a lambda. Whether it is still what it was when the folder was written cannot be known. (AugMix counts as "
            "such: what it draws is not kept.) Leave resume_dir out, or build the model of Keras's layers."
        )
    backend = keras.backend.backend()
    configuration = {"n_folds": str(len(splits))} | {name: str(value) for name, value in arguments.items()}
    configuration["epsilon"] = str(keras.config.epsilon())
    configuration["oneDNN"] = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "as it is")
    configuration["folds"] = str(joblib.hash(splits))
    for name, array in (("x", x), ("y", y)):
        configuration[name] = f"{array.dtype} {array.shape} {joblib.hash(array)}"
    weights = joblib.hash([keras.ops.convert_to_numpy(variable) for variable in model.weights])
    configuration["model"] = hashlib.sha256(f"{text}{weights}".encode()).hexdigest()[:16]
    return configuration | {"keras": keras.__version__, backend: sys.modules[backend].__version__}

"""A folder that keeps how far each fold has come."""

import hashlib
import io
import json
import os
from pathlib import Path
import sys
import tempfile
from typing import TYPE_CHECKING, Any
import warnings

from convtour._checks import path_of
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
        arrays: dict[str, Any] = {"configuration": np.array(json.dumps(self._configuration))}
        arrays |= {f"history/{name}": np.array(values) for name, values in progress.history.items()}
        if progress.variables is not None:
            arrays["variables"] = np.frombuffer(progress.variables, np.uint8)
        arrays["probabilities"] = progress.probabilities
        buffer = io.BytesIO()
        np.savez(buffer, digest=np.array(_digest(arrays)), **arrays)
        write(self._path / f"fold-{fold + 1}.npz", buffer.getvalue())


def open_folder(resume_dir: str | os.PathLike[str]) -> Path:
    """Make the folder where it is not there, and see that it can be written to, before anything is trained."""
    text = path_of("resume_dir", resume_dir)
    if not text or "\0" in text:
        raise ValueError(f"resume_dir={text!r}: expected the path of a folder; leave it out to keep nothing.")
    path = Path(text).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        for left in path.glob(".fold-*.npz.*"):  # of a write that was cut short
            left.unlink()
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise type(error)(f"resume_dir={str(path)!r} cannot be written to: {error}") from error
    return path


def read(file: Path) -> tuple[dict[str, str], Progress]:
    """Return the configuration and the progress that a file keeps, or raise for whatever is wrong with it."""
    with np.load(file, allow_pickle=False) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    if str(content.pop("digest")) != _digest(content):
        raise ValueError("its content is not what was written")
    history = {
        name.removeprefix("history/"): values.tolist()
        for name, values in content.items()
        if name.startswith("history/")
    }
    variables = content.get("variables")
    progress = Progress(history, None if variables is None else variables.tobytes(), content["probabilities"])
    return json.loads(str(content["configuration"])), progress


def _digest(arrays: dict[str, Any]) -> str:
    """A checksum over all parts, their names and types: those of an archive leave its directory out."""
    return str(
        joblib.hash(sorted((name, str(array.dtype), array.shape, array.tobytes()) for name, array in arrays.items()))
    )


def describe(
    arguments: dict[str, int], splits: list[tuple[Rows, Rows]], x: Array, y: Array, model: "keras.Model"
) -> dict[str, str]:
    """What the numbers of a run depend on, in words that differ where it does; the processor is left out.

    Raises
    ------
    ValueError
        If the model has code of its own: that could be edited, and old epochs would be taken for new ones.
    """
    from convtour.evaluation.training import describe_model
    import keras

    text = describe_model(model)
    if text is None:
        raise ValueError(
            "resume_dir: the model has code that is not Keras's own: a layer, loss, metric or step that you wrote, or "
            "a lambda. Whether it is still what it was when the folder was written cannot be known. Leave resume_dir "
            "out, or build the model of Keras's layers."
        )
    backend = keras.backend.backend()
    configuration = {"n_folds": str(len(splits))} | {name: str(value) for name, value in arguments.items()}
    configuration["folds"] = str(joblib.hash(splits))
    for name, array in (("x", x), ("y", y)):
        configuration[name] = f"{array.dtype} {array.shape} {joblib.hash(array)}"
    weights = joblib.hash([keras.ops.convert_to_numpy(variable) for variable in model.weights])
    configuration["model"] = hashlib.sha256(f"{text}{weights}".encode()).hexdigest()[:16]
    return configuration | {"keras": keras.__version__, backend: sys.modules[backend].__version__}

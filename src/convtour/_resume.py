"""A folder that keeps how far each fold has come."""

import base64
from contextlib import suppress
import hashlib
import io
import json
import marshal
import os
from pathlib import Path
import re
import sys
from types import CodeType
from typing import TYPE_CHECKING, Any
import warnings

from convtour._files import write
from convtour._worker import Progress
import joblib
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras


class ResumeFolder:
    """One file a fold, ``fold-1.npz`` onwards, each with the configuration that it belongs to.

    Raises
    ------
    ValueError
        If the folder holds another run.
    """

    def __init__(self, path: str | os.PathLike[str], configuration: dict[str, str]) -> None:
        self._path, self._configuration = Path(path), configuration
        self._path.mkdir(parents=True, exist_ok=True)
        self._kept: dict[str, Progress] = {}
        for file in sorted(self._path.glob("fold-*.npz")):
            try:
                theirs, progress = _read(file)
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
        arrays: dict[str, Any] = {"configuration": np.array(json.dumps(self._configuration))}
        arrays |= {f"history/{name}": np.array(values) for name, values in progress.history.items()}
        arrays |= {f"variable/{index}": value for index, value in enumerate(progress.variables or [])}
        np.savez(buffer, members=np.array(len(arrays)), **arrays)
        write(self._path / f"fold-{fold + 1}.npz", buffer.getvalue())


def _read(file: Path) -> tuple[dict[str, str], Progress]:
    with np.load(file, allow_pickle=False) as arrays:  # every member carries a checksum
        content = {name: arrays[name] for name in arrays.files}
    if int(content.pop("members")) != len(content):  # the directory of the archive has no checksum
        raise ValueError("parts of it are missing")
    history = {
        name.removeprefix("history/"): values.tolist()
        for name, values in content.items()
        if name.startswith("history/")
    }
    variables = [content[f"variable/{index}"] for index in range(len(content) - len(history) - 1)]
    return json.loads(str(content["configuration"])), Progress(history, variables or None)


def describe(
    arguments: dict[str, int], x: npt.NDArray[Any], y: npt.NDArray[Any], model: "keras.Model"
) -> dict[str, str]:
    """What the numbers of a run depend on, in words that differ where it does; the processor is left out."""
    from convtour._keras import keras

    backend = keras.backend.backend()
    configuration = {name: str(value) for name, value in arguments.items()}
    for name, array in (("data_x", x), ("data_y", y)):
        configuration[name] = f"{array.dtype} {array.shape} {joblib.hash(array)}"
    configuration["model"] = _digest(model)
    return configuration | {"keras": keras.__version__, backend: sys.modules[backend].__version__}


def _digest(model: "keras.Model") -> str:
    """Tell models apart by their variables, layers, optimizer, loss and metrics, and not by the names of layers."""
    parts: list[Any] = [[str(variable.dtype), list(variable.shape)] for variable in model.variables]
    parts.append([joblib.hash(np.asarray(variable)) for variable in model.weights])
    for get_config in (model.get_config, model.get_compile_config):
        # A subclass may not say, and not everything can be written down. Keras warns of lambdas, as of files to load.
        with suppress(NotImplementedError, OSError, TypeError), warnings.catch_warnings(action="ignore"):
            parts.append(_without_places(get_config()))
    text = json.dumps(parts, default=lambda other: type(other).__name__, sort_keys=True)
    # Keras numbers the names of layers and models through the process: conv2d, conv2d_1, conv2d_2.
    return hashlib.sha256(re.sub(r'_\d+"', '"', text).encode()).hexdigest()[:16]


def _without_places(config: Any) -> Any:
    """Replace the code of lambdas, which names its file and line, by what it does: a notebook's files change."""
    if isinstance(config, (list, tuple)):
        return [_without_places(part) for part in config]
    if not isinstance(config, dict):
        return config
    config = {name: _without_places(part) for name, part in config.items()}
    # Keras writes code, defaults and closure, for a layer under their names and elsewhere as a tuple.
    if _is_code(config.get("code")):
        config["code"] = _substance(_loads(config["code"]))
    elif isinstance(written := config.get("value"), list) and len(written) == 3 and _is_code(written[0]):
        config["value"] = [_substance(_loads(written[0])), *written[1:]]
    return config


def _is_code(text: Any) -> bool:
    return isinstance(text, str) and text.endswith("\n")  # base64 in lines


def _loads(text: str) -> Any:
    try:
        return marshal.loads(base64.b64decode(text))
    except (EOFError, TypeError, ValueError):
        return text


def _substance(code: Any) -> Any:
    """What tells one piece of code, or one constant in it, from another."""
    if isinstance(code, frozenset):
        return sorted(map(repr, code))
    if not isinstance(code, CodeType):
        return repr(code)
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    constants = [_substance(part) for part in code.co_consts]
    return [code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars, counts]

"""Files that are never half-written."""

import os
from pathlib import Path
import tempfile

from convtour._checks import path_of


def write(target: Path, content: bytes) -> None:
    """Write a file aside and move it into place, so that no half of one is ever seen."""
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the new name on old or no content
        os.chmod(aside, 0o644)  # mkstemp's own mode keeps others from reading
        os.replace(aside, target)
    except BaseException as error:
        os.unlink(aside)
        if isinstance(error, OSError) and error.filename != str(target):  # a full disk does not say for what file
            raise type(error)(error.errno, error.strerror, str(target)) from error
        raise


def writable_folder(name: str, path: str | os.PathLike[str]) -> Path:
    """Make a folder where it is not there, and see that it can be written to, before anything is trained."""
    text = path_of(name, path)
    if not text or "\0" in text:
        raise ValueError(f"{name}={text!r}: expected the path of a folder.")
    folder = Path(os.path.expanduser(text))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise type(error)(f"{name}={str(folder)!r} cannot be written to: {error}") from error
    return folder

"""Keras, imported without the start-up log of TensorFlow.

TensorFlow writes to the process's error stream (file descriptor 2), from C++, while it is imported, and once more when
it looks for a GPU. A reader's first cell should not open with a page of that, so the stream is set aside meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import logging
import os
import sys
import tempfile

__all__ = ["keras"]


@contextmanager
def _standard_error_set_aside() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; give it back if the block fails."""
    try:
        saved = os.dup(2)
    except OSError:  # no error stream at all, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as aside:
        with suppress(AttributeError, ValueError):
            sys.stderr.flush()
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(saved, aside.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


# Errors still arrive as Python exceptions; set the variable to 0 before importing convtour to see TensorFlow's own log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with _standard_error_set_aside():
    import keras

# Every model compiles its own training step, so a process that trains one a fold is warned of "retracing" it should
# avoid.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())

"""What must be set before Keras is imported, by whomever: TensorFlow without its start-up log, and with oneDNN.

TensorFlow writes to the process's error stream (file descriptor 2), from C++, while it is imported. A reader's first
cell should not open with a page of that, so the stream is set aside meanwhile.

oneDNN is Intel's library of faster convolutions. TensorFlow for x86 contains it, and uses it by itself only on
processors with AVX-512, though it saves about a third of the time with AVX2 as well.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
import logging
import os
import platform
import sys
import tempfile
from types import ModuleType

IS_X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
TENSORFLOW_CAME_FIRST = "tensorflow" in sys.modules


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


class _QuietTensorFlow(MetaPathFinder):
    """Finds TensorFlow as Python does, and has it imported in silence."""

    _asks = False

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Wrap the loader of TensorFlow, and of nothing else."""
        if name != "tensorflow" or self._asks:
            return None
        self._asks = True
        spec = find_spec(name)
        self._asks = False
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                with _standard_error_set_aside():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


if not TENSORFLOW_CAME_FIRST:  # which reads these variables when it is imported, and never again
    # Errors still arrive as Python exceptions; set the variable to 0 before importing convtour to see TensorFlow's log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if IS_X86:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    sys.meta_path.insert(0, _QuietTensorFlow())
# Every model compiles its own training step, so a process that trains several is warned of "retracing" it should avoid.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())

"""The exercises of a notebook, by its name."""

from dataclasses import replace
import importlib
from pathlib import Path

from convtour._checks import one_of
from convtour.exercises.exercise import Exercise

_PREFIX = "lesson_"


def load(notebook: str) -> list[Exercise]:
    """Return the exercises of a notebook, none of them done yet.

    Parameters
    ----------
    notebook : str
        The notebook's file name without its ending, such as ``"04_conv2d"``.

    Returns
    -------
    list of Exercise
        In their order on the page.

    Raises
    ------
    ValueError
        If there is no such notebook, or it has no exercises.

    Examples
    --------
    >>> exercise = load("02_every_option")[0]
    >>> exercise.check("an essay").passed
    False
    """
    lessons = sorted(Path(__file__).parent.glob(f"{_PREFIX}*.py"))
    one_of("notebook", notebook, [lesson.stem.removeprefix(_PREFIX) for lesson in lessons])
    lesson = importlib.import_module(f"convtour.exercises.{_PREFIX}{notebook}")
    page: list[Exercise] = []
    page += [replace(exercise, number=n, page=page) for n, exercise in enumerate(lesson.EXERCISES, start=1)]
    return list(page)

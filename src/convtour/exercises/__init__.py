"""Exercises that check answers, a lesson file for each notebook.

Taught in notebook ``01_convolution_by_hand``.

Examples
--------
>>> from convtour import exercises
>>> first = exercises.load("02_every_option")[0]
>>> first.check(...)
Not attempted. Your answer goes where the dots are. 0 of 8 done.
"""

from convtour.exercises.exercise import Exercise, Said
from convtour.exercises.load import load

__all__ = ["Exercise", "Said", "load"]

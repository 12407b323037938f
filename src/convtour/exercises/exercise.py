"""An exercise, and what it says in a notebook and elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import re
from typing import Any, Literal

from convtour._checks import brief
from convtour.exercises.judges import Choice, Judge
from convtour.exercises.limit import run_within
from convtour.exercises.mistakes import NotAttemptedError, WrongError, without_colours


@dataclass(frozen=True)
class Said:
    """Words that Jupyter shows as Markdown and that print plainly elsewhere.

    Attributes
    ----------
    text : str
        Markdown.
    passed : bool or None
        Of a check: whether the answer is right; None if there was none, and of hints and solutions.
    """

    text: str
    passed: bool | None = None

    def __repr__(self) -> str:
        """The words without their stars."""
        return _plain(self.text)

    def _repr_markdown_(self) -> str:
        return self.text


@dataclass(eq=False)
class Exercise:
    """One exercise of a notebook.

    Taught in notebook ``01_convolution_by_hand``.

    Attributes
    ----------
    question : str
        What is asked, in Markdown.
    level : {"recall", "apply", "project"}
        How much it asks.
    """

    question: str
    judge: Judge = field(repr=False)
    hints: Sequence[str] = field(repr=False)
    answer: str = field(repr=False)
    because: str = field(repr=False)
    level: Literal["recall", "apply", "project"] = "apply"
    seconds: float = field(default=10, repr=False)
    number: int = field(default=1, repr=False)
    page: list["Exercise"] = field(default_factory=list, repr=False)
    passed: bool = field(default=False, repr=False)
    hints_shown: int = field(default=0, repr=False)

    def check(self, answer: Any = ...) -> Said:
        """Say whether an answer is right and, if it is not, what mistake was made.

        Parameters
        ----------
        answer : object
            The value, the letter or the function that the question asks for. ``...`` is no answer yet.

        Returns
        -------
        Said
            ``.passed`` is True, False, or None if there was no answer.
        """
        passed: bool | None = False
        outcome = run_within(self.seconds, self.judge, answer) if answer is not ... else None
        if outcome is None or isinstance(outcome.error, NotAttemptedError):
            passed = None
            text = f"**Not attempted.** Your answer goes where the dots are. {self._progress()}"
        elif not outcome.in_time:
            text = f"✗ **Not yet.** No answer within {self.seconds:g} seconds; is there a loop that does not end?"
        elif isinstance(outcome.error, WrongError):
            text = f"✗ **Not yet.** {outcome.error}"
        elif outcome.error is not None:
            text = f"✗ **Not yet.** This could not be read as an answer: {_named(outcome.error)}"
        else:
            passed = self.passed = True
            text = f"✓ **Right.** {self.because} {self._progress()}"
        return Said(text, passed)

    def hint(self) -> Said:
        """Return the next hint; each call gives one more."""
        self.hints_shown = min(self.hints_shown + 1, len(self.hints))
        number = self.hints_shown
        last = " (The last; `solution()` shows an answer.)" if number == len(self.hints) else ""
        return Said(f"**Hint {number} of {len(self.hints)}.** {self.hints[number - 1]}{last}")

    def solution(self) -> Said:
        """Return an answer, as code that runs, and why it is right."""
        return Said(f"**Solution.**\n\n```python\n{self.answer.strip()}\n```\n\n{self.because}")

    def __repr__(self) -> str:
        """The question in plain text."""
        return _plain(self._repr_markdown_())

    def _repr_markdown_(self) -> str:
        options = f"\n\n{self.judge.text}" if isinstance(self.judge, Choice) else ""
        return f"**Exercise {self.number} of {max(1, len(self.page))}** ({self.level}). {self.question}{options}"

    def _progress(self) -> str:
        return f"{sum(exercise.passed for exercise in self.page)} of {len(self.page)} done."


def _named(error: BaseException) -> str:
    """Return the type and the first words of an exception, which may fail even at saying them."""
    try:
        return f"{type(error).__name__}: {brief(without_colours(str(error)))}"
    except Exception:
        return f"{type(error).__name__}."


def _plain(markdown: str) -> str:
    """Take the stars of bold words away, and leave those of a power such as 3**2."""
    return re.sub(r"(?<!\w)\*\*(?=\S)([^*]+)(?<=\S)\*\*(?!\w)", r"\1", markdown)

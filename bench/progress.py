"""What a person sees while something takes long: on standard error, nothing where that is no terminal but lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars


class Step(Protocol):
    """Says what is done now, and how many steps are done where that is not one more than before."""

    def __call__(self, what: str, done: int | None = None) -> None: ...


class Progress:
    """Says what is being measured and how long it will still take."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def say(self, text: str, style: str | None = None) -> None:
        """One line."""
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def part(self, name: str, steps: int) -> Iterator[Step]:
        """A part of `steps` steps; yields what to call at the beginning of each one."""
        self.say(f"{name}: {steps} steps") if not self._console.is_terminal else None
        bars = Bars(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left:"), TimeRemainingColumn(),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        with bars:
            task = bars.add_task(name, total=steps)
            begun = 0

            def step(what: str, done: int | None = None) -> None:
                nonlocal begun
                bars.update(task, completed=begun if done is None else done, description=f"{name}: {what}")
                begun += 1

            yield step

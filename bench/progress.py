"""What a person sees while something takes long: on standard error, nothing where that is no terminal but lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


class Progress:
    """Says what is being measured and how long it will still take."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def say(self, text: str, style: str | None = None) -> None:
        """One line."""
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def part(self, name: str, steps: int) -> Iterator[Callable[[str], None]]:
        """A part of `steps` steps; yields a function to call at the beginning of each one."""
        self.say(f"{name}: {steps} steps") if not self._console.is_terminal else None
        bars = Bars(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left:"), TimeRemainingColumn(),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        with bars:
            task = bars.add_task(name, total=steps)
            begun = False

            def step(what: str) -> None:
                nonlocal begun
                bars.update(task, advance=1 if begun else 0, description=f"{name}: {what}")
                begun = True

            yield step

"""Which run a step belongs to, and which step it is part of."""

from __future__ import annotations

import itertools
import secrets
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Callable, List, NamedTuple, Optional, Type

from ._snapshot import value_text
from ._step import NO_LABELS, Labels, Place, Step, WireStep, kind_of


class RunState:
    """The steps of one run, wherever they are made."""

    def __init__(self, run_id: Optional[str], labels: Labels) -> None:
        self.id = run_id or secrets.token_hex(16)
        self.labels = labels
        # In C, so that threads count each number once.
        self.next_index: Callable[[], int] = itertools.count().__next__


class Context(NamedTuple):
    """What follows a program through everything that it calls."""

    tracing: "Tracing"
    run: RunState
    step: Optional[Step]
    labels: Labels
    # What holds again when the block that made it is left.
    outer: Optional["Context"] = None
    owner: Optional["_Block"] = None


_context: ContextVar[Optional[Context]] = ContextVar("plumbline", default=None)


def tracing_around() -> Optional["Tracing"]:
    """The tracer around the current call."""
    context = _context.get()
    return None if context is None else context.tracing


class Inside:
    """Makes a context the current one while a block runs; can be entered again and again, one time after the other."""

    __slots__ = ("_context", "_outer")

    def __init__(self, context: Optional[Context]) -> None:
        self._context = context
        self._outer: Optional[Context] = None

    def __enter__(self) -> None:
        self._outer = _context.get()
        _context.set(self._context)

    def __exit__(self, *_: Any) -> None:
        _context.set(self._outer)

    def copy(self) -> "Inside":
        """For another thread that may be inside at the same time."""
        return Inside(self._context)


def here() -> Inside:
    """The current context, to be entered elsewhere."""
    return Inside(_context.get())


class Tracing:
    """Opens steps in the right place. One for each tracer."""

    def __init__(self, *, run_id: Optional[str], labels: Labels, record: Callable[[Step], None]) -> None:
        # Of calls outside of any run.
        self.run = RunState(run_id, labels)
        self._has_run_of_its_own = run_id is not None
        self._record = record

    def around(self) -> Optional[Context]:
        """What is around the current call, where it is this tracer's."""
        context = _context.get()
        return context if context is not None and context.tracing is self else None

    def open_step(
        self, name: Optional[str], fields: WireStep, labels: Labels = NO_LABELS, run: Optional[RunState] = None
    ) -> Step:
        """A step that begins now: in ``run``, or in the run around the call."""
        around = self.around()
        in_run = run or (around.run if around else self.run)
        part_of = around if around and around.run.id == in_run.id else None
        all_labels = (part_of.labels if part_of else in_run.labels).joined(labels)
        index = in_run.next_index()
        parent = part_of.step if part_of else None
        place = Place(in_run.id, parent.id if parent else None, index, all_labels, self._record)
        return Step(place, name or all_labels.step_name or f"step_{index + 1}", fields)

    def run_of_call(self) -> RunState:
        """The run of a function that is called now: the one around it, or a new one."""
        around = self.around()
        if around:
            return around.run
        return self.run if self._has_run_of_its_own else RunState(None, self.run.labels)

    def inside(self, step: Step, run: RunState, labels: Labels = NO_LABELS) -> Context:
        """Steps made in it are part of ``step``."""
        around = self.around()
        outer = around.labels if around and around.run.id == run.id else run.labels
        return Context(self, run, step, outer.joined(labels)._replace(step_name=None))

    def labelled(self, labels: Labels) -> Context:
        """Steps made in it have ``labels``."""
        around = self.around()
        if around:
            return around._replace(labels=around.labels.joined(labels))
        return Context(self, self.run, None, self.run.labels.joined(labels))


class _Block:
    """
    A context manager for ``with`` and ``async with``. What is entered is kept in the context and not here, so that several
    tasks can be inside of one block at the same time.
    """

    def _enter(self, context: Context) -> None:
        _context.set(context._replace(outer=_context.get(), owner=self))

    def _leave(self, error: Optional[BaseException]) -> Optional[Context]:
        context = _context.get()
        while context is not None and context.owner is not self:
            context = context.outer
        if context is not None:
            _context.set(context.outer)
        return context

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._leave(error)

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._leave(error)


class Run(_Block):
    """A run of its own: ``with tracer.run() as run``. Steps made in it belong to it."""

    def __init__(self, tracing: Tracing, state: RunState) -> None:
        self._tracing = tracing
        self._state = state

    @property
    def run_id(self) -> str:
        return self._state.id

    def step(self, name: str, kind: str = "chain", input: Any = None, **labels: Any) -> "StepBlock":
        """A step of this run, for a ``with`` block."""
        return StepBlock(self._tracing, name, kind, input, Labels(**labels), self._state)

    def __enter__(self) -> "Run":
        self._enter(Context(self._tracing, self._state, None, self._state.labels))
        return self

    async def __aenter__(self) -> "Run":
        return self.__enter__()


class StepBlock(_Block):
    """A block of code as a step: ``with tracer.step("search", kind="retrieval") as step``."""

    def __init__(
        self, tracing: Tracing, name: str, kind: str, input: Any, labels: Labels, run: Optional[RunState] = None
    ) -> None:
        self._tracing = tracing
        self._name = name
        self._fields = {"kind": kind_of(kind), "prompt": value_text(input) or ""}
        self._labels = labels
        self._run = run
        self._open: List[Step] = []

    def __enter__(self) -> Step:
        run = self._run or self._tracing.run_of_call()
        step = self._tracing.open_step(self._name, dict(self._fields), self._labels, run)
        self._enter(self._tracing.inside(step, run, self._labels))
        self._open.append(step)
        return step

    async def __aenter__(self) -> Step:
        return self.__enter__()

    def _leave(self, error: Optional[BaseException]) -> Optional[Context]:
        context = super()._leave(error)
        # Left in another context than it was entered in: then it is the last one that is still open.
        step = context.step if context is not None and context.step is not None else self._open[-1]
        self._open.remove(step)
        step.end_with(error)
        return context


class LabelBlock(_Block):
    """Labels for everything in a block: ``with tracer.labels(user_id="u-1")``."""

    def __init__(self, tracing: Tracing, labels: Labels) -> None:
        self._tracing = tracing
        self._labels = labels

    def __enter__(self) -> None:
        self._enter(self._tracing.labelled(self._labels))

    async def __aenter__(self) -> None:
        self.__enter__()

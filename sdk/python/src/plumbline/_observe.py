"""Functions as steps."""

from __future__ import annotations

import functools
import inspect
from typing import Any, AsyncGenerator, Callable, Dict, Generator, List, Optional, Tuple, TypeVar, Union, cast, overload

from ._registry import find_tracing
from ._scope import Inside, Tracing, here
from ._snapshot import value_text
from ._step import Labels, Step, kind_of

F = TypeVar("F", bound=Callable[..., Any])

# Of what a generator yields, so many values are kept.
MAX_YIELDED = 1_000


class Observation:
    """How the calls of one function become steps."""

    def __init__(
        self,
        function: Callable[..., Any],
        find: Callable[[], Optional[Tracing]],
        name: Optional[str],
        kind: str,
        capture_input: bool,
        capture_output: bool,
        labels: Labels,
    ) -> None:
        self._find = find
        self._name = name or getattr(function, "__name__", "anonymous")
        self._kind = kind_of(kind)
        self._labels = labels
        self._captures_input = capture_input
        self.captures_output = capture_output
        self._parameters = _parameters_of(function)

    def begin(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Optional[Tuple[Step, Inside]]:
        """Opens a step, where there is a tracer."""
        try:
            tracing = self._find()
            if tracing is None:
                return None
            run = tracing.run_of_call()
            fields = {"kind": self._kind, "prompt": self._input(args, kwargs) if self._captures_input else ""}
            step = tracing.open_step(self._name, fields, self._labels, run)
            return step, Inside(tracing.inside(step, run, self._labels))
        except Exception:
            return None  # Whatever it is, it is ours, and the call goes on without us.

    def _input(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> str:
        named = {
            name: value
            for index, (name, value) in enumerate(zip(self._parameters, args))
            if not (index == 0 and name in ("self", "cls"))
        }
        more = args[len(self._parameters) :]
        if more:
            named["args"] = list(more)
        named.update(kwargs)
        if len(named) == 1:
            return value_text(next(iter(named.values()))) or ""
        return (value_text(named) or "") if named else ""

    def succeed(self, step: Step, result: Any) -> None:
        if self.captures_output:
            step.succeed(result)
        else:
            step.end()


def _parameters_of(function: Callable[..., Any]) -> List[str]:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each.name for each in parameters if each.kind in positional]


def observed(function: F, observation: Observation) -> F:
    """The same function, with every call a step."""
    if inspect.isasyncgenfunction(function):
        wrapper = _of_async_generator(function, observation)
    elif inspect.isgeneratorfunction(function):
        wrapper = _of_generator(function, observation)
    elif inspect.iscoroutinefunction(function):
        wrapper = _of_coroutine(function, observation)
    else:
        wrapper = _of_function(function, observation)
    return cast(F, functools.wraps(function)(wrapper))


def _of_function(function: Callable[..., Any], observation: Observation) -> Callable[..., Any]:
    def observe_call(*args: Any, **kwargs: Any) -> Any:
        begun = observation.begin(args, kwargs)
        if begun is None:
            return function(*args, **kwargs)
        step, inside = begun
        try:
            with inside:
                result = function(*args, **kwargs)
        except BaseException as error:
            step.end_with(error)
            raise
        observation.succeed(step, result)
        return result

    return observe_call


def _of_coroutine(function: Callable[..., Any], observation: Observation) -> Callable[..., Any]:
    async def observe_call(*args: Any, **kwargs: Any) -> Any:
        begun = observation.begin(args, kwargs)
        if begun is None:
            return await function(*args, **kwargs)
        step, inside = begun
        try:
            with inside:
                result = await function(*args, **kwargs)
        except BaseException as error:
            step.end_with(error)
            raise
        observation.succeed(step, result)
        return result

    return observe_call


# Each part of a generator's body runs inside of its step, and the caller's code between two parts does not.


def _of_generator(function: Callable[..., Any], observation: Observation) -> Callable[..., Any]:
    def observe_call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        begun = observation.begin(args, kwargs)
        if begun is None:
            return (yield from function(*args, **kwargs))
        step, inside = begun
        yielded = _Yielded(observation.captures_output)
        try:
            with inside:
                generator = function(*args, **kwargs)
                value = next(generator)
            while True:
                yielded.add(value)
                try:
                    sent = yield value
                except GeneratorExit:
                    with inside:
                        generator.close()
                    raise
                except BaseException as thrown:
                    with inside:
                        value = generator.throw(thrown)
                else:
                    with inside:
                        value = generator.send(sent)
        except StopIteration as stop:
            yielded.end(step, stop.value)
            return stop.value
        except BaseException as error:
            yielded.fail(step, error)
            raise

    return observe_call


def _of_async_generator(function: Callable[..., Any], observation: Observation) -> Callable[..., Any]:
    async def observe_call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        begun = observation.begin(args, kwargs)
        if begun is None:
            async for value in function(*args, **kwargs):
                yield value
            return
        step, inside = begun
        yielded = _Yielded(observation.captures_output)
        try:
            with inside:
                generator = function(*args, **kwargs)
                value = await generator.__anext__()
            while True:
                yielded.add(value)
                try:
                    sent = yield value
                except GeneratorExit:
                    with inside:
                        await generator.aclose()
                    raise
                except BaseException as thrown:
                    with inside:
                        value = await generator.athrow(thrown)
                else:
                    with inside:
                        value = await generator.asend(sent)
        except StopAsyncIteration:
            yielded.end(step, None)
        except BaseException as error:
            yielded.fail(step, error)
            raise

    return observe_call


class _Yielded:
    """What a generator has yielded so far: a text when it yields texts, otherwise a list."""

    def __init__(self, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._values: List[Any] = []

    def add(self, value: Any) -> None:
        if self._is_kept and len(self._values) < MAX_YIELDED:
            self._values.append(value)

    def _keep(self, step: Step) -> None:
        if self._values:
            are_texts = all(isinstance(value, str) for value in self._values)
            step.put({"output_code": value_text("".join(self._values) if are_texts else self._values)})

    def end(self, step: Step, returned: Any) -> None:
        self._keep(step)
        if self._is_kept and not self._values:
            step.succeed(returned)
        else:
            step.end()

    def fail(self, step: Step, error: BaseException) -> None:
        self._keep(step)
        step.end_with(error)


@overload
def observe(function: F) -> F: ...


@overload
def observe(
    *,
    name: Optional[str] = None,
    type: Optional[str] = None,
    kind: Optional[str] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    **labels: Any,
) -> Callable[[F], F]: ...


def observe(
    function: Optional[F] = None,
    *,
    name: Optional[str] = None,
    type: Optional[str] = None,
    kind: Optional[str] = None,
    capture_input: bool = True,
    capture_output: bool = True,
    **labels: Any,
) -> Union[F, Callable[[F], F]]:
    """
    Makes every call of a function a step: of functions, coroutines and generators of both kinds. The step belongs to the
    tracer around the call, or else to the process's first tracer; without any, nothing is recorded.

    ``kind`` (or ``type``) is ``chain``, ``tool``, ``agent``, ``retrieval``, ``guardrail``, ``llm``, ``embedding`` or
    ``other``. Labels are ``session_id``, ``user_id``, ``environment``, ``release``, ``tags`` and ``attributes``.
    """

    def decorate(function: F) -> F:
        find = find_tracing
        observation = Observation(
            function, find, name, kind or type or "chain", capture_input, capture_output, Labels(**labels)
        )
        return observed(function, observation)

    return decorate if function is None else decorate(function)


def bind(function: F) -> F:
    """
    The same function, to be called in another thread: steps made in it are part of what is current here. Tasks of asyncio
    need no such thing.
    """
    outer = here()

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with outer.copy():
            return function(*args, **kwargs)

    return cast(F, call)

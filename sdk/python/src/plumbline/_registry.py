"""Which tracers there are in this process."""

from __future__ import annotations

from typing import Callable, List, Optional

from ._environment import variable
from ._scope import Tracing, tracing_around

_registered: List[Tracing] = []
_had_one = False
# Makes a tracer from the environment; `_tracer` says how.
_make: Optional[Callable[[], Tracing]] = None


def register(tracing: Tracing) -> None:
    global _had_one
    _had_one = True
    _registered.append(tracing)


def unregister(tracing: Tracing) -> None:
    if tracing in _registered:
        _registered.remove(tracing)


def make_with(make: Callable[[], Tracing]) -> None:
    global _make
    _make = make


def find_tracing() -> Optional[Tracing]:
    """The tracer around the call, the first of the process, or one that is made from the environment where that names a
    server or a key."""
    around = tracing_around()
    if around is not None:
        return around
    if _registered:
        return _registered[0]
    is_configured = variable("PLUMBLINE_API_KEY") or variable("PLUMBLINE_API_URL")
    # After shutdown() nothing is recorded: another tracer would not have the program's `redact`.
    return _make() if is_configured and not _had_one and _make is not None else None

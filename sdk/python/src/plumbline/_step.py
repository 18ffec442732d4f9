"""A step that is under way."""

from __future__ import annotations

import datetime
import os
import random
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ._snapshot import cut, value_text

MAX_ERROR = 16 * 1024
MAX_EVENTS = 1_000
# What a step is beside its texts.
SIZE_OF_REST = 1_024

# A step as POST /ingest takes it; docs/ingest.md describes every field.
WireStep = Dict[str, Any]

# Names for kinds that other packages use.
KINDS = {"span": "chain", "function": "chain", "retriever": "retrieval", "generation": "llm"}
KNOWN_KINDS = frozenset({"llm", "tool", "agent", "chain", "retrieval", "embedding", "guardrail", "other"})


def kind_of(kind: str) -> str:
    known = KINDS.get(kind, kind)
    return known if known in KNOWN_KINDS else "other"


class Labels(NamedTuple):
    """What steps belong to. Inner labels win over outer ones; tags and attributes are joined."""

    session_id: Optional[str] = None
    user_id: Optional[str] = None
    environment: Optional[str] = None
    release: Optional[str] = None
    tags: Sequence[str] = ()
    attributes: Mapping[str, Any] = {}
    # Of calls of wrapped clients.
    step_name: Optional[str] = None

    def joined(self, inner: "Labels") -> "Labels":
        if inner is NO_LABELS or inner == NO_LABELS:
            return self
        return Labels(
            inner.session_id or self.session_id,
            inner.user_id or self.user_id,
            inner.environment or self.environment,
            inner.release or self.release,
            [*(self.tags or ()), *(inner.tags or ())],
            {**(self.attributes or {}), **(inner.attributes or {})},
            inner.step_name or self.step_name,
        )

    def fields(self) -> WireStep:
        """Those that every step has, unless it says otherwise."""
        words = {
            "session_id": self.session_id,
            "user_id": self.user_id,
            "environment": self.environment,
            "release": self.release,
        }
        return {name: word for name, word in words.items() if word is not None}


NO_LABELS = Labels()


class Place(NamedTuple):
    """Where a step stands, and where it goes when it has ended."""

    run_id: str
    parent_step_id: Optional[str]
    step_index: int
    labels: Labels
    record: Callable[["Step"], None]


# Of its own, so that a program that seeds Python's does not make the same ids as another.
_random = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """
    A random id of 16 hexadecimal digits, as spans of OpenTelemetry have them, and never zero. Nobody has to be unable to
    guess it, so the system is not asked each time.
    """
    return f"{_random.getrandbits(64) or 1:016x}"


def time_text(timestamp: float) -> str:
    return datetime.datetime.fromtimestamp(timestamp, datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class Step:
    """A step that is under way. It ends by itself; what is known of it before can be said here."""

    __slots__ = (
        "id",
        "run_id",
        "_place",
        "_name",
        "_fields",
        "_is_shared",
        "_started_at",
        "_began",
        "_latency_ms",
        "_events",
        "_has_ended",
        "__weakref__",
    )

    def __init__(self, place: Place, name: str, fields: WireStep) -> None:
        self.id = new_id()
        self.run_id = place.run_id
        self._place = place
        self._name = name
        self._fields = fields
        # Whether the program may still change what is in them, or in the events.
        self._is_shared = bool(place.labels.attributes)
        self._started_at = time.time()
        self._began = time.perf_counter()
        self._latency_ms = 0.0
        self._events: List[Dict[str, Any]] = []
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1_000

    @property
    def is_shared(self) -> bool:
        """Whether the program may still change what is in it; then it is taken at once."""
        return self._is_shared

    def set(self, **fields: Any) -> None:
        """Sets fields of the step, for instance ``model``, ``usage``, ``prompt``, ``output_code``, ``attributes``, ``tags``."""
        if not self._has_ended:
            self._is_shared = True
            self.put(fields)

    def put(self, fields: Dict[str, Any]) -> None:
        """As :meth:`set`, of values that nobody else has."""
        attributes = fields.pop("attributes", None)
        known = self._fields
        known.update(fields)
        if attributes:
            known["attributes"] = {**known.get("attributes", {}), **attributes}

    def event(self, name: str, attributes: Optional[Mapping[str, Any]] = None) -> None:
        """Marks a point in time inside of the step."""
        if len(self._events) < MAX_EVENTS and not self._has_ended:
            event: Dict[str, Any] = {"name": name, "at": time_text(time.time())}
            if attributes:
                self._is_shared = True
                event["attributes"] = dict(attributes)
            self._events.append(event)

    def end(self, **fields: Any) -> None:
        """Ends it; the second end is none."""
        if fields:
            self._is_shared = True
        self.finish(fields)

    def finish(self, fields: Dict[str, Any]) -> None:
        """As :meth:`end`, with values that nobody else has."""
        if self._has_ended:
            return
        self._has_ended = True
        self._latency_ms = (time.perf_counter() - self._began) * 1_000
        if fields:
            self.put(fields)
        self._place.record(self)

    def size(self) -> int:
        """About how many bytes it is as JSON, where it is not shared: then its texts are texts."""
        fields = self._fields
        return SIZE_OF_REST + len(fields.get("prompt", "")) + len(fields.get("output_code", ""))

    def wire(self) -> WireStep:
        """As it is sent, once it has ended."""
        place = self._place
        labels = place.labels
        step: WireStep = {"model": "", "prompt": "", "step_name": self._name, **labels.fields(), **self._fields}
        step["run_id"] = self.run_id
        step["step_id"] = self.id
        step["step_index"] = place.step_index
        step["started_at"] = time_text(self._started_at)
        step["latency_ms"] = self._latency_ms
        if place.parent_step_id is not None:
            step["parent_step_id"] = place.parent_step_id
        if labels.tags:
            step["tags"] = [*labels.tags, *step.get("tags", ())]
        if labels.attributes:
            step["attributes"] = {**labels.attributes, **step.get("attributes", {})}
        if self._events:
            step["events"] = self._events
        return step

    def abort(self, **fields: Any) -> None:
        """Ends it because the caller has lost interest, which is no failure."""
        self.end(aborted=True, **fields)

    def fail(self, error: BaseException, **fields: Any) -> None:
        """Ends it as failed."""
        self.end(**{**failure(error), **fields})

    def succeed(self, result: Any) -> None:
        """Ends it with the result of a function."""
        output = value_text(result) if "output_code" not in self._fields else None
        self.finish({} if output is None else {"output_code": output})

    def end_with(self, error: Optional[BaseException]) -> None:
        """Ends it as a block of code ended."""
        if error is None:
            self.finish({})
        elif is_abort(error):
            self.finish({"aborted": True})
        else:
            self.finish(failure(error))


def failure(error: BaseException) -> Dict[str, Any]:
    """What an error says of a step that it ends."""
    try:
        text = str(error)
    except Exception:  # Of the caller's class, and no reason for another error.
        text = ""
    message = cut(text or type(error).__name__, MAX_ERROR)
    return {"status_success": False, "error": message, "error_class": type(error).__name__}


def is_abort(error: BaseException) -> bool:
    """The caller's own doing, which is no failure of what was called: cancelled, interrupted, left."""
    return not isinstance(error, Exception) or type(error).__name__ == "CancelledError"

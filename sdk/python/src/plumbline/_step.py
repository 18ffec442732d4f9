"""A step that is under way."""

from __future__ import annotations

import datetime
import secrets
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ._snapshot import cut, value_text

MAX_ERROR = 16 * 1024
MAX_EVENTS = 1_000

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
        if inner == NO_LABELS:
            return self
        return Labels(
            inner.session_id or self.session_id,
            inner.user_id or self.user_id,
            inner.environment or self.environment,
            inner.release or self.release,
            [*self.tags, *inner.tags],
            {**self.attributes, **inner.attributes},
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
    record: Callable[[WireStep], None]


def now_text() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class Step:
    """A step that is under way. It ends by itself; what is known of it before can be said here."""

    def __init__(self, place: Place, name: str, fields: WireStep) -> None:
        self.id = secrets.token_hex(16)
        self.run_id = place.run_id
        self._place = place
        self._name = name
        self._fields = fields
        self._started_at = now_text()
        self._began = time.perf_counter()
        self._events: List[Dict[str, Any]] = []
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1_000

    def set(self, **fields: Any) -> None:
        """Sets fields of the step, for instance ``model``, ``usage``, ``prompt``, ``output_code``, ``attributes``, ``tags``."""
        attributes = fields.pop("attributes", None)
        self._fields.update(fields)
        if attributes:
            self._fields["attributes"] = {**self._fields.get("attributes", {}), **attributes}

    def event(self, name: str, attributes: Optional[Mapping[str, Any]] = None) -> None:
        """Marks a point in time inside of the step."""
        if len(self._events) < MAX_EVENTS:
            event: Dict[str, Any] = {"name": name, "at": now_text()}
            if attributes:
                event["attributes"] = dict(attributes)
            self._events.append(event)

    def end(self, **fields: Any) -> None:
        """Ends it; the second end is none."""
        if self._has_ended:
            return
        self._has_ended = True
        self.set(**fields)
        place = self._place
        step: WireStep = {
            **place.labels.fields(),
            "model": "",
            "prompt": "",
            "step_name": self._name,
            **self._fields,
            "run_id": self.run_id,
            "step_id": self.id,
            "step_index": place.step_index,
            "started_at": self._started_at,
            "latency_ms": self.elapsed_ms,
        }
        if place.parent_step_id is not None:
            step["parent_step_id"] = place.parent_step_id
        if place.labels.tags:
            step["tags"] = [*place.labels.tags, *step.get("tags", ())]
        if place.labels.attributes:
            step["attributes"] = {**place.labels.attributes, **step.get("attributes", {})}
        if self._events:
            step["events"] = self._events
        place.record(step)

    def abort(self, **fields: Any) -> None:
        """Ends it because the caller has lost interest, which is no failure."""
        self.end(aborted=True, **fields)

    def fail(self, error: BaseException, **fields: Any) -> None:
        """Ends it as failed."""
        described = {"error": cut(str(error) or type(error).__name__, MAX_ERROR), "error_class": type(error).__name__}
        self.end(**{"status_success": False, **described, **fields})

    def succeed(self, result: Any) -> None:
        """Ends it with the result of a function."""
        output = value_text(result) if "output_code" not in self._fields else None
        if output is not None:
            self.set(output_code=output)
        self.end()

    def end_with(self, error: Optional[BaseException]) -> None:
        """Ends it as a block of code ended."""
        if error is None:
            self.end()
        elif is_abort(error):
            self.abort()
        else:
            self.fail(error)


def is_abort(error: BaseException) -> bool:
    """The caller's own doing, which is no failure of what was called: cancelled, interrupted, left."""
    return not isinstance(error, Exception) or type(error).__name__ == "CancelledError"

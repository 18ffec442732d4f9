"""The entry point: ``Tracer(api_key=…)``."""

from __future__ import annotations

import datetime
import json
import logging
import secrets
import time
from typing import Any, Callable, List, Mapping, Optional, Sequence, TypeVar, Union

from . import _environment
from ._observe import Observation, observed
from ._registry import make_with, register, unregister
from ._scope import LabelBlock, Run, RunState, StepBlock, Tracing
from ._sender import EXIT_PATIENCE_S, Sender, Stats
from ._spans import Spans
from ._step import Labels, Step, WireStep
from .clients.anthropic import ANTHROPIC
from .clients.openai import OpenAi
from .clients.patch import CLIENTS, Integration, patch
from .clients.wrap import wrap_client

DEFAULT_API_URL = "http://127.0.0.1:3000"
# Longer ago nothing can have begun that a program of today did.
MAX_LATENCY_MS = 1e12

_log = logging.getLogger("plumbline")

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
Redact = Callable[[WireStep], Optional[WireStep]]


class Tracer:
    """Records steps. One for each application."""

    def __init__(
        self,
        api_key: Optional[str] = None,
        api_url: Optional[str] = None,
        *,
        run_id: Optional[str] = None,
        environment: Optional[str] = None,
        release: Optional[str] = None,
        session_id: Optional[str] = None,
        user_id: Optional[str] = None,
        tags: Sequence[str] = (),
        attributes: Optional[Mapping[str, Any]] = None,
        enabled: Optional[bool] = None,
        redact: Optional[Redact] = None,
        max_queue_steps: int = 10_000,
        max_queue_bytes: int = 64 * 1024 * 1024,
        flush_interval: float = 1.0,
        on_warning: Optional[Callable[[str], None]] = None,
    ) -> None:
        """
        :param api_key: default ``PLUMBLINE_API_KEY``; a server on this machine that has no accounts needs none
        :param api_url: the server's origin; default ``PLUMBLINE_API_URL``, or ``http://127.0.0.1:3000``
        :param run_id: the run of everything that is in no other; with one of your own also that of observed functions
        :param enabled: ``False`` records nothing and changes nothing else; default ``True``, unless
            ``PLUMBLINE_DISABLED`` is set
        :param redact: sees each step before it is sent, and returns what to send in its place; ``None``: nothing
        :param max_queue_steps: steps that wait at most; more are dropped and counted
        :param flush_interval: seconds that a step waits for others
        :param on_warning: hears what goes wrong with recording, each thing once; default: the logger ``plumbline``
        """
        self._on_warning = on_warning or _log.warning
        self._is_enabled = enabled if enabled is not None else _environment.variable("PLUMBLINE_DISABLED") is None
        self._redact = redact
        self._labels = Labels(
            session_id,
            user_id,
            environment or _environment.environment(),
            release or _environment.release(),
            list(tags or ()),
            dict(attributes or {}),
        )
        self._api_url = _origin_of(api_url or _environment.variable("PLUMBLINE_API_URL") or DEFAULT_API_URL)
        self._api_key = api_key or _environment.variable("PLUMBLINE_API_KEY")
        self._sender = Sender(
            api_url=self._api_url,
            api_key=self._api_key,
            max_queue_steps=max_queue_steps,
            max_queue_bytes=max_queue_bytes,
            flush_interval_s=flush_interval,
            warn=self._warn,
        )
        self._tracing = Tracing(run_id=run_id, labels=self._labels, record=self._record_ended)
        self._spans: Optional[Spans] = None
        register(self._tracing)

    @property
    def run_id(self) -> str:
        """The run of everything that is in no other."""
        return self._tracing.run.id

    @property
    def stats(self) -> Stats:
        """What became of the steps so far."""
        return self._sender.stats

    def wrap_anthropic(self, client: C) -> C:
        """The client of Anthropic, sync or async, with every call recorded. The one that is given stays as it is."""
        return wrap_client(client, self._tracing, ANTHROPIC, self._warn)

    def wrap_openai(self, client: C, *, provider: Optional[str] = None, stream_usage: Optional[bool] = None) -> C:
        """
        The client of OpenAI, or of a service that speaks like it, sync or async, with every call recorded.

        :param provider: default: by the host of the client's ``base_url``, otherwise ``openai``
        :param stream_usage: whether streams are asked for usage, which OpenAI leaves out otherwise. The chunk that comes
            for it is not shown to a caller who did not ask. Default: yes, except at hosts that are known to refuse it; one
            that refuses is asked again without, and never again
        """
        # Where nothing is recorded nothing is asked for either.
        asks = stream_usage if self._is_enabled else False
        return wrap_client(client, self._tracing, OpenAi(client, provider, asks), self._warn)

    def run(self, run_id: Optional[str] = None, **labels: Any) -> Run:
        """A run of its own: ``with tracer.run(session_id="chat-1") as run``. Steps made in it belong to it."""
        return Run(self._tracing, RunState(run_id, self._labels.joined(Labels(**labels))))

    def step(self, name: str, kind: str = "chain", input: Any = None, **labels: Any) -> StepBlock:
        """A block of code as a step: of the run around it, or as the first of a new run."""
        return StepBlock(self._tracing, name, kind, input, Labels(**labels))

    def labels(
        self,
        *,
        step_name: Optional[str] = None,
        session_id: Optional[str] = None,
        user_id: Optional[str] = None,
        environment: Optional[str] = None,
        release: Optional[str] = None,
        tags: Sequence[str] = (),
        attributes: Optional[Mapping[str, Any]] = None,
    ) -> LabelBlock:
        """Labels of everything in a block. ``step_name`` names the calls of wrapped clients in it."""
        labels = Labels(session_id, user_id, environment, release, list(tags or ()), dict(attributes or {}), step_name)
        return LabelBlock(self._tracing, labels)

    def observe(
        self,
        *,
        name: Optional[str] = None,
        type: Optional[str] = None,
        kind: Optional[str] = None,
        capture_input: bool = True,
        capture_output: bool = True,
        **labels: Any,
    ) -> Callable[[F], F]:
        """As :func:`plumbline.observe`, for this tracer."""

        def decorate(function: F) -> F:
            observation = Observation(
                function,
                lambda: self._tracing,
                name,
                kind or type or "chain",
                capture_input,
                capture_output,
                Labels(**labels),
            )
            return observed(function, observation)

        return decorate

    def ingest(self, *, step_name: str, latency_ms: float, model: str = "", prompt: Any = "", **fields: Any) -> None:
        """
        Records a step that was done elsewhere. Waits for nothing; :meth:`flush` does. A tool, a retrieval and the like need
        neither ``model`` nor ``prompt``.
        """
        try:
            is_time = isinstance(latency_ms, (int, float)) and 0 <= latency_ms < MAX_LATENCY_MS
            latency_ms = latency_ms if is_time else 0
            started_at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(milliseconds=latency_ms)
            step = {
                **self._labels.fields(),
                "run_id": self.run_id,
                "started_at": started_at.isoformat().replace("+00:00", "Z"),
                "step_name": step_name,
                "model": model,
                "prompt": prompt,
                "latency_ms": latency_ms,
                **{name: value for name, value in fields.items() if value is not None},
            }
            # Without an id sending it again would store it again.
            if "step_id" not in step and "span_id" not in step:
                step["step_id"] = secrets.token_hex(16)
            tags = [*self._labels.tags, *step.get("tags", ())]
            attributes = {**self._labels.attributes, **step.get("attributes", {})}
            step.update({name: value for name, value in (("tags", tags), ("attributes", attributes)) if value})
        except Exception as error:
            self._sender.warn_once("unrecorded", f"a step could not be recorded: {error!r}")
            return
        self._record(step)

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until what was recorded so far is sent. Says whether it is."""
        ends_at = time.monotonic() + timeout
        is_sent = self._sender.flush(timeout)
        if self._spans is not None:
            is_sent = self._spans.flush(max(0.0, ends_at - time.monotonic())) and is_sent
        return is_sent

    def shutdown(self, timeout: float = EXIT_PATIENCE_S) -> None:
        """Sends what is left and records no more. The end of the process does this by itself."""
        ends_at = time.monotonic() + timeout
        spans = self._spans.begin_shutdown() if self._spans is not None else None
        self._sender.shutdown(timeout)
        if spans is not None:
            spans.wait(max(0.0, ends_at - time.monotonic()))
        unregister(self._tracing)

    def _instrument(self, package: str) -> None:
        """Has an instrumentation of OpenTelemetry record a package."""
        if self._redact is not None:
            raise ValueError("`redact` does not see the spans of OpenTelemetry; have the server redact them")
        if self._spans is None:
            self._spans = Spans(self._tracing, self._labels, self._api_url, self._api_key, self._warn)
        self._spans.instrument(package)

    def _record_ended(self, step: Step) -> None:
        if not self._is_enabled:
            return
        if step.is_shared or self._redact is not None:
            self._record(step.wire())
        else:
            # Many at once, and by the thread that sends them, cost less than one by one, and nobody waits.
            self._sender.enqueue(step.size(), lambda: _json(step.wire()))

    def _record(self, step: WireStep) -> None:
        if not self._is_enabled:
            return
        try:
            kept = step if self._redact is None else self._redact(step)
            if kept is not None:
                encoded = _json(kept)
                self._sender.enqueue(len(encoded), lambda: encoded)
        except Exception as error:
            # Better no step than one that was to be redacted.
            self._sender.warn_once("unrecorded", f"a step could not be recorded: {error!r}")

    def _warn(self, message: str) -> None:
        try:
            self._on_warning(message)
        except Exception:
            pass  # Somebody else's, and nobody to tell.


def initialize(*, integrations: Sequence[Union[Integration, str]], **options: Any) -> Tracer:
    """
    Records what the named packages do, also where other libraries use them, without wrapping anything: the calls of the
    providers' own clients by itself, frameworks by an instrumentation of OpenTelemetry that is installed for them.

    :param integrations: a package, or an instrumentation, that is not installed is a warning
    :param options: those of :class:`Tracer`, which is returned
    """
    tracer = Tracer(**options)
    if not tracer._is_enabled:
        return tracer
    clients = {integration.value: integration for integration in CLIENTS}
    for integration in integrations:
        package = integration.value if isinstance(integration, Integration) else integration
        try:
            if package in clients:
                patch(clients[package], tracer._tracing)
            else:
                tracer._instrument(package)
        except Exception as error:
            tracer._warn(f"calls of {package} are not recorded: {error!r}")
    return tracer


# Made once: making one costs as much as a small step.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str).encode


def _json(step: WireStep) -> bytes:
    """As UTF-8, in which half a character is none and infinity is no number."""
    try:
        text = _encode(step)
    except ValueError:
        text = _encode(_finite(step))
    return text.encode("utf-8", "replace")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {str(key): _finite(field) for key, field in value.items()}
    if isinstance(value, (list, tuple)):
        items: List[Any] = [_finite(item) for item in value]
        return items
    return value


def _origin_of(url: str) -> str:
    """Without what somebody may have copied with it: slashes at the end, the path of ingest."""
    origin = url.strip().rstrip("/")
    for path in ("/ingest/batch", "/ingest"):
        if origin.endswith(path):
            return origin[: -len(path)]
    return origin


def _tracing_of_environment() -> Tracing:
    return Tracer()._tracing


make_with(_tracing_of_environment)

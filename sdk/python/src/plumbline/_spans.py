"""
Packages that an instrumentation of OpenTelemetry records. Its spans go to the same server, and are part of the step around
them: the id of a run that the SDK made is a trace's, and that of a step a span's.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import importlib.metadata
import re
import threading
from typing import Any, Callable, List, Optional

from ._scope import Context, Tracing
from ._sender import EXIT_PATIENCE_S
from ._step import Labels

# Where instrumentations say that they are there: OpenInference's know more of models than OpenTelemetry's own.
GROUPS = ("openinference_instrumentor", "opentelemetry_instrumentor")
NEEDED = 'pip install "plumbline[otel]"'
TRACE_ID = re.compile("[0-9a-f]{32}")


class Spans:
    """Takes the spans of instrumentations for one tracer. A global provider of the program stays what it is."""

    def __init__(self, tracing: Tracing, labels: Labels, api_url: str, api_key: Optional[str]) -> None:
        """Raises ``ImportError`` where OpenTelemetry's SDK or exporter is not installed."""
        try:
            self._api = importlib.import_module("opentelemetry.trace")
            sdk = importlib.import_module("opentelemetry.sdk.trace")
            batches = importlib.import_module("opentelemetry.sdk.trace.export")
            resources = importlib.import_module("opentelemetry.sdk.resources")
            exporter = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
            random_ids = importlib.import_module("opentelemetry.sdk.trace.id_generator").RandomIdGenerator
        except ImportError as error:
            raise ImportError(f"{error}; {NEEDED}") from error
        self._tracing = tracing
        words = {"deployment.environment.name": labels.environment, "service.version": labels.release}
        resource = resources.Resource.create({name: word for name, word in words.items() if word is not None})
        ids = type("Ids", (random_ids,), {"generate_trace_id": lambda _: self._trace_id() or random_ids().generate_trace_id()})
        provider = sdk.TracerProvider(resource=resource, id_generator=ids(), shutdown_on_exit=False)
        label = type("Label", (sdk.SpanProcessor,), {"on_start": lambda _, span, parent_context=None: self._label(span)})
        provider.add_span_processor(label())
        headers = {"authorization": f"Bearer {api_key}"} if api_key else None
        spans_to = exporter.OTLPSpanExporter(endpoint=f"{api_url}/v1/traces", headers=headers)
        provider.add_span_processor(batches.BatchSpanProcessor(spans_to, schedule_delay_millis=1_000))
        get_tracer = provider.get_tracer
        provider.get_tracer = lambda *of, **options: self._nested(get_tracer(*of, **options))
        self._provider = provider
        atexit.register(self.flush)

    def instrument(self, package: str) -> None:
        """Has the package's instrumentation record it. Raises ``ImportError`` where there is none."""
        for group in GROUPS:
            for entry in _entry_points(group):
                if _normal(entry.name) == _normal(package):
                    entry.load()().instrument(tracer_provider=self._provider)
                    return
        raise ImportError(f"no instrumentation is installed; try: pip install openinference-instrumentation-{package.replace('_', '-')}")

    def flush(self, timeout: float = EXIT_PATIENCE_S) -> bool:
        """Waits until the spans so far are sent, and no longer. Says whether they are."""
        # The exporter has patience of its own, and more than that.
        return _within(timeout, self._provider.force_flush)

    def shutdown(self, timeout: float) -> None:
        """Sends what is left."""
        _within(timeout, self._provider.shutdown)
        atexit.unregister(self.flush)

    def _around(self) -> Optional[Context]:
        """What the SDK itself has around the call; without a run of its own nothing."""
        context = self._tracing.around()
        return context if context is not None and TRACE_ID.fullmatch(context.run.id) else None

    def _trace_id(self) -> Optional[int]:
        around = self._around()
        return int(around.run.id, 16) if around else None

    def _label(self, span: Any) -> None:
        around = self._tracing.around()
        labels = around.labels if around else self._tracing.run.labels
        for name, word in (("session.id", labels.session_id), ("user.id", labels.user_id)):
            if word is not None:
                span.set_attribute(name, word)
        if labels.tags:
            span.set_attribute("tag.tags", list(labels.tags))

    def _nested(self, tracer: Any) -> Any:
        start_span: Callable[..., Any] = type(tracer).start_span

        @functools.wraps(start_span)
        def start_in_step(itself: Any, name: str, context: Any = None, *rest: Any, **options: Any) -> Any:
            return start_span(itself, name, self._with_parent(context), *rest, **options)

        # Of its class, where tracers that wrap others look for it.
        tracer.__class__ = type("Tracer", (type(tracer),), {"start_span": start_in_step})
        return tracer

    def _with_parent(self, context: Any) -> Any:
        """The context, in which the step around the call is the parent of a span that would have none."""
        around = self._around()
        if around is None or around.step is None or self._api.get_current_span(context).get_span_context().is_valid:
            return context
        parent = self._api.SpanContext(
            trace_id=int(around.run.id, 16),
            span_id=int(around.step.id, 16),
            is_remote=True,
            trace_flags=self._api.TraceFlags(self._api.TraceFlags.SAMPLED),
        )
        return self._api.set_span_in_context(self._api.NonRecordingSpan(parent), context)


def _entry_points(group: str) -> List[Any]:
    found: Any = importlib.metadata.entry_points()
    # Python 3.9 has a dictionary.
    return list(found.select(group=group) if hasattr(found, "select") else found.get(group, ()))


def _normal(name: str) -> str:
    return name.lower().replace("-", "_")


def _within(timeout: float, work: Callable[[], Any]) -> bool:
    done = threading.Event()

    def end() -> None:
        try:
            work()
        finally:
            done.set()

    threading.Thread(target=end, name="plumbline-spans", daemon=True).start()
    return done.wait(timeout)

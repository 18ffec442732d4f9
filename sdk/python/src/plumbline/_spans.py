"""
Packages that an instrumentation of OpenTelemetry records. Its spans go to the same server, and are part of the step around
them: the id of a run that the SDK made is a trace's, and that of a step a span's.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import re
import secrets
import threading
from typing import Any, Callable, List, Optional, Set

from ._scope import Context, Tracing
from ._sender import EXIT_PATIENCE_S, others_at_exit
from ._step import Labels, new_id

# Where instrumentations say that they are there: OpenInference's know more of models than OpenTelemetry's own.
GROUPS = ("openinference_instrumentor", "opentelemetry_instrumentor")
# Instrumentations that record for one of our tracers; the last one that asked for it has it.
_instrumented: Set[str] = set()
NEEDED = 'pip install "plumbline[otel]"'
TRACE_ID = re.compile("[0-9a-f]{32}")


class Spans:
    """Takes the spans of instrumentations for one tracer. A global provider of the program stays what it is."""

    def __init__(self, tracing: Tracing, labels: Labels, api_url: str, api_key: Optional[str], warn: Callable[[str], None]) -> None:
        """Raises ``ImportError`` where OpenTelemetry's SDK or exporter is not installed."""
        try:
            self._api = importlib.import_module("opentelemetry.trace")
            sdk = importlib.import_module("opentelemetry.sdk.trace")
            batches = importlib.import_module("opentelemetry.sdk.trace.export")
            sampling = importlib.import_module("opentelemetry.sdk.trace.sampling")
            resources = importlib.import_module("opentelemetry.sdk.resources")
            exporter = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
            random_ids = importlib.import_module("opentelemetry.sdk.trace.id_generator").RandomIdGenerator
        except ImportError as error:
            raise ImportError(f"{error}; {NEEDED}") from error
        self._tracing = tracing
        words = {"deployment.environment.name": labels.environment, "service.version": labels.release}
        resource = resources.Resource.create({name: word for name, word in words.items() if word is not None})
        of_ids = {
            "generate_trace_id": lambda _: self._trace_id() or int(secrets.token_hex(16), 16) or 1,
            "generate_span_id": lambda _: int(new_id(), 16),
        }
        ids = type("Ids", (random_ids,), of_ids)
        provider = sdk.TracerProvider(resource=resource, id_generator=ids(), shutdown_on_exit=False, sampler=sampling.ALWAYS_ON)
        label = type("Label", (sdk.SpanProcessor,), {"on_start": lambda _, span, parent_context=None: self._label(span)})
        provider.add_span_processor(label())
        headers = {"authorization": f"Bearer {api_key}"} if api_key else None
        self._warn, self._lost, self._status, self._closes = warn, 0, None, threading.Event()
        session = importlib.import_module("requests").Session()
        session.hooks["response"].append(lambda response, *_, **__: setattr(self, "_status", response.status_code))
        once = exporter.OTLPSpanExporter.export
        again = {"export": lambda itself, batch: self._export(lambda: once(itself, batch), len(batch), batches.SpanExportResult.SUCCESS)}
        spans_to = type("Exporter", (exporter.OTLPSpanExporter,), again)(
            endpoint=f"{api_url}/v1/traces", headers=headers, session=session
        )
        batched = batches.BatchSpanProcessor(spans_to, schedule_delay_millis=1_000, max_queue_size=10_000)
        provider.add_span_processor(batched)
        get_tracer = provider.get_tracer
        provider.get_tracer = lambda *of, **options: self._nested(get_tracer(*of, **options))
        self._provider = provider
        self._at_exit = _Waiting(provider.force_flush)
        others_at_exit.append(self._at_exit.begin)

    def instrument(self, package: str) -> None:
        """Has the package's instrumentation record it. Raises ``ImportError`` where there is none."""
        for group in GROUPS:
            for entry in _entry_points(group):
                if _normal(entry.name) == _normal(package):
                    instrumentor = entry.load()()
                    if getattr(instrumentor, "is_instrumented_by_opentelemetry", False):
                        if entry.value not in _instrumented:
                            raise RuntimeError("the program has it instrumented already")
                        instrumentor.uninstrument()
                    instrumentor.instrument(tracer_provider=self._provider)
                    if not getattr(instrumentor, "is_instrumented_by_opentelemetry", True):
                        raise ImportError("its instrumentation does not find the package, or not in a version that it knows")
                    _instrumented.add(entry.value)
                    return
        raise ImportError(f"no instrumentation is installed; try: pip install openinference-instrumentation-{package.replace('_', '-')}")

    def flush(self, timeout: float = EXIT_PATIENCE_S) -> bool:
        """Waits until the spans so far are sent, and no longer. Says whether they are."""
        # The exporter has patience of its own, and more than that.
        lost = self._lost
        return _Waiting(self._provider.force_flush).begin().wait(timeout) and self._lost == lost

    def begin_shutdown(self) -> threading.Event:
        """Sends what is left."""
        if self._at_exit.begin in others_at_exit:
            others_at_exit.remove(self._at_exit.begin)
        self._closes.set()
        return _Waiting(self._provider.shutdown).begin()

    def _export(self, export: Callable[[], Any], spans: int, success: Any) -> Any:
        """Until the server has taken or refused them; the exporter by itself gives up after ten seconds."""
        while True:
            self._status = None
            result = export()
            if result is success:
                return result
            is_refused = self._status is not None and self._status < 500 and self._status not in (408, 429)
            if is_refused or self._closes.wait(1.0):
                self._lost += spans
                what = "1 span of a framework was" if spans == 1 else f"{spans} spans of a framework were"
                self._warn(f"{what} not taken: {self._status or 'the server was not reached'}")
                return result

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
        span = self._api.get_current_span(context)
        # A span of the program's own provider is no parent: the server never sees it.
        if around is None or getattr(span, "resource", None) is self._provider.resource:
            return context
        if around.step is None:
            return self._api.set_span_in_context(self._api.INVALID_SPAN, context)
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


class _Waiting:
    """Work for a thread that is there already: at the end of the process Python 3.12 starts none."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._asked = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plumbline-spans", daemon=True)
        self._thread.start()

    def begin(self) -> threading.Event:
        self._asked.set()
        if not self._thread.is_alive() and not self._done.is_set():
            self._run()  # In the child of a fork.
        return self._done

    def _run(self) -> None:
        self._asked.wait()
        try:
            self._work()
        finally:
            self._done.set()

"""One call of a wrapped client: what comes of it is recorded, and handed on as it is."""

from __future__ import annotations

import weakref
from typing import Any, AsyncIterator, Dict, Iterator, Optional

from .._snapshot import cut, request_text
from .._step import Step, failure, is_abort
from .reading import Api, CallReader, Reading, StreamReader, field, word

MAX_OUTPUT = 8 * 1024 * 1024
# What clients put in the place of a parameter that was not given.
LEFT_OUT = ("NotGiven", "Omit")
# Classes of answers that are remembered; programs that make classes as they go have no end of them.
MAX_SHAPES = 256


class Call:
    """None of its methods raises."""

    def __init__(self, step: Step, api: Api, reader: CallReader) -> None:
        self._step = step
        self._api = api
        self._reader = reader
        self._request_model: Optional[str] = None
        # The caller's own request, where we ask for more than they do.
        self._plainly: Optional[Dict[str, Any]] = None

    def asks(self, path: str, request: Dict[str, Any]) -> Dict[str, Any]:
        """Takes note of a request; returns the one to send."""
        body = request.get("body")
        if not isinstance(body, dict):
            return request
        try:
            said = {name: value for name, value in body.items() if type(value).__name__ not in LEFT_OUT}
            self._request_model = word(said.get("model"))
            self._step.put({"prompt": request_text(said)})
            more = self._api.prepare(path, body)
        except Exception:
            return request
        if more is None:
            return request
        self._plainly = request
        return {**request, "body": more}

    def again(self, error: BaseException) -> Optional[Dict[str, Any]]:
        """The request to send instead of one that was refused for what we had added."""
        plainly, self._plainly = self._plainly, None
        return plainly if plainly is not None and self._api.refuses(error) else None

    def failed(self, error: BaseException, reading: Optional[Reading] = None) -> None:
        fields = self._fields(reading or Reading())
        if is_abort(error):
            self._step.finish({**fields, "aborted": True})
        else:
            described = _describe_failure(error)
            described["attributes"] = {**fields.pop("attributes", {}), **described["attributes"]}
            self._step.finish({**failure(error), **fields, **described})

    def answered(self, answer: Any) -> Any:
        """Takes note of what the client returns; returns it, or what is to be returned instead."""
        try:
            shape = _shapes.get(type(answer)) or _shape_of(answer)
            if shape == "whole":
                self.ended(self._reader.whole(answer))
            elif shape == "stream":
                self._watch_stream(answer)
            else:
                self._answered_raw(answer)
        except Exception as error:
            self._step.finish({"attributes": {"sdk_error": repr(error)}})
        return answer

    def ended(self, reading: Reading, **fields: Any) -> None:
        if reading.error is not None:
            error_class, message = reading.error
            fields.update(status_success=False, error=message, error_class=error_class or "error")
        known = self._fields(reading)
        known.update(fields)
        self._step.finish(known)

    def left(self, reading: Reading) -> None:
        self._step.finish({**self._fields(reading), "aborted": True})

    def _fields(self, reading: Reading) -> Dict[str, Any]:
        model = reading.model or self._request_model
        fields: Dict[str, Any] = {}
        if model is not None:
            fields["model"] = model
        if self._request_model is not None and self._request_model != model:
            fields["request_model"] = self._request_model
        if reading.output is not None:
            fields["output_code"] = cut(reading.output, MAX_OUTPUT)
        if reading.usage is not None:
            fields["usage"] = reading.usage
        if reading.stop_reason is not None:
            fields["stop_reason"] = reading.stop_reason
        if reading.service_tier is not None:
            fields["service_tier"] = reading.service_tier
        if reading.response_id:
            fields["attributes"] = {"gen_ai.response.id": reading.response_id}
        return fields

    def _answered_raw(self, response: Any) -> None:
        """A response that the caller reads alone: of `with_raw_response`, or of `with_streaming_response`."""
        try:
            body = response.http_response.json()
        except Exception:
            # Not read yet, or no JSON: it is recorded when the caller parses it, or lets go of it.
            self._watch_parsing(response)
        else:
            self.ended(self._reader.whole(body))

    def _watch_parsing(self, response: Any) -> None:
        parse = weakref.WeakMethod(response.parse)
        # Nothing else holds it, so it goes when the response does.
        guard = _Guard(self._step)

        def watched_parse(*args: Any, **kwargs: Any) -> Any:
            method = parse()
            answer = method(*args, **kwargs) if method else None
            if hasattr(answer, "__await__"):
                return self._parsed_later(answer, guard)
            guard.is_needed = False
            return answer if self._step.has_ended else self.answered(answer)

        response.parse = watched_parse

    async def _parsed_later(self, pending: Any, guard: "_Guard") -> Any:
        answer = await pending
        guard.is_needed = False
        return answer if self._step.has_ended else self.answered(answer)

    def _watch_stream(self, stream: Any) -> None:
        """Every way of reading a stream goes through its iterator."""
        source = stream._iterator
        reader = self._reader.stream(self._plainly is not None)
        is_async = hasattr(source, "__anext__")
        watch = _Watch(self, self._step, reader)
        stream._iterator = _AsyncEvents(source, watch) if is_async else _Events(source, watch)
        # Weakly: a stream that refers to itself would not be closed as soon as it is dropped.
        close = weakref.WeakMethod(stream.close)

        def close_watched() -> Any:
            watch.leave()
            method = close()
            return method() if method else None

        stream.close = close_watched


class _Guard:
    def __init__(self, step: Step) -> None:
        self._step = step
        self.is_needed = True

    def __del__(self) -> None:
        if self.is_needed:
            self._step.finish({"attributes": {"output_not_kept": True}})


class _Watch:
    """What is seen of a stream. None of its methods raises."""

    def __init__(self, call: Call, step: Step, reader: StreamReader) -> None:
        self._call = call
        self._step = step
        self._reader = reader
        self._first_event_ms: Optional[float] = None
        self._first_content_ms: Optional[float] = None
        self._max_gap_ms: Optional[float] = None
        self._waits_since_ms = 0.0

    def waits(self) -> None:
        self._waits_since_ms = self._step.elapsed_ms

    def sees(self, event: Any) -> bool:
        """Says whether an event is to be handed on."""
        try:
            now = self._step.elapsed_ms
            if self._first_event_ms is None:
                self._first_event_ms = now
            else:
                # Waiting alone: a caller who takes time between two events is no pause of the provider.
                self._max_gap_ms = max(self._max_gap_ms or 0.0, now - self._waits_since_ms)
            if self._reader.event(event) and self._first_content_ms is None:
                self._first_content_ms = now
            return not self._reader.is_ours(event)
        except Exception:
            return True

    def end(self) -> None:
        if not self._step.has_ended:
            reading = self._finish()
            if self._reader.is_complete:
                self._call.ended(reading)
            else:
                self._call.ended(reading, stream_incomplete=True)

    def fail(self, error: BaseException) -> None:
        if not self._step.has_ended:
            self._call.failed(error, self._finish())

    def leave(self) -> None:
        """The caller stops reading; after the last event that is an end like any other."""
        if not self._step.has_ended:
            reading = self._finish()
            if self._reader.is_complete:
                self._call.ended(reading)
            else:
                self._call.left(reading)

    def _finish(self) -> Reading:
        ttft_ms = self._first_event_ms if self._first_content_ms is None else self._first_content_ms
        for name, value in (("ttft_ms", ttft_ms), ("max_gap_ms", self._max_gap_ms)):
            if value is not None:
                self._step.put({name: value})
        try:
            return self._reader.finish()
        except Exception:
            return Reading()  # What can't be read is not recorded; the call itself is.


class _Events:
    """The events of a stream, as they pass. A class and no generator: one that was never begun is not told of its end."""

    def __init__(self, source: Iterator[Any], watch: _Watch) -> None:
        self._source = source
        self._watch = watch

    def __iter__(self) -> "_Events":
        return self

    def __next__(self) -> Any:
        while True:
            self._watch.waits()
            try:
                event = next(self._source)
            except StopIteration:
                self._watch.end()
                raise
            except BaseException as error:
                self._watch.fail(error)
                raise
            if self._watch.sees(event):
                return event

    def close(self) -> None:
        self._watch.leave()
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        self._watch.leave()


class _AsyncEvents:
    def __init__(self, source: AsyncIterator[Any], watch: _Watch) -> None:
        self._source = source
        self._watch = watch

    def __aiter__(self) -> "_AsyncEvents":
        return self

    async def __anext__(self) -> Any:
        while True:
            self._watch.waits()
            try:
                event = await self._source.__anext__()
            except StopAsyncIteration:
                self._watch.end()
                raise
            except BaseException as error:
                self._watch.fail(error)
                raise
            if self._watch.sees(event):
                return event

    async def aclose(self) -> None:
        self._watch.leave()
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    def __del__(self) -> None:
        self._watch.leave()


# By the class of an answer. There are few, and asking each answer costs more than all else that is done with it.
_shapes: Dict[type, str] = {}


def _shape_of(answer: Any) -> str:
    kind = type(answer)
    if hasattr(answer, "http_response") and callable(getattr(answer, "parse", None)):
        shape = "raw"  # What `with_raw_response` and `with_streaming_response` return.
    else:
        shape = "stream" if hasattr(kind, "__stream__") else "whole"
    if len(_shapes) < MAX_SHAPES:
        _shapes[kind] = shape
    return shape


def _describe_failure(error: BaseException) -> Dict[str, Any]:
    """What a client raises, in words to group by."""
    status = field(error, "status_code")
    body = field(error, "body")
    # Anthropic's body is `{"type": "error", "error": {"type", "message"}}`; of OpenAI's the client keeps the inner one.
    inner = field(body, "error") or body
    found = word(field(inner, "type")) or word(field(error, "type")) or word(field(inner, "code"))
    found = found or word(field(error, "code")) or (f"http_{status}" if isinstance(status, int) else None)
    attributes: Dict[str, Any] = {}
    if isinstance(status, int):
        attributes["http.response.status_code"] = status
    request_id = word(field(error, "request_id"))
    if request_id:
        attributes["provider_request_id"] = request_id
    return {"attributes": attributes, **({"error_class": found} if found else {})}

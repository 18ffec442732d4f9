"""OpenAI's Responses."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from .reading import CallReader, Reading, StreamReader, field, items, plain, plain_object, word


class Responses(CallReader):
    def whole(self, answer: Any) -> Reading:
        return _describe(answer)

    def stream(self, asked_for_usage: bool) -> StreamReader:
        return ResponseReader()


def _describe(response: Any) -> Reading:
    error = field(response, "error")
    message = word(field(error, "message"))
    return Reading(
        model=word(field(response, "model")),
        response_id=word(field(response, "id")),
        service_tier=word(field(response, "service_tier")),
        usage=plain_object(field(response, "usage")),
        stop_reason=word(field(field(response, "incomplete_details"), "reason")) or word(field(response, "status")),
        output=_output_of(items(field(response, "output"))),
        error=(word(field(error, "code")), message) if message else None,
    )


def _output_of(answer: List[Any]) -> Optional[str]:
    """
    The text where there is nothing else; otherwise one message with the text, the calls of functions as Chat Completions
    has them, and every other item as it came.
    """
    text = ""
    message: Dict[str, Any] = {"role": "assistant", "content": None}
    calls, others = [], []
    for item in answer:
        kind = field(item, "type")
        if kind == "message":
            for part in items(field(item, "content")):
                text += word(field(part, "text")) or ""
                if field(part, "refusal") is not None:
                    message["refusal"] = field(part, "refusal")
        elif kind == "function_call":
            function = {"name": field(item, "name"), "arguments": field(item, "arguments")}
            calls.append({"id": field(item, "call_id"), "type": "function", "function": function})
        elif kind != "reasoning" or items(field(item, "summary")):
            others.append(plain(item))
    if not calls and not others and "refusal" not in message:
        return text or None
    message["content"] = text or None
    if calls:
        message["tool_calls"] = calls
    if others:
        message["items"] = others
    return json.dumps(message, ensure_ascii=False, default=str)


class _Item:
    def __init__(self) -> None:
        self.shell: Any = None
        self.text: List[str] = []
        self.arguments: List[str] = []

    def finish(self) -> Any:
        if self.text:
            return {"type": "message", "content": [{"type": "output_text", "text": "".join(self.text)}]}
        if self.arguments:
            return {**(plain_object(self.shell) or {}), "arguments": "".join(self.arguments)}
        return self.shell


class ResponseReader(StreamReader):
    def __init__(self) -> None:
        self._reading = Reading()
        # The items as far as they have come, for a stream that ends before it says them all together.
        self._items: Dict[int, _Item] = {}

    def event(self, event: Any) -> bool:
        kind = field(event, "type")
        if kind == "response.output_text.delta":
            self._item(event).text.append(str(field(event, "delta") or ""))
            return True
        if kind == "response.function_call_arguments.delta":
            self._item(event).arguments.append(str(field(event, "delta") or ""))
            return True
        if kind in ("response.created", "response.in_progress", "response.queued"):
            self._reading = _describe(field(event, "response"))
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._reading = _describe(field(event, "response"))
            self.is_complete = True
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item(event).shell = field(event, "item")
        elif kind == "error":
            self._reading.error = (word(field(event, "code")), word(field(event, "message")) or "error")
            self.is_complete = True
        return kind in ("response.reasoning_summary_text.delta", "response.refusal.delta")

    def _item(self, event: Any) -> _Item:
        return self._items.setdefault(field(event, "output_index") or 0, _Item())

    def finish(self) -> Reading:
        if not (self.is_complete and self._reading.output is not None):
            self._reading.output = _output_of([item.finish() for item in self._items.values()])
        return self._reading

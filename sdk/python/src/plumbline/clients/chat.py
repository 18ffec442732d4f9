"""OpenAI's Chat Completions, and the Completions before them."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from .reading import CallReader, Reading, StreamReader, field, items, plain_object, word


class Chat(CallReader):
    def whole(self, answer: Any) -> Reading:
        choices = items(field(answer, "choices"))
        reading = _describe(answer)
        reading.stop_reason = word(field(choices[0], "finish_reason")) if choices else None
        reading.output = _output_of([plain_object(field(choice, "message")) or {} for choice in choices])
        return reading

    def stream(self, asked_for_usage: bool) -> StreamReader:
        return ChatReader(asked_for_usage)


class Completions(CallReader):
    def whole(self, answer: Any) -> Reading:
        choices = items(field(answer, "choices"))
        reading = _describe(answer)
        reading.stop_reason = word(field(choices[0], "finish_reason")) if choices else None
        reading.output = "\n".join(str(field(choice, "text") or "") for choice in choices) or None
        return reading

    def stream(self, asked_for_usage: bool) -> StreamReader:
        return ChatReader(asked_for_usage)


def _describe(answer: Any) -> Reading:
    return Reading(
        model=word(field(answer, "model")),
        response_id=word(field(answer, "id")),
        service_tier=word(field(answer, "service_tier")),
        usage=plain_object(field(answer, "usage")),
    )


def _output_of(messages: List[Dict[str, Any]]) -> Optional[str]:
    """The text of one message that is nothing else; otherwise the message, or the messages where there are several."""
    cleaned = []
    for message in messages:
        said = {name: value for name, value in message.items() if value is not None and value != "" and value != []}
        cleaned.append({"role": "assistant", "content": None, **said})
    if not cleaned:
        return None
    if len(cleaned) > 1:
        return json.dumps(cleaned, ensure_ascii=False, default=str)
    content = cleaned[0]["content"]
    if len(cleaned[0]) == 2 and (content is None or isinstance(content, str)):
        return content
    return json.dumps(cleaned[0], ensure_ascii=False, default=str)


class _Call:
    def __init__(self, index: Optional[int]) -> None:
        self.index = index
        self.id: Optional[str] = None
        self.type = "function"
        self.name = ""
        self.arguments: List[str] = []


class _Choice:
    def __init__(self) -> None:
        # What grows by pieces of text: content, refusal, what others call reasoning.
        self.texts: Dict[str, List[str]] = {}
        self.calls: List[_Call] = []

    def grow(self, delta: Dict[str, Any]) -> bool:
        has_content = False
        for name, value in delta.items():
            if value is None or name in ("role", "obfuscation"):
                continue
            if name == "tool_calls":
                for call in items(value):
                    has_content = self._grow_call(call) or has_content
            elif name == "function_call":
                has_content = self._grow_call({"function": value}) or has_content
            elif name == "content" and not isinstance(value, str):
                has_content = self._grow_parts(value) or has_content
            elif isinstance(value, str) and value:
                self.texts.setdefault(name, []).append(value)
                has_content = True
        return has_content

    def _grow_call(self, call: Any) -> bool:
        known = self._place_of(call)
        known.id = word(field(call, "id")) or known.id
        known.type = word(field(call, "type")) or known.type
        function = field(call, "function")
        name, piece = word(field(function, "name")), word(field(function, "arguments"))
        # Some say the name again in every chunk.
        if name and not (known.arguments and name == known.name):
            known.name += name
        if piece:
            known.arguments.append(piece)
        return bool(name or piece)

    def _place_of(self, call: Any) -> _Call:
        """Several calls may share a place: an id of its own makes a call."""
        index, call_id = field(call, "index"), word(field(call, "id"))
        for known in reversed(self.calls):
            if call_id is not None and known.id == call_id:
                return known
        last = next((known for known in reversed(self.calls) if index is None or known.index == index), None)
        if last is not None and (call_id is None or last.id is None):
            return last
        self.calls.append(_Call(index))
        return self.calls[-1]

    def _grow_parts(self, parts: Any) -> bool:
        """Content as parts, as Mistral's models that think have it."""
        has_content = False
        for part in parts if isinstance(parts, list) else [parts]:
            thought = field(part, "type") in ("thinking", "reasoning")
            for text in _texts(part):
                self.texts.setdefault("reasoning_content" if thought else "content", []).append(text)
                has_content = True
        return has_content

    def message(self) -> Dict[str, Any]:
        calls = [
            {"id": call.id, "type": call.type, "function": {"name": call.name, "arguments": "".join(call.arguments)}}
            for call in self.calls
        ]
        return {**{name: "".join(parts) for name, parts in self.texts.items()}, "tool_calls": calls}


class ChatReader(StreamReader):
    def __init__(self, asked_for_usage: bool) -> None:
        self._asked_for_usage = asked_for_usage
        self._reading = Reading()
        self._choices: Dict[int, _Choice] = {}

    def is_ours(self, event: Any) -> bool:
        return self._asked_for_usage and not items(field(event, "choices")) and field(event, "usage") is not None

    def event(self, event: Any) -> bool:
        # Each chunk says the same of the answer; only the one with usage says more.
        if self._reading.model is None or field(event, "usage") is not None:
            self._reading.take(_describe(event))
        has_content = False
        for choice in items(field(event, "choices")):
            index = field(choice, "index") or 0
            finish = word(field(choice, "finish_reason"))
            if index == 0 and finish:
                self._reading.stop_reason = finish
                # The client swallows `[DONE]`; this says the same.
                self.is_complete = True
            text = field(choice, "text")
            delta = {"content": text} if isinstance(text, str) else _said(field(choice, "delta"))
            has_content = self._choices.setdefault(index, _Choice()).grow(delta) or has_content
        return has_content

    def finish(self) -> Reading:
        self._reading.output = _output_of([choice.message() for choice in self._choices.values()])
        return self._reading


def _texts(part: Any) -> List[str]:
    if isinstance(part, str):
        return [part] if part else []
    if isinstance(part, list):
        return [text for each in part for text in _texts(each)]
    inner = next((field(part, name) for name in ("text", "content", "thinking") if field(part, name)), None)
    return _texts(inner) if inner is not None else []


def _said(delta: Any) -> Dict[str, Any]:
    """The fields of a delta, read where they are: most chunks have one, and copying each chunk would cost more than it."""
    if isinstance(delta, dict):
        return delta
    known = getattr(delta, "__dict__", None) or {}
    more = getattr(delta, "__pydantic_extra__", None) or {}
    return {**known, **more}

"""Anthropic's Messages."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from .reading import Api, CallReader, Reading, StreamReader, field, items, plain, plain_object, word

# Which field of a block a delta adds to.
GROWING = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


class Messages(CallReader):
    def whole(self, answer: Any) -> Reading:
        reading = _describe(answer)
        reading.output = _output_of(items(field(answer, "content")))
        return reading

    def stream(self, asked_for_usage: bool) -> StreamReader:
        return MessageReader()


class Anthropic(Api):
    provider = "anthropic"
    readers = {"/v1/messages": Messages()}


ANTHROPIC = Anthropic()


def _describe(message: Any) -> Reading:
    return Reading(
        model=word(field(message, "model")),
        response_id=word(field(message, "id")),
        stop_reason=word(field(message, "stop_reason")),
        usage=plain_object(field(message, "usage")),
    )


def _output_of(blocks: List[Any]) -> Optional[str]:
    """The text of blocks that are nothing else, otherwise the message."""
    if not blocks:
        return None
    if all(field(block, "type") == "text" for block in blocks):
        return "".join(str(field(block, "text") or "") for block in blocks)
    message = {"role": "assistant", "content": [plain(block) for block in blocks]}
    return json.dumps(message, ensure_ascii=False, default=str)


class MessageReader(StreamReader):
    def __init__(self) -> None:
        self._reading = Reading()
        self._usage: Dict[str, Any] = {}
        self._blocks: Dict[int, Dict[str, Any]] = {}
        # What grows is collected apart: joining once costs less than at each delta.
        self._grown: Dict[int, Dict[str, List[str]]] = {}

    def event(self, event: Any) -> bool:
        kind = field(event, "type")
        if kind == "content_block_delta":
            return self._grow(field(event, "index"), field(event, "delta"))
        if kind == "message_start":
            self._reading = _describe(field(event, "message"))
            self._use(self._reading.usage)
        elif kind == "content_block_start":
            index = field(event, "index")
            block = plain_object(field(event, "content_block")) or {}
            self._blocks[index] = block
            self._grown[index] = {}
            return block.get("type") not in ("text", "thinking")
        elif kind == "message_delta":
            stop_reason = word(field(field(event, "delta"), "stop_reason"))
            if stop_reason:
                self._reading.stop_reason = stop_reason
            self._use(plain_object(field(event, "usage")))
        elif kind == "message_stop":
            self.is_complete = True
        return False

    def _use(self, usage: Optional[Dict[str, Any]]) -> None:
        """Counts are cumulative, and what a later event leaves out stays as it was."""
        self._usage.update({name: value for name, value in (usage or {}).items() if value is not None})

    def _grow(self, index: Any, delta: Any) -> bool:
        kind = field(delta, "type")
        block = self._blocks.get(index)
        if block is None:
            return False
        if kind == "citations_delta":
            block["citations"] = [*items(block.get("citations")), plain(field(delta, "citation"))]
            return False
        name = GROWING.get(kind)
        text = field(delta, name) if name else None
        if name is None or not isinstance(text, str):
            return False
        self._grown[index].setdefault(name, []).append(text)
        return name != "signature" and text != ""

    def finish(self) -> Reading:
        blocks = []
        for index, block in self._blocks.items():
            whole = dict(block)
            for name, parts in self._grown[index].items():
                if name == "partial_json":
                    whole["input"] = _parsed("".join(parts))
                else:
                    whole[name] = str(block.get(name) or "") + "".join(parts)
            blocks.append(whole)
        self._reading.usage = self._usage or None
        self._reading.output = _output_of(blocks)
        return self._reading


def _parsed(text: str) -> Any:
    """A stream that was left holds half an object; what there is of it is worth seeing."""
    try:
        return json.loads(text)
    except ValueError:
        return text

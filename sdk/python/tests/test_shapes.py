"""Chunks of Chat Completions as others than OpenAI send them."""

import json
import unittest

from plumbline.clients.chat import ChatReader


def read(*deltas):
    reader = ChatReader(False)
    for delta in deltas:
        reader.event({"choices": [{"index": 0, "delta": delta}]})
    return reader.finish().output


def call(call_id, name, arguments):
    return {"tool_calls": [{"index": 0, "id": call_id, "function": {"name": name, "arguments": arguments}}]}


class Shapes(unittest.TestCase):
    def test_calls_that_share_a_place_are_told_apart_by_their_ids(self):
        said = json.loads(read(call("a", "get_weather", '{"a"'), call(None, None, ":1}"), call("b", "get_time", "{}")))
        calls = [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in said["tool_calls"]]
        self.assertEqual(calls, [("a", "get_weather", '{"a":1}'), ("b", "get_time", "{}")])

    def test_content_may_come_in_parts(self):
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
        said = json.loads(read({"content": [thinking]}, {"content": [{"type": "text", "text": "So"}]}))
        self.assertEqual((said["content"], said["reasoning_content"]), ("So", "Hm"))


if __name__ == "__main__":
    unittest.main()

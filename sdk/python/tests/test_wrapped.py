"""What the providers' clients show only in corners that ``end2end/sdk`` does not reach. The provider is made up."""

import asyncio
import base64
import gc
import json
import unittest

import anthropic
import openai

import plumbline

from .servers import MadeUpServer, WithIngest
from .test_sender import run

SSE = {"content-type": "text/event-stream"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
ASK = {"model": "claude-haiku-4-5", "max_tokens": 16, "messages": [{"role": "user", "content": "Hello?"}]}
QUESTION = {"model": "m-1", "messages": [{"role": "user", "content": "Hello?"}]}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": "Hi."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def chunk(choices, **more):
    body = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": choices, **more}
    return f"data: {json.dumps(body)}\n\n"


def said(content, finish=None):
    return chunk([{"index": 0, "delta": {"content": content}, "finish_reason": finish}])


def completion():
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m-1", "choices": choices, "usage": USAGE}


def message_events():
    events = [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


class Wrapped(WithIngest):
    def provider(self, refuses_the_question=False):
        def answer(path, body, number):
            if path.startswith("/v1/messages"):
                return (200, SSE, message_events()) if body.get("stream") else (200, {}, MESSAGE)
            options = body.get("stream_options")
            if options and refuses_the_question:
                return 400, {}, {"error": {"message": "Unknown parameter: 'stream_options'", "type": "invalid_request_error"}}
            if not body.get("stream"):
                return 200, {}, completion()
            end = chunk([], usage=USAGE) if options and options.get("include_usage") else ""
            return 200, SSE, f"{said('Hel')}{said('lo', 'stop')}{end}data: [DONE]\n\n".encode()

        self.made_up = MadeUpServer(answer)
        self.addCleanup(self.made_up.stop)
        return self.made_up

    def openai(self, kind=openai.OpenAI, **options):
        server = self.provider(**options)
        return kind(api_key="k", base_url=f"{server.url}/v1", max_retries=0)

    def anthropic(self, kind=anthropic.Anthropic):
        return kind(api_key="k", base_url=self.provider().url, max_retries=0)

    def bodies(self):
        return [request["body"] for request in self.made_up.requests]

    def recorded(self):
        self.assertTrue(self.tracer.flush(10))
        return self.ingest.taken()

    def test_a_stream_is_asked_for_its_usage_and_the_caller_does_not_see_it(self):
        client = self.set_up().wrap_openai(self.openai())
        chunks = list(client.chat.completions.create(**QUESTION, stream=True))
        self.assertEqual([len(each.choices) for each in chunks], [1, 1])
        self.assertEqual(self.bodies()[0]["stream_options"], {"include_usage": True})
        (step,) = self.recorded()
        self.assertEqual((step["usage"], step["output_code"], step["stop_reason"]), (USAGE, "Hello", "stop"))

    def test_what_a_program_does_afterwards_to_what_it_asked_and_got_is_not_recorded(self):
        client = self.set_up().wrap_anthropic(self.anthropic())
        messages = [{"role": "user", "content": "Hello?"}]
        answer = client.messages.create(model="claude-haiku-4-5", max_tokens=16, messages=messages)
        messages.append({"role": "assistant", "content": "changed"})
        answer.content[0].text = "changed"
        answer.usage.input_tokens = 99
        (step,) = self.recorded()
        self.assertEqual((step["output_code"], step["usage"]), ("Hi.", MESSAGE["usage"]))
        self.assertNotIn("changed", step["prompt"])

    def test_a_caller_who_asks_sees_it(self):
        client = self.set_up().wrap_openai(self.openai())
        asked = client.chat.completions.create(**QUESTION, stream=True, stream_options={"include_usage": True})
        self.assertEqual(len(list(asked)), 3)

    def test_a_service_that_refuses_the_question_is_asked_without_it_once_and_for_all(self):
        client = self.set_up().wrap_openai(self.openai(refuses_the_question=True))
        for _ in range(2):
            self.assertEqual(len(list(client.chat.completions.create(**QUESTION, stream=True))), 2)
        self.assertEqual(["stream_options" in body for body in self.bodies()], [True, False, False])
        self.assertEqual([(step.get("status_success"), step["output_code"]) for step in self.recorded()], [(None, "Hello")] * 2)
        self.assertEqual(self.warnings, [])

    def test_stream_usage_false_never_asks(self):
        client = self.set_up().wrap_openai(self.openai(), stream_usage=False)
        list(client.chat.completions.create(**QUESTION, stream=True))
        self.assertNotIn("stream_options", self.bodies()[0])

    def test_the_asynchronous_clients(self):
        tracer = self.set_up()
        asks = tracer.wrap_anthropic(self.anthropic(anthropic.AsyncAnthropic))

        async def main():
            await asks.messages.create(**ASK)
            async with asks.messages.stream(**ASK) as stream:
                self.assertEqual([text async for text in stream.text_stream], ["Hi."])
            events = await asks.messages.create(**ASK, stream=True)
            async for event in events:
                break
            await events.close()
            with self.assertRaises(anthropic.APIConnectionError):
                broken = asks.with_options(base_url="http://127.0.0.1:1")
                await broken.messages.create(**ASK)
            await asks.close()

        asyncio.run(main())
        whole, streamed, left, failed = self.recorded()
        self.assertEqual([step["output_code"] for step in (whole, streamed)], ["Hi.", "Hi."])
        self.assertEqual(streamed["usage"]["output_tokens"], 2)
        self.assertGreater(streamed["ttft_ms"], 0)
        self.assertTrue(left["aborted"])
        self.assertEqual((failed["status_success"], failed["error_class"]), (False, "APIConnectionError"))

    def test_the_helpers_of_streams(self):
        tracer = self.set_up()
        chats = tracer.wrap_openai(self.openai())
        with chats.chat.completions.stream(**QUESTION) as events:
            self.assertEqual(events.get_final_completion().choices[0].message.content, "Hello")
        client = tracer.wrap_anthropic(self.anthropic())
        with client.messages.stream(**ASK) as stream:
            self.assertEqual(stream.get_final_message().content[0].text, "Hi.")
        self.assertEqual([step["output_code"] for step in self.recorded()], ["Hello", "Hi."])

    def test_a_stream_that_is_dropped_is_aborted_and_one_that_is_left_after_its_end_is_not(self):
        client = self.set_up().wrap_openai(self.openai())
        for each in client.chat.completions.create(**QUESTION, stream=True):
            break
        gc.collect()
        for each in client.chat.completions.create(**QUESTION, stream=True):
            if each.choices[0].finish_reason:
                break
        gc.collect()
        self.assertEqual([step.get("aborted") for step in self.recorded()], [True, None])

    def test_raw_responses(self):
        client = self.set_up().wrap_anthropic(self.anthropic())
        raw = client.messages.with_raw_response.create(**ASK)
        self.assertEqual(raw.parse().id, "msg_1")
        with client.messages.with_streaming_response.create(**ASK) as response:
            self.assertEqual(response.parse().id, "msg_1")
        with client.messages.with_streaming_response.create(**ASK) as response:
            self.assertIn(b"msg_1", b"".join(response.iter_bytes()))
        del response
        gc.collect()
        read, parsed, unread = self.recorded()
        self.assertEqual([step["output_code"] for step in (read, parsed)], ["Hi.", "Hi."])
        self.assertTrue(unread["attributes"]["output_not_kept"])

    def test_the_client_that_was_given_is_not_changed_and_what_is_wrapped_is_of_its_class(self):
        client = self.anthropic()
        client.messages  # made before it is wrapped
        wrapped = self.set_up().wrap_anthropic(client)
        self.assertIsInstance(wrapped, anthropic.Anthropic)
        client.messages.create(**ASK)
        self.tracer.wrap_anthropic(wrapped).with_options(timeout=5).messages.create(**ASK)
        self.assertEqual(len(self.recorded()), 1)

    def test_calls_are_named_and_counted(self):
        tracer = self.set_up()
        client = tracer.wrap_anthropic(self.anthropic())
        with tracer.run("mine"):
            client.messages.create(**ASK)
            with tracer.labels(step_name="classify", tags=["a"]):
                client.messages.create(**ASK)
            with tracer.step("plan", kind="agent"):
                client.beta.messages.create(**ASK)
        first, named, inside, plan = self.recorded()
        self.assertEqual({step["run_id"] for step in (first, named, inside, plan)}, {"mine"})
        self.assertEqual([step["step_name"] for step in (first, named, plan, inside)], ["step_1", "classify", "plan", "step_4"])
        self.assertEqual((named["tags"], inside["parent_step_id"]), (["a"], plan["step_id"]))
        self.assertEqual((first["request_model"], first["model"]), ("claude-haiku-4-5", "claude-haiku-4-5-20251001"))
        self.assertEqual(set(json.loads(first["prompt"])), {"model", "max_tokens", "messages"})

    def test_a_file_in_a_request_is_named_by_its_size(self):
        client = self.set_up().wrap_anthropic(self.anthropic())
        data = base64.b64encode(bytes(300_000)).decode()
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
        client.messages.create(**{**ASK, "messages": [{"role": "user", "content": [image]}]})
        self.assertEqual(self.bodies()[0]["messages"][0]["content"][0]["source"]["data"], data)
        (step,) = self.recorded()
        kept = json.loads(step["prompt"])["messages"][0]["content"][0]["source"]["data"]
        self.assertEqual(kept, "[file, 400000 characters of base64]")

    def test_initialize_records_the_clients_of_everybody_once(self):
        program = """
import asyncio, sys
import anthropic, openai
import plumbline
provider, ingest = sys.argv[1:]
before = anthropic.Anthropic(api_key="k", base_url=provider)
tracer = plumbline.initialize(integrations=[plumbline.Integration.ANTHROPIC, "openai"], api_url=ingest)
ask = {"model": "claude-haiku-4-5", "max_tokens": 16, "messages": [{"role": "user", "content": "Hello?"}]}
before.messages.create(**ask)
tracer.wrap_anthropic(anthropic.Anthropic(api_key="k", base_url=provider)).messages.create(**ask)
question = {"model": "m-1", "messages": [{"role": "user", "content": "Hello?"}]}
client = openai.AsyncOpenAI(api_key="k", base_url=provider + "/v1")
asyncio.run(client.chat.completions.create(**question))
print("done", flush=True)
"""
        self.set_up()
        code, complaints, _ = run(program, self.provider().url, self.ingest.url)
        self.assertEqual((code, complaints), (0, ""))
        outputs = [(step["provider"], step["output_code"]) for step in self.ingest.taken()]
        self.assertEqual(outputs, [("anthropic", "Hi."), ("anthropic", "Hi."), ("openai", "Hello")])

    def test_a_framework_without_an_instrumentation_is_a_warning(self):
        said = []
        tracer = plumbline.initialize(
            integrations=[plumbline.Integration.LLAMA_INDEX, "haystack"], api_url="http://127.0.0.1:9", on_warning=said.append
        )
        tracer.shutdown(0)
        self.assertRegex(said[0], r"calls of llama_index are not recorded: .*pip install")
        self.assertRegex(said[1], r"calls of haystack are not recorded: .*pip install")

    def test_what_is_no_client_comes_back_as_it_is(self):
        no_client = object()
        self.assertIs(self.set_up().wrap_openai(no_client), no_client)
        self.assertRegex(" ".join(self.warnings), "could not be wrapped")


if __name__ == "__main__":
    unittest.main()

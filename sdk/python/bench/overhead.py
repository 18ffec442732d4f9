"""What recording adds to a call: the official client with a network that answers at once, plain and wrapped in turns, and
what a thousand steps that wait take of memory. Prints a table: python bench/overhead.py
"""

import json
import statistics
import time
import tracemalloc

import anthropic
import openai

from plumbline import Tracer

try:
    import httpx2 as httpx
except ImportError:
    import httpx

# Short ones, so that plain and recorded calls meet the same machine.
ROUNDS = 101
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "A weight on a string. " * 20}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 900, "output_tokens": 120, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
}


def chunk(delta, finish=None):
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', 'choices': choices})}\n\n"


STREAM = (chunk({"content": "plumb "}) * 200 + chunk({}, "stop") + "data: [DONE]\n\n").encode()


def network(answer):
    return httpx.Client(transport=httpx.MockTransport(lambda request: answer()))


plain_anthropic = anthropic.Anthropic(api_key="k", http_client=network(lambda: httpx.Response(200, json=MESSAGE)))
plain_openai = openai.OpenAI(
    api_key="k",
    http_client=network(lambda: httpx.Response(200, content=STREAM, headers={"content-type": "text/event-stream"})),
)


def turns(count):
    text = "What is a plumb line, and who uses one? " * 5
    return [{"role": "assistant" if n % 2 else "user", "content": text} for n in range(count)]


def ask(client, messages):
    client.messages.create(model="claude-haiku-4-5", max_tokens=256, messages=messages)


def read_stream(client):
    for _ in client.chat.completions.create(model="m", messages=turns(1), stream=True):
        pass


def per_call(function, calls):
    # Time of this thread's processor: what else runs does not count, nor does the sender's thread.
    began = time.thread_time()
    for _ in range(calls):
        function()
    return (time.thread_time() - began) / calls * 1e6


def compare(name, plain, recorded, calls):
    per_call(plain, calls)
    per_call(recorded, calls)
    base, added = [], []
    for _ in range(ROUNDS):
        without = per_call(plain, calls)
        base.append(without)
        added.append(per_call(recorded, calls) - without)
    print(f"{name:<44} {statistics.median(base):>9.0f} µs {statistics.median(added):>+10.1f} µs", flush=True)


def no_sending(tracer):
    tracer._sender._post = lambda batch: __import__("plumbline")._sender._Outcome("taken")
    return tracer


def add(a, b):
    return a + b


if __name__ == "__main__":
    tracer = no_sending(Tracer(api_url="http://nowhere"))
    wrapped_anthropic = tracer.wrap_anthropic(plain_anthropic)
    wrapped_openai = tracer.wrap_openai(plain_openai)
    observed = tracer.observe()(add)
    print(f"{'a call':<44} {'plain':>12} {'recorded':>13}")
    compare("messages.create, 1 turn", lambda: ask(plain_anthropic, turns(1)), lambda: ask(wrapped_anthropic, turns(1)), 10)
    compare("messages.create, 50 turns (10 kB)", lambda: ask(plain_anthropic, turns(50)), lambda: ask(wrapped_anthropic, turns(50)), 10)
    compare("chat stream of 200 chunks", lambda: read_stream(plain_openai), lambda: read_stream(wrapped_openai), 1)
    compare("observe() around a + b", lambda: add(1, 2), lambda: observed(1, 2), 500)
    tracer.shutdown()

    waiting = Tracer(api_url="http://nowhere", flush_interval=600, on_warning=lambda _: None)
    client = waiting.wrap_anthropic(plain_anthropic)
    ask(client, turns(10))
    tracemalloc.start()
    for _ in range(1_000):
        ask(client, turns(10))
    kept, _ = tracemalloc.get_traced_memory()
    print(f"{'1,000 steps of 2 kB that wait':<44} {kept / 1024 / 1024:>8.1f} MiB")
    waiting.shutdown(0)

"""Checked by mypy and never run: what is wrapped and observed keeps its type."""

from typing import AsyncIterator, Iterator

from typing_extensions import assert_type

import anthropic
import openai
from plumbline import Tracer, bind, observe

tracer = Tracer(api_key="pl_live_...")
client = tracer.wrap_anthropic(anthropic.Anthropic())
assert_type(client, anthropic.Anthropic)
assert_type(tracer.wrap_openai(openai.AsyncOpenAI(), stream_usage=True), openai.AsyncOpenAI)


@observe(name="add", type="tool")
def add(a: int, b: int) -> int:
    return a + b


@observe
async def words(n: int) -> AsyncIterator[str]:
    yield str(n)


@tracer.observe(kind="agent", session_id="chat")
def numbers() -> Iterator[int]:
    yield 1


assert_type(add(1, 2), int)
assert_type(words(1), AsyncIterator[str])
assert_type(numbers(), Iterator[int])
assert_type(bind(add)(1, 2), int)
add("1", 2)  # type: ignore[arg-type]


async def block() -> None:
    async with tracer.run(user_id="u-1") as run, run.step("search", kind="retrieval") as step:
        step.set(output_code="found")
    with tracer.labels(step_name="classify"):
        message = client.messages.create(max_tokens=1, model="m", messages=[])
        assert_type(message, anthropic.types.Message)

# pip install anthropic
# The provider's key stays where it is, in ANTHROPIC_API_KEY.
from uuid import uuid4

from anthropic import Anthropic

client = Anthropic(
    base_url="http://127.0.0.1:3000",
    default_headers={"X-Plumbline-Key": "pl_live_..."},
)

# Calls with the same run are shown together; the step is what this one is called.
run = str(uuid4())
with client.messages.stream(
    model="claude-haiku-4-5",
    max_tokens=256,
    messages=[{"role": "user", "content": "What is a plumb line?"}],
    extra_headers={"X-Plumbline-Run": run, "X-Plumbline-Step": "answer"},
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)

# pip install plumbline anthropic
# The provider's key stays where it is, in ANTHROPIC_API_KEY.
from anthropic import Anthropic
from plumbline import Tracer

tracer = Tracer(api_key="pl_live_...", api_url="http://127.0.0.1:3000")
client = tracer.wrap_anthropic(Anthropic())

# Calls of one run are shown together; the step is what this one is called.
with tracer.run(), tracer.labels(step_name="answer"):
    message = client.messages.create(
        model="claude-haiku-4-5",
        max_tokens=256,
        messages=[{"role": "user", "content": "What is a plumb line?"}],
    )
print(message.content[0].text, end="")

# pip install openai
# The provider's key stays where it is, in OPENAI_API_KEY.
from uuid import uuid4

from openai import OpenAI

client = OpenAI(
    base_url="http://127.0.0.1:3000/v1",
    default_headers={"X-Plumbline-Key": "pl_live_..."},
)

# Calls with the same run are shown together; the step is what this one is called.
run = str(uuid4())
stream = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "What is a plumb line?"}],
    stream=True,
    extra_headers={"X-Plumbline-Run": run, "X-Plumbline-Step": "answer"},
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)

# pip install langfuse openai
# The provider's key stays where it is, in OPENAI_API_KEY.
from langfuse import Langfuse, observe
from langfuse.openai import OpenAI

langfuse = Langfuse(
    base_url="http://127.0.0.1:3000",
    public_key="pk-lf-anything",
    secret_key="pl_live_...",
)


@observe(name="agent")
def agent():
    answer = OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "What is a plumb line?"}],
    )
    return answer.choices[0].message.content


print(agent(), end="")
langfuse.shutdown()

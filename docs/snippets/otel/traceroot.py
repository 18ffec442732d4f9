# pip install openai traceroot
# The provider's key stays where it is, in OPENAI_API_KEY.
import traceroot
from openai import OpenAI

traceroot.initialize(
    host_url="http://127.0.0.1:3000",
    api_key="pl_live_...",
    integrations=[traceroot.Integration.OPENAI],
)


@traceroot.observe(name="agent", type="agent")
def agent():
    answer = OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "What is a plumb line?"}],
    )
    return answer.choices[0].message.content


print(agent(), end="")
traceroot.shutdown()

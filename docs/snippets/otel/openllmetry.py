# pip install openai traceloop-sdk
# The provider's key stays where it is, in OPENAI_API_KEY.
from openai import OpenAI
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import workflow

Traceloop.init(
    app_name="app",
    api_endpoint="http://127.0.0.1:3000",
    api_key="pl_live_...",
    disable_batch=True,
    telemetry_enabled=False,
)


@workflow(name="agent")
def agent():
    answer = OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "What is a plumb line?"}],
    )
    return answer.choices[0].message.content


agent()

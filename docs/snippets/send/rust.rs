// cargo add plumbline-sdk serde_json && cargo add ureq --features json
// The provider's key stays where it is, in ANTHROPIC_API_KEY.
use plumbline_sdk::{SpanExt, Tracer};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tracer = Tracer::builder().api_key("pl_live_...").api_url("http://127.0.0.1:3000");
    let _tracer = tracer.build().install();

    // Steps of one trace are shown together; the step is what this one is called.
    let step = plumbline_sdk::trace!("answer");
    let request = json!({
        "model": "claude-haiku-4-5",
        "max_tokens": 256,
        "messages": [{ "role": "user", "content": "What is a plumb line?" }],
    });
    step.set_request(&request);
    let answer: Value = ureq::post("https://api.anthropic.com/v1/messages")
        .header("x-api-key", std::env::var("ANTHROPIC_API_KEY")?)
        .header("anthropic-version", "2023-06-01")
        .send_json(&request)?
        .into_body()
        .read_json()?;
    step.set_answer(&answer);
    print!("{}", answer["content"][0]["text"].as_str().unwrap_or_default());
    Ok(())
}

//! Who sells a model, and who may run it.

/// One word for each provider, whatever a dialect or a price list calls it.
pub(super) fn provider(name: &str) -> String {
    const SAME: &[(&str, &str)] = &[
        ("amazon", "aws"),
        ("amazon-bedrock", "aws"),
        ("aws.bedrock", "aws"),
        ("bedrock", "aws"),
        ("az.ai.inference", "azure"),
        ("az.ai.openai", "azure"),
        ("azure.ai.inference", "azure"),
        ("azure.ai.openai", "azure"),
        ("azure_openai", "azure"),
        ("gcp.gemini", "google"),
        ("gcp.gen_ai", "google"),
        ("gcp.vertex_ai", "google"),
        ("gcp.vertex.agent", "google"),
        ("gemini", "google"),
        ("vertex_ai", "google"),
        ("vertexai", "google"),
        ("vertex", "google"),
        ("ibm.watsonx.ai", "watsonx"),
        ("mistral_ai", "mistral"),
        ("mistralai", "mistral"),
        ("moonshot_ai", "moonshotai"),
        ("moonshot", "moonshotai"),
        ("x_ai", "x-ai"),
        ("xai", "x-ai"),
    ];
    let name = name.trim().to_ascii_lowercase();
    match SAME.iter().find(|(other, _)| *other == name) {
        Some((_, word)) => (*word).to_owned(),
        // The Vercel AI SDK names the interface as well: `openai.chat`, `anthropic.messages`, `google.generative-ai`.
        None => name.split('.').next().unwrap_or_default().to_owned(),
    }
}

/// Whether a provider makes the models that it sells, so that its list price is the one to go by when nobody says who
/// served a call. Others host open models at prices of their own.
pub(super) fn is_maker(provider: &str) -> bool {
    const MAKERS: &[&str] = &[
        "anthropic",
        "cohere",
        "deepseek",
        "google",
        "mistral",
        "moonshotai",
        "openai",
        "perplexity",
        "x-ai",
    ];
    MAKERS.contains(&provider)
}

/// Whether nobody but its maker, and clouds at its maker's prices, can run a model, so that the maker's list holds
/// wherever a call went: a gateway, a proxy of one's own. The weights of other makers' models, and of a few of
/// theirs, are there for everybody.
pub(super) fn is_closed(maker: &str, model: &str) -> bool {
    const CLOSED: &[&str] = &["anthropic", "google", "openai", "perplexity", "x-ai"];
    const OPEN_MODELS: &[&str] = &["gpt-oss", "gemma"];
    let model = model.to_ascii_lowercase();
    CLOSED.contains(&maker) && !OPEN_MODELS.iter().any(|open| model.contains(open))
}

/// Whether a provider's name is that of a program, or an address, with which people run models on machines of their
/// own: what its models are called says nothing about what they cost.
pub(super) fn is_self_hosted(provider: &str) -> bool {
    const PROGRAMS: &[&str] = &[
        "huggingface-tgi",
        "llama",
        "llama-cpp",
        "llama_cpp",
        "llamacpp",
        "llamafile",
        "lm-studio",
        "lm_studio",
        "lmstudio",
        "local",
        "localai",
        "localhost",
        "mlx",
        "ollama",
        "self-hosted",
        "sglang",
        "tgi",
        "vllm",
    ];
    let host = provider.split(':').next().unwrap_or(provider);
    PROGRAMS.contains(&host) || host.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_has_one_word() {
        let check = |name: &str, expected: &str| assert_eq!(provider(name), expected);
        check("Anthropic", "anthropic");
        check("aws.bedrock", "aws");
        check("gcp.vertex_ai", "google");
        check("openai.chat", "openai");
        check("xai", "x-ai");
        check("", "");
    }
}

//! The names under which one model is called: by its maker, by clouds and by gateways.

/// The names to look a model up by, in lower case, the most exact first: as it came, without the path or region that
/// a cloud or a gateway put in front of it, and without the date behind it.
pub(super) fn names(model: &str) -> Vec<String> {
    let mut names = Vec::with_capacity(4);
    let mut add = |name: &str| {
        if !name.is_empty() && names.iter().all(|known| known != name) {
            names.push(name.to_owned());
        }
    };
    let whole = model.trim().to_ascii_lowercase();
    add(&whole);
    let bare = without_cloud(&whole);
    add(bare);
    // Anthropic writes claude-haiku-4-5, gateways claude-haiku-4.5.
    let dashed = bare.starts_with("claude").then(|| bare.replace('.', "-"));
    let bare = dashed.as_deref().unwrap_or(bare);
    add(bare);
    let undated = without_date(bare);
    add(undated);
    names
}

/// `anthropic/claude-x` and `models/gemini-x` without the path; Bedrock's `us.anthropic.claude-x-v1:0` without
/// region, maker and version; Vertex' `claude-x@20250929` without the date.
fn without_cloud(name: &str) -> &str {
    const MAKERS: &[&str] = &[
        "anthropic.",
        "amazon.",
        "meta.",
        "mistral.",
        "cohere.",
        "deepseek.",
        "ai21.",
        "openai.",
        "qwen.",
        "moonshotai.",
        "google.",
        "nvidia.",
        "minimax.",
        "zai.",
    ];
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = MAKERS
        .iter()
        .filter_map(|maker| Some((name.find(maker)?, maker.len())))
        // Only a region may stand before it.
        .find(|(at, _)| *at == 0 || (*at <= 7 && name[..*at].ends_with('.')))
        .map_or(name, |(at, len)| &name[at + len..]);
    let name = match name.split_once('@') {
        Some((model, version)) if version == "default" || version.bytes().all(|b| b.is_ascii_digit()) => {
            model
        }
        _ => name,
    };
    let Some((model, version)) = name.rsplit_once(':') else {
        return name;
    };
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
        return name;
    }
    match model.rsplit_once("-v") {
        Some((before, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => before,
        _ => model,
    }
}

/// Without `-20250929`, `-2024-08-06` or `-latest` at the end.
fn without_date(name: &str) -> &str {
    if let Some(model) = name.strip_suffix("-latest") {
        return model;
    }
    let is_date = |text: &str| {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
        digits.len() == 8 && digits.starts_with(b"20")
    };
    for length in ["-20250929".len(), "-2024-08-06".len()] {
        let Some(at) = name
            .len()
            .checked_sub(length)
            .filter(|at| name.is_char_boundary(*at))
        else {
            continue;
        };
        let (model, suffix) = name.split_at(at);
        let shape_fits = suffix
            .bytes()
            .enumerate()
            .all(|(i, b)| b.is_ascii_digit() || (b == b'-' && [0, 5, 8].contains(&i)));
        if shape_fits && suffix.starts_with('-') && is_date(suffix) && !model.is_empty() {
            return model;
        }
    }
    name
}

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
    fn a_model_is_known_by_its_bare_name() {
        let check = |model: &str, expected: &[&str]| assert_eq!(names(model), expected, "{model}");
        check("gpt-5", &["gpt-5"]);
        check("GPT-4o-2024-08-06", &["gpt-4o-2024-08-06", "gpt-4o"]);
        check(
            "claude-haiku-4-5-20251001",
            &["claude-haiku-4-5-20251001", "claude-haiku-4-5"],
        );
        check(
            "claude-3-5-sonnet-latest",
            &["claude-3-5-sonnet-latest", "claude-3-5-sonnet"],
        );
        check(
            "anthropic/claude-sonnet-4.5",
            &[
                "anthropic/claude-sonnet-4.5",
                "claude-sonnet-4.5",
                "claude-sonnet-4-5",
            ],
        );
        check(
            "models/gemini-2.5-pro",
            &["models/gemini-2.5-pro", "gemini-2.5-pro"],
        );
        check(
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            &[
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4-5-20250929",
                "claude-sonnet-4-5",
            ],
        );
        check("anthropic.claude-v2:1", &["anthropic.claude-v2:1", "claude"]);
        check(
            "claude-opus-4-1@20250805",
            &["claude-opus-4-1@20250805", "claude-opus-4-1"],
        );
        check(
            "meta-llama/llama-3:free",
            &["meta-llama/llama-3:free", "llama-3:free"],
        );
        check(" ", &[]);
        check("-20250101", &["-20250101"]);
        check("é-2024é08-06", &["é-2024é08-06"]);
    }

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

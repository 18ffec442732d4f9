//! The names under which one model is called: by its maker, by clouds and by gateways.

/// The names to look a model up by, in lower case, the most exact first: as it came, without the path or region that
/// a cloud or a gateway put in front of it, without what stands behind it and changes nothing, and without the date.
/// What stands behind a name and is not understood stays: such a name is that of another model.
pub(super) fn names(model: &str) -> Vec<String> {
    let mut names = Vec::with_capacity(6);
    let mut add = |name: &str| {
        if !name.is_empty() && names.iter().all(|known| known != name) {
            names.push(name.to_owned());
        }
    };
    let whole = model.trim().to_ascii_lowercase();
    add(&whole);
    let whole = without_window(&whole);
    add(whole);
    let bare = without_cloud(whole);
    add(bare);
    // Anthropic writes claude-haiku-4-5, gateways claude-haiku-4.5.
    let dashed = bare.starts_with("claude").then(|| bare.replace('.', "-"));
    let bare = dashed.as_deref().unwrap_or(bare);
    add(bare);
    let mut rest = bare;
    // One after the other: a date may stand before a tier or behind it.
    for _ in 0..3 {
        rest = without_date(rest);
        add(rest);
        rest = without_mode(rest);
        add(rest);
        rest = tier_behind(rest).map_or(rest, |(name, _)| name);
        add(rest);
    }
    names
}

/// `claude-x[1m]`: Claude Code's word for the large window, which changes no price by itself.
fn without_window(name: &str) -> &str {
    name.strip_suffix("[1m]")
        .or_else(|| name.strip_suffix("[200k]"))
        .unwrap_or(name)
}

/// Without a word for how much is thought, where that changes no price: Anthropic's models, and OpenAI's that reason.
fn without_mode(name: &str) -> &str {
    const THINKING: &[&str] = &["-thinking", ":thinking", "-think", "-reasoning"];
    const EFFORTS: &[&str] = &["-minimal", "-low", "-medium", "-high", "-xhigh", "-none"];
    let endings = if name.starts_with("claude-") {
        THINKING
    } else if ["gpt-5", "o1", "o3", "o4"]
        .iter()
        .any(|begin| name.starts_with(begin))
    {
        EFFORTS
    } else {
        return name;
    };
    endings
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name)
}

/// A name without the tier that gateways write behind it, and the tier.
fn tier_behind(name: &str) -> Option<(&str, &'static str)> {
    const TIERS: &[&str] = &["fast", "batch", "flex", "priority"];
    TIERS.iter().find_map(|tier| {
        let before = name.strip_suffix(tier)?;
        let before = before.strip_suffix(['-', ':'])?;
        (!before.is_empty()).then_some((before, *tier))
    })
}

/// The tier that a model's name says, where the row that was found for it is one for the model without it.
pub(super) fn tier_in_name(model: &str, row_model: &str) -> Option<&'static str> {
    let row_model = row_model.trim().to_ascii_lowercase();
    let model = model.trim().to_ascii_lowercase();
    let mut rest = without_cloud(without_window(&model));
    for _ in 0..3 {
        rest = without_mode(without_date(rest));
        if let Some((_, tier)) = tier_behind(rest) {
            return (!row_model.ends_with(tier)).then_some(tier);
        }
    }
    None
}

/// Whether only Bedrock calls a model so: `us.anthropic.claude-x-v1:0`, maybe behind a path.
pub(super) fn is_bedrock_id(model: &str) -> bool {
    let name = model.trim().to_ascii_lowercase();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.find("anthropic.")
        .is_some_and(|at| at == 0 || (at <= 7 && name[..at].ends_with('.')))
}

/// Whether what stands behind the beginning of a name is understood: nothing, or a date, a version, a word that says
/// which edition of the model it is. `-fast`, `:free`, `-mini` are other prices.
pub(super) fn is_edition(begin: &str, rest: &str) -> bool {
    // What a tuned model is called is up to whoever tuned it.
    if begin.starts_with("ft:") || begin.ends_with(".ft-") {
        return true;
    }
    const WORDS: &[&str] = &["beta", "default", "instruct", "it", "latest", "preview"];
    let mut parts = rest.split(['-', '@', '_', '.', ':', '(', ')']);
    // `-4` and `-41`, `-4-1` are other models; a date may be split.
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let goes_on = digits(rest);
    let ends_with = begin.len() - begin.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    if goes_on > 0 && ends_with > 0 && goes_on + ends_with != "20250929".len() {
        return false;
    }
    let is_minor = rest.starts_with(['-', '.']) && (1..=2).contains(&digits(&rest[1..])) && ends_with > 0;
    if is_minor && !begin.starts_with("claude-2") && !begin.starts_with("claude-v2") {
        return false;
    }
    parts.all(|part| {
        let digits = part.strip_prefix('v').unwrap_or(part);
        part.is_empty()
            || WORDS.contains(&part)
            || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    })
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
        Some((model, version))
            if matches!(version, "default" | "latest")
                || version.bytes().all(|b| b.is_ascii_digit() || b == b'-') =>
        {
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
        check("claude-sonnet-5[1m]", &["claude-sonnet-5[1m]", "claude-sonnet-5"]);
        check(
            "anthropic/claude-opus-4.8-fast",
            &[
                "anthropic/claude-opus-4.8-fast",
                "claude-opus-4.8-fast",
                "claude-opus-4-8-fast",
                "claude-opus-4-8",
            ],
        );
        check(
            "claude-sonnet-4-5-20250929-thinking",
            &[
                "claude-sonnet-4-5-20250929-thinking",
                "claude-sonnet-4-5-20250929",
                "claude-sonnet-4-5",
            ],
        );
        check("o3-high", &["o3-high", "o3"]);
        // Models of their own.
        check("kimi-k2-thinking", &["kimi-k2-thinking"]);
        check("gpt-4o-high", &["gpt-4o-high"]);
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
    fn a_name_may_say_a_tier() {
        let check = |model: &str, row: &str, expected: Option<&str>| {
            assert_eq!(tier_in_name(model, row), expected, "{model} {row}");
        };
        check("claude-opus-4.8-fast", "claude-opus-4-8", Some("fast"));
        check("openai/gpt-5:batch", "gpt-5", Some("batch"));
        check("gpt-5-2025-08-07-flex", "gpt-5", Some("flex"));
        check("grok-4-fast", "grok-4-fast", None);
        check("gpt-5", "gpt-5", None);
        check("fast", "fast", None);
    }

    #[test]
    fn what_follows_the_beginning_of_a_name_is_an_edition_or_another_model() {
        let check = |rest: &str, expected: bool| assert_eq!(is_edition("m", rest), expected, "{rest:?}");
        for edition in [
            "",
            "-20250929",
            "-2024-08-06",
            "-latest",
            "@20250514",
            "-v1:0",
            "-preview-05-20",
            "-001",
        ] {
            check(edition, true);
        }
        let check_behind =
            |begin: &str, rest: &str, expected: bool| assert_eq!(is_edition(begin, rest), expected);
        check_behind("claude-sonnet-4-2025", "0514", true);
        check_behind("gpt-4", "1", false);
        check_behind("claude-opus-4", "-1", false);
        check_behind("claude-2", ".1", true);
        check_behind("ft:gpt-4o-2024-", "08-06:acme::7p4l", true);
        for other in [
            "-fast",
            ":free",
            "-mini",
            "-thinking",
            "x",
            "[1m]",
            "-lite",
            ":online",
        ] {
            check(other, false);
        }
    }
}

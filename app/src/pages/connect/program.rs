//! The programs of the page: files with this server's address and key. The clients' and the SDKs' tests run them as they
//! stand; of frameworks that our tests don't install, the page says so.

/// A program, by what it is written in and by how its calls come here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The word in the URL.
    pub(super) word: &'static str,
    /// The words on the tab.
    pub(super) label: &'static str,
    /// The command that installs what it needs; `None`: it needs nothing.
    pub(super) install: Option<&'static str>,
    /// The variable that it reads the provider's key from; `None`: it calls no provider.
    pub(super) key_variable: Option<&'static str>,
    /// Its text, with `ORIGIN` and `KEY`.
    file: &'static str,
    /// What says the key, to be left out where none is needed. The proxy's programs say a label there instead; of others
    /// an empty text says that the SDK sends nothing without a key.
    key_argument: &'static str,
    /// Whether its calls pass through the proxy. The others send what they did afterwards.
    pub(super) is_proxied: bool,
    /// Whether our tests run it.
    pub(super) is_tested: bool,
}

/// The address that stands in the files.
const ORIGIN: &str = "http://127.0.0.1:3000";
/// The key that stands in the files.
const KEY: &str = "pl_live_...";
/// What stands in place of a key that can't be shown.
const KEY_PLACEHOLDER: &str = "YOUR_KEY";
/// What the proxy takes in place of a key where none is needed: the label of the calls.
pub(super) const LABEL: &str = "my-app";

const ANTHROPIC: &str = "ANTHROPIC_API_KEY";
const OPENAI: &str = "OPENAI_API_KEY";
/// The key in programs with OpenTelemetry's exporter for Python.
const PYTHON_HEADERS: &str = "    headers={\"authorization\": \"Bearer pl_live_...\"},\n";

/// The key that a program is shown with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProgramKey {
    Known(String),
    /// None is needed: there are no accounts, and nobody else reaches the server.
    Needless,
    /// There is one, which can't be shown.
    Hidden,
}

/// All of them, in the order of the tabs.
pub(super) const PROGRAMS: [Program; 22] = [
    Program {
        word: "python-anthropic",
        label: "Python, Anthropic",
        install: Some("pip install anthropic"),
        key_variable: Some(ANTHROPIC),
        file: include_str!("../../../../docs/snippets/python-anthropic.py"),
        key_argument: "",
        is_proxied: true,
        is_tested: true,
    },
    Program {
        word: "python-openai",
        label: "Python, OpenAI",
        install: Some("pip install openai"),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/python-openai.py"),
        key_argument: "",
        is_proxied: true,
        is_tested: true,
    },
    Program {
        word: "node-anthropic",
        label: "Node, Anthropic",
        install: Some("npm install @anthropic-ai/sdk"),
        key_variable: Some(ANTHROPIC),
        file: include_str!("../../../../docs/snippets/node-anthropic.mjs"),
        key_argument: "",
        is_proxied: true,
        is_tested: true,
    },
    Program {
        word: "node-openai",
        label: "Node, OpenAI",
        install: Some("npm install openai"),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/node-openai.mjs"),
        key_argument: "",
        is_proxied: true,
        is_tested: true,
    },
    Program {
        word: "typescript-sdk",
        label: "TypeScript SDK",
        install: Some("npm install @plumbline/sdk @anthropic-ai/sdk"),
        key_variable: Some(ANTHROPIC),
        file: include_str!("../../../../docs/snippets/send/typescript.mjs"),
        key_argument: "apiKey: 'pl_live_...', ",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "python-sdk",
        label: "Python SDK",
        install: Some("pip install plumbline anthropic"),
        key_variable: Some(ANTHROPIC),
        file: include_str!("../../../../docs/snippets/send/python.py"),
        key_argument: "api_key=\"pl_live_...\", ",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "rust-sdk",
        label: "Rust SDK",
        install: Some("cargo add plumbline-sdk serde_json && cargo add ureq --features json"),
        key_variable: Some(ANTHROPIC),
        file: include_str!("../../../../docs/snippets/send/rust.rs"),
        key_argument: ".api_key(\"pl_live_...\")",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "opentelemetry",
        label: "OpenTelemetry, Python",
        install: Some(
            "pip install openai openinference-instrumentation-openai opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/python.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "opentelemetry-node",
        label: "OpenTelemetry, Node",
        install: Some(
            "npm install openai @arizeai/openinference-instrumentation-openai @opentelemetry/sdk-trace-node @opentelemetry/exporter-trace-otlp-proto",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/node.mjs"),
        key_argument: "  headers: { authorization: 'Bearer pl_live_...' },\n",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "openllmetry",
        label: "OpenLLMetry",
        install: Some("pip install openai traceloop-sdk"),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/openllmetry.py"),
        key_argument: "    api_key=\"pl_live_...\",\n",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "vercel-ai",
        label: "Vercel AI SDK",
        install: Some(
            "npm install ai @ai-sdk/openai @opentelemetry/sdk-trace-node @opentelemetry/exporter-trace-otlp-http",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/vercel-ai.mjs"),
        key_argument: "  headers: { authorization: 'Bearer pl_live_...' },\n",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "openai-agents",
        label: "OpenAI Agents SDK",
        install: Some(
            "pip install openai-agents openinference-instrumentation-openai-agents opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/openai-agents.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "claude-agent",
        label: "Claude Agent SDK",
        install: Some(
            "pip install claude-agent-sdk openinference-instrumentation-claude-agent-sdk opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        ),
        key_variable: Some(ANTHROPIC),
        file: include_str!("../../../../docs/snippets/otel/claude-agent.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: false,
    },
    Program {
        word: "langchain",
        label: "LangChain, LangGraph",
        install: Some(
            "pip install langchain-openai openinference-instrumentation-langchain opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/langchain.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "llamaindex",
        label: "LlamaIndex",
        install: Some(
            "pip install llama-index-llms-openai openinference-instrumentation-llama-index opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/llamaindex.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: false,
    },
    Program {
        word: "pydantic-ai",
        label: "Pydantic AI",
        install: Some("pip install pydantic-ai opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/pydantic-ai.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "crewai",
        label: "CrewAI",
        install: Some(
            "pip install crewai openinference-instrumentation-crewai openinference-instrumentation-openai opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/crewai.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: false,
    },
    Program {
        word: "litellm",
        label: "LiteLLM",
        install: Some(
            "pip install litellm openinference-instrumentation-litellm opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        ),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/litellm.py"),
        key_argument: PYTHON_HEADERS,
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "langfuse",
        label: "Langfuse",
        install: Some("pip install langfuse openai"),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/langfuse.py"),
        key_argument: "",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "traceroot",
        label: "TraceRoot",
        install: Some("pip install openai traceroot"),
        key_variable: Some(OPENAI),
        file: include_str!("../../../../docs/snippets/otel/traceroot.py"),
        key_argument: "",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "collector",
        label: "Collector",
        install: None,
        key_variable: None,
        file: include_str!("../../../../docs/snippets/otel/collector.yaml"),
        key_argument: "    headers:\n      authorization: \"Bearer pl_live_...\"\n",
        is_proxied: false,
        is_tested: true,
    },
    Program {
        word: "curl",
        label: "curl",
        install: None,
        key_variable: None,
        file: include_str!("../../../../docs/snippets/send/curl.sh"),
        key_argument: "  -H \"Authorization: Bearer pl_live_...\" \\\n",
        is_proxied: false,
        is_tested: true,
    },
];

impl Program {
    /// The scope that its key needs.
    pub(super) const fn scope(self) -> &'static str {
        if self.is_proxied { "proxy" } else { "ingest" }
    }

    /// Whether it needs a key also where the server takes calls without one.
    pub(super) const fn needs_key(self) -> bool {
        !self.is_proxied && self.key_argument.is_empty()
    }

    /// The program with this word in the URL, or the first.
    pub(super) fn of_word(word: &str) -> Self {
        let [first, ..] = PROGRAMS;
        PROGRAMS
            .into_iter()
            .find(|program| program.word == word)
            .unwrap_or(first)
    }

    /// The program for this server and this key.
    pub(super) fn text(self, origin: &str, key: &ProgramKey) -> String {
        let with_origin = self.file.replace(ORIGIN, origin);
        let text = match key {
            ProgramKey::Known(key) => with_origin.replace(KEY, key),
            ProgramKey::Needless if self.is_proxied => with_origin.replace(KEY, LABEL),
            ProgramKey::Needless if !self.needs_key() => with_origin.replace(self.key_argument, ""),
            ProgramKey::Needless | ProgramKey::Hidden => with_origin.replace(KEY, KEY_PLACEHOLDER),
        };
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_hold_address_and_key() {
        let known = ProgramKey::Known("pl_live_x".to_owned());
        for program in PROGRAMS {
            assert!(
                program.file.contains(ORIGIN) && program.file.contains(KEY),
                "{}",
                program.word
            );
            let text = program.text("https://plumbline.example.com", &known);
            assert!(
                text.contains("https://plumbline.example.com") && text.contains("pl_live_x"),
                "{text}"
            );
            assert!(!text.contains(ORIGIN) && !text.contains(KEY), "{text}");
            assert!(
                program
                    .key_variable
                    .is_some_and(|variable| text.contains(variable))
                    || !text.contains("API_KEY"),
                "{text}"
            );
            assert!(
                program
                    .text(ORIGIN, &ProgramKey::Hidden)
                    .contains(KEY_PLACEHOLDER)
            );
            assert_eq!(Program::of_word(program.word), program);
        }
    }

    #[test]
    fn where_no_key_is_needed_the_proxy_is_given_a_label_and_ingest_nothing() {
        for program in PROGRAMS {
            let text = program.text(ORIGIN, &ProgramKey::Needless);
            assert!(text.contains(ORIGIN), "{text}");
            assert_eq!(text.contains(KEY_PLACEHOLDER), program.needs_key(), "{text}");
            if program.needs_key() {
                continue;
            }
            assert!(!text.contains(KEY), "{text}");
            assert_eq!(text.contains(LABEL), program.is_proxied, "{text}");
            assert!(
                !text.contains("Authorization") && !text.contains("apiKey") && !text.contains("api_key"),
                "{text}"
            );
        }
    }
}

//! The programs of the page: the files that the clients' tests run as they stand, with this server's address and key.

/// A program by language and provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    PythonAnthropic,
    PythonOpenAi,
    NodeAnthropic,
    NodeOpenAi,
}

/// The address that stands in the files.
const ORIGIN: &str = "http://127.0.0.1:3000";
/// The key that stands in the files.
const KEY: &str = "pl_live_...";
/// What stands in place of a key that can't be shown.
const KEY_PLACEHOLDER: &str = "YOUR_KEY";

impl Program {
    /// All of them, in the order of the tabs.
    pub(super) const ALL: [Self; 4] = [
        Self::PythonAnthropic,
        Self::PythonOpenAi,
        Self::NodeAnthropic,
        Self::NodeOpenAi,
    ];

    /// The word in the URL.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::PythonAnthropic => "python-anthropic",
            Self::PythonOpenAi => "python-openai",
            Self::NodeAnthropic => "node-anthropic",
            Self::NodeOpenAi => "node-openai",
        }
    }

    /// The words on the tab.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::PythonAnthropic => "Python, Anthropic",
            Self::PythonOpenAi => "Python, OpenAI",
            Self::NodeAnthropic => "Node, Anthropic",
            Self::NodeOpenAi => "Node, OpenAI",
        }
    }

    /// The command that installs what it needs.
    pub(super) const fn install(self) -> &'static str {
        match self {
            Self::PythonAnthropic => "pip install anthropic",
            Self::PythonOpenAi => "pip install openai",
            Self::NodeAnthropic => "npm install @anthropic-ai/sdk",
            Self::NodeOpenAi => "npm install openai",
        }
    }

    /// The variable that it reads the provider's key from.
    pub(super) const fn key_variable(self) -> &'static str {
        match self {
            Self::PythonAnthropic | Self::NodeAnthropic => "ANTHROPIC_API_KEY",
            Self::PythonOpenAi | Self::NodeOpenAi => "OPENAI_API_KEY",
        }
    }

    /// Reads the URL's word.
    pub(super) fn parse(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|program| program.as_str() == word)
            .unwrap_or(Self::PythonAnthropic)
    }

    const fn file(self) -> &'static str {
        match self {
            Self::PythonAnthropic => include_str!("../../../../docs/snippets/python-anthropic.py"),
            Self::PythonOpenAi => include_str!("../../../../docs/snippets/python-openai.py"),
            Self::NodeAnthropic => include_str!("../../../../docs/snippets/node-anthropic.mjs"),
            Self::NodeOpenAi => include_str!("../../../../docs/snippets/node-openai.mjs"),
        }
    }

    /// The program for this server and this key.
    pub(super) fn text(self, origin: &str, key: Option<&str>) -> String {
        self.file()
            .replace(ORIGIN, origin)
            .replace(KEY, key.unwrap_or(KEY_PLACEHOLDER))
            .trim_end()
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_hold_address_and_key() {
        for program in Program::ALL {
            assert!(
                program.file().contains(ORIGIN) && program.file().contains(KEY),
                "{program:?}"
            );
            let text = program.text("https://plumbline.example.com", Some("pl_live_x"));
            assert!(
                text.contains("https://plumbline.example.com") && text.contains("pl_live_x"),
                "{text}"
            );
            assert!(!text.contains(ORIGIN) && !text.contains(KEY), "{text}");
            assert!(
                text.contains(program.key_variable()) || !text.contains("API_KEY"),
                "{text}"
            );
            assert!(program.text(ORIGIN, None).contains(KEY_PLACEHOLDER));
            assert_eq!(Program::parse(program.as_str()), program);
        }
    }
}

//! The body of a request to a model, taken apart into raw JSON values in one walk.

mod text;

use crate::json_scan::{JsonError, Scanner};

pub(crate) use text::push_text;

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) role: Role,
    /// Raw: a string or an array of parts.
    pub(crate) content: Option<&'a str>,
}

/// What of a request matters here.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    /// Raw system texts: the body's own, then those of system messages.
    pub(crate) system: Vec<&'a str>,
    /// All messages in order, system messages included.
    pub(crate) turns: Vec<Turn<'a>>,
    /// The raw array of declared tools.
    pub(crate) tools: Option<&'a str>,
    /// Raw values that may declare a schema for the answer.
    pub(crate) formats: Vec<&'a str>,
    /// Its one text is to be embedded and not to be answered.
    pub(crate) is_embedding: bool,
}

impl<'a> Request<'a> {
    /// `None` for any text that is not a request.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let start = text.trim_start();
        match start.as_bytes().first() {
            Some(b'{') => of_object(start),
            Some(b'[') => of_array(start),
            _ => None,
        }
    }
}

/// What else an object contains that shows whether it is a request.
#[derive(Default)]
struct Around<'a> {
    model: Option<&'a str>,
    prompt: Option<&'a str>,
    input: Option<&'a str>,
    has_messages: bool,
    has_system: bool,
    embeds: bool,
}

fn of_object(text: &str) -> Option<Request<'_>> {
    let mut request = Request::default();
    let mut system = Vec::new();
    let mut around = Around::default();
    let mut scanner = Scanner::new(text);
    scanner
        .object(|scanner, key| {
            scanner.whitespace();
            match key {
                "messages" | "contents" | "input" if scanner.peek() == Some(b'[') => {
                    let start = scanner.at;
                    let found = messages(scanner, &mut request)?;
                    around.has_messages |= found || key == "messages";
                    if !found && key == "input" {
                        around.input = text.get(start..scanner.at);
                    }
                }
                "system" | "instructions" | "systemInstruction" | "system_instruction" => {
                    system.push(scanner.raw_value()?);
                    around.has_system = true;
                }
                "input" => around.input = Some(scanner.raw_value()?),
                "prompt" => around.prompt = Some(scanner.raw_value()?),
                "model" => around.model = Some(scanner.raw_value()?),
                "tools" => request.tools = Some(scanner.raw_value()?),
                "response_format" | "text" | "output_config" | "output_format" | "generationConfig" => {
                    request.formats.push(scanner.raw_value()?);
                }
                _ => {
                    around.embeds |= matches!(key, "encoding_format" | "dimensions");
                    scanner.raw_value()?;
                }
            }
            Ok(())
        })
        .ok()?;
    scanner.whitespace();
    if scanner.at < text.len() {
        return None;
    }
    if !around.has_messages {
        // A single text is a request only where a model or an instruction stands beside it.
        let is_told = around.has_system || around.model.is_some();
        let content = around
            .prompt
            .or(around.input)
            .filter(|raw| is_told && raw.starts_with(['"', '[']))?;
        request.is_embedding = around.prompt.is_none()
            && !around.has_system
            && (around.embeds || around.model.is_some_and(|model| model.contains("embed")));
        request.turns.push(Turn {
            role: Role::User,
            content: Some(content),
        });
    }
    system.append(&mut request.system);
    request.system = system;
    Some(request)
}

fn of_array(text: &str) -> Option<Request<'_>> {
    let mut request = Request::default();
    let mut scanner = Scanner::new(text);
    let found = messages(&mut scanner, &mut request).ok()?;
    scanner.whitespace();
    (found && scanner.at == text.len()).then_some(request)
}

/// Collects an array of messages; true when one of them has a role.
fn messages<'a>(scanner: &mut Scanner<'a>, request: &mut Request<'a>) -> Result<bool, JsonError> {
    let mut has_role = false;
    scanner.array(|scanner| {
        scanner.whitespace();
        if scanner.peek() != Some(b'{') {
            scanner.raw_value()?;
            return Ok(());
        }
        let mut role = "";
        let mut kind = "";
        let mut content = None;
        scanner.object(|scanner, key| {
            let raw = scanner.raw_value()?;
            match key {
                "role" => role = raw.trim_matches('"'),
                "type" => kind = raw.trim_matches('"'),
                "content" | "parts" => content = Some(raw),
                _ => {}
            }
            Ok(())
        })?;
        has_role |= !role.is_empty();
        let role = match (role, kind) {
            ("system" | "developer", _) => Role::System,
            ("user" | "human", _) => Role::User,
            ("assistant" | "model" | "ai", _) | (_, "function_call" | "reasoning") => Role::Assistant,
            ("tool" | "function", _) | (_, "function_call_output") => Role::Tool,
            _ => return Ok(()),
        };
        if let (Role::System, Some(raw)) = (role, content) {
            request.system.push(raw);
        }
        request.turns.push(Turn { role, content });
        Ok(())
    })?;
    Ok(has_role)
}

use sha2::{Digest as _, Sha256};

use super::mask::{Quotes, mask};
use super::skeleton::push_skeleton;
use super::template::mask_placeholders;
use super::{Fingerprints, MAX_CANONICAL_BYTES, USER_TEXT};
use crate::json_scan::Scanner;
use crate::request::{Request, Role, Turn, push_text};

/// Fingerprints a prompt: plain text, or a request's body as JSON. `prompt_template` is the template that the client
/// filled in, where it sent that along.
pub fn fingerprints(input: &str, prompt_template: Option<&str>) -> Fingerprints {
    let mut canonical = canonical_form(input, prompt_template);
    let template = Sha256::digest(&canonical).into();
    if canonical.len() > MAX_CANONICAL_BYTES {
        let mut end = MAX_CANONICAL_BYTES;
        while !canonical.is_char_boundary(end) {
            end -= 1;
        }
        canonical.truncate(end);
        canonical.shrink_to_fit();
    }
    Fingerprints {
        prompt: prompt_fingerprint(input),
        template,
        canonical,
    }
}

/// SHA-256 of the whole prompt as sent, for steps that have no template.
pub fn prompt_fingerprint(input: &str) -> [u8; 32] {
    Sha256::digest(input).into()
}

fn canonical_form(input: &str, prompt_template: Option<&str>) -> String {
    let template = prompt_template.filter(|template| !template.trim().is_empty());
    let mut out = String::new();
    match (Request::parse(input), template) {
        (Some(request), _) => push_request(&request, template, &mut out),
        (None, Some(template)) => mask_placeholders(template, &mut out),
        (None, None) if !push_keys(input, &mut out) => push_skeleton(input, &mut out),
        (None, None) => {}
    }
    out.truncate(out.trim_end().len());
    out
}

fn push_request(request: &Request<'_>, template: Option<&str>, out: &mut String) {
    if request.is_embedding {
        out.push_str("text to embed");
        return;
    }
    let mut system = String::new();
    request.system.iter().for_each(|raw| push_text(raw, &mut system));
    let has_system = !system.trim().is_empty();
    if has_system && template.is_none() {
        out.push_str("system\n");
        mask(&system, Quotes::KeepWords, out);
        out.push_str("\n\n");
    }
    let before = out.len();
    if let Some(raw) = request.tools {
        push_tools(raw, out);
    }
    for raw in request.formats.iter().filter(|raw| raw.contains("\"schema\"")) {
        out.push_str("answer ");
        push_compact(raw, out);
        out.push_str("\n\n");
    }
    let is_declared = out.len() > before;
    push_roles(&request.turns, has_system, out);
    match template {
        Some(template) => mask_placeholders(template, out),
        None if has_system || is_declared => out.push_str(USER_TEXT),
        None => push_skeleton(&first_user_text(&request.turns), out),
    }
}

/// The roles up to the first user turn, each once, and whether the answer is begun.
fn push_roles(turns: &[Turn<'_>], has_system: bool, out: &mut String) {
    let mut last = has_system.then_some(Role::System);
    out.push_str(if has_system { "turns system" } else { "turns" });
    for turn in turns {
        if last == Some(turn.role) || (has_system && turn.role == Role::System) {
            continue;
        }
        out.push_str(match turn.role {
            Role::System => " system",
            Role::User => " user",
            Role::Assistant => " assistant",
            Role::Tool => " tool",
        });
        last = Some(turn.role);
        if turn.role == Role::User {
            break;
        }
    }
    let is_begun = turns.len() > 1
        && turns
            .last()
            .is_some_and(|turn| turn.role == Role::Assistant && turn.content.is_some());
    out.push_str(if is_begun { ", the answer is begun\n" } else { "\n" });
}

fn first_user_text(turns: &[Turn<'_>]) -> String {
    let mut text = String::new();
    let user_turns = turns.iter().filter(|turn| turn.role == Role::User);
    for raw in user_turns.filter_map(|turn| turn.content) {
        push_text(raw, &mut text);
        if !text.trim().is_empty() {
            break;
        }
    }
    text
}

/// Each tool with what describes it. Other settings of a tool, such as cache marks, are no part of the prompt.
fn push_tools(raw: &str, out: &mut String) {
    let mut scanner = Scanner::new(raw);
    let walked = scanner.array(|scanner| {
        scanner.whitespace();
        if scanner.peek() != Some(b'{') {
            scanner.raw_value()?;
            return Ok(());
        }
        out.push_str("tool");
        scanner.object(|scanner, key| {
            let value = scanner.raw_value()?;
            if matches!(
                key,
                "name"
                    | "description"
                    | "input_schema"
                    | "parameters"
                    | "function"
                    | "functionDeclarations"
                    | "type"
            ) {
                out.push(' ');
                out.push_str(key);
                out.push(' ');
                push_compact(value, out);
            }
            Ok(())
        })?;
        out.push('\n');
        Ok(())
    });
    // Tools that are no array are the provider's to refuse.
    if walked.is_err() {
        out.push_str("tools ");
        push_compact(raw, out);
    }
    out.push('\n');
}

/// Raw JSON without the space between its parts.
fn push_compact(raw: &str, out: &mut String) {
    let mut in_text = false;
    let mut escaped = false;
    let mut start = 0;
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b' ' | b'\n' | b'\r' | b'\t' if !in_text => {
                out.push_str(&raw[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(&raw[start..]);
}

/// The keys of JSON that is not a request; false, with nothing pushed, for any other text.
fn push_keys(input: &str, out: &mut String) -> bool {
    let trimmed = input.trim();
    let mut scanner = Scanner::new(trimmed);
    let before = out.len();
    let walked = match trimmed.as_bytes().first() {
        Some(b'{') => {
            out.push('{');
            let walked = scanner.object(|scanner, key| {
                scanner.raw_value()?;
                out.push_str(if out.ends_with('{') { "\"" } else { ", \"" });
                out.push_str(key);
                out.push_str("\": ⟨…⟩");
                Ok(())
            });
            out.push('}');
            walked
        }
        Some(b'[') => {
            out.push_str("[⟨…⟩]");
            scanner.array(|scanner| scanner.raw_value().map(|_| ()))
        }
        _ => return false,
    };
    let is_whole = walked.is_ok() && scanner.at == trimmed.len();
    if !is_whole {
        out.truncate(before);
    }
    is_whole
}

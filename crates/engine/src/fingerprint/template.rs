//! Masking a template of the client's own.

/// Appends a template with its `{name}` and `{{ name }}` masked and each run of space as one. All else is literal.
pub(super) fn mask_placeholders(template: &str, out: &mut String) {
    let begin = out.len();
    for (place, paragraph) in template.split('\n').enumerate() {
        if place > 0 && out.len() > begin && !out.ends_with("\n\n") {
            out.push('\n');
        }
        let mut is_first = true;
        for word in paragraph.split_whitespace() {
            if !is_first {
                out.push(' ');
            }
            is_first = false;
            out.push_str(word);
        }
    }
    let literal = out.split_off(begin);
    let mut rest = literal.as_str();
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let braces = if rest[open..].starts_with("{{") { 2 } else { 1 };
        let body = &rest[open + braces..];
        let is_name = |c: char| c.is_alphanumeric() || "_-.$[] |".contains(c);
        let end = body.find(|c: char| !is_name(c)).unwrap_or(body.len());
        let has_name = body[..end].contains(|c: char| c.is_alphabetic() || c == '_');
        if has_name && body[end..].starts_with(&"}}"[..braces]) {
            out.push_str("{…}");
            rest = &body[end + braces..];
        } else {
            out.push_str(&rest[open..open + braces]);
            rest = body;
        }
    }
    out.push_str(rest);
}

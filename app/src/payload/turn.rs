//! What a run's texts say as a turn of a conversation: what was asked last, what was answered.

use super::chat::{Message, Part, Speaker, parse};

/// What the user said last in an input. An input that is no conversation is what was asked; one without words of a user
/// is not known.
pub(crate) fn asked(input: &str) -> Option<String> {
    let Some(messages) = parse(input) else {
        return words_of(input);
    };
    messages
        .iter()
        .rev()
        .filter(|message| message.speaker == Speaker::User)
        .find_map(said)
}

/// What was answered: the words of the last message that has any, or the text as it is.
pub(crate) fn answered(output: &str) -> Option<String> {
    let Some(messages) = parse(output) else {
        return words_of(output);
    };
    messages.iter().rev().find_map(said)
}

fn words_of(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The words of a message, without what a machine said to a machine; media by name.
fn said(message: &Message) -> Option<String> {
    let words: Vec<&str> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text.trim()),
            Part::Media(name) => Some(name.as_str()),
            Part::Thinking(_) | Part::Call { .. } | Part::Result(_) | Part::Unknown(_) => None,
        })
        .filter(|words| !words.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_the_user_are_what_was_asked() {
        let check = |input: &str, expected: Option<&str>| {
            assert_eq!(asked(input).as_deref(), expected, "{input}");
        };
        check(" Where is my order? ", Some("Where is my order?"));
        check(" ", None);
        check(
            r#"{"system":"S","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"},
              {"role":"user","content":"My order"}]}"#,
            Some("My order"),
        );
        check(
            r#"[{"role":"user","content":"Find it"},{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]},
              {"role":"user","content":[{"type":"tool_result","content":"none"}]}]"#,
            Some("Find it"),
        );
        check(
            r#"[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image","source":{}}]}]"#,
            Some("What is this?\n\nimage"),
        );
        check(r#"[{"role":"system","content":"S"}]"#, None);
    }

    #[test]
    fn an_answer_is_its_last_words() {
        let check = |output: &str, expected: Option<&str>| {
            assert_eq!(answered(output).as_deref(), expected, "{output}");
        };
        check("It is on its way.\n", Some("It is on its way."));
        check("", None);
        check(r#"{"intent":"refund"}"#, Some(r#"{"intent":"refund"}"#));
        check(
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Yes"}]}]"#,
            Some("Yes"),
        );
    }
}

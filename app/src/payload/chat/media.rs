//! What an image, a file or a sound in a prompt is, without showing it.

use serde_json::Value;

/// Shorter stretches are left where they are, in bytes.
#[cfg(any(feature = "ssr", test))]
const LEFT_OUT_BYTES: usize = 4 * 1024;

/// A text without the media in it: each long stretch of base64 gives way to its size, which [`words`] reads. `None` where
/// there is none.
#[cfg(any(feature = "ssr", test))]
pub(crate) fn without_base64(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut kept = String::new();
    let (mut kept_to, mut from) = (0, 0);
    while from < bytes.len() {
        let stretch = bytes[from..].iter().take_while(|byte| is_base64(**byte)).count();
        let end = from + stretch;
        // What a backslash escapes in JSON stays: `\n`, `\u00e9`.
        let escaped = match from.checked_sub(1).map(|before| bytes[before]) {
            Some(b'\\') if bytes[from] == b'u' => 5,
            Some(b'\\') => 1,
            _ => 0,
        };
        let begin = (from + escaped).min(end);
        if end - begin >= LEFT_OUT_BYTES && is_mixed(&bytes[begin..end]) {
            let size = text[begin..end].trim_end_matches('=').len() * 3 / 4;
            kept.push_str(&text[kept_to..begin]);
            kept.push_str(&format!("(base64, {size} bytes)"));
            kept_to = end;
        }
        from += stretch.max(1);
    }
    if kept_to == 0 {
        return None;
    }
    kept.push_str(&text[kept_to..]);
    Some(kept)
}

/// Whether letters of both cases and digits stand side by side, as they do in base64 and not in a line of dashes.
#[cfg(any(feature = "ssr", test))]
fn is_mixed(stretch: &[u8]) -> bool {
    let begin = &stretch[..stretch.len().min(LEFT_OUT_BYTES)];
    begin.iter().any(u8::is_ascii_uppercase)
        && begin.iter().any(u8::is_ascii_lowercase)
        && begin.iter().any(u8::is_ascii_digit)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte)
}

/// How many bytes were left out where this stands now, by [`without_base64`].
fn left_out(text: &str) -> Option<u64> {
    let data = text.split_once(";base64,").map_or(text, |(_, data)| data);
    data.strip_prefix("(base64, ")?
        .strip_suffix(" bytes)")?
        .parse()
        .ok()
}

/// `image`, or `image/png, 1.2 MB` where its bytes came along as base64.
pub(super) fn words(kind: &str, part: &Value) -> String {
    let mut longest = "";
    let mut left_out_text = None;
    let mut mime = None;
    let mut open = vec![part];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                let named = ["media_type", "mimeType", "mime_type"]
                    .iter()
                    .find_map(|name| fields.get(*name)?.as_str());
                mime = mime.or(named);
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            Value::String(text) if left_out(text).is_some() => left_out_text = Some(text.as_str()),
            Value::String(text) if text.len() > longest.len() => longest = text,
            _ => {}
        }
    }
    let longest = left_out_text.unwrap_or(longest);
    let (mime_of_url, data) = match longest
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
    {
        Some((mime, data)) => (Some(mime), data),
        None => (None, longest),
    };
    let kind = mime_of_url.or(mime).unwrap_or(kind);
    let bytes = match left_out(data) {
        Some(bytes) => bytes as f64,
        // An address is short and has a colon.
        None if data.len() < 64
            || !data
                .bytes()
                .all(|byte| is_base64(byte) || b"\r\n".contains(&byte)) =>
        {
            return kind.to_owned();
        }
        None => data.trim_end_matches('=').len() as f64 * 0.75,
    };
    match bytes {
        ..1_024.0 => format!("{kind}, {bytes:.0} bytes"),
        ..1_048_576.0 => format!("{kind}, {:.1} KB", bytes / 1_024.0),
        _ => format!("{kind}, {:.1} MB", bytes / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn media_say_their_type_and_size() {
        let check = |part: Value, expected: &str| assert_eq!(words("image", &part), expected);
        check(json!({ "type": "image" }), "image");
        check(
            json!({ "image_url": { "url": "https://example.com/a.png" } }),
            "image",
        );
        let data = "QUJD".repeat(400);
        check(
            json!({ "image_url": { "url": format!("data:image/png;base64,{data}") } }),
            "image/png, 1.2 KB",
        );
        check(
            json!({ "source": { "media_type": "image/jpeg", "data": data } }),
            "image/jpeg, 1.2 KB",
        );
        check(
            json!({ "mimeType": "audio/wav", "data": "QUJD".repeat(1_000_000) }),
            "audio/wav, 2.9 MB",
        );
        check(json!({ "data": "QUJD".repeat(20) }), "image, 60 bytes");
    }

    #[test]
    fn long_media_give_way_to_their_size() {
        let data = "QUi9".repeat(400_000);
        let text = format!(r#"[{{"url":"data:image/png;base64,{data}"}},"größe"]"#);
        let short = without_base64(&text).unwrap();
        assert_eq!(
            short,
            r#"[{"url":"data:image/png;base64,(base64, 1200000 bytes)"},"größe"]"#
        );
        let part: Value = serde_json::from_str(&short).unwrap();
        assert_eq!(words("image", &part[0]), "image/png, 1.1 MB");
        let source = json!({ "media_type": "image/jpeg", "data": "(base64, 2048 bytes)", "name": "a-long-name-of-a-file.jpeg" });
        assert_eq!(words("image", &source), "image/jpeg, 2.0 KB");
        // What a backslash begins is no base64.
        for escape in ["\\n", "\\u00e9"] {
            let text = format!(r#"["decode this:{escape}{data}"]"#);
            let short = without_base64(&text).unwrap();
            assert_eq!(
                short,
                format!(r#"["decode this:{escape}(base64, 1200000 bytes)"]"#)
            );
        }
        for text in ["-".repeat(10_000), "short QUi9".to_owned(), "x".repeat(10_000)] {
            assert_eq!(without_base64(&text), None);
        }
    }
}

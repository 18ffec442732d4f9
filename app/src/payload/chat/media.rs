//! What an image, a file or a sound in a prompt is, without showing it.

use serde_json::Value;

/// `image`, or `image/png, 1.2 MB` where its bytes came along as base64.
pub(super) fn words(kind: &str, part: &Value) -> String {
    let mut longest = "";
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
            Value::String(text) if text.len() > longest.len() => longest = text,
            _ => {}
        }
    }
    let (mime_of_url, data) = match longest
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
    {
        Some((mime, data)) => (Some(mime), data),
        None => (None, longest),
    };
    let kind = mime_of_url.or(mime).unwrap_or(kind);
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&byte);
    // An address is short and has a colon.
    if data.len() < 64 || !data.bytes().all(is_base64) {
        return kind.to_owned();
    }
    let bytes = data.trim_end_matches('=').len() as f64 * 0.75;
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
}

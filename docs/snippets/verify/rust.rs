// hmac = "0.13", sha2 = "0.11", hex = "0.4"
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub fn is_genuine(header: &str, body: &[u8], secret: &str, now_seconds: i64) -> bool {
    let parts: Vec<(&str, &str)> = header
        .split(',')
        .filter_map(|part| part.split_once('='))
        .collect();
    let Some((_, at)) = parts.iter().find(|(name, _)| *name == "t") else {
        return false;
    };
    let is_recent = at.parse::<i64>().is_ok_and(|at| (now_seconds - at).abs() < 300);
    is_recent
        && parts
            .iter()
            .filter(|(name, _)| *name == "v1")
            .any(|(_, signature)| {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
                    return false;
                };
                mac.update(at.as_bytes());
                mac.update(b".");
                mac.update(body);
                hex::decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
            })
}

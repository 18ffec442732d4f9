//! How GitHub signs a webhook: HMAC-SHA256 of its bytes, in `X-Hub-Signature-256` as `sha256=…`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Whether `header` is the signature of `body` with this secret. Takes as long for a wrong one as for the right one.
pub fn is_valid(secret: &str, body: &[u8], header: &str) -> bool {
    let mut signature = [0; 32];
    let is_signature = header
        .strip_prefix("sha256=")
        .is_some_and(|digits| hex::decode_to_slice(digits, &mut signature).is_ok());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return false;
    };
    mac.update(body);
    is_signature && mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_github_s_documentation() {
        let (secret, body) = ("It's a Secret to Everybody", b"Hello, World!");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let check = |secret: &str, body: &[u8], header: &str, expected: bool| {
            assert_eq!(is_valid(secret, body, header), expected, "{header}");
        };
        check(secret, body, signature, true);
        check(
            secret,
            body,
            &signature.to_uppercase().replace("SHA", "sha"),
            true,
        );
        check("another", body, signature, false);
        check(secret, b"Hello, World", signature, false);
        check(secret, body, &signature.replace("sha256=", "sha1="), false);
        check(secret, body, &signature[..70], false);
        check(secret, body, "sha256=", false);
        check(secret, body, "", false);
    }
}

//! Which addresses a server may listen on.

use std::net::SocketAddr;

/// Refuses to show a server without accounts to the network.
pub fn binding_allowed(
    addr: SocketAddr,
    accounts_exist: bool,
    behind_auth_proxy: bool,
) -> Result<(), String> {
    if addr.ip().is_loopback() || accounts_exist || behind_auth_proxy {
        return Ok(());
    }
    Err(format!(
        "not listening on {addr}: no account exists, so anyone on the network could read and change everything.\n\
         Make the first account with `plumbline members add EMAIL --role admin`, or start without --addr, open\n\
         http://127.0.0.1:{port}/setup and start again; or use --behind-auth-proxy where a proxy authenticates people.",
        port = addr.port()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_accounts() {
        let check = |addr: &str, accounts_exist: bool, behind_auth_proxy: bool, expected: bool| {
            let answer = binding_allowed(addr.parse().unwrap(), accounts_exist, behind_auth_proxy);
            assert_eq!(answer.is_ok(), expected, "{addr} {answer:?}");
        };
        check("127.0.0.1:3000", false, false, true);
        check("127.8.0.1:3000", false, false, true);
        check("[::1]:3000", false, false, true);
        check("0.0.0.0:3000", false, false, false);
        check("[::]:3000", false, false, false);
        check("192.168.0.2:80", false, false, false);
        check("0.0.0.0:3000", true, false, true);
        check("0.0.0.0:3000", false, true, true);
    }

    #[test]
    fn the_refusal_says_how_to_go_on() {
        let text = binding_allowed("0.0.0.0:8080".parse().unwrap(), false, false).unwrap_err();
        for part in [
            "plumbline members add",
            "http://127.0.0.1:8080/setup",
            "--behind-auth-proxy",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}

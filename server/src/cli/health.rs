//! `plumbline health`: what the health check of a container runs, in an image without any other program.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Exit, output};
use crate::config::Config;

/// A server that needs longer to say that it is ready is not.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The answer is a few words.
const MAX_ANSWER_BYTES: u64 = 64 * 1_024;

/// Ends with 0 when `/readyz` says 200; prints the answer.
pub(super) async fn run(config: &Config) -> Result<(), Exit> {
    let addr = reachable(config.addr);
    let answer = match timeout(TIMEOUT, ask(addr)).await {
        Ok(answer) => answer.map_err(|cause| anyhow::anyhow!("nothing answers on {addr}: {cause}"))?,
        Err(_late) => {
            let waited_s = TIMEOUT.as_secs();
            return Err(anyhow::anyhow!("{addr} did not answer in {waited_s} s").into());
        }
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    output::line(body.trim());
    if head.starts_with("HTTP/1.1 200") {
        Ok(())
    } else {
        Err(Exit::FailedAsReported)
    }
}

/// Where a server that listens on `addr` is reached from this machine.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    addr
}

async fn ask(addr: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        let check = |listens: &str, expected: &str| {
            assert_eq!(
                reachable(listens.parse().unwrap()),
                expected.parse().unwrap(),
                "{listens}"
            );
        };
        check("0.0.0.0:3000", "127.0.0.1:3000");
        check("[::]:3000", "[::1]:3000");
        check("10.0.0.7:80", "10.0.0.7:80");
    }
}

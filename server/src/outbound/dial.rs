//! Connections that speak no HTTP: to servers of e-mail. The same rules of where they may lead.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{CONNECT_TIMEOUT, CallError, Outbound, is_permitted};

impl Outbound {
    /// Connects to the first address of a host that may be called and that answers. `only_allowed` leaves the addresses
    /// of `allow_private_targets` and no public ones: for what is not encrypted.
    pub async fn dial(&self, host: &str, port: u16, only_allowed: bool) -> Result<TcpStream, CallError> {
        let named = || host.to_owned();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((bare, port)))
            .await
            .map_err(|_elapsed| CallError::TimedOut { host: named() })?
            .map_err(|cause| CallError::Unreachable {
                host: named(),
                cause: cause.to_string(),
            })?;
        let mut last = CallError::Private { host: named() };
        for address in found.filter(|address| is_permitted(address.ip(), &self.allowed, only_allowed)) {
            last = match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(cause)) => CallError::Unreachable {
                    host: named(),
                    cause: cause.to_string(),
                },
                Err(_elapsed) => CallError::TimedOut { host: named() },
            };
        }
        Err(last)
    }

    /// Encrypts a connection; the certificate has to be of the host.
    pub async fn encrypt(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, CallError> {
        let unreachable = |cause: String| CallError::Unreachable {
            host: host.to_owned(),
            cause,
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|cause| unreachable(cause.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        timeout(CONNECT_TIMEOUT, connector.connect(name, stream))
            .await
            .map_err(|_elapsed| CallError::TimedOut {
                host: host.to_owned(),
            })?
            .map_err(|cause| unreachable(cause.to_string()))
    }

    /// Whether a connection leads to an address of `allow_private_targets`, where it need not be encrypted.
    pub fn is_allowed_plain(&self, stream: &TcpStream) -> bool {
        stream
            .peer_addr()
            .is_ok_and(|peer| is_permitted(peer.ip(), &self.allowed, true))
    }
}

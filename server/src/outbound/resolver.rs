//! Names to addresses, of which only those are handed on that may be connected to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

use super::is_permitted;
use crate::config::Networks;

/// Resolves as the system does. What is handed on is what is connected to, so no later answer of a name server can lead
/// elsewhere.
#[derive(Clone, Debug)]
pub(super) struct CheckedResolver {
    allowed: Arc<Networks>,
    /// Public addresses are none.
    only_allowed: bool,
}

/// A name that has no address which may be called.
#[derive(Debug)]
pub(super) struct NotPermitted;

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address that may be called")
    }
}

impl std::error::Error for NotPermitted {}

impl CheckedResolver {
    pub(super) fn new(allowed: Arc<Networks>, only_allowed: bool) -> Self {
        Self {
            allowed,
            only_allowed,
        }
    }

    fn permitted(
        &self,
        found: impl Iterator<Item = SocketAddr>,
    ) -> io::Result<std::vec::IntoIter<SocketAddr>> {
        let permitted: Vec<SocketAddr> = found
            .filter(|address| is_permitted(address.ip(), &self.allowed, self.only_allowed))
            .collect();
        if permitted.is_empty() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, NotPermitted));
        }
        Ok(permitted.into_iter())
    }
}

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            resolver.permitted(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_those_of_its_addresses_that_may_be_called() {
        let check = |allowed: &str, only_allowed: bool, found: &[&str], expected: Option<&[&str]>| {
            let resolver = CheckedResolver::new(Arc::new(allowed.parse().unwrap()), only_allowed);
            let addresses = found
                .iter()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0));
            let permitted = resolver.permitted(addresses).ok().map(|permitted| {
                permitted
                    .map(|address| address.ip().to_string())
                    .collect::<Vec<_>>()
            });
            let expected = expected.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
            assert_eq!(permitted, expected, "{found:?}");
        };
        check("", false, &["1.1.1.1"], Some(&["1.1.1.1"]));
        // A name server that mixes in an address of ours.
        check("", false, &["127.0.0.1", "1.1.1.1", "::1"], Some(&["1.1.1.1"]));
        check("", false, &["127.0.0.1"], None);
        check(
            "10.0.0.0/8",
            false,
            &["10.1.2.3", "192.168.0.1"],
            Some(&["10.1.2.3"]),
        );
        check("10.0.0.0/8", true, &["10.1.2.3", "1.1.1.1"], Some(&["10.1.2.3"]));
        check("", true, &["1.1.1.1"], None);
    }
}

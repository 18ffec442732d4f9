//! TLS towards others: the proxy's upstreams, and what integrations call.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::{ClientConfig, RootCertStore};

/// Whom to trust: the public authorities, and those this machine trusts beside them (`SSL_CERT_FILE` is honoured).
pub(crate) fn client_config() -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    // Those that cannot be read are of no use; the public ones are there all the same.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    config(roots)
}

/// Nobody but one certificate.
#[cfg(test)]
pub(crate) fn trusting(certificate: &[u8]) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates([rustls::pki_types::CertificateDer::from(certificate.to_vec())]);
    config(roots)
}

fn config(roots: RootCertStore) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

//! What connects to destinations and platforms over RTMP.

use std::path::Path;

use anyhow::Context as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::config::Config;
use crate::adapters::rtmp::Connector;

/// What connects to them.
pub(super) fn connector(config: &Config) -> anyhow::Result<Connector> {
    let extra = match &config.channels.extra_ca_file {
        Some(file) => {
            certificates(file).with_context(|| format!("channels.extra_ca_file: {}", file.display()))?
        }
        None => Vec::new(),
    };
    Connector::new(extra).context("the TLS of destinations")
}

/// The certificates in a PEM file.
fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    anyhow::ensure!(!found.is_empty(), "it has no certificate (-----BEGIN CERTIFICATE-----)");
    Ok(found)
}

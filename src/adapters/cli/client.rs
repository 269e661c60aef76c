//! The HTTP client of commands that talk to the running service.

use std::time::Duration;

use reqwest::Client;

/// A client for `url` whose calls end within `limit`.
pub(super) fn client(url: &str, limit: Duration) -> reqwest::Result<Client> {
    let client = Client::builder().no_proxy().timeout(limit);
    // Plain HTTP needs no root certificates. The image of MediaMTX, where hooks run, has none.
    let client = if url.starts_with("http://") { client.tls_certs_only([]) } else { client };
    client.build()
}

//! Sends messages to webhooks. It connects only to addresses that are allowed: a name is resolved once, each address is
//! checked, and the connection is made to one of these. So neither a redirect nor a name that changes its address (DNS
//! rebinding) leads into the network behind the service.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use url::{Host, Url};

use super::remote::{cause, failure, read, repeat};
use crate::domain::notification::{HttpMessage, Reply, is_public};
use crate::ports::{NotificationSender, RemoteError};

const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Which addresses messages may go to.
#[derive(Clone, Debug, Default)]
pub struct AllowedAddresses {
    /// Also those that are not public.
    pub all: bool,
    /// These networks, beside the public ones.
    pub networks: Vec<IpNet>,
}

impl AllowedAddresses {
    fn allow(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.all || is_public(ip) || self.networks.iter().any(|network| network.contains(&ip))
    }

    fn refusal(ip: IpAddr) -> String {
        format!(
            "the address {ip} is not on the public internet: to allow it, add it to notifications.allowed_networks"
        )
    }

    /// Those that are allowed of what a name stands for.
    fn choose(&self, found: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<SocketAddr>> {
        let (allowed, refused): (Vec<_>, Vec<_>) = found.partition(|one| self.allow(one.ip()));
        match (allowed.is_empty(), refused.first()) {
            (true, Some(one)) => Err(io::Error::other(Self::refusal(one.ip()))),
            (true, None) => Err(io::Error::other("the name has no address")),
            _ => Ok(allowed),
        }
    }
}

struct CheckedNames(AllowedAddresses);

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(allowed.choose(found)?.into_iter()) as Addrs)
        })
    }
}

/// Sends messages over HTTP.
pub struct WebhookSender {
    client: Client,
    allowed: AllowedAddresses,
}

impl WebhookSender {
    /// A message may take `timeout`.
    pub fn new(timeout: Duration, allowed: AllowedAddresses) -> Result<Self, RemoteError> {
        // Fails only if it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("streamward/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A kept connection would outlive a change of the name, and messages are rare.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(CheckedNames(allowed.clone())))
            .build()
            .map_err(|error| RemoteError::Unsupported(cause(&error)))?;
        Ok(Self { client, allowed })
    }

    /// A host that is an address is not resolved, so it is checked here.
    fn check(&self, url: &Url) -> Result<(), RemoteError> {
        let ip: IpAddr = match url.host() {
            Some(Host::Ipv4(ip)) => ip.into(),
            Some(Host::Ipv6(ip)) => ip.into(),
            _ => return Ok(()),
        };
        if self.allowed.allow(ip) {
            return Ok(());
        }
        Err(RemoteError::Unsupported(AllowedAddresses::refusal(ip)))
    }
}

#[async_trait]
impl NotificationSender for WebhookSender {
    async fn send(&self, message: &HttpMessage) -> Result<Reply, RemoteError> {
        let url = Url::parse(message.url.expose())
            .map_err(|_| RemoteError::Unsupported("the target is no usable address".into()))?;
        self.check(&url)?;
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        let sent = request.body(message.body.clone()).send().await;
        let mut response = sent.map_err(|error| failure(&error))?;
        let status = response.status();
        let words = match read(&mut response, MAX_ANSWER).await {
            Ok(body) => repeat(&String::from_utf8_lossy(&body)),
            Err(error) => error.to_string(),
        };
        let words = if status.is_redirection() { "a redirect, which is not followed".into() } else { words };
        Ok(Reply { status: Some(status.as_u16().into()), words, is_taken: status.is_success() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    fn message(url: &str) -> HttpMessage {
        HttpMessage { url: Secret::new(url), headers: Vec::new(), body: "{}".into() }
    }

    #[tokio::test]
    async fn private_addresses_are_refused_by_number_and_by_name() {
        let sender = WebhookSender::new(Duration::from_secs(2), AllowedAddresses::default()).unwrap();
        for url in [
            "http://127.0.0.1:9/",
            "http://localhost:9/",
            "http://[::1]:9/",
            "http://[::ffff:10.0.0.1]/",
            "http://2130706433/",
            "http://169.254.169.254/latest/meta-data",
        ] {
            let error = sender.send(&message(url)).await.unwrap_err().to_string();
            assert!(error.contains("not on the public internet"), "{url}: {error}");
        }
    }

    #[tokio::test]
    async fn allowed_network_is_reached() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let networks = vec!["127.0.0.0/8".parse().unwrap()];
        let allowed = AllowedAddresses { all: false, networks };
        let sender = WebhookSender::new(Duration::from_millis(300), allowed).unwrap();
        assert_eq!(sender.send(&message(&url)).await, Err(RemoteError::TimedOut), "it is connected");
    }

    /// A name whose next answer is another one is checked again, and only what was checked is used.
    #[test]
    fn rebinding_name_gets_no_private_address() {
        let allowed = AllowedAddresses::default();
        let [public, private]: [SocketAddr; 2] =
            ["1.1.1.1:0", "10.0.0.1:0"].map(|text| text.parse().unwrap());
        assert_eq!(allowed.choose([public].into_iter()).unwrap(), [public]);
        assert_eq!(allowed.choose([private, public].into_iter()).unwrap(), [public]);
        assert!(allowed.choose([private].into_iter()).is_err());
    }
}

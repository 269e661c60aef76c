//! Whether a stream arrives at an nginx with the RTMP module: its statistics page (`rtmp_stat all`).
//!
//! The page has its own bitrate, which is 0 for the first ten seconds of each publisher (measured with 1.1.4). So the
//! bytes are compared.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use roxmltree::{Document, Node};
use tokio::time::Instant;
use url::Url;

use super::bitrate::Bitrate;
use super::remote::{cause, failure, read};
use crate::domain::secret::Secret;
use crate::ports::{Arrival, ArrivalProbe, RemoteError};

const CONNECT: Duration = Duration::from_secs(1);
const CALL: Duration = Duration::from_secs(3);
/// The largest page that is read. A stream takes about a kilobyte.
const MAX_PAGE: usize = 4 * 1024 * 1024;

/// The statistics page of an nginx with the RTMP module.
pub struct NginxRtmpProbe {
    http: Client,
    page: Url,
    application: String,
    /// Often the stream key.
    stream: Secret,
    bitrate: Bitrate,
}

impl NginxRtmpProbe {
    /// Watches one stream of one application. Does not connect yet.
    pub fn new(page: Url, application: String, stream: Secret) -> Result<Self, RemoteError> {
        // Fails only if it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if page.scheme() == "http" {
            // Plain HTTP needs no root certificates, and an image built from scratch may have none.
            client = client.tls_certs_only([]);
        }
        let http = client.build().map_err(|error| RemoteError::Unsupported(cause(&error)))?;
        Ok(Self { http, page, application, stream, bitrate: Bitrate::default() })
    }
}

#[async_trait]
impl ArrivalProbe for NginxRtmpProbe {
    async fn arrival(&self) -> Result<Option<Arrival>, RemoteError> {
        let mut response = self.http.get(self.page.clone()).send().await.map_err(|error| failure(&error))?;
        let status = response.status();
        if !status.is_success() {
            let message = "instead of the statistics page".to_owned();
            return Err(RemoteError::Status { status: status.as_u16(), message });
        }
        let page = read(&mut response, MAX_PAGE).await?;
        let Some(publisher) = publisher(&page, &self.application, &self.stream)? else {
            self.bitrate.forget();
            return Ok(None);
        };
        let kbps = self.bitrate.since_last(&publisher.client, publisher.bytes, Instant::now());
        Ok(Some(Arrival { bytes: publisher.bytes, kbps }))
    }
}

/// Who publishes a stream.
#[derive(Debug, PartialEq)]
struct Publisher {
    /// nginx's number of the connection.
    client: String,
    bytes: u64,
}

/// The publisher of a stream. The errors do not repeat the page: the names of streams are keys.
fn publisher(page: &[u8], application: &str, stream: &Secret) -> Result<Option<Publisher>, RemoteError> {
    let malformed =
        |what: &str| RemoteError::Malformed(format!("it is no statistics page of nginx-rtmp: {what}"));
    let text = std::str::from_utf8(page).map_err(|_| malformed("it is not UTF-8"))?;
    let page = Document::parse(text).map_err(|_| malformed("it is no XML"))?;
    let root = page.root_element();
    if !root.has_tag_name("rtmp") {
        return Err(malformed("it has no element rtmp"));
    }
    let mut streams = children(root, "server")
        .flat_map(|server| children(server, "application"))
        .filter(|found| value(*found, "name") == Some(application))
        .flat_map(|application| children(application, "live"))
        .flat_map(|live| children(live, "stream"));
    let Some(found) = streams.find(|found| value(*found, "name").is_some_and(|name| stream.matches(name)))
    else {
        return Ok(None);
    };
    let publisher = children(found, "client").find(|client| children(*client, "publishing").next().is_some());
    let Some(publisher) = publisher else { return Ok(None) };
    let bytes = value(found, "bytes_in").and_then(|bytes| bytes.parse().ok());
    let bytes = bytes.ok_or_else(|| malformed("the stream has no bytes_in"))?;
    Ok(Some(Publisher { client: value(publisher, "id").unwrap_or_default().to_owned(), bytes }))
}

fn children<'a>(of: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    of.children().filter(move |child| child.has_tag_name(name))
}

fn value<'a>(of: Node<'a, 'a>, name: &'static str) -> Option<&'a str> {
    children(of, name).next()?.text()
}

#[cfg(test)]
mod tests {
    use streamward_test_support::fuzz::{bytes, fuzz};

    use super::*;

    /// As nginx-rtmp 1.1.4 wrote it, shortened.
    const PAGE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<rtmp>\n<bw_in>0</bw_in>\n<bytes_in>533940</bytes_in>\n\
        <server>\n<application>\n<name>live</name>\n<live>\n<stream>\n<name>t0p-secret</name>\n<time>5396</time><bw_in>0</bw_in>\n\
        <bytes_in>531554</bytes_in>\n<client><id>1</id><address>127.0.0.1</address><publishing/><active/></client>\n\
        <meta><video><width>640</width></video></meta>\n<nclients>1</nclients>\n<publishing/>\n<active/>\n</stream>\n\
        <nclients>1</nclients>\n</live>\n</application>\n</server>\n</rtmp>\n";

    fn read(page: &str, application: &str, stream: &str) -> Result<Option<Publisher>, RemoteError> {
        publisher(page.as_bytes(), application, &Secret::new(stream))
    }

    #[test]
    fn publisher_of_the_stream_is_found() {
        let found = Publisher { client: "1".into(), bytes: 531_554 };
        assert_eq!(read(PAGE, "live", "t0p-secret"), Ok(Some(found)));
        assert_eq!(read(PAGE, "live", "other"), Ok(None));
        assert_eq!(read(PAGE, "other", "t0p-secret"), Ok(None));
        let watched = PAGE.replacen("<publishing/>", "", 1);
        assert_eq!(read(&watched, "live", "t0p-secret"), Ok(None), "it has viewers only");
    }

    #[test]
    fn other_page_is_an_error_without_its_text() {
        for page in ["", "<html><body>t0p-secret</body></html>", "<rtmp>t0p-secret", "t0p-secret"] {
            let error = read(page, "live", "t0p-secret").unwrap_err();
            assert!(!error.to_string().contains("t0p-secret"), "{error}");
        }
        let damaged = PAGE.replace("531554", "many");
        assert!(matches!(read(&damaged, "live", "t0p-secret"), Err(RemoteError::Malformed(_))));
    }

    #[test]
    fn any_page_is_read_or_an_error() {
        fuzz(&bytes(&[PAGE]), |page| {
            if let Err(error) = publisher(&page, "live", &Secret::new("t0p-secret")) {
                assert!(!error.to_string().contains("t0p-secret"), "{error}");
            }
        });
    }
}

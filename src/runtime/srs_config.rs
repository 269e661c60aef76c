//! `streamward srs-config`: the srs.conf of this setup.

use anyhow::{Context as _, ensure};
use url::Url;

use super::bootstrap::Bootstrap;
use super::config::{Loaded, MediaServer, MediaServerKind};
use super::databases::{Purpose, Schema};
use super::media_config::is_here;
use super::secrets::{control_secret, hook_secret};
use crate::adapters::cli::{Output, SrsConfigArgs};
use crate::adapters::srs::config::{Addresses, ConfigInput, conf};
use crate::domain::media_server::MediaServerName;

/// The port of SRS for the media of WebRTC.
const WEBRTC_UDP: u16 = 8000;

/// Prints the srs.conf for one of the media servers.
pub(super) async fn srs_config(loaded: Loaded, args: &SrsConfigArgs, out: &mut Output) -> anyhow::Result<()> {
    let name = MediaServerName::parse(&args.server)?;
    let server = loaded.config.media_servers.get(&name).cloned();
    let server = server
        .with_context(|| format!("the configuration has no media server {name}: add media_servers.{name}"))?;
    ensure!(
        server.kind == MediaServerKind::Srs,
        "the media server {name} is MediaMTX: use `streamward mediamtx-config`, or set media_servers.{name}.kind to srs"
    );
    let base = Bootstrap::open(loaded, Purpose::Command, Schema::Expect).await?;
    let setup = ConfigInput {
        streamward: args.url.clone().unwrap_or_else(|| base.config().hooks_url()),
        hook_secret: hook_secret(&base).await?,
        control_secret: control_secret(&base, &name).await?,
        server: name,
        addresses: addresses(&server, args.webrtc_udp_port),
    };
    base.databases.close().await;
    out.text(&conf(&setup)?)
}

/// The addresses for SRS: the ports of the URLs. The HTTP API listens on loopback, unless Streamward reaches it at another
/// address.
fn addresses(server: &MediaServer, webrtc_udp: Option<u16>) -> Addresses {
    let urls = server.base_urls();
    let port =
        |url: &str, own: u16| Url::parse(url).ok().and_then(|url| url.port()).unwrap_or(own).to_string();
    let api = port(server.api_url(), 1985);
    Addresses {
        api: if is_here(server.api_url()) { format!("127.0.0.1:{api}") } else { api },
        rtmp: port(&urls.rtmp, 1935),
        http: port(&urls.hls, 8888),
        srt: port(&urls.srt, 10_080),
        webrtc_udp: webrtc_udp.unwrap_or(WEBRTC_UDP).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::config::Sources;

    fn of(env: &[(&str, &str)]) -> Addresses {
        let env =
            env.iter().map(|(name, value)| (format!("STREAMWARD_{name}").into(), (*value).into())).collect();
        let sources = Sources { env, ..Sources::default() };
        let servers = sources.load().unwrap().config.media_servers;
        addresses(&servers.into_values().next().unwrap(), None)
    }

    #[test]
    fn ports_are_those_of_the_urls() {
        let plain = of(&[("MEDIA_SERVERS__DEFAULT__KIND", "srs")]);
        let [api, rtmp, http, srt, webrtc_udp] =
            ["127.0.0.1:1985", "1935", "8888", "10080", "8000"].map(str::to_owned);
        assert_eq!(plain, Addresses { api, rtmp, http, srt, webrtc_udp });
        let elsewhere = of(&[
            ("MEDIA_SERVERS__DEFAULT__KIND", "srs"),
            ("MEDIA_SERVERS__DEFAULT__API_URL", "http://srs:1986"),
            ("MEDIA_SERVERS__DEFAULT__HLS_URL", "https://hls.example.org"),
        ]);
        assert_eq!((elsewhere.api.as_str(), elsewhere.http.as_str()), ("1986", "8888"));
    }
}

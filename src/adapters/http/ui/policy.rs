//! What the browser lets the page do.

use std::collections::BTreeSet;

use axum::http::HeaderValue;
use url::Url;

use crate::adapters::http::page::source_of;
use crate::domain::media_server::BaseUrls;

/// Where the page plays from: by HLS and by WebRTC.
pub(super) fn origins(media_servers: impl IntoIterator<Item = BaseUrls>) -> BTreeSet<String> {
    let urls = media_servers.into_iter().flat_map(|urls| [urls.hls, urls.webrtc]);
    let origins = urls.filter_map(|url| Some(Url::parse(&url).ok()?.origin()));
    origins.filter(url::Origin::is_tuple).map(|origin| origin.ascii_serialization()).collect()
}

/// The policy of the page with these media servers. It lets no inline script run but the import maps of the page.
pub(super) fn policy(index: &str, media_servers: &BTreeSet<String>) -> HeaderValue {
    let maps: String = import_maps(index).map(|map| format!(" {}", source_of(map))).collect();
    let media: String = media_servers.iter().map(|origin| format!(" {origin}")).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'{maps}; worker-src 'self'; style-src 'self'; img-src 'self' data:; \
         media-src 'self' blob:{media}; connect-src 'self'{media}; manifest-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types streamward"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn import_maps(page: &str) -> impl Iterator<Item = &str> {
    let scripts = page.split("<script type=\"importmap\">").skip(1);
    scripts.filter_map(|rest| rest.split_once("</script>")).map(|(map, _)| map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(hls: &str, webrtc: &str) -> BaseUrls {
        let [rtmp, rtsp, srt] = ["rtmp://a", "rtsp://a", "srt://a"].map(str::to_owned);
        BaseUrls { hls: hls.into(), webrtc: webrtc.into(), rtmp, rtsp, srt }
    }

    #[test]
    fn the_page_may_play_from_the_media_servers_and_load_from_nowhere_else() {
        let servers = [
            urls("https://tv.example.org/hls", "https://tv.example.org:8889/"),
            urls("https://tv.example.org/other", ""),
        ];
        let policy = policy("", &origins(servers));
        let policy = policy.to_str().unwrap();
        let media = "https://tv.example.org https://tv.example.org:8889";
        assert!(policy.contains(&format!("; connect-src 'self' {media};")), "{policy}");
        assert!(policy.contains(&format!("; media-src 'self' blob: {media};")), "{policy}");
        assert!(policy.contains("; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn an_import_map_is_allowed_by_its_hash() {
        let page = "<script type=\"importmap\">{}</script><script>bad()</script>";
        let policy = policy(page, &BTreeSet::new());
        // printf '{}' | openssl dgst -sha256 -binary | base64
        let expected = "script-src 'self' 'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=';";
        assert!(policy.to_str().unwrap().contains(expected), "{policy:?}");
    }
}

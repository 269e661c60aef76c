//! The section `[http]`: the web server.

use std::net::SocketAddr;

use super::section::section;
use super::values::{Networks, address, if_set, require, within};

section! {
    pub struct Http {
        /// Address and port to listen on.
        listen: String = "127.0.0.1:8080".into(), check address_and_port;
        /// Address and port for media servers only (`/auth` and hooks), with connections of its own.
        media_listen: Option<String>, check if_set(address_and_port),
            unset "not set: media servers use http.listen";
        /// The most connections on `listen` at once. For another one, an idle one is closed.
        max_connections: u32 = 10_000, check within(1, 1_000_000);
        /// Where browsers reach Streamward, for links and cookies.
        public_url: Option<String>, check if_set(address(&["https", "http"])),
            unset "not set: the address of http.listen";
        /// The path below which a proxy publishes everything, such as `/streamward`.
        base_path: Option<String>, check if_set(base_path), unset "not set: the path of http.public_url";
        /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted.
        trusted_proxies: Networks;
    }
}

/// A rule: segments of plain characters. A slash at the end is removed.
fn base_path(given: &mut String) -> Result<(), String> {
    given.truncate(given.trim_end_matches('/').len());
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let holds = given.is_empty()
        || given.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|part| !matches!(part, "" | "." | "..") && part.bytes().all(is_plain))
        });
    let rule = "must be a path such as /streamward, of letters, digits and -._~ between slashes";
    require(holds, || format!("{rule}, not {given:?}"))
}

pub(super) fn address_and_port(listen: &mut String) -> Result<(), String> {
    let host_and_port = listen.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains([':', '/']) && port.parse::<u16>().is_ok()
    });
    let holds = listen.parse::<SocketAddr>().is_ok() || host_and_port;
    require(holds, || format!("must be an address and a port such as 127.0.0.1:8080, not {listen:?}"))
}

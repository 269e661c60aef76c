//! The srs.conf for a setup: the callbacks, and the HTTP API closed to others.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::api::USER;
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;

/// The setup that the file is for.
#[derive(Clone, Debug)]
pub struct ConfigInput {
    /// Where SRS reaches Streamward, e.g. `http://127.0.0.1:8080`; no trailing slash needed.
    pub streamward: String,
    /// The name of this media server.
    pub server: MediaServerName,
    /// The hook secret.
    pub hook_secret: Secret,
    /// The password of the HTTP API.
    pub control_secret: Secret,
    /// Where it listens.
    pub addresses: Addresses,
}

/// Where SRS listens, as `host:port` or `port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// HTTP API; WHIP and WHEP are there too.
    pub api: String,
    /// RTMP.
    pub rtmp: String,
    /// HLS and HTTP-FLV.
    pub http: String,
    /// SRT (UDP).
    pub srt: String,
    /// The media of WebRTC (UDP).
    pub webrtc_udp: String,
}

/// Why there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the control secret has characters that srs.conf or HTTP cannot hold: use only letters, digits, '-' and '_' in media_servers.<name>.control_secret"
)]
pub struct UnusableSecret;

/// The srs.conf for `setup`, for SRS 5 and later. It contains the hook secret and the control secret, so its file must be
/// readable by its owner only.
///
/// # Errors
/// If the control secret cannot be written into the file.
pub fn conf(setup: &ConfigInput) -> Result<String, UnusableSecret> {
    let secret = setup.control_secret.expose();
    if !secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return Err(UnusableSecret);
    }
    Ok([head(setup), listeners(setup, secret), vhost(setup)].concat())
}

fn head(setup: &ConfigInput) -> String {
    format!(
        "# srs.conf for Streamward, media server \"{}\", for SRS 5 and later.\n\
         # It contains the hook secret (http_hooks) and the control secret (http_api): make it readable by its owner only\n\
         # (chmod 600).\n\n\
         # SRS logs callbacks with their address and the client's query, so its log contains the hook secret and stream keys:\n\
         # all of them at \"trace\", those of refused clients at \"error\" too. Keep the log readable by its owner only.\n\
         srs_log_level_v2    error;\n\
         srs_log_level       error;\n\
         srs_log_tank        console;\n\
         daemon              off;\n\
         max_connections     1000;\n\n",
        setup.server
    )
}

fn listeners(setup: &ConfigInput, secret: &str) -> String {
    let Addresses { api, rtmp, http, srt, webrtc_udp } = &setup.addresses;
    format!(
        "# RTMP.\n\
         listen              {rtmp};\n\n\
         # Streamward polls and controls this SRS here. The password does not protect WHIP and WHEP, which are at this address\n\
         # too; on_publish and on_play do. To offer them to others, put a proxy before /rtc/, and leave /api/ closed.\n\
         http_api {{\n\
         \x20   enabled         on;\n\
         \x20   listen          {api};\n\
         \x20   auth {{\n\
         \x20       enabled     on;\n\
         \x20       username    {USER};\n\
         \x20       password    {secret};\n\
         \x20   }}\n\
         }}\n\n\
         # HLS and HTTP-FLV.\n\
         http_server {{\n\
         \x20   enabled         on;\n\
         \x20   listen          {http};\n\
         \x20   dir             ./objs/nginx/html;\n\
         }}\n\n\
         srt_server {{\n\
         \x20   enabled         on;\n\
         \x20   listen          {srt};\n\
         }}\n\n\
         # If viewers reach this machine at an address that it does not have itself, name that one as the candidate.\n\
         rtc_server {{\n\
         \x20   enabled         on;\n\
         \x20   listen          {webrtc_udp};\n\
         \x20   candidate       *;\n\
         }}\n\n"
    )
}

fn vhost(setup: &ConfigInput) -> String {
    let base = setup.streamward.trim_end_matches('/');
    let secret = utf8_percent_encode(setup.hook_secret.expose(), NON_ALPHANUMERIC);
    let callback = |name: &str| {
        format!("        {name:<15} {base}/srs/{name}?server={}&secret={secret};\n", setup.server)
    };
    let callbacks = ["on_publish", "on_unpublish", "on_play"].map(callback).concat();
    format!(
        "vhost __defaultVhost__ {{\n\
         \x20   # Streamward decides who may publish and watch. While it does not answer, SRS refuses everybody who comes.\n\
         \x20   # Do not add `forward {{ enabled on; backend …; }}`: Streamward pushes to destinations itself.\n\
         \x20   http_hooks {{\n\
         \x20       enabled         on;\n\
         {callbacks}\
         \x20   }}\n\n\
         \x20   # A publisher that sends nothing is ended after one to two times normal_timeout.\n\
         \x20   publish {{\n\
         \x20       firstpkt_timeout    10000;\n\
         \x20       normal_timeout      5000;\n\
         \x20       mr                  off;\n\
         \x20   }}\n\n\
         \x20   # Channels notice a lost input by missing frames, so frames must not wait in a queue.\n\
         \x20   tcp_nodelay     on;\n\
         \x20   min_latency     on;\n\
         \x20   play {{\n\
         \x20       gop_cache       on;\n\
         \x20       mw_latency      100;\n\
         \x20       queue_length    10;\n\
         \x20   }}\n\n\
         \x20   hls {{\n\
         \x20       enabled         on;\n\
         \x20       hls_path        ./objs/nginx/html;\n\
         \x20       hls_fragment    2;\n\
         \x20       hls_window      20;\n\
         \x20       hls_dispose     30;\n\
         \x20   }}\n\
         \x20   http_remux {{\n\
         \x20       enabled         on;\n\
         \x20       mount           [vhost]/[app]/[stream].flv;\n\
         \x20   }}\n\
         \x20   srt {{\n\
         \x20       enabled         on;\n\
         \x20       srt_to_rtmp     on;\n\
         \x20   }}\n\
         \x20   rtc {{\n\
         \x20       enabled         on;\n\
         \x20       rtmp_to_rtc     on;\n\
         \x20       rtc_to_rtmp     on;\n\
         \x20   }}\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(control: &str) -> ConfigInput {
        ConfigInput {
            streamward: "http://127.0.0.1:8080/".into(),
            server: MediaServerName::parse("eu").unwrap(),
            hook_secret: Secret::new("hook;{ secret"),
            control_secret: Secret::new(control),
            addresses: Addresses {
                api: "127.0.0.1:1985".into(),
                rtmp: "1935".into(),
                http: "8888".into(),
                srt: "10080".into(),
                webrtc_udp: "8000".into(),
            },
        }
    }

    #[test]
    fn file_has_the_callbacks_and_closes_the_api() {
        let text = conf(&setup("control-secret_1")).unwrap();
        for line in [
            "        on_publish      http://127.0.0.1:8080/srs/on_publish?server=eu&secret=hook%3B%7B%20secret;",
            "        on_unpublish    http://127.0.0.1:8080/srs/on_unpublish?server=eu&secret=hook%3B%7B%20secret;",
            "        on_play         http://127.0.0.1:8080/srs/on_play?server=eu&secret=hook%3B%7B%20secret;",
            "    listen          127.0.0.1:1985;",
            "        password    control-secret_1;",
            "listen              1935;",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let (open, close) = (text.matches('{').count(), text.matches('}').count());
        assert_eq!(open, close, "{text}");
    }

    #[test]
    fn secret_that_would_break_the_file_is_refused() {
        for bad in ["a;b", "a b", "a:b", "a{", "ä", "a\nb", "a\"b"] {
            assert_eq!(conf(&setup(bad)), Err(UnusableSecret), "{bad}");
        }
    }
}

//! The mediamtx.yml for a setup: the auth callback, the hooks, the control API closed to others.

use std::fmt::Write as _;

use super::api::encode_segment;
use super::version::Version;
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;

/// What stands in the file where the hook secret belongs, if it is left out.
pub const SECRET_PLACEHOLDER: &str = "HOOK_SECRET";

/// What the file depends on, besides the version that is to read it.
#[derive(Clone, Debug)]
pub struct ConfigInput {
    /// Where MediaMTX reaches Streamward, e.g. `http://127.0.0.1:8080`; no trailing slash needed.
    pub streamward: String,
    /// The name this media server goes by.
    pub server: MediaServerName,
    /// What it shows to be heard; `None` leaves [`SECRET_PLACEHOLDER`] in its place.
    pub hook_secret: Option<Secret>,
    /// The commands it runs; `None` leaves everything to looking, every two seconds.
    pub hooks: Option<HookCommands>,
    /// Where it listens.
    pub addresses: Addresses,
}

/// Commands for MediaMTX to run, program and arguments apart. They must not contain a secret: everybody on the machine
/// sees the arguments of a process.
#[derive(Clone, Debug)]
pub struct HookCommands {
    /// When a stream becomes available, e.g. `streamward hook ready`.
    pub ready: Vec<String>,
    /// When it no longer is, e.g. `streamward hook not-ready`.
    pub not_ready: Vec<String>,
}

/// Where MediaMTX listens, each as `host:port` or `:port`.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Control API.
    pub api: String,
    /// RTMP.
    pub rtmp: String,
    /// RTSP over TCP.
    pub rtsp: String,
    /// SRT (UDP).
    pub srt: String,
    /// HLS.
    pub hls: String,
    /// WebRTC, its HTTP side.
    pub webrtc: String,
    /// WebRTC, its media (UDP).
    pub webrtc_udp: String,
}

impl Default for Addresses {
    /// MediaMTX's own defaults, except that the control API is open to this machine only.
    fn default() -> Self {
        Self {
            api: "127.0.0.1:9997".to_owned(),
            rtmp: ":1935".to_owned(),
            rtsp: ":8554".to_owned(),
            srt: ":8890".to_owned(),
            hls: ":8888".to_owned(),
            webrtc: ":8889".to_owned(),
            webrtc_udp: ":8189".to_owned(),
        }
    }
}

/// The mediamtx.yml for `setup`, as `version` (e.g. `v1.20.1`) understands it. Without a version, one that every
/// release since 1.15 accepts. Contains the hook secret, so whoever writes it makes it readable by its owner only.
pub fn yaml(setup: &ConfigInput, version: Option<&str>) -> String {
    let version = version.and_then(Version::parse);
    let mut out = header(setup, version);
    out.push_str(&auth(setup));
    out.push_str(&listeners(&setup.addresses, version));
    out.push_str(&paths(setup, version));
    out
}

fn header(setup: &ConfigInput, version: Option<Version>) -> String {
    let for_whom = match version {
        Some(version) => format!("MediaMTX {version}"),
        None => "any MediaMTX since 1.15".to_owned(),
    };
    let secret = if setup.hook_secret.is_some() {
        "# It contains the hook secret (authHTTPAddress): let nobody but its owner read it (chmod 600)."
            .to_owned()
    } else {
        format!(
            "# Put the hook secret in the place of {SECRET_PLACEHOLDER} below, and let nobody but its owner read the file\n\
             # then (chmod 600)."
        )
    };
    format!(
        "# mediamtx.yml for Streamward, media server {:?}, written for {for_whom}.\n{secret}\n\n\
         # At \"info\" MediaMTX logs the name of every path. For an encoder that sends its stream key as the path,\n\
         # that name is the key; at \"debug\" it logs passwords too.\n\
         logLevel: warn\n\n",
        setup.server.as_str()
    )
}

fn auth(setup: &ConfigInput) -> String {
    let secret =
        setup.hook_secret.as_ref().map_or(SECRET_PLACEHOLDER.to_owned(), |s| encode_segment(s.expose()));
    let base = setup.streamward.trim_end_matches('/');
    let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
    let address = format!("{scheme}://streamward:{secret}@{host}/auth?server={}", setup.server);
    format!(
        "# Streamward decides who may publish, read, and use the control API. MediaMTX shows the hook secret as a\n\
         # password, which it keeps out of its logs.\n\
         authMethod: http\n\
         authHTTPAddress: {}\n\
         # Nothing is exempt: up to 1.20.0 the control API is by default open to whoever reaches it.\n\
         authHTTPExclude: []\n\n",
        quoted(&address)
    )
}

fn listeners(at: &Addresses, version: Option<Version>) -> String {
    let mut out = format!(
        "# Streamward looks at and steers this MediaMTX here; it shows its control secret.\n\
         api: yes\n\
         apiAddress: {}\n\n\
         rtmp: yes\n\
         rtmpAddress: {}\n\n\
         # Needed also for encoders that send their key as the path: viewers get their stream through an RTSP relay\n\
         # within this MediaMTX. Only over TCP, which needs no further ports.\n\
         rtsp: yes\n\
         rtspTransports: [tcp]\n\
         rtspAddress: {}\n\n\
         srt: yes\n\
         srtAddress: {}\n\n\
         hls: yes\n\
         hlsAddress: {}\n\n\
         webrtc: yes\n\
         webrtcAddress: {}\n\
         webrtcLocalUDPAddress: {}\n\n",
        quoted(&at.api),
        quoted(&at.rtmp),
        quoted(&at.rtsp),
        quoted(&at.srt),
        quoted(&at.hls),
        quoted(&at.webrtc),
        quoted(&at.webrtc_udp),
    );
    match version {
        Some(version) if version >= Version::MOQ => {
            out.push_str("# On by default, and listens on three ports. Streamward has no URLs for it yet.\nmoq: no\n\n");
        }
        Some(_) => {}
        None => out.push_str(
            "# Since 1.19 there is MoQ, on by default and listening on three ports. Older versions refuse a file that\n\
             # mentions it; to switch it off, start MediaMTX with MTX_MOQ=no in its environment.\n\n",
        ),
    }
    out
}

fn paths(setup: &ConfigInput, version: Option<Version>) -> String {
    let mut out = String::new();
    match &setup.hooks {
        Some(hooks) => {
            let (ready, not_ready) = match version {
                Some(version) if version >= Version::AVAILABLE_HOOKS => {
                    ("runOnAvailable", "runOnUnavailable")
                }
                _ => ("runOnReady", "runOnNotReady"),
            };
            if version.is_none() {
                out.push_str("# The names up to 1.19.2; later versions take them too, with a warning.\n");
            }
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "pathDefaults:\n  \
                 # They make Streamward look at once instead of within two seconds; they decide nothing.\n  \
                 {ready}: {}\n  {not_ready}: {}\n\n",
                quoted(&command(&hooks.ready)),
                quoted(&command(&hooks.not_ready)),
            );
        }
        None => out.push_str("# No hooks: Streamward looks every two seconds.\n\n"),
    }
    out.push_str(
        "# Any path may be asked for; who may use it is decided by authHTTPAddress. Entries of your own are left alone.\n\
         paths:\n  all_others:\n",
    );
    out
}

/// A command line as MediaMTX splits it (go-shellquote): no shell, quotes as in one.
fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    let word = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A YAML scalar; YAML takes JSON's strings as they are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> ConfigInput {
        ConfigInput {
            streamward: "http://127.0.0.1:8080/".to_owned(),
            server: MediaServerName::default(),
            hook_secret: Some(Secret::new("p@ss/w:rd")),
            hooks: Some(HookCommands {
                ready: ["/opt/my apps/streamward", "hook", "ready"].map(str::to_owned).into(),
                not_ready: ["streamward", "hook", "not-ready"].map(str::to_owned).into(),
            }),
            addresses: Addresses::default(),
        }
    }

    #[test]
    fn hooks_have_the_names_of_the_version() {
        for (version, ready, not_ready) in [
            (Some("v1.15.4"), "runOnReady", "runOnNotReady"),
            (Some("v1.19.2"), "runOnReady", "runOnNotReady"),
            (Some("v1.19.3"), "runOnAvailable", "runOnUnavailable"),
            (Some("v1.20.1"), "runOnAvailable", "runOnUnavailable"),
            (None, "runOnReady", "runOnNotReady"),
        ] {
            let yaml = yaml(&setup(), version);
            assert!(
                yaml.contains(&format!("  {ready}: \"'/opt/my apps/streamward' hook ready\"\n")),
                "{yaml}"
            );
            assert!(yaml.contains(&format!("  {not_ready}: \"streamward hook not-ready\"\n")), "{yaml}");
            assert_eq!(yaml.matches("runOn").count(), 2);
        }
    }

    #[test]
    fn moq_is_mentioned_only_to_those_who_know_it() {
        let switched_off = |version| yaml(&setup(), version).lines().any(|line| line == "moq: no");
        assert!(switched_off(Some("v1.19.0")) && switched_off(Some("v1.20.1")));
        assert!(!switched_off(Some("v1.18.2")) && !switched_off(None));
    }

    #[test]
    fn the_hook_secret_stands_in_the_auth_address_and_nowhere_else() {
        let with = yaml(&setup(), None);
        let address =
            "\nauthHTTPAddress: \"http://streamward:p%40ss%2Fw%3Ard@127.0.0.1:8080/auth?server=default\"\n";
        assert!(with.contains(address), "{with}");
        assert_eq!(with.matches("p%40ss").count(), 1);
        assert!(with.contains("chmod 600"));
        let without = yaml(&ConfigInput { hook_secret: None, ..setup() }, None);
        assert!(without.contains("http://streamward:HOOK_SECRET@127.0.0.1:8080/auth"));
    }

    #[test]
    fn without_hooks_no_command_is_run() {
        assert!(!yaml(&ConfigInput { hooks: None, ..setup() }, None).contains("runOn"));
    }

    #[test]
    fn odd_words_survive_the_command_line() {
        assert_eq!(command(&["it's".into(), String::new(), "a=b".into()]), r"'it'\''s' '' a=b");
        assert_eq!(quoted("a\"b\\"), r#""a\"b\\""#);
    }
}

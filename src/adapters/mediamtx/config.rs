//! The mediamtx.yml for a setup: the auth callback, the hooks, the control API closed to others.

use super::api::encode_part;
use super::version::Version;
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;

/// The setup that the file is for, besides the version of MediaMTX.
#[derive(Clone, Debug)]
pub struct ConfigInput {
    /// Where MediaMTX reaches Streamward, e.g. `http://127.0.0.1:8080`; no trailing slash needed.
    pub streamward: String,
    /// The name of this media server.
    pub server: MediaServerName,
    /// The hook secret.
    pub hook_secret: Secret,
    /// The hook commands; without them Streamward only polls, every two seconds.
    pub hooks: Option<HookCommands>,
    /// The addresses it listens on.
    pub addresses: Addresses,
}

/// Commands for MediaMTX to run: program and arguments. They must not contain a secret, since everyone on the machine can
/// read the arguments of a process.
#[derive(Clone, Debug)]
pub struct HookCommands {
    /// When a stream becomes available, e.g. `streamward hook ready`.
    pub ready: Vec<String>,
    /// When a stream is no longer available, e.g. `streamward hook not-ready`.
    pub not_ready: Vec<String>,
}

/// The addresses that MediaMTX listens on, as `host:port` or `:port`.
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
    /// The defaults of MediaMTX. The control API listens on loopback only.
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

/// The mediamtx.yml for `setup` and `version` (e.g. `v1.20.1`). Without a version: one that every release since 1.15
/// accepts. It contains the hook secret, so its file must be readable by its owner only.
pub fn yaml(setup: &ConfigInput, version: Option<&str>) -> String {
    let version = version.and_then(Version::parse);
    [header(setup, version), auth(setup), listeners(&setup.addresses, version), paths(setup, version)]
        .concat()
}

fn header(setup: &ConfigInput, version: Option<Version>) -> String {
    let for_whom =
        version.map_or("any MediaMTX since 1.15".to_owned(), |version| format!("MediaMTX {version}"));
    format!(
        "# mediamtx.yml for Streamward, media server {:?}, written for {for_whom}.\n\
         # It contains the hook secret (authHTTPAddress): make it readable by its owner only (chmod 600).\n\
         # When Streamward updates this file, it sets authMethod, authHTTPAddress, authHTTPExclude, api, the addresses and\n\
         # its two hooks. All else is yours: other keys, paths, protocols, comments. mediamtx.yml.bak is the file before.\n\n\
         # At \"info\" MediaMTX logs the name of every path. If an encoder sends its stream key as the path, that\n\
         # name is the key. At \"debug\" MediaMTX also logs passwords.\n\
         logLevel: warn\n\n",
        setup.server.as_str()
    )
}

fn auth(setup: &ConfigInput) -> String {
    let secret = encode_part(setup.hook_secret.expose());
    let base = setup.streamward.trim_end_matches('/');
    let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
    let address = format!("{scheme}://streamward:{secret}@{host}/auth?server={}", setup.server);
    format!(
        "# Streamward decides who may publish, read, and use the control API. MediaMTX sends the hook secret as a\n\
         # password, which it does not log.\n\
         authMethod: http\n\
         authHTTPAddress: {}\n\
         # No exemptions: up to 1.20.0 anyone who reaches the control API may use it by default.\n\
         authHTTPExclude: []\n\n",
        quoted(&address)
    )
}

fn listeners(at: &Addresses, version: Option<Version>) -> String {
    let moq = match version {
        Some(version) if version >= Version::MOQ => {
            "# MoQ is on by default and listens on three ports. Streamward has no URLs for it yet.\nmoq: no\n\n"
        }
        Some(_) => "",
        None => {
            "# Since 1.19 MoQ is on by default and listens on three ports. Older versions refuse a file that mentions it.\n\
             # To switch it off, start MediaMTX with MTX_MOQ=no in its environment.\n\n"
        }
    };
    format!(
        "# Streamward polls and controls this MediaMTX here, with its control secret.\n\
         api: yes\n\
         apiAddress: {}\n\n\
         rtmp: yes\n\
         rtmpAddress: {}\n\n\
         # Also needed for encoders that send their key as the path: viewers get the stream through an RTSP relay\n\
         # within this MediaMTX. TCP only, which needs no further ports.\n\
         rtsp: yes\n\
         rtspTransports: [tcp]\n\
         rtspAddress: {}\n\n\
         srt: yes\n\
         srtAddress: {}\n\n\
         hls: yes\n\
         hlsAddress: {}\n\n\
         webrtc: yes\n\
         webrtcAddress: {}\n\
         webrtcLocalUDPAddress: {}\n\n{moq}",
        quoted(&at.api),
        quoted(&at.rtmp),
        quoted(&at.rtsp),
        quoted(&at.srt),
        quoted(&at.hls),
        quoted(&at.webrtc),
        quoted(&at.webrtc_udp),
    )
}

fn paths(setup: &ConfigInput, version: Option<Version>) -> String {
    let hooks = match &setup.hooks {
        Some(hooks) => {
            let (note, ready, not_ready) = match version {
                Some(version) if version >= Version::AVAILABLE_HOOKS => {
                    ("", "runOnAvailable", "runOnUnavailable")
                }
                Some(_) => ("", "runOnReady", "runOnNotReady"),
                None => {
                    let note = "# The names up to 1.19.2. Later versions accept them with a warning.\n";
                    (note, "runOnReady", "runOnNotReady")
                }
            };
            format!(
                "{note}pathDefaults:\n  \
                 # With hooks, Streamward polls at once instead of within two seconds. What it sees decides.\n  \
                 {ready}: {}\n  {not_ready}: {}\n\n",
                quoted(&command(&hooks.ready)),
                quoted(&command(&hooks.not_ready)),
            )
        }
        None => "# No hooks: Streamward polls every two seconds.\n\n".to_owned(),
    };
    hooks
        + "# Clients may request any path; authHTTPAddress decides who may use it. Entries of your own are left alone.\n\
           paths:\n  all_others:\n"
}

/// A command in MediaMTX's syntax (go-shellquote): quotes as in a shell, but no shell.
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
            hook_secret: Secret::new("p@ss/w:rd"),
            hooks: Some(HookCommands {
                ready: ["/opt/my apps/streamward", "hook", "ready"].map(str::to_owned).into(),
                not_ready: ["streamward", "hook", "not-ready"].map(str::to_owned).into(),
            }),
            addresses: Addresses::default(),
        }
    }

    #[test]
    fn hooks_have_the_names_that_the_version_knows() {
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
    fn moq_is_mentioned_only_to_versions_that_know_it() {
        let switched_off = |version| yaml(&setup(), version).lines().any(|line| line == "moq: no");
        assert!(switched_off(Some("v1.19.0")) && switched_off(Some("v1.20.1")));
        assert!(!switched_off(Some("v1.18.2")) && !switched_off(None));
    }

    #[test]
    fn hook_secret_is_in_the_auth_address_only() {
        let with = yaml(&setup(), None);
        let address =
            "\nauthHTTPAddress: \"http://streamward:p%40ss%2Fw%3Ard@127.0.0.1:8080/auth?server=default\"\n";
        assert!(with.contains(address), "{with}");
        assert_eq!(with.matches("p%40ss").count(), 1);
        assert!(with.contains("chmod 600"));
    }

    #[test]
    fn file_without_hooks_runs_no_command() {
        assert!(!yaml(&ConfigInput { hooks: None, ..setup() }, None).contains("runOn"));
    }

    #[test]
    fn special_characters_are_quoted() {
        assert_eq!(command(&["it's".into(), String::new(), "a=b".into()]), r"'it'\''s' '' a=b");
        assert_eq!(quoted("a\"b\\"), r#""a\"b\\""#);
    }
}

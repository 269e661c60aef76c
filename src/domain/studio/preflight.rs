//! Pre-flight checks: may the stream start, and what to do about each thing that stands against it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::ScenePurpose;
use super::words::words;
use crate::domain::Timestamp;

/// Failed checks are repeated after this time.
pub const RETRY: Duration = Duration::from_secs(60);

words! {
    /// A pre-flight check.
    #[derive(PartialOrd, Ord, Hash)]
    Check {
        /// OBS answers.
        Obs,
        /// The scenes are there.
        Scenes,
        /// The failover content plays, in OBS.
        FailoverContent,
        /// Address and key of the platform are set in OBS.
        Platform,
        /// The platform can be reached.
        Network,
    }
}

words! {
    /// The result of a check.
    CheckState {
        /// All is well.
        Passed,
        /// It stands against a start.
        Failed,
        /// It was not made, because an earlier one failed.
        Skipped,
    }
}

/// What was found of OBS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObsFound {
    /// It answers: its version.
    Ready(String),
    /// No connection, and why.
    Unreachable(String),
    /// It refused the password.
    WrongPassword,
    /// It is still loading.
    Loading,
    /// It does not answer.
    Unresponsive,
    /// It is too old: its version.
    TooOld(String),
}

/// What was found of the scenes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScenesFound {
    /// All are there; those that were made just now.
    Complete(Vec<ScenePurpose>),
    /// These could not be made, and why.
    Missing(Vec<ScenePurpose>, String),
}

/// What was found of the failover content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailoverFound {
    /// OBS played it: how long it is.
    Played(Duration),
    /// None is configured. The failover scene shows so many sources of a person.
    Scene(usize),
    /// None is configured, and the failover scene is empty.
    NotConfigured,
    /// OBS could not play this file.
    NotPlayable(String),
}

/// What was found of the platform's address and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformFound {
    /// Both are set in OBS.
    Set,
    /// None is configured.
    NotConfigured,
    /// There is an address, but no key.
    NoKey,
    /// OBS did not take them, because it streams with others.
    InUse,
}

/// What was found of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkFound {
    /// The platform accepted a connection, after this time.
    Reached(Duration),
    /// It did not, and why.
    Unreachable(String),
}

/// What was found. What is `None` was not tried, because something before it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// OBS.
    pub obs: ObsFound,
    /// The scenes.
    pub scenes: Option<ScenesFound>,
    /// The failover content.
    pub failover: Option<FailoverFound>,
    /// The platform's address and key.
    pub platform: Option<PlatformFound>,
    /// The network.
    pub network: Option<NetworkFound>,
}

/// One check, with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Which.
    pub check: Check,
    /// Its result.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What to do; empty if nothing is to be done.
    pub advice: String,
}

/// All checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// When they were made.
    pub at: Timestamp,
    /// In the order in which they are made.
    pub checks: Vec<Checked>,
}

impl Preflight {
    /// Judges what was found. `studio` is its name in the configuration, for advice.
    pub fn of(at: Timestamp, studio: &str, found: &Findings) -> Self {
        let checks = vec![
            obs(&found.obs, studio),
            found.scenes.as_ref().map_or_else(|| skipped(Check::Scenes), scenes),
            found
                .failover
                .as_ref()
                .map_or_else(|| skipped(Check::FailoverContent), |found| failover(found, studio)),
            found
                .platform
                .as_ref()
                .map_or_else(|| skipped(Check::Platform), |found| platform(*found, studio)),
            found.network.as_ref().map_or_else(|| skipped(Check::Network), |found| network(found, studio)),
        ];
        Self { at, checks }
    }

    /// Whether the stream may start: every check passed.
    pub fn has_passed(&self) -> bool {
        self.checks.iter().all(|check| check.state == CheckState::Passed)
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(|check| check.state == CheckState::Failed)
    }

    /// When the checks are made again; `None` if they passed.
    pub fn next_at(&self) -> Option<Timestamp> {
        (!self.has_passed()).then(|| self.at.plus(RETRY))
    }
}

fn checked(check: Check, advice: &str, detail: impl Into<String>) -> Checked {
    let state = if advice.is_empty() { CheckState::Passed } else { CheckState::Failed };
    Checked { check, state, detail: detail.into(), advice: advice.to_owned() }
}

fn skipped(check: Check) -> Checked {
    let detail = "not checked, because an earlier check failed".to_owned();
    Checked { check, state: CheckState::Skipped, detail, advice: String::new() }
}

fn obs(found: &ObsFound, studio: &str) -> Checked {
    let check = |advice: String, detail: String| checked(Check::Obs, &advice, detail);
    match found {
        ObsFound::Ready(version) => check(String::new(), format!("OBS {version} answers")),
        ObsFound::Unreachable(why) => check(
            format!(
                "Start OBS, turn on its WebSocket server (Tools, WebSocket Server Settings), and compare the port with \
                 studios.{studio}.websocket_url."
            ),
            format!("no connection to OBS: {why}"),
        ),
        ObsFound::WrongPassword => check(
            format!(
                "Set studios.{studio}.password to the one in OBS (Tools, WebSocket Server Settings, Show Connect Info)."
            ),
            "OBS refused the password".to_owned(),
        ),
        ObsFound::Loading => check(
            "Wait: OBS answers as soon as it has started.".to_owned(),
            "OBS is still loading".to_owned(),
        ),
        ObsFound::Unresponsive => check(
            format!("End OBS and start it again; with studios.{studio}.launch, Streamward does that."),
            "OBS accepts the connection, but does not answer".to_owned(),
        ),
        ObsFound::TooOld(version) => {
            check("Install OBS 28 or later.".to_owned(), format!("OBS {version} is too old"))
        }
    }
}

fn scenes(found: &ScenesFound) -> Checked {
    let words = |purposes: &[ScenePurpose]| {
        purposes.iter().map(|purpose| purpose.as_str()).collect::<Vec<_>>().join(", ")
    };
    match found {
        ScenesFound::Complete(made) if made.is_empty() => checked(Check::Scenes, "", "all scenes are there"),
        ScenesFound::Complete(made) => {
            checked(Check::Scenes, "", format!("all scenes are there; made now: {}", words(made)))
        }
        ScenesFound::Missing(missing, why) => checked(
            Check::Scenes,
            "Make these scenes in OBS, or remove the source that has the name of one of them.",
            format!("missing: {}; OBS did not make them: {why}", words(missing)),
        ),
    }
}

fn failover(found: &FailoverFound, studio: &str) -> Checked {
    let setting = format!("studios.{studio}.content.failover_video");
    let check = |advice: &str, detail: String| checked(Check::FailoverContent, advice, detail);
    match found {
        FailoverFound::Played(length) => {
            check("", format!("OBS played the failover content ({} s)", length.as_secs()))
        }
        FailoverFound::Scene(sources) => {
            check("", format!("no file is configured; the failover scene shows its {sources} sources"))
        }
        FailoverFound::NotConfigured => check(
            &format!(
                "Set {setting} to a video file on the machine of OBS, or add a source to the failover scene."
            ),
            "there is no failover content".to_owned(),
        ),
        FailoverFound::NotPlayable(path) => check(
            &format!(
                "Put a playable file there, or change {setting}. The path is that on the machine of OBS."
            ),
            format!("OBS could not play {path}"),
        ),
    }
}

fn platform(found: PlatformFound, studio: &str) -> Checked {
    let check = |advice: &str, detail: &str| checked(Check::Platform, advice, detail);
    let setting = format!("studios.{studio}.platform");
    match found {
        PlatformFound::Set => check("", "address and key of the platform are set in OBS"),
        PlatformFound::NotConfigured => {
            check(&format!("Set {setting}.url and {setting}.key_file."), "no platform is configured")
        }
        PlatformFound::NoKey => {
            check(&format!("Set {setting}.key_file to a file with the stream key."), "there is no stream key")
        }
        PlatformFound::InUse => check(
            "Stop the stream in OBS: it refuses another platform while it streams.",
            "OBS streams to another platform",
        ),
    }
}

fn network(found: &NetworkFound, studio: &str) -> Checked {
    match found {
        NetworkFound::Reached(after) => {
            checked(Check::Network, "", format!("the platform answered after {} ms", after.as_millis()))
        }
        NetworkFound::Unreachable(why) => checked(
            Check::Network,
            &format!("Check the network and studios.{studio}.platform.url."),
            format!("the platform cannot be reached: {why}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(100);

    fn good() -> Findings {
        Findings {
            obs: ObsFound::Ready("29.0.2".into()),
            scenes: Some(ScenesFound::Complete(vec![])),
            failover: Some(FailoverFound::Played(Duration::from_secs(5))),
            platform: Some(PlatformFound::Set),
            network: Some(NetworkFound::Reached(Duration::from_millis(20))),
        }
    }

    #[test]
    fn all_checks_have_to_pass() {
        let preflight = Preflight::of(AT, "main", &good());
        assert!(preflight.has_passed());
        assert_eq!((preflight.next_at(), preflight.failed().count()), (None, 0));
        assert!(preflight.checks.iter().all(|check| check.advice.is_empty()));
        assert_eq!(preflight.checks.iter().map(|check| check.check).collect::<Vec<_>>(), Check::ALL);
    }

    #[rstest]
    #[case(Findings { obs: ObsFound::Unreachable("refused".into()), ..good() }, Check::Obs)]
    #[case(Findings { obs: ObsFound::WrongPassword, ..good() }, Check::Obs)]
    #[case(Findings { obs: ObsFound::Loading, ..good() }, Check::Obs)]
    #[case(Findings { obs: ObsFound::Unresponsive, ..good() }, Check::Obs)]
    #[case(Findings { obs: ObsFound::TooOld("27.2".into()), ..good() }, Check::Obs)]
    #[case(
        Findings { scenes: Some(ScenesFound::Missing(vec![ScenePurpose::Owner], "600".into())), ..good() },
        Check::Scenes
    )]
    #[case(Findings { failover: Some(FailoverFound::NotConfigured), ..good() }, Check::FailoverContent)]
    #[case(
        Findings { failover: Some(FailoverFound::NotPlayable("/f.mp4".into())), ..good() },
        Check::FailoverContent
    )]
    #[case(Findings { platform: Some(PlatformFound::NotConfigured), ..good() }, Check::Platform)]
    #[case(Findings { platform: Some(PlatformFound::NoKey), ..good() }, Check::Platform)]
    #[case(Findings { platform: Some(PlatformFound::InUse), ..good() }, Check::Platform)]
    #[case(Findings { network: Some(NetworkFound::Unreachable("timeout".into())), ..good() }, Check::Network)]
    fn failed_check_is_named_with_what_to_do(#[case] found: Findings, #[case] check: Check) {
        let preflight = Preflight::of(AT, "main", &found);
        let failed: Vec<_> = preflight.failed().collect();
        assert_eq!(failed.iter().map(|failed| failed.check).collect::<Vec<_>>(), [check]);
        assert!(failed[0].advice.ends_with('.') && !failed[0].detail.is_empty(), "{failed:?}");
        assert_eq!(preflight.next_at(), Some(Timestamp::from_seconds(160)));
    }

    #[test]
    fn check_that_was_not_made_does_not_pass() {
        let found = Findings {
            obs: ObsFound::WrongPassword,
            scenes: None,
            failover: None,
            platform: None,
            network: None,
        };
        let preflight = Preflight::of(AT, "main", &found);
        let states: Vec<CheckState> = preflight.checks.iter().map(|check| check.state).collect();
        assert_eq!(states[0], CheckState::Failed);
        assert!(states[1..].iter().all(|state| *state == CheckState::Skipped) && !preflight.has_passed());
    }
}

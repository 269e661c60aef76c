//! MediaMTX versions.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// How long `mediamtx --version` may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A release of MediaMTX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// MoQ exists, is on by default and listens on three ports.
    pub const MOQ: Self = Self::new(1, 19, 0);
    /// `runOnAvailable` and `runOnUnavailable` replace `runOnReady` and `runOnNotReady`. Older versions do not start with
    /// the new names; this one and later ones warn about the old names. Also since this version, the auth callback of
    /// an RTSP publisher names its session, not its connection.
    pub const AVAILABLE_HOOKS: Self = Self::new(1, 19, 3);

    /// A path can be forwarded to destinations.
    pub const FORWARD: Self = Self::new(1, 20, 0);

    /// The newest version that was tested.
    pub const NEWEST: Self = Self::new(1, 20, 1);

    /// The version with these numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `v1.20.1`, `1.20.1` or `v1.20.1-6-g3e09466c`. A build without a number (`v0.0.0`) counts as unknown.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split(['.', '-', '+']).map(str::parse);
        let mut next = || numbers.next()?.ok();
        let version = Self::new(next()?, next()?, next()?);
        (version > Self::new(0, 0, 0)).then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The output of `mediamtx --version`, e.g. `v1.20.1`; `None` if the program cannot be run or prints something else.
pub async fn binary_version(binary: &Path) -> Option<String> {
    let mut command = tokio::process::Command::new(binary);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Version::parse(&text).map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(Version::parse("v1.20.1"), Some(Version::new(1, 20, 1)));
        assert_eq!(Version::parse("1.9.3\n"), Some(Version::new(1, 9, 3)));
        assert_eq!(Version::parse("v1.20.1-6-g3e09466c"), Some(Version::new(1, 20, 1)));
        for unknown in ["", "v1", "v1.2", "v0.0.0", "latest", "vx.y.z"] {
            assert_eq!(Version::parse(unknown), None, "{unknown}");
        }
        assert!(Version::new(1, 9, 9) < Version::MOQ);
        assert!(Version::new(1, 19, 2) < Version::AVAILABLE_HOOKS);
        assert!(Version::new(2, 0, 0) > Version::AVAILABLE_HOOKS);
    }

    #[tokio::test]
    async fn version_of_a_program_has_no_line_feed() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("mediamtx");
        std::fs::write(&program, "#!/bin/sh\necho ' v1.20.1'\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(binary_version(&program).await.as_deref(), Some("v1.20.1"));
    }

    #[tokio::test]
    async fn other_program_has_no_version() {
        assert_eq!(binary_version(Path::new("/nonexistent/mediamtx")).await, None);
        assert_eq!(binary_version(Path::new("/bin/true")).await, None);
    }
}

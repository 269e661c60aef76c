//! OBS as a unit of systemd.
//!
//! The unit should have `KillSignal=SIGINT`, so that OBS saves its scenes when it is stopped.

use std::io;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::time::timeout;

use crate::adapters::child::without_our_settings;
use crate::domain::secret::masked_line;
use crate::ports::{LaunchError, ObsLauncher, ProcessState};

/// How long systemd may take.
const LIMIT: Duration = Duration::from_secs(15);
/// How much of its words is repeated.
const WORDS: usize = 300;

/// Runs OBS as a unit of systemd.
#[derive(Clone, Debug)]
pub struct SystemdLauncher {
    systemctl: PathBuf,
    unit: String,
    is_users: bool,
}

impl SystemdLauncher {
    /// A unit such as `obs.service`: one of the user that runs Streamward, or of the system.
    pub fn new(unit: String, is_users: bool) -> Self {
        Self { systemctl: "systemctl".into(), unit, is_users }
    }

    /// Runs `systemctl`. The unit follows the arguments.
    async fn run(&self, arguments: &[&str]) -> Result<String, LaunchError> {
        let mut command = Command::new(&self.systemctl);
        without_our_settings(&mut command);
        // Its words are read below.
        command.env("LC_ALL", "C").args(self.is_users.then_some("--user")).arg("--no-ask-password");
        command.args(arguments).arg("--").arg(&self.unit).stdin(Stdio::null()).kill_on_drop(true);
        let ended = timeout(LIMIT, command.output()).await;
        let ended = ended
            .map_err(|_| LaunchError::Failed(format!("systemd did not answer for {} s", LIMIT.as_secs())))?;
        let output = ended.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LaunchError::Unavailable(
                "there is no systemctl: this machine has no systemd; start OBS by a command instead"
                    .to_owned(),
            ),
            _ => LaunchError::Unavailable(format!("systemctl cannot be run: {error}")),
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.refused(&output))
    }

    fn refused(&self, output: &Output) -> LaunchError {
        let words = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        let (words, unit) = (masked_line(words.trim(), WORDS), &self.unit);
        let has = |part: &str| words.contains(part);
        if has("not been booted with systemd") || has("Failed to connect to bus") {
            LaunchError::Unavailable(format!(
                "systemd does not run here; start OBS by a command instead ({words})"
            ))
        } else if has("not found") || has("not loaded") {
            LaunchError::Unavailable(format!("systemd has no unit {unit} ({words})"))
        } else if has("Access denied") || has("authentication required") || has("not permitted") {
            LaunchError::Unavailable(format!("systemd does not let us control {unit} ({words})"))
        } else {
            LaunchError::Failed(format!("systemd could not do it to {unit}: {words}"))
        }
    }
}

#[async_trait]
impl ObsLauncher for SystemdLauncher {
    async fn state(&self) -> Result<ProcessState, LaunchError> {
        let shown = self.run(&["show", "--property=LoadState,ActiveState,SubState,Result,MainPID"]).await?;
        let property = |name: &str| {
            let values = shown.lines().filter_map(|line| line.split_once('='));
            values.filter(|(found, _)| *found == name).map(|(_, value)| value).next().unwrap_or_default()
        };
        if property("LoadState") == "not-found" {
            return Err(LaunchError::Unavailable(format!("systemd has no unit {}", self.unit)));
        }
        let pid = property("MainPID").parse().unwrap_or_default();
        if pid != 0 && !matches!(property("ActiveState"), "inactive" | "failed") {
            return Ok(ProcessState::Running { pid });
        }
        let (active, sub, result) = (property("ActiveState"), property("SubState"), property("Result"));
        Ok(ProcessState::Ended {
            last_words: vec![format!("{}: {active} ({sub}), result {result}", self.unit)],
        })
    }

    async fn start(&self) -> Result<(), LaunchError> {
        // Otherwise systemd refuses after some failures. It fails if there was none.
        let _ = self.run(&["reset-failed"]).await;
        self.run(&["start"]).await.map(drop)
    }

    async fn stop(&self) -> Result<(), LaunchError> {
        match self.run(&["stop"]).await {
            // It does not quit in time.
            Err(LaunchError::Failed(_)) => self.kill().await,
            other => other.map(drop),
        }
    }

    async fn kill(&self) -> Result<(), LaunchError> {
        match self.state().await? {
            ProcessState::Running { .. } => self.run(&["kill", "--signal=SIGKILL"]).await.map(drop),
            ProcessState::Ended { .. } => Ok(()),
        }
    }

    async fn freeze(&self) -> Result<(), LaunchError> {
        self.run(&["kill", "--signal=SIGSTOP"]).await.map(drop)
    }

    /// systemd learns a moment later that it was killed. `restart` waits for that, `start` does not.
    async fn restart(&self) -> Result<(), LaunchError> {
        self.kill().await?;
        let _ = self.run(&["reset-failed"]).await;
        self.run(&["restart"]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    /// A launcher whose `systemctl` writes down its arguments and then runs `script`.
    fn launcher(folder: &TempDir, script: &str) -> SystemdLauncher {
        let systemctl = folder.path().join("systemctl");
        let text = format!("#!/bin/sh\necho \"$*\" >> {}/ran\n{script}\n", folder.path().display());
        fs::write(&systemctl, text).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        SystemdLauncher { systemctl, ..SystemdLauncher::new("obs.service".into(), true) }
    }

    fn ran(folder: &TempDir) -> Vec<String> {
        let text = fs::read_to_string(folder.path().join("ran")).unwrap_or_default();
        text.lines()
            .map(|line| line.replace("--user --no-ask-password ", "").replace(" -- obs.service", ""))
            .collect()
    }

    const RUNNING: &str = "echo LoadState=loaded; echo ActiveState=active; echo SubState=running; echo Result=success; echo MainPID=4711";

    #[tokio::test]
    async fn orders_are_given_to_systemd() {
        let folder = TempDir::new().unwrap();
        let launcher = launcher(&folder, RUNNING);
        assert_eq!(launcher.state().await, Ok(ProcessState::Running { pid: 4711 }));
        launcher.start().await.unwrap();
        launcher.stop().await.unwrap();
        launcher.restart().await.unwrap();
        let show = "show --property=LoadState,ActiveState,SubState,Result,MainPID";
        assert_eq!(
            ran(&folder),
            [show, "reset-failed", "start", "stop", show, "kill --signal=SIGKILL", "reset-failed", "restart"]
        );
    }

    #[tokio::test]
    async fn ended_unit_says_how_and_is_not_killed() {
        let folder = TempDir::new().unwrap();
        let script = "echo LoadState=loaded; echo ActiveState=failed; echo SubState=failed; echo Result=core-dump; echo MainPID=0";
        let launcher = launcher(&folder, script);
        let last_words = vec!["obs.service: failed (failed), result core-dump".to_owned()];
        assert_eq!(launcher.state().await, Ok(ProcessState::Ended { last_words }));
        launcher.kill().await.unwrap();
        assert_eq!(ran(&folder).len(), 2);
    }

    #[tokio::test]
    async fn missing_systemd_unit_or_permission_is_named() {
        for (script, expected) in [
            (
                "echo 'System has not been booted with systemd as init system (PID 1).' >&2; exit 1",
                "systemd does not run here",
            ),
            (
                "echo 'Failed to start obs.service: Unit obs.service not found.' >&2; exit 5",
                "systemd has no unit obs.service",
            ),
            ("echo LoadState=not-found", "systemd has no unit obs.service"),
            (
                "echo 'Failed to start obs.service: Access denied' >&2; exit 4",
                "systemd does not let us control obs.service",
            ),
        ] {
            let folder = TempDir::new().unwrap();
            let launcher = launcher(&folder, script);
            let error = match launcher.state().await {
                Err(error) => error,
                Ok(_) => launcher.start().await.unwrap_err(),
            };
            assert!(
                matches!(&error, LaunchError::Unavailable(text) if text.starts_with(expected)),
                "{error}"
            );
        }
        let absent = SystemdLauncher {
            systemctl: "/nowhere/systemctl".into(),
            ..SystemdLauncher::new("x".into(), false)
        };
        assert!(absent.start().await.unwrap_err().to_string().starts_with("there is no systemctl"));
    }

    #[tokio::test]
    async fn unit_that_does_not_stop_is_killed() {
        let folder = TempDir::new().unwrap();
        let launcher = launcher(
            &folder,
            &format!("case \"$*\" in *' stop '*) echo timeout >&2; exit 1;; esac; {RUNNING}"),
        );
        launcher.stop().await.unwrap();
        assert_eq!(ran(&folder).last().map(String::as_str), Some("kill --signal=SIGKILL"));
    }
}

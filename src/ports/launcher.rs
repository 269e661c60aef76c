//! Starts and ends the process of an OBS.

use async_trait::async_trait;

/// Why OBS could not be started or ended. The texts contain no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// What starts it is not on this machine, or not allowed to.
    #[error("{0}")]
    Unavailable(String),
    /// It was tried, and failed.
    #[error("{0}")]
    Failed(String),
}

/// Whether OBS runs, as far as the launcher knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs.
    Running {
        /// Its process id.
        pid: u32,
    },
    /// It does not run.
    Ended {
        /// How it ended and the last lines that it printed, without secrets. Empty if that is not known.
        last_words: Vec<String>,
    },
}

/// The process of one OBS. It continues when Streamward ends, and the next Streamward finds it.
#[async_trait]
pub trait ObsLauncher: Send + Sync {
    /// Whether it runs.
    async fn state(&self) -> Result<ProcessState, LaunchError>;

    /// MUST start it. Does nothing if it runs. It need not answer yet.
    async fn start(&self) -> Result<(), LaunchError>;

    /// MUST end it, all its children with it, whatever state it is in. At first in good order, then by force. `Ok` if
    /// it does not run.
    async fn stop(&self) -> Result<(), LaunchError>;

    /// MUST end it by force at once: for an OBS that hangs. `Ok` if it does not run.
    async fn kill(&self) -> Result<(), LaunchError>;

    /// MUST stop it by a signal, so that it hangs until it is killed; for a drill.
    async fn freeze(&self) -> Result<(), LaunchError>;

    /// MUST kill it and start it.
    async fn restart(&self) -> Result<(), LaunchError> {
        self.kill().await?;
        self.start().await
    }
}

//! Why a command failed, and its exit code.

use serde_json::{Value, json};
use thiserror::Error;

/// How a command ended. The numbers are documented in the help and in the README: scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It failed in another way than these.
    Failed = 1,
    /// Wrong arguments, wrong input, or a wrong configuration.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// The caller may not do it.
    Refused = 4,
    /// It contradicts what is there.
    Conflict = 5,
    /// Streamward or its database does not answer.
    Unreachable = 6,
    /// `doctor` found errors.
    Unhealthy = 7,
}

impl Exit {
    /// For an answer of the API.
    pub fn of_status(status: u64) -> Self {
        match status {
            400 | 411 | 413 | 415 | 422 => Self::Usage,
            404 | 410 => Self::NotFound,
            401 | 403 | 429 => Self::Refused,
            409 | 412 => Self::Conflict,
            502..=504 => Self::Unreachable,
            _ => Self::Failed,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Failed => "The command failed",
            Self::Usage => "The command cannot be run as it was given",
            Self::NotFound => "The resource does not exist",
            Self::Refused => "The command is refused",
            Self::Conflict => "The command contradicts what is there",
            Self::Unreachable => "Streamward does not answer",
            Self::Unhealthy => "The setup has errors",
        }
    }

    /// A problem document for a failure that is not an answer of the API.
    pub fn problem(self, detail: &str) -> Value {
        json!({"type": "about:blank", "title": self.title(), "detail": detail, "exit_code": self as u8})
    }
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// The API answered with this problem.
    #[error("{}", detail(.0))]
    Problem(Value),
    /// Wrong arguments, or wrong input.
    #[error("{0}")]
    Usage(String),
    /// What was named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A name that more than one resource has.
    #[error("{0}")]
    Conflict(String),
    /// There is no answer, or none of Streamward.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Problem(problem) => Exit::of_status(problem["status"].as_u64().unwrap_or_default()),
            Self::Usage(_) => Exit::Usage,
            Self::NotFound(_) => Exit::NotFound,
            Self::Conflict(_) => Exit::Conflict,
            Self::Unreachable(_) => Exit::Unreachable,
        }
    }
}

fn detail(problem: &Value) -> String {
    problem["detail"].as_str().unwrap_or_default().to_owned()
}

/// Fails with [`Failure::Usage`].
macro_rules! usage {
    ($($text:tt)+) => {
        return Err($crate::adapters::cli::Failure::Usage(format!($($text)+)).into())
    };
}
/// Fails with [`Failure::NotFound`].
macro_rules! not_found {
    ($($text:tt)+) => {
        return Err($crate::adapters::cli::Failure::NotFound(format!($($text)+)).into())
    };
}
pub(super) use {not_found, usage};

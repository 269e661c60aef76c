//! How the program ends: the exit code, and the error on standard error.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::Value;

use super::config::ConfigError;
use super::databases::NotPrepared;
use crate::adapters::cli::{Exit, Failure};
use crate::adapters::http::problem_of;
use crate::app::AppError;
use crate::ports::StoreError;

/// Prints why a command failed on standard error: one line, or with `json` a problem document.
pub(super) fn failed(error: anyhow::Error, json: bool) -> ExitCode {
    let text = in_one_line(&error);
    let (exit, problem) = explain(error, &text);
    let shown = if json { problem.to_string() } else { format!("streamward: {text}") };
    let _ = writeln!(std::io::stderr(), "{shown}");
    ExitCode::from(exit as u8)
}

/// The error and its causes, without those that the text before contains already.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text.replace('\n', " ")
}

/// The exit code, and the problem document: the one of the API, if it answered with one.
fn explain(error: anyhow::Error, text: &str) -> (Exit, Value) {
    let plain = |exit: Exit| (exit, exit.problem(text));
    if error.chain().any(|cause| cause.downcast_ref::<ConfigError>().is_some()) {
        return plain(Exit::Usage);
    }
    if error.chain().any(|cause| cause.downcast_ref::<NotPrepared>().is_some()) {
        return plain(Exit::NotFound);
    }
    let of_status = |mut problem: Value| {
        let exit = Exit::of_status(problem["status"].as_u64().unwrap_or_default());
        problem["exit_code"] = (exit as u8).into();
        (exit, problem)
    };
    let error = match error.downcast::<Failure>() {
        Ok(Failure::Problem(problem)) => return of_status(problem),
        Ok(failure) => return plain(failure.exit()),
        Err(error) => error,
    };
    if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(StoreError::Unavailable(_)))) {
        return plain(Exit::Unreachable);
    }
    match error.downcast::<AppError>() {
        Ok(refused) => of_status(problem_of(refused, text)),
        Err(_) => plain(Exit::Failed),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};
    use serde_json::json;

    use super::*;
    use crate::domain::Invalid;

    #[test]
    fn each_kind_of_error_has_its_exit_code_and_its_problem() {
        let invalid = ConfigError { key: "http.listen".into(), message: "is bad".into(), origin: None };
        let taken = json!({"type": "/problems/path-taken", "title": "T", "status": 409, "detail": "taken"});
        for (error, exit, kind) in [
            (anyhow!("no ffmpeg"), Exit::Failed, "about:blank"),
            (Failure::Usage("x".into()).into(), Exit::Usage, "about:blank"),
            (Failure::Unreachable("x".into()).into(), Exit::Unreachable, "about:blank"),
            (Failure::Problem(taken).into(), Exit::Conflict, "/problems/path-taken"),
            (AppError::NotFound("studio").into(), Exit::NotFound, "/problems/not-found"),
            (AppError::from(Invalid::one("days", "is bad")).into(), Exit::Usage, "/problems/validation"),
            (
                AppError::from(StoreError::Unavailable("x".into())).into(),
                Exit::Unreachable,
                "/problems/unavailable",
            ),
            (NotPrepared::NoTables("x".into()).into(), Exit::NotFound, "about:blank"),
            (invalid.into(), Exit::Usage, "about:blank"),
        ] {
            let error: anyhow::Error = error;
            let wrapped = Err::<(), _>(error).context("while it ran").unwrap_err();
            let text = format!("{wrapped:#}");
            let (found, problem) = explain(wrapped, &text);
            assert_eq!((found, &problem["type"]), (exit, &json!(kind)), "{text}");
            assert_eq!(problem["exit_code"], exit as u8, "{text}");
            assert!(problem["detail"].is_string() && problem["title"].is_string(), "{problem}");
        }
    }
}

//! Cleaning up when a test process ends, however it ends.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};

/// A shell that waits for this process to end and then runs `script`. Its standard input closes with the
/// process, even when that is killed and no destructor runs.
pub(crate) fn after_us(script: &str, args: &[&OsStr]) -> std::io::Result<Child> {
    Command::new("sh")
        .arg("-c")
        .arg(format!("trap '' INT TERM HUP; read -r _; {script}"))
        .arg("watchdog")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

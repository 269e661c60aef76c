//! Shared by what runs programs.

use rustix::process::Pid;
use tokio::process::Command;

/// Takes our settings out of the environment of a program: they have secrets, and the programs it runs can read them.
pub(crate) fn without_our_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("STREAMWARD_") || text.starts_with("DATABASE_URL") {
            command.env_remove(&name);
        }
    }
}

/// The process with this id.
pub(crate) fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

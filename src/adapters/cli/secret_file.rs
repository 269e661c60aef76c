//! Secrets come from a file or the standard input, never from an argument: others on this machine can see the arguments of
//! a process.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;

use crate::domain::secret::Secret;

/// Reads `what`, such as "the key". `-` is the standard input.
pub(super) fn read_secret(file: &Path, what: &str) -> anyhow::Result<Secret> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .with_context(|| format!("{what} cannot be read from the standard input"))?;
        text
    } else {
        std::fs::read_to_string(file)
            .with_context(|| format!("{what} cannot be read from {}", file.display()))?
    };
    Ok(Secret::new(text.trim()))
}

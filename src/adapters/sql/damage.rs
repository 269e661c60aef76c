//! Remembers that a SQLite file was found damaged.
//!
//! A damaged page fails only the statements that read it. Whoever finds it, a statement or the check of the file, notes it
//! here for `/health`.

use std::sync::{Arc, OnceLock};

use super::error::is_damage;

/// The first damage found in a file since it was opened. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Notes `error` if it is about damage.
    pub(super) fn note(&self, error: &sqlx::Error) {
        if is_damage(error) {
            self.set(&error.to_string());
        }
    }

    pub(super) fn set(&self, found: &str) {
        if self.0.set(found.to_owned()).is_ok() {
            tracing::error!(found, "the database is damaged: restore a backup with `streamward restore`");
        }
    }

    pub(super) fn found(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

//! What the load was promised: every acknowledged write, and every key that must be refused.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::world::Caller;

/// A stream key with its secret.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) secret: String,
}

impl Key {
    pub(crate) fn from(answer: &Value) -> Result<Self> {
        let text = |name: &str| answer[name].as_str().map(str::to_owned).context("no key in the answer");
        Ok(Self { id: text("id")?, path: text("path")?, secret: text("key_value")? })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Revocation {
    None,
    /// Without an answer it may have happened or not.
    Requested,
    Acknowledged(Instant),
}

/// The keys that were created, with what was acknowledged about them.
#[derive(Default)]
pub(crate) struct Ledger {
    keys: BTreeMap<String, (Key, Revocation)>,
}

impl Ledger {
    /// The creation of `key` was acknowledged.
    pub(crate) fn created(&mut self, key: &Key) {
        self.keys.insert(key.id.clone(), (key.clone(), Revocation::None));
    }

    /// Before a revocation is sent.
    pub(crate) fn revoking(&mut self, key: &Key) {
        self.note(key, Revocation::Requested);
    }

    /// The revocation of `key` was acknowledged.
    pub(crate) fn revoked(&mut self, key: &Key) {
        self.note(key, Revocation::Acknowledged(Instant::now()));
    }

    fn note(&mut self, key: &Key, revocation: Revocation) {
        if let Some((_, state)) = self.keys.get_mut(&key.id) {
            *state = revocation;
        }
    }

    /// Keys whose revocation was acknowledged at least so long ago.
    pub(crate) fn revoked_for(&self, time: Duration) -> Vec<Key> {
        let is_old =
            |state: &Revocation| matches!(state, Revocation::Acknowledged(at) if at.elapsed() >= time);
        self.keys.values().filter(|(_, state)| is_old(state)).map(|(key, _)| key.clone()).collect()
    }

    /// Whether the session of this path may be disconnected.
    pub(crate) fn may_end(&self, path: &str) -> bool {
        self.keys.values().any(|(key, state)| key.path == path && *state != Revocation::None)
    }

    /// Acknowledged writes.
    pub(crate) fn acknowledged(&self) -> usize {
        let revoked =
            self.keys.values().filter(|(_, state)| matches!(state, Revocation::Acknowledged(_))).count();
        self.keys.len() + revoked
    }

    /// Compares with what the program stores.
    pub(crate) async fn check(&self, caller: &Caller) -> Result<()> {
        let answer = caller.get("/stream-keys").await?;
        let list = answer["stream_keys"].as_array().context("a list")?;
        let stored: BTreeMap<&str, &str> =
            list.iter().filter_map(|key| Some((key["id"].as_str()?, key["status"].as_str()?))).collect();
        for (key, revocation) in self.keys.values() {
            let status = stored.get(key.id.as_str()).copied();
            let is_kept = match revocation {
                Revocation::None => status == Some("active"),
                Revocation::Requested => status.is_some(),
                Revocation::Acknowledged(_) => status == Some("revoked"),
            };
            ensure!(is_kept, "an acknowledged write is lost: the key of {} is {status:?}", key.path);
        }
        Ok(())
    }
}

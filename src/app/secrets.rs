//! The secrets that Streamward makes for itself, once for all instances on one database. They are stored sealed.

use crate::domain::seal::{OpenError, Sealer};
use crate::domain::secret::Secret;
use crate::ports::{IdGen, SecretStore, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Why a secret cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is stored, but cannot be opened.
    #[error("the secret {name} in the database cannot be opened: {why}")]
    Open {
        /// Which.
        name: String,
        /// Why.
        why: OpenError,
    },
}

fn place(name: &str) -> String {
    format!("secrets|sealed|{name}")
}

/// The secret of this name; if there is none, it is made of 32 random bytes in base64url. Concurrent calls of several
/// instances get the same one.
pub async fn ensure(
    secret_store: &dyn SecretStore,
    sealer: &Sealer,
    ids: &dyn IdGen,
    name: &str,
) -> Result<Secret, SecretError> {
    if let Some(secret) = find(secret_store, sealer, name).await? {
        return Ok(secret);
    }
    let fresh = Secret::new(URL_SAFE_NO_PAD.encode(ids.random32()));
    let stored =
        secret_store.seal_if_absent(name, &sealer.seal(&place(name), &fresh, ids.random32())).await?;
    open(sealer, name, &stored)
}

/// The secret of this name, if there is one.
pub async fn find(
    secret_store: &dyn SecretStore,
    sealer: &Sealer,
    name: &str,
) -> Result<Option<Secret>, SecretError> {
    match secret_store.sealed(name).await? {
        Some(sealed) => open(sealer, name, &sealed).map(Some),
        None => Ok(None),
    }
}

fn open(sealer: &Sealer, name: &str, sealed: &str) -> Result<Secret, SecretError> {
    sealer.open(&place(name), sealed).map_err(|why| SecretError::Open { name: name.to_owned(), why })
}

/// Whether this call was the first of its kind on this database: true exactly once, over all instances and restarts.
pub async fn first_time(
    secret_store: &dyn SecretStore,
    sealer: &Sealer,
    ids: &dyn IdGen,
    name: &str,
) -> Result<bool, SecretError> {
    let mine = Secret::new(ids.uuid().to_string());
    let stored = secret_store.seal_if_absent(name, &sealer.seal(&place(name), &mine, ids.random32())).await?;
    Ok(open(sealer, name, &stored)? == mine)
}

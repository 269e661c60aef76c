//! The port that hashes passwords. That is slow on purpose, so it happens beside all other work.

use async_trait::async_trait;

use crate::domain::secret::Secret;
use crate::domain::user::PasswordHash;

/// Too many passwords wait to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct HasherBusy;

/// Hashes passwords.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// MUST return a hash with a salt of its own.
    async fn hash(&self, password: &Secret) -> Result<PasswordHash, HasherBusy>;

    /// MUST return whether the hash is that of the password. Without a hash it MUST return `false` after the same time as
    /// with one, so that the time does not tell whether an account exists.
    async fn verify(&self, password: &Secret, hash: Option<&PasswordHash>) -> Result<bool, HasherBusy>;
}

//! A user as it is stored in memory.

use std::collections::BTreeSet;

use crate::domain::secret::SecretHash;
use crate::domain::user::{Credentials, PasswordHash, StoredTotp, User};

/// A user, and how they prove who they are.
pub(super) struct StoredUser {
    pub(super) user: User,
    pub(super) password: Option<PasswordHash>,
    pub(super) totp: Option<StoredTotp>,
    pub(super) codes: BTreeSet<SecretHash>,
}

impl StoredUser {
    pub(super) fn new(user: &User, password: Option<&PasswordHash>) -> Self {
        let user = User { has_password: password.is_some(), ..user.clone() };
        Self { user, password: password.cloned(), totp: None, codes: BTreeSet::new() }
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials {
            user_id: self.user.id,
            email: self.user.email.clone(),
            password: self.password.clone(),
            totp: self.totp.clone(),
        }
    }
}

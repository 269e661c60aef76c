//! Setting up and removing the second factor.

use super::service::{KIND, Users, is_oneself, oneself, visible};
use crate::app::error::{Conflict, Unauthenticated};
use crate::app::{AppError, Result};
use crate::domain::UserId;
use crate::domain::access::Actor;
use crate::domain::secret::Secret;
use crate::domain::user::{RecoveryCode, TotpSecret};
use crate::ports::Change;

/// The place that the secret of a user's second factor is sealed for.
pub(super) fn place(user: UserId) -> String {
    format!("users|totp_sealed|{user}")
}

/// A second factor that waits for its first code.
#[derive(Clone, Debug)]
pub struct NewTotp {
    /// The secret, to type it.
    pub secret: TotpSecret,
    /// The same as an address, for a QR code.
    pub uri: Secret,
}

impl Users {
    /// Makes a second factor for the person themselves. It counts from its first code on. Only this answer contains the
    /// secret.
    pub async fn offer_totp(&self, actor: &Actor, id: UserId, password: Option<&Secret>) -> Result<NewTotp> {
        let entry = self.core.entry(actor, "offer_totp", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = oneself(actor, id)?;
                let found = self.core.store.credentials(id).await?;
                let credentials = found.ok_or(AppError::NotFound(KIND))?;
                self.must_have_password(id).await?;
                self.check_password(actor, &credentials, ("password", password)).await?;
                let secret = TotpSecret::from_random(self.core.ids.random32());
                let random = self.core.ids.random32();
                let sealed = self.core.sealer.seal(&place(id), secret.secret(), random);
                if !self.core.store.offer_totp(id, &sealed, Change::new(&scope, &entry)).await? {
                    return Err(Conflict::TotpConfirmed.into());
                }
                let uri = Secret::new(secret.uri(&credentials.email));
                Ok(NewTotp { secret, uri })
            })
            .await
    }

    /// Confirms the second factor with its first code. Only this answer contains the recovery codes.
    pub async fn confirm_totp(&self, actor: &Actor, id: UserId, code: &Secret) -> Result<Vec<RecoveryCode>> {
        let entry = self.core.entry(actor, "confirm_totp", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = oneself(actor, id)?;
                let found = self.core.store.credentials(id).await?;
                let credentials = found.ok_or(AppError::NotFound(KIND))?;
                let totp = credentials.totp.filter(|totp| !totp.confirmed).ok_or(Conflict::TotpNotOffered)?;
                let secret = self.core.sealer.open(&place(id), &totp.sealed);
                let secret = secret.map_err(|_| Conflict::TotpNotOffered)?;
                let step = TotpSecret::from_stored(secret).accept(code.expose(), self.core.now(), None);
                let step = step.ok_or(Unauthenticated::Code)?;
                let codes = RecoveryCode::make_all(|| self.core.ids.random32());
                let hashes: Vec<_> = codes.iter().map(|code| code.hash(&self.core.hasher, id)).collect();
                let change = Change::new(&scope, &entry);
                if !self.core.store.confirm_totp(id, step, &hashes, change).await? {
                    return Err(Conflict::TotpNotOffered.into());
                }
                Ok(codes)
            })
            .await
    }

    /// Removes the second factor: the person themselves, with their password, or who manages users.
    pub async fn remove_totp(&self, actor: &Actor, id: UserId, password: Option<&Secret>) -> Result<()> {
        let entry = self.core.entry(actor, "remove_totp", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = visible(actor, id)?;
                let found = self.core.store.credentials(id).await?;
                let credentials = found.ok_or(AppError::NotFound(KIND))?;
                if is_oneself(actor, id) {
                    self.check_password(actor, &credentials, ("password", password)).await?;
                }
                if !self.core.store.remove_totp(id, Change::new(&scope, &entry)).await? {
                    return Err(Conflict::TotpAbsent.into());
                }
                Ok(())
            })
            .await
    }
}

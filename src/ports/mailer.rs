//! The port that sends e-mail.

use std::borrow::Cow;

use async_trait::async_trait;

use super::RemoteError;
use crate::domain::secret::Secret;
use crate::domain::user::Email;

/// A message to one person.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub to: Email,
    /// The subject, one line.
    pub subject: Cow<'static, str>,
    /// The text. It may contain a one-time link.
    pub text: Secret,
}

/// Sends e-mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// MUST hand the message to a mail server, or say why that failed. An error MUST NOT quote the text.
    async fn send(&self, mail: &Mail) -> Result<(), RemoteError>;
}

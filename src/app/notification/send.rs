//! Sends one message, whatever the kind of its receiver.

use uuid::Uuid;

use super::Notifications;
use super::sealed::Sealed;
use crate::domain::notification::{DeliveryId, Envelope, Kind, Reply, http_message, mail_text};
use crate::domain::secret::{Secret, masked_line};
use crate::domain::user::Email;
use crate::ports::{Mail, RemoteError, StoredNotification};

/// The most characters of the other side's words.
const MOST_WORDS: usize = 200;

impl Notifications {
    /// Sends a message once and returns what the other side said, without secrets.
    pub(super) async fn send(
        &self,
        to: &StoredNotification,
        id: DeliveryId,
        subject: Uuid,
        envelope: &Envelope,
    ) -> Reply {
        let refused = |words: String| Reply { status: None, words, is_taken: false };
        let sealed = match Sealed::open(&self.core, to.notification.id, &to.sealed) {
            Ok(sealed) => sealed,
            Err(error) => return refused(error.to_string()),
        };
        // An error would mean that the semaphore is closed; it never is.
        let _place = self.places.acquire().await.ok();
        let sent = match to.notification.kind {
            Kind::Email => self.mail(&sealed, subject, envelope).await,
            kind => self.post(kind, &sealed, id, envelope).await,
        };
        let Reply { status, words, is_taken } = sent.unwrap_or_else(|error| refused(error.to_string()));
        Reply { status, words: masked_line(&sealed.mask(&words), MOST_WORDS), is_taken }
    }

    async fn post(
        &self,
        kind: Kind,
        sealed: &Sealed,
        id: DeliveryId,
        envelope: &Envelope,
    ) -> Result<Reply, RemoteError> {
        let now = self.core.now();
        let message = http_message(kind, &sealed.target(), &sealed.secrets(now), id, envelope, now);
        match (message, &self.sender) {
            (Some(message), Some(sender)) => sender.send(&message).await,
            _ => Err(RemoteError::Unsupported("no HTTP message can be sent here".into())),
        }
    }

    async fn mail(&self, sealed: &Sealed, subject: Uuid, envelope: &Envelope) -> Result<Reply, RemoteError> {
        let Some(mailer) = &self.mailer else {
            return Err(RemoteError::Unsupported("no mail server is set (mail.smtp_url)".into()));
        };
        let to = Email::parse(sealed.target().expose())
            .map_err(|error| RemoteError::Unsupported(error.to_string()))?;
        let line = masked_line(envelope.summary(), MOST_WORDS);
        let text = Secret::new(mail_text(envelope, subject));
        mailer.send(&Mail { to, subject: format!("Streamward: {line}").into(), text }).await?;
        Ok(Reply { status: None, words: "the mail server took it".into(), is_taken: true })
    }
}

//! Password reset by e-mail. Whether there is such a user is only seen in the background, so a request for a reset takes
//! the same time for everybody.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::service::Users;
use crate::app::error::Conflict;
use crate::app::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::app::{self, AppError};
use crate::domain::access::Origin;
use crate::domain::secret::Secret;
use crate::domain::user::{AttemptKeys, Email, OneTimeLink};
use crate::ports::{Mail, Mailer, WakeUp};

impl Users {
    /// Requests an e-mail with a link to set a new password. The answer does not tell whether there is such a user.
    pub async fn request_reset(&self, email: &str, origin: &Origin) -> app::Result<()> {
        if self.mailer.is_none() {
            return Err(AppError::Unsupported("password reset by e-mail, which needs mail.smtp_url,"));
        }
        let email = Email::parse(email)?;
        let keys = AttemptKeys::new(&self.core.hasher, ("reset", &email), origin.ip, None);
        self.count(&keys).await?;
        self.resets.add(email);
        Ok(())
    }

    async fn send_reset(&self, email: &Email) -> Result<(), TaskError> {
        let (Some(mailer), Some(found)) = (&self.mailer, self.core.worker_store.credentials_of(email).await?)
        else {
            return Ok(());
        };
        match self.must_have_password(found.user_id).await {
            Ok(()) => {}
            Err(AppError::Conflict(Conflict::NoPassword(issuer))) => {
                let text = format!(
                    "Somebody requested a new password for {email} at {}.\n\n\
                     You have no password there: you sign in with {issuer}. If it was not you, do nothing.\n",
                    self.settings.public_url
                );
                return send(&**mailer, email, "You have no password here", Secret::new(text)).await;
            }
            Err(error) => return Err(TaskError::Setup(error.to_string())),
        }
        let link = self.create_sent_link(found.user_id, OneTimeLink::SENT).await;
        let Some(link) = link.map_err(|error| TaskError::Setup(error.to_string()))? else { return Ok(()) };
        let text = format!(
            "Somebody requested a new password for {email} at {}.\n\n\
             To set one, open this address within an hour. It works once:\n\n  {}\n\n\
             If it was not you, do nothing: the password stays as it is.\n",
            self.settings.public_url,
            link.url.expose()
        );
        send(&**mailer, email, "Set a new password", Secret::new(text)).await
    }
}

async fn send(mailer: &dyn Mailer, to: &Email, subject: &'static str, text: Secret) -> Result<(), TaskError> {
    let mail = Mail { to: to.clone(), subject: subject.into(), text };
    mailer.send(&mail).await.map_err(|error| TaskError::Setup(format!("the mail server {error}")))
}

/// Sends the e-mails that were requested. One that cannot be sent is not tried again: the person requests another one.
pub struct ResetMails(Arc<Users>);

impl ResetMails {
    /// Those of this instance.
    pub fn new(users: Arc<Users>) -> Self {
        Self(users)
    }
}

impl Task for ResetMails {
    fn name(&self) -> String {
        "password-resets".into()
    }

    fn description(&self) -> &'static str {
        "Sends e-mails with links to set a new password."
    }
}

#[async_trait]
impl PeriodicTask for ResetMails {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn wakes_on(&self, _: &WakeUp) -> bool {
        false
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        let mut done = Ok(());
        loop {
            let next = self.0.resets.next();
            let Some(email) = next else { break };
            done = done.and(self.0.send_reset(&email).await);
        }
        done.map(|()| Tick::default())
    }
}

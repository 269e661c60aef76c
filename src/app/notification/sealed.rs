//! What is secret of a subscription: where messages go, and what they are signed with. It is sealed for its row.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::app::Core;
use crate::domain::Timestamp;
use crate::domain::notification::{NotificationId, SigningSecret};
use crate::domain::secret::Secret;
use crate::ports::StoreError;

/// The secrets of a subscription. No `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sealed {
    target: String,
    secret: Option<String>,
    /// The secret before, and until when it is used too.
    old: Option<(String, Timestamp)>,
}

fn place(id: NotificationId) -> String {
    format!("notifications|sealed|{id}")
}

impl Sealed {
    pub(super) fn new(target: &str, secret: Option<&SigningSecret>) -> Self {
        Self { target: target.to_owned(), secret: secret.map(|one| one.expose().to_owned()), old: None }
    }

    pub(super) fn open(core: &Core, id: NotificationId, sealed: &str) -> Result<Self, StoreError> {
        let corrupt = |why: String| StoreError::Corrupt(format!("the secrets of notification {id}: {why}"));
        let opened = core.sealer.open(&place(id), sealed).map_err(|why| corrupt(why.to_string()))?;
        serde_json::from_str(opened.expose()).map_err(|_| corrupt("they are damaged".to_owned()))
    }

    pub(super) fn seal(&self, core: &Core, id: NotificationId) -> String {
        let text = Secret::new(serde_json::to_string(self).unwrap_or_default());
        core.sealer.seal(&place(id), &text, core.ids.random32())
    }

    pub(super) fn with_target(self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self }
    }

    pub(super) fn rotated(self, secret: &SigningSecret, until: Timestamp) -> Self {
        let old = self.secret.map(|old| (old, until));
        Self { secret: Some(secret.expose().to_owned()), old, ..self }
    }

    pub(super) fn target(&self) -> Secret {
        Secret::new(self.target.as_str())
    }

    /// The secrets that are valid at `now`, the newest first.
    pub(super) fn secrets(&self, now: Timestamp) -> Vec<SigningSecret> {
        let old = self.old.iter().filter(|(_, until)| now < *until).map(|(old, _)| old);
        self.secret.iter().chain(old).map(|text| SigningSecret::stored(text)).collect()
    }

    /// Removes what is secret from words of the other side. An e-mail address is none.
    pub(super) fn mask(&self, words: &str) -> String {
        let mut secrets: Vec<String> = self.secret.iter().cloned().collect();
        secrets.extend(self.old.iter().map(|(old, _)| old.clone()));
        if let Ok(url) = Url::parse(&self.target) {
            secrets.push(self.target.clone());
            secrets.extend(url.password().map(str::to_owned));
            secrets.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
            secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        }
        // Short parts are words such as `api`.
        secrets.retain(|secret| secret.len() >= 8);
        secrets.iter().fold(words.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_secret_is_valid_until_its_time_and_secrets_are_masked() {
        let [one, two] = [1, 2].map(|n| SigningSecret::from_random([n; 32]));
        let until = Timestamp::from_seconds(10);
        let target = "https://ada:hunter2hunter2@discord.example/api/webhooks/12345678/tokentoken";
        let sealed = Sealed::new(target, Some(&one)).rotated(&two, until);
        assert_eq!(sealed.secrets(Timestamp::from_seconds(9)), [two.clone(), one.clone()]);
        assert_eq!(sealed.secrets(until), std::slice::from_ref(&two));
        let words = format!("{target} tokentoken hunter2hunter2 {} {}", one.expose(), two.expose());
        let masked = sealed.mask(&words);
        for secret in ["tokentoken", "hunter2hunter2", one.expose(), two.expose()] {
            assert!(!masked.contains(secret), "{masked}");
        }
    }
}

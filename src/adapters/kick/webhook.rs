//! Kick's webhooks: RSA signatures (PKCS#1 v1.5, SHA-256) over `<message id>.<timestamp>.<body>`.
//!
//! The signature covers neither kind nor version, and Kick signs for all apps with one key. So a message may be meant for
//! another app or have a wrong kind: it is only accepted if its body has the shape of its kind. A replay changes nothing,
//! because reports are compared by session and Kick's time, not by arrival.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use spki::der::pem::PemLabel as _;
use spki::der::{Decode as _, Document};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::client::KickClient;
use super::dto;
use super::settings::KickSettings;
use crate::domain::Timestamp;
use crate::domain::streamer::Source;
use crate::ports::{RemoteError, StatusUpdate, Subject, WebhookError, WebhookHeaders, WebhookVerifier};

/// The event for going live and going offline.
pub(super) const STATUS_UPDATED: &str = "livestream.status.updated";
/// The supported version of the event.
pub(super) const STATUS_VERSION: u64 = 1;
/// How far a message's time may be from ours.
const WINDOW: Duration = Duration::from_secs(300);
/// Longest message id; Kick's are ULIDs (26 characters).
const LONGEST_ID: usize = 64;
/// `rsaEncryption` (RFC 8017).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Where Kick's public key comes from.
#[derive(Clone, Debug)]
pub struct WebhookKeySettings {
    /// The key in PEM (`-----BEGIN PUBLIC KEY-----`), from a file; `None` to fetch it from the official API.
    pub pem: Option<String>,
    /// After a wrong signature the key is fetched again at once, but at most this often: Kick may have changed it.
    pub refetch: Duration,
    /// Without a key, fetching it is retried at most this often.
    pub retry: Duration,
}

impl Default for WebhookKeySettings {
    fn default() -> Self {
        Self { pem: None, refetch: Duration::from_secs(5), retry: Duration::from_secs(5) }
    }
}

/// An RSA public key: the DER of its `RSAPublicKey`.
type Key = Arc<Vec<u8>>;

/// Verifies Kick's webhooks.
pub struct KickWebhooks {
    client: KickClient,
    settings: WebhookKeySettings,
    key: RwLock<Option<Key>>,
    /// When the last fetch began, and why it failed. Locked during a fetch.
    fetched: Mutex<Option<(Instant, Option<RemoteError>)>>,
}

impl KickWebhooks {
    /// Uses the key in `key`, or the one from the API in `settings`. Does not connect yet.
    /// [`RemoteError::Unsupported`] if the key is not an RSA public key in PEM, or the address is not http(s).
    pub fn new(settings: &KickSettings, key: WebhookKeySettings) -> Result<Self, RemoteError> {
        let given = key.pem.as_deref().map(|pem| {
            read_pem(pem).ok_or_else(|| {
                RemoteError::Unsupported("Kick's webhook key is not an RSA public key in PEM".to_owned())
            })
        });
        Ok(Self {
            client: settings.client(&settings.api_url)?,
            settings: key,
            key: RwLock::new(given.transpose()?),
            fetched: Mutex::default(),
        })
    }

    fn key(&self) -> Option<Key> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A key other than `unfit`: one fetched meanwhile, or Kick's present key. `None` if the key has not changed, or
    /// it is too early for another request.
    async fn another(&self, unfit: Option<&Key>) -> Result<Option<Key>, WebhookError> {
        if self.settings.pem.is_some() {
            return Ok(None);
        }
        let mut fetched = self.fetched.lock().await;
        let present = self.key();
        if present.as_ref() != unfit {
            return Ok(present);
        }
        let pause = if present.is_some() { self.settings.refetch } else { self.settings.retry };
        if fetched.as_ref().is_none_or(|(at, _)| at.elapsed() >= pause) {
            // Stored before the request: a cancelled call must not permit another one at once.
            let began = Instant::now();
            *fetched = Some((began, Some(RemoteError::TimedOut)));
            let error = match self.fetch().await {
                Ok(key) if unfit == Some(&key) => None,
                Ok(key) => {
                    tracing::info!("fetched Kick's public key for webhooks");
                    *fetched = Some((began, None));
                    *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&key));
                    return Ok(Some(key));
                }
                Err(error) => {
                    tracing::warn!(%error, "Kick's public key for webhooks cannot be fetched");
                    Some(error)
                }
            };
            *fetched = Some((began, error));
        }
        match fetched.as_ref() {
            Some((_, Some(error))) if present.is_none() => {
                Err(WebhookError::KeyUnavailable(error.to_string()))
            }
            // There is a key, but the signature does not match it.
            _ => Ok(None),
        }
    }

    async fn fetch(&self) -> Result<Key, RemoteError> {
        let request = self.client.request(Method::GET, "/public/v1/public-key");
        let answer = self.client.send("public_key", request).await?;
        let body = answer.ok()?;
        body["data"]["public_key"]
            .as_str()
            .and_then(read_pem)
            .ok_or_else(|| answer.malformed("there is no RSA public key in it"))
    }

    async fn proven(&self, message: &[u8], signature: &[u8]) -> Result<(), WebhookError> {
        let present = self.key();
        if present.as_ref().is_some_and(|key| fits(key, message, signature)) {
            return Ok(());
        }
        match self.another(present.as_ref()).await? {
            Some(key) if fits(&key, message, signature) => Ok(()),
            _ => Err(WebhookError::Signature),
        }
    }

    async fn read(
        &self,
        headers: &WebhookHeaders,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<StatusUpdate>, WebhookError> {
        let id = header(headers.message_id.as_deref(), "Kick-Event-Message-Id")?;
        // With a dot in the id, the signed text could be split differently.
        if id.len() > LONGEST_ID || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(WebhookError::Header("Kick-Event-Message-Id"));
        }
        const STAMP: &str = "Kick-Event-Message-Timestamp";
        let stamp = header(headers.timestamp.as_deref(), STAMP)?;
        let sent_at = Timestamp::parse_rfc3339(stamp).ok_or(WebhookError::Header(STAMP))?;
        const SIGNATURE: &str = "Kick-Event-Signature";
        let signature = header(headers.signature.as_deref(), SIGNATURE)?;
        let signature = STANDARD.decode(signature.trim()).map_err(|_| WebhookError::Header(SIGNATURE))?;
        let kind = header(headers.kind.as_deref(), "Kick-Event-Type")?;
        let version = header(headers.version.as_deref(), "Kick-Event-Version")?;
        if now.since(sent_at).max(sent_at.since(now)) > WINDOW {
            return Err(WebhookError::Stale(WINDOW.as_secs()));
        }
        let message = [id.as_bytes(), b".", stamp.as_bytes(), b".", body].concat();
        self.proven(&message, &signature).await?;
        if kind != STATUS_UPDATED || version.trim().parse() != Ok(STATUS_VERSION) {
            return Ok(None);
        }
        let update = serde_json::from_slice(body).ok().and_then(|body| dto::status_updated(&body));
        let (user, reported) = update.ok_or(WebhookError::Body(STATUS_UPDATED))?;
        let subject = Subject::User(user);
        Ok(Some(StatusUpdate { subject, reported, source: Source::Webhook, received_at: now }))
    }
}

#[async_trait]
impl WebhookVerifier for KickWebhooks {
    async fn verify(
        &self,
        headers: &WebhookHeaders,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<StatusUpdate>, WebhookError> {
        let read = self.read(headers, body, now).await;
        let outcome = match &read {
            Ok(Some(_)) => "update",
            Ok(None) => "ignored",
            Err(WebhookError::Header(_)) => "bad_header",
            Err(WebhookError::Stale(_)) => "stale",
            Err(WebhookError::Signature) => "bad_signature",
            Err(WebhookError::Body(_)) => "malformed",
            Err(WebhookError::KeyUnavailable(_)) => "no_key",
        };
        metrics::counter!("streamward_kick_webhooks_total", "outcome" => outcome).increment(1);
        read
    }
}

fn header<'a>(value: Option<&'a str>, name: &'static str) -> Result<&'a str, WebhookError> {
    value.filter(|value| !value.is_empty()).ok_or(WebhookError::Header(name))
}

fn fits(key: &Key, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_slice()).verify(message, signature).is_ok()
}

/// The RSA key in a PEM text. Newlines may be written as `\n`, as in environment variables.
fn read_pem(text: &str) -> Option<Key> {
    let text = text.replace("\\n", "\n");
    let (label, document) = Document::from_pem(text.trim()).ok()?;
    SubjectPublicKeyInfoRef::validate_pem_label(label).ok()?;
    let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).ok()?;
    (info.algorithm.oid == RSA)
        .then(|| info.subject_public_key.as_bytes().map(|key| Arc::new(key.to_vec())))?
}

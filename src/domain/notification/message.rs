//! What is sent: the body by kind of receiver, and the signature (Standard Webhooks 1.0).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;
use uuid::Uuid;

use super::severity::{Severity, path_of, severity_of};
use super::{DeliveryId, Kind};
use crate::domain::Timestamp;
use crate::domain::event::{Event, StoredEvent};
use crate::domain::secret::Secret;

/// A body is smaller than this, as Standard Webhooks asks.
const MAX_BODY: usize = 20_000;
/// How a signing secret begins.
const PREFIX: &str = "whsec_";

/// A secret that messages are signed with: `whsec_` and 32 bytes in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningSecret(Secret);

impl SigningSecret {
    /// Makes a secret of 32 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes))))
    }

    /// A secret that was made before.
    pub fn stored(text: &str) -> Self {
        Self(Secret::new(text))
    }

    /// The secret, for the answer that makes it and for sealing.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// `None` if it is no base64: nothing is signed with a key that everybody can guess.
    fn key(&self) -> Option<Vec<u8>> {
        let text = self.expose();
        STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).ok().filter(|key| !key.is_empty())
    }
}

/// The value of `webhook-signature`: one signature for each secret that is valid now.
pub fn signature(secrets: &[SigningSecret], id: &str, seconds: i64, body: &str) -> String {
    let signed = |secret: &SigningSecret| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret.key()?).ok()?;
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(signed).collect::<Vec<_>>().join(" ")
}

/// What is told of an event, independent of who hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope(pub Value);

impl Envelope {
    /// What is told of an event. Its details are left out if they are too long to send.
    pub fn of(stored: &StoredEvent, event: &Event) -> Self {
        let severity = severity_of(&event.body);
        let path = path_of(&event.body);
        let name =
            stored.data.get("name").or_else(|| stored.data.get("display_name")).and_then(Value::as_str);
        let mut summary = stored.kind.clone();
        if let Some(what) = path.or(name) {
            summary = format!("{summary}: {what}");
        }
        let reason = stored.data.get("end_reason").or_else(|| stored.data.get("error"));
        if let Some(reason) = reason.and_then(Value::as_str) {
            summary = format!("{summary} ({reason})");
        }
        let mut body = json!({
            "type": stored.kind, "timestamp": stored.at,
            "data": {
                "seq": stored.seq, "topic": stored.topic, "severity": severity, "summary": summary, "path": path,
                "organization_id": stored.organization_id, "subject": stored.subject, "event": stored.data,
            },
        });
        if body.to_string().len() >= MAX_BODY {
            body["data"]["event"] = Value::Null;
            body["data"]["is_shortened"] = Value::Bool(true);
        }
        Self(body)
    }

    /// The message that says that events were removed before they could be sent.
    pub fn of_missed(first: i64, last: i64, at: Timestamp) -> Self {
        let summary = format!("events {first} to {last} were removed from the log before they could be sent");
        Self::made("notification.missed", Severity::Warning, &summary, at)
    }

    /// The message of the test button.
    pub fn of_test(name: &str, at: Timestamp) -> Self {
        Self::made("notification.test", Severity::Info, &format!("a test of the notification {name}"), at)
    }

    fn made(kind: &str, severity: Severity, summary: &str, at: Timestamp) -> Self {
        Self(json!({
            "type": kind, "timestamp": at, "data": { "severity": severity, "summary": summary },
        }))
    }

    /// One line for people.
    pub fn summary(&self) -> &str {
        self.0.pointer("/data/summary").and_then(Value::as_str).unwrap_or("Streamward")
    }

    fn severity(&self) -> Severity {
        let text = self.0.pointer("/data/severity").and_then(Value::as_str);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

/// An HTTP request to a receiver. Its address may be a secret.
#[derive(Clone, Debug)]
pub struct HttpMessage {
    /// Where to.
    pub url: Secret,
    /// Its headers besides the type of the body.
    pub headers: Vec<(&'static str, String)>,
    /// Its body, JSON.
    pub body: String,
}

/// The request that tells a receiver of this kind. `None`: this kind is not reached over HTTP.
pub fn http_message(
    kind: Kind,
    url: &Secret,
    secrets: &[SigningSecret],
    id: DeliveryId,
    envelope: &Envelope,
    now: Timestamp,
) -> Option<HttpMessage> {
    let severity = envelope.severity();
    let mark = match severity {
        Severity::Info => "",
        Severity::Warning => "Warning: ",
        Severity::Critical => "Critical: ",
    };
    let line = format!("{mark}{}", envelope.summary());
    let plain =
        |body: Value| Some(HttpMessage { url: url.clone(), headers: Vec::new(), body: body.to_string() });
    match kind {
        Kind::Email => None,
        Kind::Webhook => {
            let (body, id) = (envelope.0.to_string(), id.0.to_string());
            let seconds = now.micros().div_euclid(1_000_000);
            let signature = signature(secrets, &id, seconds, &body);
            let headers = vec![
                ("webhook-id", id),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", signature),
            ];
            Some(HttpMessage { url: url.clone(), headers, body })
        }
        // Nobody is mentioned, whatever a name says.
        Kind::Discord => plain(json!({ "content": line, "allowed_mentions": { "parse": [] } })),
        Kind::Slack => {
            let escaped = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            plain(json!({ "text": escaped }))
        }
        Kind::Ntfy => ntfy(url, &line, severity),
    }
}

/// ntfy takes JSON at the root of the server, which names the topic.
fn ntfy(url: &Secret, line: &str, severity: Severity) -> Option<HttpMessage> {
    let mut server = Url::parse(url.expose()).ok()?;
    let path = server.path().trim_matches('/').to_owned();
    let (folder, topic) = path.rsplit_once('/').unwrap_or(("", &path));
    server.set_path(folder);
    let priority = match severity {
        Severity::Info => 3,
        Severity::Warning => 4,
        Severity::Critical => 5,
    };
    let body = json!({ "topic": topic, "title": "Streamward", "message": line, "priority": priority });
    Some(HttpMessage { url: Secret::new(server), headers: Vec::new(), body: body.to_string() })
}

/// The text of an e-mail.
pub fn mail_text(envelope: &Envelope, subject: Uuid) -> String {
    let pretty = serde_json::to_string_pretty(&envelope.0).unwrap_or_default();
    format!("{}\n\nAbout: {subject}\n\n{pretty}\n", envelope.summary())
}

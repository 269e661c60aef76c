//! `streamward key …`

use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Output, broadcaster};
use crate::app::broadcaster::Broadcasters;
use crate::app::stream_key::{KeyNow, KeyWithSecret, StreamKeyDraft, StreamKeys};
use crate::domain::access::Actor;
use crate::domain::stream_key::KeyStatus;
use crate::domain::{StreamKeyId, Timestamp};
use crate::ports::KeyFilter;

/// Commands about stream keys. They accept an id, or a path if one usable key has it.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a key and print ready settings for encoders; the secret is shown only once
    Create {
        /// Its broadcaster: id or name
        #[arg(long, value_name = "ID|NAME")]
        broadcaster: String,
        /// The public path, e.g. live/alice; made from the broadcaster's name if absent
        #[arg(long)]
        path: Option<String>,
        /// A note
        #[arg(long)]
        label: Option<String>,
        /// How long it is valid
        #[command(flatten)]
        until: Until,
        /// A second encoder with this key takes over instead of being refused
        #[arg(long)]
        takeover: bool,
    },
    /// List keys, without their secrets
    List {
        /// Only the keys of this broadcaster: id or name
        #[arg(long, value_name = "ID|NAME")]
        broadcaster: Option<String>,
    },
    /// Show one key, without its secret
    Show {
        /// Its id or path
        key: String,
    },
    /// Replace a key's secret, and end the session on the old one
    Rotate {
        /// Its id or path
        key: String,
    },
    /// Revoke a key for good, and end its session
    Revoke {
        /// Its id or path
        key: String,
    },
}

/// How long a key or token is valid; for ever by default.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub struct Until {
    /// Valid for this long from now, e.g. 2h or 30d
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub expires_in: Option<Duration>,
    /// Valid until then, e.g. 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,
}

impl Until {
    /// As the use-cases take it.
    pub(super) fn expires_at(&self, now: Timestamp) -> Option<String> {
        self.expires_in.map(|duration| now.plus(duration).to_string()).or_else(|| self.expires_at.clone())
    }
}

/// Runs the command.
pub async fn run(
    keys: &StreamKeys,
    broadcasters: &Broadcasters,
    command: &KeyCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { broadcaster, path, label, until, takeover } => {
            let actor = Actor::cli("key create");
            let draft = StreamKeyDraft {
                broadcaster_id: broadcaster::find(broadcasters, &actor, broadcaster).await?.id.to_string(),
                path: path.clone(),
                label: label.clone(),
                expires_at: until.expires_at(keys.now()),
                on_conflict: takeover.then(|| "takeover".to_owned()),
            };
            let made = keys.create(&actor, draft).await?;
            print_secret(out, "Created", &made)
        }
        KeyCommand::List { broadcaster } => {
            let actor = Actor::cli("key list");
            let mut filter = KeyFilter::default();
            if let Some(wanted) = broadcaster {
                filter.broadcaster_id = Some(broadcaster::find(broadcasters, &actor, wanted).await?.id);
            }
            let keys = keys.list(&actor, &filter).await?;
            let columns =
                ["id", "path", "status", "in_use", "key_prefix", "label", "expires_at", "last_used_at"];
            out.list("stream_keys", &keys.iter().map(view).collect::<Vec<_>>(), &columns)
        }
        KeyCommand::Show { key } => {
            let actor = Actor::cli("key show");
            let id = find(keys, &actor, key).await?;
            let key = view(&keys.get(&actor, id).await?);
            out.thing(&key, || {
                let fields = key.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
                let line = |(name, value): (&String, &Value)| {
                    format!("{name:<16}{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                };
                fields.map(line).collect::<Vec<_>>().join("\n")
            })
        }
        KeyCommand::Rotate { key } => {
            let actor = Actor::cli("key rotate");
            let id = find(keys, &actor, key).await?;
            print_secret(out, "Rotated", &keys.rotate(&actor, id).await?)
        }
        KeyCommand::Revoke { key } => {
            let actor = Actor::cli("key revoke");
            let id = find(keys, &actor, key).await?;
            keys.revoke(&actor, id).await?;
            let key = keys.get(&actor, id).await?;
            out.thing(&view(&key), || format!("Revoked the stream key of {} ({id}).", key.key.path))
        }
    }
}

async fn find(keys: &StreamKeys, actor: &Actor, wanted: &str) -> anyhow::Result<StreamKeyId> {
    if let Ok(id) = wanted.parse::<StreamKeyId>() {
        return Ok(id);
    }
    let mut keys = keys.list(actor, &KeyFilter::default()).await?;
    keys.retain(|now| now.key.path.as_str() == wanted && now.key.is_usable(now.at));
    match keys.as_slice() {
        [only] => Ok(only.key.id),
        _ => bail!("no usable stream key has the path {wanted:?}; name it by its id (streamward key list)"),
    }
}

fn view(now: &KeyNow) -> Value {
    let KeyNow { key, at } = now;
    let status = match key.status(*at) {
        KeyStatus::Active => "active",
        KeyStatus::Revoked => "revoked",
        KeyStatus::Expired => "expired",
    };
    json!({
        "id": key.id,
        "broadcaster_id": key.broadcaster_id,
        "label": key.label.as_ref().map(ToString::to_string),
        "path": key.path,
        "status": status,
        "in_use": key.in_use(*at),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "on_conflict": key.on_conflict,
        "key_prefix": key.key_prefix,
    })
}

fn print_secret(out: &mut Output, done: &str, made: &KeyWithSecret) -> anyhow::Result<()> {
    let secret = made.secret.expose();
    let mut json = view(&KeyNow { key: made.key.clone(), at: made.at });
    json["key_value"] = secret.into();
    if let Some(urls) = &made.ingest {
        json["ingest"] = json!({
            "obs": {"server": urls.obs_server, "stream_key": urls.obs_stream_key},
            "rtmp": urls.rtmp,
            "rtmp_secret_path": urls.rtmp_secret_path,
            "srt": urls.srt,
            "rtsp": urls.rtsp,
            "whip": {"url": urls.whip, "bearer_token": secret},
        });
    }
    out.thing(&json, || {
        let key = &made.key;
        let until = key.expires_at.map(|at| format!(", valid until {at}")).unwrap_or_default();
        let head = format!("{done} the stream key of {} ({}){until}. It is shown this once:\n\n  {secret}\n", key.path, key.id);
        let Some(urls) = &made.ingest else { return head };
        let watch = made.playback.as_ref().map(|urls| {
            format!("\nViewers (no secret in these)\n  HLS         {}\n  WebRTC      {}\n  RTSP        {}\n",
                urls.hls, urls.webrtc, urls.rtsp)
        });
        format!(
            "{head}\nOBS: Settings, Stream, Service \"Custom…\"\n  Server      {}\n  Stream Key  {}\n\
             \nOther encoders, one of\n  RTMP        {}\n  SRT         {}\n  RTSP        {}\n  WHIP        {}\n  \
             \u{20}           with the key as bearer token\n\
             \nEncoders that take a key and nothing else\n  RTMP        {}\n{}",
            urls.obs_server,
            urls.obs_stream_key,
            urls.rtmp,
            urls.srt,
            urls.rtsp,
            urls.whip,
            urls.rtmp_secret_path,
            watch.unwrap_or_default(),
        )
    })
}

//! `streamward key …`

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use super::output::with_nulls;
use super::until::Until;
use super::{Output, broadcaster, list_output};
use crate::adapters::views::{NewStreamKey, StreamKeyView};
use crate::app::broadcaster::Broadcasters;
use crate::app::list::Pages;
use crate::app::stream_key::{KeyWithSecret, ServerUrls, StreamKeyDraft, StreamKeys};
use crate::domain::StreamKeyId;
use crate::domain::access::Actor;
use crate::domain::media_server::{IngestUrls, MediaServerName, PlaybackUrls};
use crate::domain::page::Page;
use crate::domain::path::StreamPath;
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
        /// Print the settings of this media server only; the key can be used on all
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
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
        /// Print the settings of this media server only; the key can be used on all
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
    },
    /// Revoke a key for good, and end its session
    Revoke {
        /// Its id or path
        key: String,
    },
}

/// Runs the command.
pub async fn run(
    keys: &StreamKeys,
    broadcasters: &Broadcasters,
    command: &KeyCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { broadcaster, path, label, until, takeover, server } => {
            known_server(keys, server.as_deref())?;
            let actor = Actor::cli("key create");
            let draft = StreamKeyDraft {
                broadcaster_id: broadcaster::find(broadcasters, &actor, broadcaster).await?.id.to_string(),
                path: path.clone(),
                label: label.clone(),
                expires_at: until.expires_at(keys.now()),
                on_conflict: takeover.then(|| "takeover".to_owned()),
            };
            let made = keys.create(&actor, draft).await?;
            print_secret(out, "Created", server.as_deref(), made)
        }
        KeyCommand::List { broadcaster } => {
            let actor = Actor::cli("key list");
            let mut filter = KeyFilter::default();
            if let Some(wanted) = broadcaster {
                filter.broadcaster_id = Some(broadcaster::find(broadcasters, &actor, wanted).await?.id);
            }
            let pages = Pages::new(actor, filter, Page::default());
            let columns =
                ["id", "path", "status", "in_use", "key_prefix", "label", "expires_at", "last_used_at"];
            list_output::print(out, ("stream_keys", &columns), (keys, pages), StreamKeyView::from).await
        }
        KeyCommand::Show { key } => {
            let actor = Actor::cli("key show");
            let id = find(keys, &actor, key).await?;
            let json = with_nulls(&StreamKeyView::from(keys.get(&actor, id).await?));
            out.thing(&json, || {
                let fields = json.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
                let line = |(name, value): (&String, &Value)| {
                    format!("{name:<16}{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                };
                fields.map(line).collect::<Vec<_>>().join("\n")
            })
        }
        KeyCommand::Rotate { key, server } => {
            known_server(keys, server.as_deref())?;
            let actor = Actor::cli("key rotate");
            let id = find(keys, &actor, key).await?;
            print_secret(out, "Rotated", server.as_deref(), keys.rotate(&actor, id).await?)
        }
        KeyCommand::Revoke { key } => {
            let actor = Actor::cli("key revoke");
            let id = find(keys, &actor, key).await?;
            keys.revoke(&actor, id).await?;
            let key = keys.get(&actor, id).await?;
            let text = format!("Revoked the stream key of {} ({id}).", key.key.path);
            out.thing(&StreamKeyView::from(key), || text)
        }
    }
}

async fn find(keys: &StreamKeys, actor: &Actor, wanted: &str) -> anyhow::Result<StreamKeyId> {
    if let Ok(id) = wanted.parse::<StreamKeyId>() {
        return Ok(id);
    }
    let mut usable = Vec::new();
    if let Ok(path) = StreamPath::parse(wanted) {
        let filter = KeyFilter { path: Some(path), ..KeyFilter::default() };
        let mut pages = Pages::new(actor.clone(), filter, Page::default());
        while !pages.is_over() {
            usable.extend(pages.next(keys).await?.into_iter().filter(|now| now.key.is_usable(now.at)));
        }
    }
    match usable.as_slice() {
        [only] => Ok(only.key.id),
        _ => bail!("no usable stream key has the path {wanted:?}; name it by its id (streamward key list)"),
    }
}

/// Prints the settings of all media servers, or of the one with this name.
fn print_secret(
    out: &mut Output,
    done: &str,
    server: Option<&str>,
    made: KeyWithSecret,
) -> anyhow::Result<()> {
    let (text, secret) = (describe(done, &made, server), made.secret.expose().to_owned());
    let mut json = with_nulls(&NewStreamKey::from(made));
    let bearer = |whip: &mut Value| *whip = json!({"url": whip.take(), "bearer_token": secret});
    if let Some(whip) = json.pointer_mut("/ingest/whip") {
        bearer(whip);
    }
    let servers = json.pointer_mut("/ingest/by_media_server").and_then(Value::as_object_mut);
    for urls in servers.into_iter().flat_map(serde_json::Map::values_mut) {
        if let Some(whip) = urls.pointer_mut("/whip") {
            bearer(whip);
        }
    }
    out.thing(&json, || text)
}

/// Refuses a name that is not configured, before anything is made.
fn known_server(keys: &StreamKeys, named: Option<&str>) -> anyhow::Result<()> {
    let known: Vec<&str> = keys.media_servers().map(MediaServerName::as_str).collect();
    match named {
        Some(named) if !known.contains(&named) => {
            bail!("no media server is called {named:?}: the configuration has {}", known.join(", "))
        }
        _ => Ok(()),
    }
}

/// The settings for encoders, and the URLs for viewers.
fn describe(done: &str, made: &KeyWithSecret, server: Option<&str>) -> String {
    let secret = made.secret.expose();
    let key = &made.key;
    let until = key.expires_at.map(|at| format!(", valid until {at}")).unwrap_or_default();
    let head = format!(
        "{done} the stream key of {} ({}){until}. It is shown this once:\n\n  {secret}\n",
        key.path, key.id
    );
    let shown = made.servers.iter().filter(|urls| server.is_none_or(|name| urls.server.as_str() == name));
    let shown: Vec<String> = shown
        .map(|urls| {
            let title = format!("\nOn the media server {}\n", urls.server);
            let title = if made.servers.len() > 1 { title } else { String::new() };
            title + &settings(urls, secret)
        })
        .collect();
    format!("{head}{}", shown.concat())
}

/// The settings of one media server.
fn settings(ServerUrls { ingest, playback, .. }: &ServerUrls, secret: &str) -> String {
    let IngestUrls { obs_server, obs_stream_key, rtmp, rtmp_secret_path, srt, rtsp, whip } = ingest;
    let PlaybackUrls { hls, flv, webrtc, rtsp: watch_rtsp, .. } = playback;
    let line = |name: &str, url: &Option<String>| {
        url.as_ref().map(|url| format!("  {name:<12}{url}\n")).unwrap_or_default()
    };
    let (watch_flv, watch_rtsp) = (line("HTTP-FLV", flv), line("RTSP", watch_rtsp));
    let token = if whip.contains(secret) { "" } else { "              with the key as bearer token\n" };
    format!(
        "\nOBS: Settings, Stream, Service \"Custom…\"\n  Server      {obs_server}\n  Stream Key  {obs_stream_key}\n\
         \nOther encoders, one of\n  RTMP        {rtmp}\n  SRT         {srt}\n{}  WHIP        {whip}\n{token}\
         \nEncoders that take a key and nothing else\n  RTMP        {rtmp_secret_path}\n\
         \nViewers (no secret in these)\n  HLS         {hls}\n{watch_flv}  WebRTC      {webrtc}\n{watch_rtsp}",
        line("RTSP", rtsp),
    )
}

//! `streamward key …`

use std::collections::HashMap;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{Api, Query, at, object};
use super::broadcaster::{self, BROADCASTER};
use super::failure::not_found;
use super::until::Until;
use super::{Failure, Output, list_output};
use crate::adapters::views::{BroadcasterView, MediaServerView, NewStreamKey, StreamKeyView};
use crate::domain::path::StreamPath;

const PATH: &str = "/stream-keys";
const LIST: &str = "stream_keys";

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
        /// Who may watch: everybody, or who has a playback token; without it, as playback.access says
        #[arg(long, value_name = "ACCESS", value_parser = ["public", "token"])]
        playback: Option<String>,
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
    /// Change who may watch the path of a key
    Update {
        /// Its id or path
        key: String,
        /// Everybody, who has a playback token, or as playback.access says
        #[arg(long, value_name = "ACCESS", value_parser = ["public", "token", "installation"])]
        playback: String,
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
pub async fn run(api: &Api, command: &KeyCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { broadcaster, path, label, until, takeover, playback, server } => {
            known_server(api, server.as_deref()).await?;
            let broadcaster = broadcaster::find(api, broadcaster).await?;
            let draft = object([
                ("broadcaster_id", Some(at(&broadcaster, "/id").into())),
                ("path", path.as_ref().map(|path| json!(path))),
                ("label", label.as_ref().map(|label| json!(label))),
                ("expires_at", until.expires_at(api.now())),
                ("on_conflict", takeover.then(|| json!("takeover"))),
                ("playback_access", playback.as_ref().map(|access| json!(access))),
            ]);
            let made = api.post::<NewStreamKey>(PATH, Some(&draft)).await?;
            print_secret(out, "Created", server.as_deref(), made)
        }
        KeyCommand::List { broadcaster } => list(api, broadcaster.as_deref(), out).await,
        KeyCommand::Show { key } => {
            let found = api.get::<StreamKeyView>(format!("{PATH}/{}", find(api, key).await?)).await?;
            out.thing(&found, || {
                let fields = found.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
                let line = |(name, value): (&String, &Value)| {
                    format!("{name:<16}{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                };
                fields.map(line).collect::<Vec<_>>().join("\n")
            })
        }
        KeyCommand::Update { key, playback } => {
            let one = format!("{PATH}/{}", find(api, key).await?);
            let key = api.patch::<StreamKeyView>(one, &json!({"playback_access": playback})).await?;
            out.thing(&key, || {
                format!("Who may watch {} is now: {playback} ({}).", at(&key, "/path"), at(&key, "/id"))
            })
        }
        KeyCommand::Rotate { key, server } => {
            known_server(api, server.as_deref()).await?;
            let path = format!("{PATH}/{}/rotate", find(api, key).await?);
            print_secret(out, "Rotated", server.as_deref(), api.post::<NewStreamKey>(path, None).await?)
        }
        KeyCommand::Revoke { key } => {
            let one = format!("{PATH}/{}", find(api, key).await?);
            api.delete(one.clone()).await?;
            let key = api.get::<StreamKeyView>(one).await?;
            out.thing(&key, || {
                format!("Revoked the stream key of {} ({}).", at(&key, "/path"), at(&key, "/id"))
            })
        }
    }
}

async fn list(api: &Api, broadcaster: Option<&str>, out: &mut Output) -> anyhow::Result<()> {
    let (mut names, mut query) = (HashMap::new(), Query::default());
    if let Some(wanted) = broadcaster {
        let found = broadcaster::find(api, wanted).await?;
        query = query.with("broadcaster_id", Some(at(&found, "/id")));
        names.insert(at(&found, "/id"), at(&found, "/display_name"));
    } else if !out.is_json() {
        let mut pages = api.pages::<BroadcasterView>(BROADCASTER.list, BROADCASTER.path, &Query::default());
        while let Some(rows) = pages.next().await? {
            names.extend(rows.iter().map(|row| (at(row, "/id"), at(row, "/display_name"))));
        }
    }
    let complete = |row: &mut Value| {
        let id = at(row, "/broadcaster_id");
        row["broadcaster"] = names.get(&id).cloned().unwrap_or(id).into();
    };
    let pages = api.pages::<StreamKeyView>(LIST, PATH, &query);
    let columns = ["id", "path", "broadcaster", "status", "in_use", "expires_at"];
    list_output::print_pages(out, (LIST, &columns), pages, complete).await
}

async fn find(api: &Api, wanted: &str) -> anyhow::Result<String> {
    if Uuid::parse_str(wanted).is_ok() {
        return Ok(wanted.to_owned());
    }
    let mut usable = Vec::new();
    if StreamPath::parse(wanted).is_ok() {
        let mut pages = api.pages::<StreamKeyView>(LIST, PATH, &Query::default().with("path", Some(wanted)));
        while let Some(rows) = pages.next().await? {
            usable.extend(rows.iter().filter(|key| key["status"] == "active").map(|key| at(key, "/id")));
        }
    }
    match usable.len() {
        0 => not_found!(
            "no usable stream key has the path {wanted:?}; name it by its id (streamward key list)"
        ),
        1 => Ok(usable.remove(0)),
        many => Err(Failure::Conflict(format!(
            "{many} usable stream keys have the path {wanted:?}: name one by its id, {}",
            usable.join(" or ")
        ))
        .into()),
    }
}

/// Prints the settings of all media servers, or of the one with this name.
fn print_secret(out: &mut Output, done: &str, server: Option<&str>, mut made: Value) -> anyhow::Result<()> {
    let (text, secret) = (describe(done, &made, server), at(&made, "/key_value"));
    let bearer = |urls: &mut Value| {
        if let Some(whip) = urls.get_mut("whip").filter(|whip| whip.is_string()) {
            *whip = json!({"url": whip.take(), "bearer_token": secret});
        }
    };
    bearer(&mut made["ingest"]);
    let servers = made.pointer_mut("/ingest/by_media_server").and_then(Value::as_object_mut);
    servers.into_iter().flat_map(serde_json::Map::values_mut).for_each(bearer);
    out.thing(&made, || text)
}

/// Refuses a name that is not configured, before anything is made.
async fn known_server(api: &Api, named: Option<&str>) -> anyhow::Result<()> {
    let Some(named) = named else { return Ok(()) };
    let mut pages = api.pages::<MediaServerView>("media_servers", "/media-servers", &Query::default());
    let mut known = Vec::new();
    while let Some(rows) = pages.next().await? {
        known.extend(rows.iter().map(|row| at(row, "/name")));
    }
    if !known.iter().any(|name| name == named) {
        not_found!("no media server is called {named:?}: the configuration has {}", known.join(", "));
    }
    Ok(())
}

/// The settings for encoders, and the URLs for viewers.
fn describe(done: &str, made: &Value, server: Option<&str>) -> String {
    let until = match at(made, "/expires_at") {
        never if never.is_empty() => never,
        at => format!(", valid until {at}"),
    };
    let (path, id, secret) = (at(made, "/path"), at(made, "/id"), at(made, "/key_value"));
    let mut text =
        format!("{done} the stream key of {path} ({id}){until}. It is shown this once:\n\n  {secret}\n");
    match made.pointer("/ingest/by_media_server").and_then(Value::as_object) {
        Some(servers) => {
            for (name, ingest) in servers.iter().filter(|(name, _)| server.is_none_or(|only| only == *name)) {
                let urls = &made["urls"]["by_media_server"][name];
                text += &format!("\nOn the media server {name}\n{}", settings(ingest, urls, &secret));
            }
        }
        None if made["ingest"].is_object() => text += &settings(&made["ingest"], &made["urls"], &secret),
        None => {}
    }
    text
}

/// The settings of one media server.
fn settings(ingest: &Value, urls: &Value, secret: &str) -> String {
    let line =
        |name: &str, url: &Value| url.as_str().map(|url| format!("  {name:<12}{url}\n")).unwrap_or_default();
    let whip = &ingest["whip"];
    let is_in_it = whip.as_str().is_some_and(|url| url.contains(secret));
    let token = if is_in_it { "" } else { "              with the key as bearer token\n" };
    format!(
        "\nOBS: Settings, Stream, Service \"Custom…\"\n{}{}\nOther encoders, one of\n{}{}{}{}{token}\
         \nEncoders that take a key and nothing else\n{}\nViewers (no secret in these)\n{}{}{}{}",
        line("Server", &ingest["obs"]["server"]),
        line("Stream Key", &ingest["obs"]["stream_key"]),
        line("RTMP", &ingest["rtmp"]),
        line("SRT", &ingest["srt"]),
        line("RTSP", &ingest["rtsp"]),
        line("WHIP", whip),
        line("RTMP", &ingest["rtmp_secret_path"]),
        line("HLS", &urls["hls"]),
        line("HTTP-FLV", &urls["flv"]),
        line("WebRTC", &urls["webrtc"]),
        line("RTSP", &urls["rtsp"]),
    )
}

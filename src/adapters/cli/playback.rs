//! `streamward playback …`

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{Api, Query, array, at, object};
use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::{NewPlaybackTokenView, NewSigningKeyView, PlaybackTokenView, RevokedTokensView};

const PATH: &str = "/playback-tokens";
const LIST: &str = "playback_tokens";

/// Commands about playback tokens.
#[derive(Debug, Subcommand)]
pub enum PlaybackCommand {
    /// Make a token and print ready links; it is shown only once
    Token {
        /// What it opens: paths such as live/alice, or all below one, such as "events/*"
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<String>,
        /// How long it is valid, e.g. 30m; at most 12h
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        expires_in: Duration,
        /// Viewers must have this address, or one of this network
        #[arg(long, value_name = "ADDRESS")]
        address: Option<String>,
        /// How many sessions it allows at the same time
        #[arg(long, value_name = "NUMBER")]
        max_sessions: Option<u32>,
        /// Whose streams it opens
        #[command(flatten)]
        owner: Owner,
    },
    /// List tokens, without the tokens themselves
    List,
    /// Revoke tokens and end their sessions
    Revoke {
        /// The id of a token; or a path, for all that open it; or all below a path ("events/*")
        #[arg(value_name = "ID|PATH")]
        what: String,
    },
    /// Replace the key that signs tokens; it signs an hour later
    RotateKey {
        /// Others may know the old key: sign at once, and refuse all tokens that were made so far
        #[arg(long)]
        at_once: bool,
    },
}

/// Runs the command.
pub async fn run(api: &Api, command: &PlaybackCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        PlaybackCommand::Token { paths, expires_in, address, max_sessions, owner } => {
            let draft = object([
                ("paths", Some(json!(paths))),
                ("ttl_seconds", Some(json!(expires_in.as_secs()))),
                ("address", address.as_ref().map(|address| json!(address))),
                ("max_sessions", max_sessions.map(|most| json!(most))),
                ("organization_id", owner.id(api).await?),
            ]);
            let made = api.post::<NewPlaybackTokenView>(PATH, Some(&draft)).await?;
            out.thing(&made, || describe(&made))
        }
        PlaybackCommand::List => {
            let pages = api.pages::<PlaybackTokenView>(LIST, PATH, &Query::default());
            let columns = ["id", "opens=paths", "status", "expires_at", "address", "max_sessions"];
            list_output::print_pages(out, (LIST, &columns), pages, |_| ()).await
        }
        PlaybackCommand::Revoke { what } if Uuid::parse_str(what).is_ok() => {
            api.delete(format!("{PATH}/{what}")).await?;
            out.thing(&json!({"id": what}), || format!("Revoked playback token {what}."))
        }
        PlaybackCommand::Revoke { what } => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("path", what).finish();
            let revoked = api.delete_for::<RevokedTokensView>(format!("{PATH}?{query}")).await?;
            out.thing(&revoked, || {
                format!("Revoked {} playback tokens that opened {what}.", at(&revoked, "/revoked"))
            })
        }
        PlaybackCommand::RotateKey { at_once } => {
            let how = json!({"at_once": at_once});
            let made = api.post::<NewSigningKeyView>("/playback-keys/rotate", Some(&how)).await?;
            out.thing(&made, || {
                format!("Made key {}. It signs from {} on.", at(&made, "/kid"), at(&made, "/signs_from"))
            })
        }
    }
}

fn describe(made: &Value) -> String {
    let (id, until, token) = (at(made, "/id"), at(made, "/expires_at"), at(made, "/token"));
    let mut text =
        format!("Made playback token {id}, valid until {until}. It is shown this once:\n\n  {token}\n");
    for links in array(made, "/links") {
        let several = links.get("by_media_server").and_then(Value::as_object);
        match several {
            Some(servers) => {
                for (name, urls) in servers {
                    text += &format!("\n{} on the media server {name}\n{}", at(links, "/path"), lines(urls));
                }
            }
            None => text += &format!("\n{}\n{}", at(links, "/path"), lines(links)),
        }
    }
    text
}

fn lines(urls: &Value) -> String {
    let names = [
        ("HLS", "hls"),
        ("HTTP-FLV", "flv"),
        ("WebRTC", "webrtc"),
        ("RTMP", "rtmp"),
        ("RTSP", "rtsp"),
        ("SRT", "srt"),
    ];
    let line = |(name, field): (&str, &str)| Some(format!("  {name:<10}{}\n", urls[field].as_str()?));
    names.into_iter().filter_map(line).collect()
}

//! `streamward clip …`

mod add;
mod bar;
mod named;

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;
use serde_json::Value;

use self::named::{CLIP, find};
use super::api::{Api, Query, array, at};
use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::ClipView;

/// Commands about clips. They accept an id or an exact name.
#[derive(Debug, Subcommand)]
pub enum ClipCommand {
    /// Upload a file and wait until it is prepared
    ///
    /// If that is interrupted, the same command continues: an incomplete upload of the same name and size is resumed. The
    /// running service prepares the file.
    Add {
        /// The file
        file: PathBuf,
        /// Another name for the clip
        #[arg(long)]
        name: Option<String>,
        /// Do not wait until it is prepared
        #[arg(long)]
        no_wait: bool,
        /// Who owns it
        #[command(flatten)]
        owner: Owner,
    },
    /// List all clips
    List,
    /// Show one
    Show {
        /// Its id or name
        clip: String,
    },
    /// Delete it and its files, or end its upload
    Remove {
        /// Its id or name
        clip: String,
    },
}

/// Runs the command.
pub async fn run(api: &Api, command: &ClipCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        ClipCommand::Add { file, name, no_wait, owner } => {
            let owner = owner.id(api).await?;
            let named = (file.as_path(), name.as_deref(), owner.as_ref().and_then(Value::as_str));
            let id = add::upload(api, named, out.is_json()).await?;
            let added = if *no_wait {
                add::read(api, &id).await?
            } else {
                add::wait(api, &id, out.is_json()).await?
            };
            let error =
                Some(at(&added, "/error")).filter(|error| !error.is_empty() && !add::is_to_prepare(&added));
            out.thing(&added, || describe(&added))?;
            error.map_or(Ok(()), |error| bail!("{} cannot be played: {error}", at(&added, "/name")))
        }
        ClipCommand::List => {
            let pages = api.pages::<ClipView>(CLIP.list, CLIP.path, &Query::default());
            let columns = ["id", "name", "state", "progress", "error"];
            list_output::print_pages(out, (CLIP.list, &columns), pages, |_| ()).await
        }
        ClipCommand::Show { clip } => {
            let found = find(api, clip).await?;
            out.thing(&found, || describe(&found))
        }
        ClipCommand::Remove { clip } => {
            let found = find(api, clip).await?;
            api.delete(format!("{}/{}", CLIP.path, at(&found, "/id"))).await?;
            out.thing(&found, || format!("Deleted clip {}.", at(&found, "/name")))
        }
    }
}

fn describe(clip: &Value) -> String {
    let field = |name: &str| at(clip, name);
    let number = |json: &Value, name: &str| json[name].as_f64().unwrap_or_default();
    let mut lines = vec![field("/name"), format!("  id          {}", field("/id"))];
    let error = clip["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
    lines.push(format!("  state       {}{error}", field("/state")));
    if clip["probe"].is_object() {
        let (video, audio) = (&clip["probe"]["video"], &clip["probe"]["audio"]);
        lines.push(if video.is_object() {
            let (codec, width, height) = (at(video, "/codec"), at(video, "/width"), at(video, "/height"));
            format!("  picture     {codec} {width}x{height}, {:.2} fps", number(video, "fps"))
        } else {
            "  picture     none".to_owned()
        });
        lines.push(if audio.is_object() {
            let (codec, rate, channels) = (at(audio, "/codec"), at(audio, "/rate"), at(audio, "/channels"));
            format!("  sound       {codec} {rate} Hz, {channels} channels")
        } else {
            "  sound       none: it gets silence".to_owned()
        });
    }
    for made in array(clip, "/renditions") {
        let result = if made["ready"] == true {
            format!("{:.1} s, {:.1} MB", number(made, "duration_ms") / 1e3, number(made, "size") / 1e6)
        } else {
            "not made yet".to_owned()
        };
        let (width, height, fps) = (at(made, "/width"), at(made, "/height"), at(made, "/fps"));
        lines.push(format!("  prepared    {width}x{height}, {fps} fps: {result}"));
    }
    let channels = array(clip, "/in_use_by").iter().filter_map(Value::as_str);
    lines.extend(channels.map(|channel| format!("  in use by   channel {channel}")));
    lines.push(format!("  created     {}", field("/created_at")));
    lines.join("\n")
}

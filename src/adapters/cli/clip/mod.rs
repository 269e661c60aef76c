//! `streamward clip …`

mod add;
mod bar;
mod search;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Subcommand;

use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::ClipView;
use crate::app::clip::{ClipInUse, Clips};
use crate::app::list::Pages;
use crate::app::organization::Organizations;
use crate::domain::access::Actor;
use crate::domain::page::Page;
use search::find;

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
pub async fn run(
    (clips, organizations): (&Arc<Clips>, &Organizations),
    command: &ClipCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        ClipCommand::Add { file, name, no_wait, owner } => {
            let actor = Actor::cli("clip add");
            let owner = owner.id(organizations, &actor).await?;
            let named = (file.as_path(), name.as_deref(), owner.as_deref());
            let id = add::upload(clips, &actor, named, out.is_json()).await?;
            let added = if *no_wait {
                clips.get(&actor, id).await?
            } else {
                add::wait(clips, &actor, id, out.is_json()).await?
            };
            let error = added.clip.error().filter(|_| !added.clip.is_to_prepare()).map(str::to_owned);
            let (name, text) = (added.clip.name.to_string(), describe(&added));
            out.thing(&ClipView::from(added), || text)?;
            error.map_or(Ok(()), |error| bail!("{name} cannot be played: {error}"))
        }
        ClipCommand::List => {
            let pages = Pages::new(Actor::cli("clip list"), (), Page::default());
            let columns = ["id", "name", "state", "progress", "error"];
            list_output::print(out, ("clips", &columns), (&**clips, pages), ClipView::from).await
        }
        ClipCommand::Show { clip } => {
            let actor = Actor::cli("clip show");
            let found = find(clips, &actor, clip).await?;
            let text = describe(&found);
            out.thing(&ClipView::from(found), || text)
        }
        ClipCommand::Remove { clip } => {
            let actor = Actor::cli("clip remove");
            let found = find(clips, &actor, clip).await?;
            clips.delete(&actor, found.clip.id).await?;
            let text = format!("Deleted clip {}.", found.clip.name);
            out.thing(&ClipView::from(found), || text)
        }
    }
}

fn describe(ClipInUse { clip, in_use_by }: &ClipInUse) -> String {
    let mut lines = vec![clip.name.to_string(), format!("  id          {}", clip.id)];
    let error = clip.error().map(|error| format!(": {error}")).unwrap_or_default();
    lines.push(format!("  state       {}{error}", clip.state.name()));
    if let Some(probe) = &clip.probe {
        let video = probe
            .video
            .as_ref()
            .map(|it| format!("{} {}x{}, {:.2} fps", it.codec, it.width, it.height, it.fps));
        let audio =
            probe.audio.as_ref().map(|it| format!("{} {} Hz, {} channels", it.codec, it.rate, it.channels));
        lines.push(format!("  picture     {}", video.unwrap_or_else(|| "none".into())));
        lines.push(format!("  sound       {}", audio.unwrap_or_else(|| "none: it gets silence".into())));
    }
    for rendition in &clip.renditions {
        let video = &rendition.profile.video;
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
        let made = rendition.file.map_or_else(
            || "not made yet".to_owned(),
            |file| format!("{:.1} s, {:.1} MB", file.duration_ms as f64 / 1e3, file.size as f64 / 1e6),
        );
        lines.push(format!("  prepared    {}x{}, {} fps: {made}", video.width, video.height, video.fps));
    }
    for channel in in_use_by {
        lines.push(format!("  in use by   channel {channel}"));
    }
    lines.push(format!("  created     {}", clip.created_at));
    lines.join("\n")
}

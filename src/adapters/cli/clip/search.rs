//! Finds clips by what a person names.

use anyhow::{Context as _, bail};

use crate::app::AppError;
use crate::app::clip::{ClipInUse, Clips};
use crate::app::list::Pages;
use crate::domain::access::Actor;
use crate::domain::clip::{Clip, ClipId};
use crate::domain::page::Page;

/// All clips that pass a filter.
pub(super) async fn all(
    clips: &Clips,
    actor: &Actor,
    passes: impl Fn(&Clip) -> bool,
) -> anyhow::Result<Vec<ClipInUse>> {
    let (mut found, mut pages) = (Vec::new(), Pages::new(actor.clone(), (), Page::default()));
    while !pages.is_over() {
        found.extend(pages.next(clips).await?.into_iter().filter(|one| passes(&one.clip)));
    }
    Ok(found)
}

/// The clip with this id, or the only one with this name.
pub(super) async fn find(clips: &Clips, actor: &Actor, wanted: &str) -> anyhow::Result<ClipInUse> {
    if let Ok(id) = wanted.parse::<ClipId>() {
        return Ok(clips.get(actor, id).await?);
    }
    let mut named = all(clips, actor, |clip| clip.name.as_str() == wanted).await?;
    match named.len() {
        0 => Err(AppError::NotFound("clip")).with_context(|| format!("cannot find {wanted:?}")),
        1 => Ok(named.remove(0)),
        many => {
            let ids: Vec<String> = named.iter().map(|one| one.clip.id.to_string()).collect();
            bail!("{many} clips are called {wanted:?}: name one by its id, {}", ids.join(" or "))
        }
    }
}

//! Playlists in the arguments of `channel update`.

use anyhow::{Context as _, bail};

use crate::app::channel::{PlaylistDraft, SlotDraft};
use crate::app::clip::{ClipInUse, Clips};
use crate::app::list::Pages;
use crate::domain::access::Actor;
use crate::domain::channel::{Backup, ClipId};
use crate::domain::page::Page;

/// The playlist of a channel with other clips, other slots, or another time of change, as far as they are given.
pub(super) fn changed(
    backup: &Backup,
    (clips, slots, change): (&Option<Vec<String>>, &Option<Vec<String>>, &Option<String>),
) -> anyhow::Result<PlaylistDraft> {
    let mut draft = match backup {
        Backup::Playlist(playlist) => PlaylistDraft::from(playlist),
        // It is refused with the reason.
        Backup::Stream(_) => PlaylistDraft::default(),
    };
    if let Some(clips) = clips {
        draft.clips.clone_from(clips);
    }
    match slots.as_deref() {
        None => {}
        Some([none]) if none == "none" => draft.schedule.clear(),
        Some(slots) => draft.schedule = slots.iter().map(|text| slot(text)).collect::<Result<_, _>>()?,
    }
    if change.is_some() {
        draft.change.clone_from(change);
    }
    Ok(draft)
}

/// The ids of clips that are given by id or by name.
pub(super) async fn ids(clips: &Clips, actor: &Actor, wanted: &[String]) -> anyhow::Result<Vec<String>> {
    let is_id = |text: &String| text.parse::<ClipId>().is_ok();
    if wanted.iter().all(is_id) {
        return Ok(wanted.to_vec());
    }
    let (mut all, mut pages) = (Vec::<ClipInUse>::new(), Pages::new(actor.clone(), (), Page::default()));
    while !pages.is_over() {
        all.extend(pages.next(clips).await?);
    }
    let id_of = |text: &String| {
        if is_id(text) {
            return Ok(text.clone());
        }
        let named: Vec<String> = all
            .iter()
            .filter(|one| one.clip.name.as_str() == text)
            .map(|one| one.clip.id.to_string())
            .collect();
        match &named[..] {
            [id] => Ok(id.clone()),
            [] => bail!("no clip is called {text:?} (see streamward clip list)"),
            _ => {
                bail!("{} clips are called {text:?}: name one by its id, {}", named.len(), named.join(" or "))
            }
        }
    };
    wanted.iter().map(id_of).collect()
}

fn slot(text: &str) -> anyhow::Result<SlotDraft> {
    let [times, days, time_zone, clips @ ..] = &text.split_whitespace().collect::<Vec<_>>()[..] else {
        bail!("a slot must be like \"18:00-20:00 sun,mon Asia/Kolkata ID ID\", got {text:?}");
    };
    let (from, to) = times
        .split_once('-')
        .with_context(|| format!("the times of a slot must be like 18:00-20:00, got {times:?}"))?;
    let days = if *days == "daily" { Vec::new() } else { days.split(',').map(str::to_owned).collect() };
    Ok(SlotDraft {
        clips: clips.iter().map(ToString::to_string).collect(),
        from: from.to_owned(),
        to: to.to_owned(),
        days,
        time_zone: (*time_zone).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_times_days_a_time_zone_and_clips() {
        let SlotDraft { clips, from, to, days, time_zone } =
            slot("18:00-20:00 sun,mon Asia/Kolkata a b").unwrap();
        assert_eq!((from.as_str(), to.as_str(), time_zone.as_str()), ("18:00", "20:00", "Asia/Kolkata"));
        assert_eq!((days, clips), (vec!["sun".to_owned(), "mon".into()], vec!["a".to_owned(), "b".into()]));
        assert!(slot("18:00-20:00 daily UTC a").unwrap().days.is_empty());
        for bad in ["", "18:00-20:00", "18:00-20:00 daily", "18:00 daily UTC a"] {
            assert!(slot(bad).is_err(), "{bad}");
        }
    }
}

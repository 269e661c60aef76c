//! Playlists in the arguments of `channel update`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::adapters::cli::Failure;
use crate::adapters::cli::api::{Api, Query, at};
use crate::adapters::cli::failure::usage;
use crate::adapters::views::ClipView;

/// The playlist of a channel with other clips, other slots, or another time of change, as far as they are given.
pub(super) async fn changed(
    api: &Api,
    backup: &Value,
    (clips, slots, change): (&Option<Vec<String>>, &Option<Vec<String>>, &Option<String>),
) -> anyhow::Result<Value> {
    let mut draft = match &backup["playlist"] {
        // It is refused with the reason.
        Value::Null => json!({"clips": []}),
        playlist => playlist.clone(),
    };
    let slots: Option<Vec<_>> = match slots.as_deref() {
        None => None,
        Some([none]) if none == "none" => Some(Vec::new()),
        Some(slots) => Some(slots.iter().map(|text| slot(text)).collect::<anyhow::Result<_>>()?),
    };
    // All names are looked up at once.
    let of_slots = slots.iter().flatten().flat_map(|(clips, _)| clips);
    let named: Vec<String> = clips.iter().flatten().chain(of_slots).cloned().collect();
    let mut ids = ids(api, &named).await?.into_iter();
    let mut next = |clips: &[String]| json!(ids.by_ref().take(clips.len()).collect::<Vec<_>>());
    if let Some(clips) = clips {
        draft["clips"] = next(clips);
    }
    if let Some(slots) = slots {
        let mut schedule = Vec::new();
        for (clips, mut slot) in slots {
            slot["clips"] = next(&clips);
            schedule.push(slot);
        }
        draft["schedule"] = json!(schedule);
    }
    if let Some(change) = change {
        draft["change"] = json!(change);
    }
    Ok(draft)
}

/// The ids of clips that are given by id or by name.
async fn ids(api: &Api, wanted: &[String]) -> anyhow::Result<Vec<String>> {
    let is_id = |text: &String| Uuid::parse_str(text).is_ok();
    if wanted.iter().all(is_id) {
        return Ok(wanted.to_vec());
    }
    let (mut all, mut pages) = (Vec::new(), api.pages::<ClipView>("clips", "/clips", &Query::default()));
    while let Some(rows) = pages.next().await? {
        all.extend(rows.iter().map(|clip| (at(clip, "/name"), at(clip, "/id"))));
    }
    let id_of = |text: &String| {
        if is_id(text) {
            return Ok(text.clone());
        }
        let named = all.iter().filter(|(name, _)| name == text);
        match named.map(|(_, id)| id.clone()).collect::<Vec<_>>().as_slice() {
            [id] => Ok(id.clone()),
            [] => {
                Err(Failure::NotFound(format!("no clip is called {text:?} (see streamward clip list)"))
                    .into())
            }
            ids => Err(Failure::Conflict(format!(
                "{} clips are called {text:?}: name one by its id, {}",
                ids.len(),
                ids.join(" or ")
            ))
            .into()),
        }
    };
    wanted.iter().map(id_of).collect()
}

/// The clips of a slot, as they are named, and the rest of it.
fn slot(text: &str) -> anyhow::Result<(Vec<String>, Value)> {
    let [times, days, time_zone, clips @ ..] = &text.split_whitespace().collect::<Vec<_>>()[..] else {
        usage!("a slot must be like \"18:00-20:00 sun,mon Asia/Kolkata ID ID\", got {text:?}");
    };
    let Some((from, to)) = times.split_once('-') else {
        usage!("the times of a slot must be like 18:00-20:00, got {times:?}");
    };
    let days: Vec<&str> = if *days == "daily" { Vec::new() } else { days.split(',').collect() };
    let clips = clips.iter().map(ToString::to_string).collect();
    Ok((clips, json!({"from": from, "to": to, "days": days, "time_zone": time_zone})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_times_days_a_time_zone_and_clips() {
        let parsed = slot("18:00-20:00 sun,mon Asia/Kolkata a b").unwrap();
        let expected = json!({
            "from": "18:00", "to": "20:00", "days": ["sun", "mon"], "time_zone": "Asia/Kolkata",
        });
        assert_eq!(parsed, (vec!["a".to_owned(), "b".to_owned()], expected));
        assert_eq!(slot("18:00-20:00 daily UTC a").unwrap().1["days"], json!([]));
        for bad in ["", "18:00-20:00", "18:00-20:00 daily", "18:00 daily UTC a"] {
            assert!(slot(bad).is_err(), "{bad}");
        }
    }
}

//! `streamward clip add`: uploads a file by the tus protocol, and waits until the running service has prepared it.

use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::{Instant, sleep};

use super::bar::Bar;
use super::named::CLIP;
use crate::adapters::cli::api::{Api, ApiAnswer, ApiRequest, Query, at};
use crate::adapters::cli::failure::{Failure, usage};
use crate::adapters::views::ClipView;
use crate::domain::OrganizationId;

/// How much is sent at once: also what is sent again if the connection breaks.
const PART: u64 = 8 * 1024 * 1024;
/// How often the state of a clip is read.
const POLL: Duration = Duration::from_millis(300);
/// After this long in the queue, the user is told who prepares clips.
const PATIENCE: Duration = Duration::from_secs(10);
const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");

/// Uploads a file, or the rest of it. Returns the id of the clip.
pub(super) async fn upload(
    api: &Api,
    (path, name, owner): (&Path, Option<&str>, Option<&str>),
    quiet: bool,
) -> anyhow::Result<String> {
    let shown = path.display();
    let mut file = File::open(path).await.with_context(|| format!("{shown} cannot be read"))?;
    let found = file.metadata().await.with_context(|| format!("{shown} cannot be read"))?;
    if !found.is_file() {
        usage!("{shown} is not a file");
    }
    let size = found.len();
    if size == 0 {
        usage!("{shown} is empty");
    }
    let Some(name) = name.or_else(|| path.file_name()?.to_str()) else {
        usage!("the name of the file is not UTF-8: give --name");
    };
    let (id, mut offset) = begin(api, (name, owner), size).await?;
    let mut bar = Bar::new(quiet);
    if offset > 0 && offset < size {
        bar.say(&format!("Continuing the upload of {name} at byte {offset}."));
    }
    file.seek(SeekFrom::Start(offset)).await?;
    while offset < size {
        let wanted = PART.min(size - offset);
        let mut part = Vec::new();
        (&mut file)
            .take(wanted)
            .read_to_end(&mut part)
            .await
            .with_context(|| format!("{shown} cannot be read"))?;
        if part.len() as u64 != wanted {
            bail!("{shown} has become shorter while it was uploaded");
        }
        let headers = vec![
            (VERSION.0, VERSION.1.to_owned()),
            ("upload-offset", offset.to_string()),
            ("content-type", "application/offset+octet-stream".to_owned()),
        ];
        let target = format!("{}/{id}", CLIP.path);
        let stored =
            api.call(ApiRequest { method: "PATCH", target, headers, part, ..ApiRequest::default() }).await?;
        offset = stored_of(&stored)?;
        bar.draw("uploading", share(offset, size));
    }
    Ok(id)
}

/// An incomplete upload of this name and size, or a new one; and how much of it is stored.
async fn begin(api: &Api, (name, owner): (&str, Option<&str>), size: u64) -> anyhow::Result<(String, u64)> {
    let wanted = owner.map_or_else(|| OrganizationId::DEFAULT.to_string(), str::to_owned);
    let mut pages = api.pages::<ClipView>(CLIP.list, CLIP.path, &Query::default());
    while let Some(rows) = pages.next().await? {
        for clip in rows {
            let is_uploading = clip["state"] == "uploading" && clip["size"] == size;
            if !is_uploading || clip["name"] != name || at(&clip, "/organization_id") != wanted {
                continue;
            }
            let id = at(&clip, "/id");
            let target = format!("{}/{id}", CLIP.path);
            let headers = vec![(VERSION.0, VERSION.1.to_owned())];
            // One that cannot be continued expires by itself.
            let call = ApiRequest { method: "HEAD", target, headers, ..ApiRequest::default() };
            if let Ok(found) = api.call(call).await {
                return Ok((id, stored_of(&found)?));
            }
        }
    }
    let pair = |name: &str, value: &str| format!("{name} {}", STANDARD.encode(value));
    let owner = owner.map(|owner| format!(",{}", pair("organization_id", owner))).unwrap_or_default();
    let headers = vec![
        (VERSION.0, VERSION.1.to_owned()),
        ("upload-length", size.to_string()),
        ("upload-metadata", pair("filename", name) + &owner),
    ];
    let call = ApiRequest { method: "POST", target: CLIP.path.into(), headers, ..ApiRequest::default() };
    let made = api.call(call).await?;
    let id = made.header("location").and_then(|place| place.rsplit('/').next());
    Ok((id.context("the answer to the upload has no Location")?.to_owned(), 0))
}

fn stored_of(answer: &ApiAnswer) -> anyhow::Result<u64> {
    let offset = answer.header("upload-offset").and_then(|offset| offset.parse().ok());
    offset.context("the answer to the upload has no Upload-Offset")
}

/// Reads a clip.
pub(super) async fn read(api: &Api, id: &str) -> Result<Value, Failure> {
    api.get::<ClipView>(format!("{}/{id}", CLIP.path)).await
}

/// Whether the service has work to do on it.
pub(super) fn is_to_prepare(clip: &Value) -> bool {
    ["queued", "probing", "normalizing"].contains(&at(clip, "/state").as_str())
}

/// Waits until the clip is prepared, or cannot be.
pub(super) async fn wait(api: &Api, id: &str, quiet: bool) -> Result<Value, Failure> {
    let (mut bar, mut reminder) = (Bar::new(quiet), Some(Instant::now() + PATIENCE));
    loop {
        let clip = read(api, id).await?;
        if !is_to_prepare(&clip) {
            return Ok(clip);
        }
        let state = at(&clip, "/state");
        if state != "queued" {
            reminder = None;
        }
        if reminder.is_some_and(|at| Instant::now() >= at) {
            reminder = None;
            let why = clip["error"].as_str();
            let why = why.unwrap_or("the service prepares clips: see that `streamward serve` runs");
            bar.say(&format!("{} waits: {why}. (Ctrl-C ends only this command.)", at(&clip, "/name")));
        }
        bar.draw(&state, clip["progress"].as_f64().unwrap_or_default());
        sleep(POLL).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

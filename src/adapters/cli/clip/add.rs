//! `streamward clip add`: uploads a file to the media folder, and waits until the running service has prepared it.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::time::{Instant, sleep};

use super::bar::Bar;
use super::search::all;
use crate::app::clip::{ClipInUse, Clips};
use crate::domain::OrganizationId;
use crate::domain::access::Actor;
use crate::domain::clip::{Clip, ClipId, ClipName, ClipState};

/// How much is read at once.
const BLOCK: usize = 1024 * 1024;
/// How often the state of a clip is read.
const POLL: Duration = Duration::from_millis(300);
/// After this long in the queue, the user is told who prepares clips.
const PATIENCE: Duration = Duration::from_secs(10);

/// Uploads a file, or the rest of it. Returns the clip.
pub(super) async fn upload(
    clips: &Arc<Clips>,
    actor: &Actor,
    (path, name, owner): (&Path, Option<&str>, Option<&str>),
    quiet: bool,
) -> anyhow::Result<ClipId> {
    let shown = path.display();
    let mut file = File::open(path).await.with_context(|| format!("{shown} cannot be read"))?;
    let found = file.metadata().await.with_context(|| format!("{shown} cannot be read"))?;
    if !found.is_file() {
        bail!("{shown} is not a file");
    }
    if found.len() == 0 {
        bail!("{shown} is empty");
    }
    let name = name
        .or_else(|| path.file_name()?.to_str())
        .context("the name of the file is not UTF-8: give --name")?;
    let name = ClipName::parse(name)?;
    let clip = begin(clips, (actor, owner), &name, found.len()).await?;
    let ClipState::Uploading { offset, .. } = clip.state else { return Ok(clip.id) };
    let mut bar = Bar::new(quiet);
    if offset > 0 {
        bar.say(&format!("Continuing the upload of {name} at byte {offset}."));
    }
    file.seek(SeekFrom::Start(offset)).await?;
    let mut append = clips.append(actor, clip.id, offset).await?;
    let mut block = vec![0; BLOCK];
    while append.remaining() > 0 {
        let count = file.read(&mut block).await.with_context(|| format!("{shown} cannot be read"))?;
        let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else {
            append.acknowledge().await?;
            bail!("{shown} has become shorter while it was uploaded");
        };
        let fits = usize::try_from(append.remaining()).unwrap_or(usize::MAX);
        append.write(read.get(..fits).unwrap_or(read)).await?;
        bar.draw("uploading", share(clip.size - append.remaining(), clip.size));
    }
    append.acknowledge().await?;
    Ok(clip.id)
}

/// An incomplete upload of this name and size, or a new one.
async fn begin(
    clips: &Arc<Clips>,
    (actor, owner): (&Actor, Option<&str>),
    name: &ClipName,
    size: u64,
) -> anyhow::Result<Clip> {
    let wanted = owner.map_or_else(|| OrganizationId::DEFAULT.to_string(), str::to_owned);
    let is_same = |clip: &Clip| {
        let is_uploading = matches!(clip.state, ClipState::Uploading { .. });
        let is_named = clip.name == *name && clip.organization_id.to_string() == wanted;
        is_uploading && is_named && clip.size == size
    };
    for one in all(clips, actor, is_same).await? {
        // One that cannot be continued expires by itself.
        if let Ok(clip) = clips.upload(actor, one.clip.id).await {
            return Ok(clip);
        }
    }
    Ok(clips.create_upload(actor, owner, name.as_str(), size).await?)
}

/// Waits until the clip is prepared, or cannot be.
pub(super) async fn wait(clips: &Clips, actor: &Actor, id: ClipId, quiet: bool) -> anyhow::Result<ClipInUse> {
    let (mut bar, mut reminder) = (Bar::new(quiet), Some(Instant::now() + PATIENCE));
    loop {
        let found = clips.get(actor, id).await?;
        if !found.clip.is_to_prepare() {
            return Ok(found);
        }
        if found.clip.is_at_work() {
            reminder = None;
        }
        if reminder.is_some_and(|at| Instant::now() >= at) {
            reminder = None;
            let why =
                found.clip.error().unwrap_or("the service prepares clips: see that `streamward serve` runs");
            bar.say(&format!("{} waits: {why}. (Ctrl-C ends only this command.)", found.clip.name));
        }
        bar.draw(found.clip.state.name(), found.clip.progress());
        sleep(POLL).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

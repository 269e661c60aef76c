//! Checks of channels and clips: the programs and the folder that clips need, the media server's address for media, and the
//! keys and destinations of each channel.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::Findings;
use super::service::now;
use super::store::Records;
use crate::app::channel::unusable_keys;
use crate::domain::StreamKeyId;
use crate::domain::access::Scope;
use crate::domain::channel::{
    Backup, Channel, Engine, Mismatch, OutputId, OutputState, ProgrammeStatus, PushUrl,
};
use crate::domain::page::Page;
use crate::ports::{ClipStore as _, ProgrammeStore as _, StoreError, StoredProgramme, StreamKeyStore as _};
use crate::runtime::clip;
use crate::runtime::config::{Config, MediaServer, MediaServerKind};
use crate::runtime::outside::destination_probe;

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// With less room, clips are neither taken nor prepared.
const NO_ROOM: u64 = 256 * 1024 * 1024;
/// With less room, that will soon be so.
const LITTLE_ROOM: u64 = 2 * 1024 * 1024 * 1024;
/// A status that is older than this was not written by a running programme.
const STALE: Duration = Duration::from_secs(10);

/// Checks them. `running`: whether the service answers on this machine.
pub(super) async fn examine(
    config: &Config,
    records: Option<&Records>,
    running: bool,
    findings: &mut Findings,
) {
    let Some(records) = records else { return };
    let found = read(records).await;
    let (channels, has_clips) = match found {
        Ok(found) => found,
        Err(error) => return findings.failure("channels", error, "see the check of the database above"),
    };
    let uses_ffmpeg = |one: &StoredProgramme| {
        let mut destinations = one.destinations.iter();
        one.channel.mismatch == Mismatch::Transcode
            || destinations.any(|(one, _)| one.url.as_str().starts_with("srt:"))
    };
    let has_work = config.media.jobs > 0 && has_clips;
    if config.media.jobs > 0 || config.channels.enabled {
        programs(has_work || channels.iter().any(uses_ffmpeg), findings).await;
        folder(&config.media_dir(), has_clips && config.media.url.is_none(), findings);
    }
    bucket(config, findings).await;
    if channels.is_empty() {
        return;
    }
    if config.channels.enabled {
        media_server(config, findings).await;
    }
    let is_mediamtx = chosen(config).is_none_or(|server| server.kind == MediaServerKind::Mediamtx);
    for one in &channels {
        if one.channel.engine == Engine::MediaServer && !is_mediamtx {
            let found = "its engine is media_server, but the media server of channels is not MediaMTX";
            let advice = "create it again with the engine mixer, or set channels.media_server to a MediaMTX";
            findings.failure(format!("channel {}", one.channel.name), found, advice);
        }
        channel(records, one, running.then_some(config.channels.enabled), findings).await;
    }
}

/// The enabled channels, and whether there are clips.
async fn read(records: &Records) -> Result<(Vec<StoredProgramme>, bool), StoreError> {
    let mut channels = Vec::new();
    for id in records.store.enabled_channels().await? {
        channels.extend(records.store.programme(id).await?);
    }
    Ok((channels, !records.store.clips(&Scope::system(), &Page::first(1)).await?.is_empty()))
}

async fn programs(are_needed: bool, findings: &mut Findings) {
    for program in ["ffmpeg", "ffprobe"] {
        let mut command = Command::new(program);
        command.arg("-version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let version = match timeout(VERSION_LIMIT, command.output()).await {
            Ok(Ok(output)) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                Ok(text.lines().next().unwrap_or_default().to_owned())
            }
            Ok(Ok(output)) => Err(format!("{program} -version ends with {}", output.status)),
            Ok(Err(error)) => Err(format!("{program} cannot be run: {error}")),
            Err(_) => Err(format!("{program} -version does not end within {VERSION_LIMIT:?}")),
        };
        let advice = "install ffmpeg (with ffprobe) on the PATH of the service: it prepares clips, converts live inputs and pushes over SRT";
        match version {
            Ok(version) => findings.good(program, version),
            Err(found) if are_needed => findings.failure(program, found, advice),
            Err(found) => findings.warning(program, found, advice),
        }
    }
}

fn folder(folder: &Path, has_clips: bool, findings: &mut Findings) {
    let (check, place) = ("media folder", folder.display());
    if !folder.exists() {
        return if has_clips {
            let advice = "mount it, or correct media.dir: the files of the clips are there";
            findings.failure(check, format!("{place} does not exist, but there are clips"), advice);
        } else {
            findings.good(check, format!("{place} is made with the first clip"));
        };
    }
    if let Err(error) = tempfile::tempfile_in(folder) {
        let advice = "run the service, and commands about clips, as a user who may write there";
        return findings.failure(check, format!("{place} cannot be written: {error}"), advice);
    }
    let free = match rustix::fs::statvfs(folder) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => return findings.failure(check, format!("{place}: {error}"), "check its disk"),
    };
    let found = format!("{place} can be written, with {} MiB free", free / 1024 / 1024);
    let advice = "delete clips, or move media.dir to a larger disk";
    match free {
        ..NO_ROOM => findings.failure(check, found, advice),
        NO_ROOM..LITTLE_ROOM => findings.warning(check, found, advice),
        _ => findings.good(check, found),
    }
}

/// Writes, reads and removes a file in the bucket of the clips.
async fn bucket(config: &Config, findings: &mut Findings) {
    let check = "bucket of clips";
    match clip::objects(config) {
        Ok(None) => {}
        Err(error) => findings.failure(check, error, "correct the section [media], and the variables AWS_*"),
        Ok(Some(objects)) => match objects.try_all().await {
            Ok(()) => findings.good(check, format!("{} can be listed, written and read", objects.name())),
            Err(error) => {
                let advice =
                    "until then, clips that are not on this machine are not played, and uploads wait here";
                findings.failure(check, error, advice);
            }
        },
    }
}

/// The media server that carries the channels.
fn chosen(config: &Config) -> Option<&MediaServer> {
    let servers = &config.media_servers;
    match &config.channels.media_server {
        Some(name) => servers.get(name),
        None => servers.get(&Default::default()).or_else(|| servers.values().next()),
    }
}

async fn media_server(config: &Config, findings: &mut Findings) {
    let check = "media of channels";
    let Some(server) = chosen(config) else {
        let advice = "set channels.media_server to one of media_servers";
        return findings.failure(check, "there is no media server for channels", advice);
    };
    let address = server.base_urls().rtmp;
    let (Ok(url), Ok(probe)) = (PushUrl::parse(&format!("{address}/live")), destination_probe(config)) else {
        let advice = "set media_servers.<name>.rtmp_url, such as rtmp://127.0.0.1:1935";
        return findings.failure(check, format!("{address:?} is no RTMP address"), advice);
    };
    let failed = probe.probe(&url).await.into_iter().find_map(|step| Some((step.step, step.error?)));
    match failed {
        None => findings.good(check, format!("the media server answers at {address}")),
        Some((step, error)) => {
            let advice = "start the media server, and check media_servers.<name>.rtmp_url: channels read and publish there";
            findings.failure(check, format!("{address} ({step}): {error}"), advice);
        }
    }
}

/// Checks one channel. `may_run`: whether the running service runs channels; `None` if it does not run.
async fn channel(records: &Records, one: &StoredProgramme, may_run: Option<bool>, findings: &mut Findings) {
    let check = format!("channel {}", one.channel.name);
    let mut faults = 0;
    for found in keys(records, &one.channel).await {
        faults += 1;
        findings.failure(
            &check,
            found,
            "delete the channel and create it again: its keys cannot be made again",
        );
    }
    for found in unusable_keys(&records.sealer, one) {
        faults += 1;
        let advice = "use the master key of the first start; or set the key again (streamward destination update … --key-file FILE)";
        findings.failure(&check, found, advice);
    }
    let status = records.store.channel_status(&Scope::system(), one.channel.id).await.ok().flatten();
    let fresh = status.filter(|status| now().since(status.at) <= STALE);
    match &fresh {
        None if may_run == Some(true) => {
            faults += 1;
            let advice = "see `channel:<id>` in GET /tasks, and the log of the service";
            findings.failure(&check, "no instance runs it", advice);
        }
        None if may_run == Some(false) => {
            faults += 1;
            let advice = "set channels.enabled = true on one instance";
            findings.failure(&check, "no instance runs it, and channels.enabled is false here", advice);
        }
        None => {}
        Some(status) => {
            if let Some(why) = status.off_air_reason() {
                faults += 1;
                findings.failure(&check, format!("nothing is on air: {why}"), "see the log of the service");
            }
            faults += destinations(&check, one, status, findings);
        }
    }
    if faults == 0 {
        let on_air = fresh.map_or_else(String::new, |status| format!("; {} is on air", status.on_air));
        findings.good(check, format!("its keys are usable{on_air}"));
    }
}

/// What is wrong with the stream keys of a channel.
async fn keys(records: &Records, channel: &Channel) -> Vec<String> {
    let inputs = &channel.inputs;
    let mut keys: Vec<(&str, StreamKeyId)> =
        vec![("live", inputs.live_key), ("programme", inputs.programme_key)];
    if let Backup::Stream(key) = inputs.backup {
        keys.push(("backup", key));
    }
    let mut found = Vec::new();
    for (name, id) in keys {
        match records.store.stream_key(&Scope::system(), id).await {
            Ok(Some(key)) if key.is_usable(now()) => {}
            Ok(Some(_)) => found.push(format!("its {name} key was revoked or has expired")),
            Ok(None) => found.push(format!("its {name} key does not exist")),
            Err(error) => found.push(format!("its {name} key cannot be read: {error}")),
        }
    }
    found
}

/// Reports the destinations that failed, and counts them.
fn destinations(
    check: &str,
    one: &StoredProgramme,
    status: &ProgrammeStatus,
    findings: &mut Findings,
) -> usize {
    let mut failed = 0;
    for (id, output) in status.outputs.iter().filter(|(_, output)| output.state == OutputState::Failed) {
        let known = one.destinations.iter().find(|(known, _)| OutputId::Destination(known.id) == *id);
        let name = known.map_or("the media server", |(known, _)| known.name.as_str());
        let words = output.last_error.as_deref().unwrap_or("no reason is known");
        failed += 1;
        let advice =
            "check its address and key (streamward destination test, destination update … --key-file FILE)";
        findings.failure(check, format!("{name} failed: {words}"), advice);
    }
    failed
}

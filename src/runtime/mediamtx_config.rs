//! `streamward mediamtx-config`: prints the mediamtx.yml for one of the media servers, or writes it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::bootstrap::Bootstrap;
use super::config::{Loaded, MediaServer, MediaServerKind};
use super::databases::{Purpose, Schema};
use super::media_config::{addresses, install, is_here, local_hooks, write_ours};
use super::outside::connect;
use super::secrets::{control_secret, hook_secret};
use crate::adapters::cli::{MediamtxConfigArgs, Output};
use crate::adapters::mediamtx::config::{ConfigInput, yaml};
use crate::adapters::mediamtx::{Version, binary_version};
use crate::domain::media_server::MediaServerName;

/// Prints the file, or writes it.
pub(super) async fn mediamtx_config(
    loaded: Loaded,
    args: &MediamtxConfigArgs,
    out: &mut Output,
) -> anyhow::Result<()> {
    let name = MediaServerName::parse(&args.server)?;
    let server = loaded.config.media_servers.get(&name).cloned();
    let server = server.with_context(|| {
        let known = loaded.config.media_servers.keys().map(|known| format!("--server {known}"));
        format!(
            "the configuration has no media server {name}: name one of it ({}), or add media_servers.{name}",
            known.collect::<Vec<_>>().join(", ")
        )
    })?;
    ensure!(
        server.kind == MediaServerKind::Mediamtx,
        "the media server {name} is SRS: use `streamward srs-config`, or set media_servers.{name}.kind to mediamtx"
    );
    let base = Bootstrap::open(loaded, Purpose::Command, Schema::Expect).await?;
    let version = version(&base, args, &name, &server).await?;
    let mut setup = ConfigInput {
        streamward: args.url.clone().unwrap_or_else(|| base.config().hooks_url()),
        server: name,
        hook_secret: hook_secret(&base).await?,
        hooks: None,
        addresses: addresses(&server, &args.ports),
    };
    base.databases.close().await;
    note_distance(&server, &setup.streamward, !args.no_hooks && args.install.is_none());
    if let Some(folder) = &args.install {
        let written = install(setup, folder, !args.no_hooks, Some(&version))?;
        let names: Vec<String> = written.iter().map(|file| file.display().to_string()).collect();
        return out.thing(&serde_json::json!({ "written": names }), || format!("Wrote {}", names.join(", ")));
    }
    if !args.no_hooks {
        setup.hooks = Some(local_hooks(&setup, base.config())?);
    }
    let text = yaml(&setup, Some(&version));
    let Some(file) = &args.output else {
        if is_open_to_others() {
            note(
                "warning: the output contains the hook secret, and others may read the file that it goes to: chmod 600 it, or use --output FILE",
            );
        }
        return out.text(&text);
    };
    // A name without a folder is in this one.
    let file = std::path::absolute(file)?;
    let backup = write_ours(&file, &text)?;
    let names: Vec<String> = [file].iter().chain(&backup).map(|file| file.display().to_string()).collect();
    out.thing(&serde_json::json!({ "written": names }), || format!("Wrote {}", names.join(", ")))
}

/// Says what cannot work if MediaMTX is on another machine.
fn note_distance(server: &MediaServer, streamward: &str, has_local_hooks: bool) {
    if is_here(server.api_url()) || !is_here(streamward) {
        return;
    }
    let api = server.api_url();
    note(&format!(
        "warning: MediaMTX is at {api}, on another machine, and would ask Streamward at {streamward}, which is its own: \
         set hooks.url, or give --auth-url, and open that port to MediaMTX only (http.media_listen)"
    ));
    if has_local_hooks {
        note(
            "warning: the hooks run a program of this machine: give --install DIR and copy DIR, or --no-hooks",
        );
    }
}

/// The version of MediaMTX that the file is for.
async fn version(
    base: &Bootstrap,
    args: &MediamtxConfigArgs,
    name: &MediaServerName,
    server: &MediaServer,
) -> anyhow::Result<String> {
    if let Some(given) = &args.for_version {
        let version = Version::parse(given).or_else(|| Version::parse(&format!("{given}.0")));
        let version =
            version.with_context(|| format!("{given:?} is not a version such as 1.20 or v1.20.1"))?;
        return Ok(version.to_string());
    }
    if let Some(program) = &args.mediamtx {
        let found = binary_version(&absolute(program)?).await;
        return found.with_context(|| {
            format!(
                "{} does not tell the version of a MediaMTX: give the version with --for",
                program.display()
            )
        });
    }
    let media = connect(server, control_secret(base, name).await?)?;
    if let Some(version) = media.info().await.ok().and_then(|info| info.version)
        && Version::parse(&version).is_some()
    {
        return Ok(version);
    }
    let newest = Version::NEWEST.to_string();
    note(&format!(
        "note: no MediaMTX answers at {}, so this is for {newest}; for another version give --mediamtx FILE or --for VERSION",
        server.api_url()
    ));
    Ok(newest)
}

/// A program is found on `PATH` only by a bare name.
fn absolute(program: &Path) -> anyhow::Result<std::path::PathBuf> {
    if program.components().count() == 1 && !program.exists() {
        return Ok(program.to_owned());
    }
    Ok(std::path::absolute(program)?)
}

/// Whether standard output is a file that others than its owner may read.
fn is_open_to_others() -> bool {
    use std::os::fd::AsFd as _;
    let Ok(out) = std::io::stdout().as_fd().try_clone_to_owned() else { return false };
    let found = std::fs::File::from(out).metadata();
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0)
}

/// For people: standard output has the file.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "streamward: {text}");
}

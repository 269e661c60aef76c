//! The mediamtx.yml of this setup: addresses, hooks and the files it needs.

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use tempfile::NamedTempFile;
use url::Url;

use super::config::{Config, MediaServer};
use crate::adapters::cli::PortArgs;
use crate::adapters::mediamtx::config::{Addresses, ConfigInput, HookCommands, yaml};
use crate::adapters::mediamtx::merge::merge;
use crate::domain::media_server::MediaServerName;

/// The file with the hook secret for the hook command, in `data_dir`.
const HOOK_SECRET_FILE: &str = "streamward-secrets.hook";
/// The first words of every file that we wrote.
const OURS: &str = "# mediamtx.yml for Streamward";

/// Hook commands that run `program`. The secret is in a file, since everyone can read a command line.
fn hooks(setup: &ConfigInput, program: &Path, secret_file: &Path) -> anyhow::Result<HookCommands> {
    write_private(secret_file, setup.hook_secret.expose())?;
    let (program, secret_file) = (program.display().to_string(), secret_file.display().to_string());
    let command = |event: &str| {
        let mut words =
            vec![&program, "hook", event, "--url", &setup.streamward, "--secret-file", &secret_file];
        if setup.server.as_str() != MediaServerName::DEFAULT {
            words.extend(["--server", setup.server.as_str()]);
        }
        words.into_iter().map(str::to_owned).collect()
    };
    Ok(HookCommands { ready: command("ready"), not_ready: command("not-ready") })
}

/// Hook commands that run this program. Writes the secret to a file in `data_dir`.
pub(super) fn local_hooks(setup: &ConfigInput, config: &Config) -> anyhow::Result<HookCommands> {
    let program = std::env::current_exe().context("the path of this program is unknown")?;
    hooks(setup, &program, &std::path::absolute(config.data_dir.join(HOOK_SECRET_FILE))?)
}

/// Writes everything that MediaMTX needs to `folder`: mediamtx.yml, the hook secret, and this program as its hook.
/// Returns the files.
pub(super) fn install(
    mut setup: ConfigInput,
    folder: &Path,
    with_hooks: bool,
    version: Option<&str>,
) -> anyhow::Result<Vec<PathBuf>> {
    let folder = std::path::absolute(folder)?;
    fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} cannot be created", folder.display()))?;
    let file = folder.join("mediamtx.yml");
    // First: nothing is left beside a file that stays as it is.
    existing(&file)?;
    let mut written = Vec::new();
    if with_hooks {
        let (program, secret) = (folder.join("streamward"), folder.join("hook-secret"));
        copy_self(&program)
            .with_context(|| format!("this program cannot be copied to {}", program.display()))?;
        setup.hooks = Some(hooks(&setup, &program, &secret)?);
        written.extend([program, secret]);
    }
    let backup = write_ours(&file, &yaml(&setup, version))?;
    written.push(file);
    written.extend(backup);
    Ok(written)
}

/// The addresses for MediaMTX: ports from the command line, else from the URLs of the configuration. The control API
/// listens on loopback, unless Streamward reaches it at another address.
pub(super) fn addresses(server: &MediaServer, args: &PortArgs) -> Addresses {
    let own = Addresses::default();
    let urls = server.base_urls();
    let at = |port: Option<u16>, url: &str, own: &str| {
        let own: u16 = own.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
        let port = port.or_else(|| Url::parse(url).ok()?.port()).unwrap_or(own);
        args.bind.map_or_else(|| format!(":{port}"), |ip| SocketAddr::new(ip, port).to_string())
    };
    let api = at(args.api_port, server.api_url(), &own.api);
    let api_port = api.rsplit(':').next().unwrap_or_default();
    Addresses {
        api: if is_here(server.api_url()) { format!("127.0.0.1:{api_port}") } else { format!(":{api_port}") },
        rtmp: at(args.rtmp_port, &urls.rtmp, &own.rtmp),
        rtsp: at(args.rtsp_port, &urls.rtsp, &own.rtsp),
        srt: at(args.srt_port, &urls.srt, &own.srt),
        hls: at(args.hls_port, &urls.hls, &own.hls),
        webrtc: at(args.webrtc_port, &urls.webrtc, &own.webrtc),
        webrtc_udp: at(args.webrtc_udp_port, "", &own.webrtc_udp),
    }
}

/// Whether an address is a loopback address.
pub(super) fn is_here(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// The text of a mediamtx.yml that we wrote, or `None` if there is no file. A foreign one is an error.
fn existing(file: &Path) -> anyhow::Result<Option<String>> {
    let existing = match fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        existing => existing.with_context(|| format!("{} cannot be read", file.display()))?,
    };
    if !existing.starts_with(OURS) {
        bail!(
            "{} was not written by Streamward, so it stays as it is. Rename it, or name another place for ours (`up`: --data-dir DIR, \
             `mediamtx-config`: another --output or --install). `up --media-config {}` runs MediaMTX with it as it is: then its \
             authMethod and authHTTPAddress must be those of `streamward mediamtx-config`",
            file.display(),
            file.display()
        );
    }
    Ok(Some(existing))
}

/// Writes a mediamtx.yml, or updates the one that is there and keeps what a person changed in it. Never touches a foreign
/// one. Returns the copy of the file as it was, if it was changed.
pub(super) fn write_ours(file: &Path, text: &str) -> anyhow::Result<Option<PathBuf>> {
    let Some(existing) = existing(file)? else { return write_private(file, text).map(|()| None) };
    let merged = merge(&existing, text).map_err(|why| {
        anyhow!(
            "{} cannot be updated: {why}. Correct that, or rename the file: then it is written anew",
            file.display()
        )
    })?;
    for hook in merged.own_hooks {
        tracing::warn!(
            file = %file.display(),
            "{hook} is a command of your own, so Streamward hears of streams only by its poll every two seconds"
        );
    }
    if merged.text == existing {
        return Ok(None);
    }
    let mut backup = file.as_os_str().to_owned();
    backup.push(".bak");
    let backup = PathBuf::from(backup);
    write_private(&backup, &existing)?;
    write_private(file, &merged.text)?;
    let (file, was) = (file.display(), backup.display());
    tracing::info!(%file, %was, set = merged.changed.join(", "), "mediamtx.yml was updated");
    Ok(Some(backup))
}

/// Writes a file that only its owner may read. It is written whole or not at all.
pub(super) fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut fresh = NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
        fresh.write_all(text.as_bytes())?;
        fresh.persist(file)?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}

/// Copies this program. It is replaced in one step, since a hook may be running the old one.
fn copy_self(to: &Path) -> std::io::Result<()> {
    let fresh = to.with_extension(format!("new-{}", std::process::id()));
    fs::copy(std::env::current_exe()?, &fresh)?;
    fs::rename(&fresh, to)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::domain::secret::Secret;
    use crate::runtime::config::Sources;

    fn server(env: &[(&str, &str)]) -> MediaServer {
        let env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let sources = Sources { env, ..Sources::default() };
        sources.load().unwrap().config.media_servers.into_values().next().unwrap()
    }

    #[test]
    fn ports_are_those_of_the_command_line_or_of_the_urls() {
        let plain = addresses(&server(&[]), &PortArgs::default());
        assert_eq!((plain.api.as_str(), plain.rtmp.as_str()), ("127.0.0.1:9997", ":1935"));
        let elsewhere = server(&[
            ("STREAMWARD_MEDIA_SERVERS__DEFAULT__API_URL", "http://mediamtx:9998"),
            ("STREAMWARD_MEDIA_SERVERS__DEFAULT__RTMP_URL", "rtmp://example.org:11935"),
            ("STREAMWARD_MEDIA_SERVERS__DEFAULT__HLS_URL", "https://hls.example.org"),
        ]);
        let args = PortArgs { srt_port: Some(4000), bind: "::1".parse().ok(), ..PortArgs::default() };
        let at = addresses(&elsewhere, &args);
        assert_eq!((at.api.as_str(), at.rtmp.as_str()), (":9998", "[::1]:11935"));
        assert_eq!((at.srt.as_str(), at.hls.as_str()), ("[::1]:4000", "[::1]:8888"));
    }

    #[test]
    fn installed_files_are_complete_and_private() {
        let dir = TempDir::new().unwrap();
        let setup = ConfigInput {
            streamward: "http://streamward:8080".into(),
            server: MediaServerName::parse("eu").unwrap(),
            hook_secret: Secret::new("hunter2hunter2"),
            hooks: None,
            addresses: Addresses::default(),
        };
        install(setup.clone(), dir.path(), true, None).unwrap();
        let text = fs::read_to_string(dir.path().join("mediamtx.yml")).unwrap();
        let hook = text.lines().find(|line| line.contains("runOnReady")).unwrap();
        assert!(hook.contains("/hook-secret --server eu") && !hook.contains("hunter2"), "{hook}");
        assert_eq!(fs::read_to_string(dir.path().join("hook-secret")).unwrap(), "hunter2hunter2");
        for (name, mode) in [("mediamtx.yml", 0o600), ("hook-secret", 0o600), ("streamward", 0o100)] {
            let found = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(found & mode, mode, "{name}");
            assert!(name == "streamward" || found & 0o077 == 0, "{name} is open to others");
        }
        let first = text.replace("\nhls: yes", "\nhls: no").replace("\npaths:\n", "\npaths:\n  cam1:\n");
        assert_ne!(first, text);
        fs::write(dir.path().join("mediamtx.yml"), &first).unwrap();
        let again = install(setup.clone(), dir.path(), false, None).unwrap();
        let backup = dir.path().join("mediamtx.yml.bak");
        assert_eq!(again.last(), Some(&backup), "the hooks are removed");
        assert_eq!(fs::read_to_string(&backup).unwrap(), first);
        let updated = fs::read_to_string(dir.path().join("mediamtx.yml")).unwrap();
        assert!(updated.contains("\nhls: no\n") && updated.contains("\n  cam1:\n"), "{updated}");
        assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o077, 0);
        let foreign = TempDir::new().unwrap();
        fs::write(foreign.path().join("mediamtx.yml"), "paths: {}").unwrap();
        let refused = install(setup, foreign.path(), true, None).unwrap_err().to_string();
        assert!(refused.contains("was not written by Streamward"), "{refused}");
        assert_eq!(fs::read_dir(foreign.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}

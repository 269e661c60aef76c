//! `streamward up`: the service, and a MediaMTX with the right configuration.

mod child;
mod log_lines;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use url::Url;

use super::config::{Config, Loaded, MediaServerKind, Sources};
use super::doctor::same_place;
use super::media_config::{addresses, local_hooks, write_ours};
use crate::adapters::cli::UpArgs;
use crate::adapters::mediamtx::binary_version;
use crate::adapters::mediamtx::config::{ConfigInput, yaml};
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;

pub(super) use child::Supervised;

/// The MediaMTX that runs beside the service.
pub(super) struct SupervisedMediaMtx {
    program: PathBuf,
    version: Option<String>,
    args: UpArgs,
}

impl SupervisedMediaMtx {
    /// Finds the program before anything is started.
    pub(super) async fn find(args: UpArgs) -> anyhow::Result<Self> {
        let program = match &args.mediamtx {
            Some(named) if named.is_file() => named.clone(),
            Some(named) => bail!("the program {} does not exist (--mediamtx)", named.display()),
            None => {
                let here = || Some(PathBuf::from("./mediamtx")).filter(|file| file.is_file());
                on_path("mediamtx").or_else(here).context(NOT_FOUND)?
            }
        };
        let program = std::path::absolute(program)?;
        let version = binary_version(&program).await;
        if version.is_none() && args.media_config.is_none() {
            tracing::warn!(program = %program.display(), "the version of this MediaMTX is unknown; its configuration is written for any version since 1.15");
        }
        Ok(Self { program, version, args })
    }

    /// Writes the configuration. Returns the program with its arguments.
    pub(super) fn prepare(&self, config: &Config, hook_secret: &Secret) -> anyhow::Result<Supervised> {
        let file = match &self.args.media_config {
            Some(own) => {
                let file = std::path::absolute(own)?;
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("{} cannot be read (--media-config)", file.display()))?;
                if let Some(fault) = auth_fault(&text, &format!("{}/auth", config.local_media_url())) {
                    tracing::warn!(
                        file = %file.display(),
                        "this configuration of your own {fault}; take authMethod, authHTTPAddress and authHTTPExclude from `streamward mediamtx-config`"
                    );
                }
                file
            }
            None => {
                let name = MediaServerName::default();
                let server = config.media_servers.get(&name).context(NO_DEFAULT)?;
                ensure!(server.kind == MediaServerKind::Mediamtx, NOT_MEDIAMTX);
                let mut setup = ConfigInput {
                    streamward: config.local_media_url(),
                    server: name,
                    hook_secret: hook_secret.clone(),
                    hooks: None,
                    addresses: addresses(server, &self.args.ports),
                };
                setup.hooks = Some(local_hooks(&setup, config)?);
                let file = std::path::absolute(config.data_dir.join("mediamtx.yml"))?;
                write_ours(&file, &yaml(&setup, self.version.as_deref()))?;
                file
            }
        };
        let pid_file = std::path::absolute(config.data_dir.join("mediamtx.pid"))?;
        Ok(Supervised { program: self.program.clone(), config: file, pid_file })
    }
}

/// What is wrong with the auth of a mediamtx.yml of a person's own, if Streamward is to decide at `ours`.
fn auth_fault(text: &str, ours: &str) -> Option<String> {
    // Its keys are at the beginning of a line.
    let value = |key: &str| {
        let line = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(':')).next_back()?;
        let bare = line.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        Some(bare.to_owned()).filter(|value| !value.is_empty())
    };
    let method = value("authMethod").unwrap_or_else(|| "internal".to_owned());
    if method != "http" {
        return Some(format!("has authMethod {method}, so Streamward is not asked: anyone may publish"));
    }
    match value("authHTTPAddress") {
        None => Some("has no authHTTPAddress, so Streamward is not asked".to_owned()),
        Some(address) if !same_place(&address, ours) => Some(format!(
            "does not ask this Streamward ({ours}) who may publish: its authHTTPAddress is another"
        )),
        Some(_) => None,
    }
}

const NOT_FOUND: &str = "mediamtx is neither on PATH nor in this folder: get it from https://github.com/bluenviron/mediamtx/releases, or give its path with --mediamtx";
const NOT_MEDIAMTX: &str = "`up` runs MediaMTX, but media_servers.default is SRS: start SRS with the output of `streamward srs-config`, and use `streamward serve`";
const NO_DEFAULT: &str = "`up` runs the media server named `default`, but the configuration has only others: add media_servers.default";

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The configuration for `up`: a URL that is not configured gets the port from the command line.
pub(super) fn load(mut sources: Sources, args: &UpArgs) -> anyhow::Result<Loaded> {
    let loaded = sources.load()?;
    let server = loaded.config.media_servers.get(&MediaServerName::default()).context(NO_DEFAULT)?;
    let (ports, urls) = (&args.ports, server.base_urls());
    for (key, url, port) in [
        ("api_url", server.api_url(), ports.api_port),
        ("rtmp_url", &urls.rtmp, ports.rtmp_port),
        ("rtsp_url", &urls.rtsp, ports.rtsp_port),
        ("srt_url", &urls.srt, ports.srt_port),
        ("hls_url", &urls.hls, ports.hls_port),
        ("webrtc_url", &urls.webrtc, ports.webrtc_port),
    ] {
        let key = format!("media_servers.default.{key}");
        let (Some(port), None) = (port, loaded.origins.get(&key)) else { continue };
        let parsed = Url::parse(url).context("a URL that was checked")?;
        let host = parsed.host_str().unwrap_or("127.0.0.1");
        sources.flags.push((key, format!("{}://{host}:{port}", parsed.scheme())));
    }
    Ok(sources.load()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::cli::PortArgs;

    #[test]
    fn port_of_the_command_line_is_in_urls_that_are_not_configured() {
        let ports = PortArgs { rtmp_port: Some(11_935), hls_port: Some(18_888), ..PortArgs::default() };
        let args = UpArgs { ports, ..UpArgs::default() };
        let configured = ("STREAMWARD_MEDIA_SERVERS__DEFAULT__HLS_URL", "https://hls.example.org");
        let env = vec![(configured.0.into(), configured.1.into())];
        let loaded = load(Sources { env, ..Sources::default() }, &args).unwrap();
        let urls = loaded.config.media_servers[&MediaServerName::default()].base_urls();
        assert_eq!((urls.rtmp.as_str(), urls.hls.as_str()), ("rtmp://127.0.0.1:11935", configured.1));
    }

    #[test]
    fn own_configuration_without_our_auth_is_reported() {
        let ours = "http://127.0.0.1:8080/auth";
        for (text, fault) in [
            ("logLevel: warn\n", Some("has authMethod internal")),
            ("authMethod: jwt # x\n", Some("has authMethod jwt")),
            ("authMethod: http\nauthHTTPAddress:\n", Some("has no authHTTPAddress")),
            (
                "authMethod: 'http'\nauthHTTPAddress: http://10.0.0.9/auth\n",
                Some("does not ask this Streamward"),
            ),
            (
                "authMethod: http\nauthHTTPAddress: \"http://streamward:x@localhost:8080/auth?server=default\"\n",
                None,
            ),
        ] {
            let found = auth_fault(text, ours);
            match fault {
                None => assert_eq!(found, None, "{text}"),
                Some(words) => assert!(found.is_some_and(|found| found.starts_with(words)), "{text}"),
            }
        }
    }

    #[tokio::test]
    async fn missing_program_is_named() {
        let args = UpArgs { mediamtx: Some("/nonexistent/mediamtx".into()), ..UpArgs::default() };
        let error = SupervisedMediaMtx::find(args).await.err().unwrap().to_string();
        assert_eq!(error, "the program /nonexistent/mediamtx does not exist (--mediamtx)");
    }
}

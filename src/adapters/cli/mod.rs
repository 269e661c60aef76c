//! The command line: its arguments, and the commands that call one use-case.
//!
//! Commands about resources are requests of the API ([`api`]), to another machine or within the process with
//! [`Actor::cli`](crate::domain::access::Actor::cli). Those that the API does not have (studios, Kick) call
//! [`app`](crate::app) as HTTP does; none uses SQL. Commands that need the whole program (`serve`, `up`, `doctor`) are only
//! *parsed* here; [`runtime`](crate::runtime) runs them.

pub mod access;
pub mod api;
pub mod audit;
pub mod auth_failure;
pub mod broadcaster;
pub mod channel;
mod client;
pub mod clip;
pub mod destination;
mod durations;
mod failure;
pub mod healthcheck;
pub mod hook;
pub mod kick;
mod list_output;
pub mod media_server;
pub mod notification;
pub mod organization;
mod output;
mod owner;
mod password;
pub mod playback;
mod remote;
mod screen;
mod secret_file;
pub mod stream;
pub mod stream_key;
pub mod streamer;
pub mod studio;
mod until;
pub mod user;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use failure::{Exit, Failure};
pub use output::Output;
pub use remote::{Remote, RemoteArgs};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong arguments, input or configuration, 3 not found, \
4 not allowed, 5 conflict with what is there, 6 Streamward or its database does not answer, 7 doctor found errors.

Commands about resources (audit, auth, broadcaster, channel, clip, destination, key, media-server, notification, organization, playback, \
stream, streamer, token, user) work on another machine too: give --url and --token-file.";

/// Control plane beside media servers (MediaMTX, SRS): who may publish, what is live, who needs to know.
#[derive(Debug, Parser)]
#[command(name = "streamward", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// Options of every command
    #[command(flatten)]
    pub globals: Globals,
    /// The command to run; default: serve
    #[command(subcommand)]
    pub command: Option<Command>,
}

const COMPLETIONS: &str =
    "bash: streamward completions bash > ~/.local/share/bash-completion/completions/streamward
zsh:  streamward completions zsh > \"${fpath[1]}/_streamward\"
fish: streamward completions fish > ~/.config/fish/completions/streamward.fish";

/// Options of every command.
#[derive(Debug, Args)]
pub struct Globals {
    /// Configuration file; streamward.toml in the working directory is read if it is there
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "STREAMWARD_CONFIG",
        help_heading = "Options of every command"
    )]
    pub config: Option<PathBuf>,
    /// Where Streamward keeps its files (the key `data_dir`)
    #[arg(long, global = true, value_name = "DIR", help_heading = "Options of every command")]
    pub data_dir: Option<PathBuf>,
    /// Print JSON, for machines; an error is a problem document (RFC 9457) on standard error
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub json: bool,
    /// Another machine
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// The commands about the installation. Slices add their own.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve media servers and API clients until a signal stops it
    Serve,
    /// Serve, and run a MediaMTX found on this machine with the right configuration
    Up(UpArgs),
    /// Print the mediamtx.yml for this setup, or install it where a MediaMTX finds it; it contains the hook secret
    MediamtxConfig(MediamtxConfigArgs),
    /// Print the srs.conf for this setup; it contains secrets
    SrsConfig(SrsConfigArgs),
    /// Report a change of a stream to Streamward; MediaMTX runs this as its hook
    Hook(hook::HookArgs),
    /// Create the database, or update its schema
    Migrate,
    /// Copy the SQLite database to a file, also while the service runs
    Backup(BackupArgs),
    /// Put a backup in the place of the SQLite database
    Restore(RestoreArgs),
    /// Check this setup, and show how to repair each fault
    Doctor,
    /// Print the OpenAPI document
    Openapi {
        /// Print the list of problem types instead
        #[arg(long)]
        problems: bool,
    },
    /// Print the completions of commands for a shell; `streamward completions bash --help` shows where they go
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff), or write one for each command
    Man {
        /// Write streamward.1, streamward-key.1 and so on to this directory, e.g. /usr/local/share/man/man1
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print the effective configuration, secrets masked
    Config {
        /// Print one secret instead, for a configuration by hand
        #[arg(long, value_name = "KEY", value_parser = ["hooks.secret", "api.hmac_secret"])]
        reveal: Option<String>,
    },
    /// Check that the running service is healthy; for container health checks
    Healthcheck,
}

impl Command {
    /// Its name, if it is about this machine only.
    pub fn of_this_machine(&self) -> Option<&'static str> {
        match self {
            Self::Serve => Some("serve"),
            Self::Up(_) => Some("up"),
            Self::Migrate => Some("migrate"),
            Self::Backup(_) => Some("backup"),
            Self::Restore(_) => Some("restore"),
            Self::Doctor => Some("doctor"),
            Self::Config { .. } => Some("config"),
            Self::Healthcheck => Some("healthcheck"),
            // These have an option --url of their own, or are the same everywhere.
            Self::MediamtxConfig(_) | Self::SrsConfig(_) | Self::Hook(_) => None,
            Self::Openapi { .. } | Self::Completions { .. } | Self::Man { .. } => None,
        }
    }
}

/// What to back up, and where to.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The file to write
    pub file: PathBuf,
    /// Write the master key too, to FILE.key: whoever has both files can read the secrets
    #[arg(long)]
    pub with_master_key: bool,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}

/// What to restore.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup; a master key in FILE.key is restored with it
    pub file: PathBuf,
    /// Also if a database is there; it is kept beside under another name
    #[arg(long)]
    pub force: bool,
}

/// How to run MediaMTX.
#[derive(Debug, Clone, Default, Args)]
pub struct UpArgs {
    /// The program; by default it is searched on PATH and in the working directory
    #[arg(long, value_name = "FILE", env = "MEDIAMTX_BIN")]
    pub mediamtx: Option<PathBuf>,
    /// A mediamtx.yml of your own instead of a generated one
    #[arg(long, value_name = "FILE")]
    pub media_config: Option<PathBuf>,
    /// Ports and addresses
    #[command(flatten)]
    pub ports: PortArgs,
}

/// Where MediaMTX listens. The defaults come from the URLs in the configuration.
#[derive(Debug, Clone, Default, Args)]
pub struct PortArgs {
    /// Address for encoders and viewers; all addresses of this machine by default
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<std::net::IpAddr>,
    /// Port of the control API
    #[arg(long, value_name = "PORT")]
    pub api_port: Option<u16>,
    /// Port of RTMP
    #[arg(long, value_name = "PORT")]
    pub rtmp_port: Option<u16>,
    /// Port of RTSP
    #[arg(long, value_name = "PORT")]
    pub rtsp_port: Option<u16>,
    /// Port of SRT (UDP)
    #[arg(long, value_name = "PORT")]
    pub srt_port: Option<u16>,
    /// Port of HLS
    #[arg(long, value_name = "PORT")]
    pub hls_port: Option<u16>,
    /// Port of WebRTC, its HTTP side
    #[arg(long, value_name = "PORT")]
    pub webrtc_port: Option<u16>,
    /// Port of WebRTC's media (UDP)
    #[arg(long, value_name = "PORT")]
    pub webrtc_udp_port: Option<u16>,
}

/// Which srs.conf to print.
#[derive(Debug, Clone, Default, Args)]
pub struct SrsConfigArgs {
    /// The media server it is for
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub server: String,
    /// The address of Streamward for SRS (the key `hooks.url`)
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Port of WebRTC's media (UDP); 8000 by default
    #[arg(long, value_name = "PORT")]
    pub webrtc_udp_port: Option<u16>,
}

/// Which mediamtx.yml to write.
#[derive(Debug, Clone, Default, Args)]
pub struct MediamtxConfigArgs {
    /// The media server it is for
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub server: String,
    /// The version of MediaMTX, e.g. 1.20; by default that of the running one, else the newest known
    #[arg(long = "for", visible_alias = "for-version", value_name = "VERSION", conflicts_with = "mediamtx")]
    pub for_version: Option<String>,
    /// The program whose version it is for
    #[arg(long, value_name = "FILE")]
    pub mediamtx: Option<PathBuf>,
    /// The address where MediaMTX asks Streamward (the key `hooks.url`). With several instances: of a proxy or a virtual
    /// address, which outlives each of them
    #[arg(long = "auth-url", visible_alias = "url", value_name = "URL")]
    pub url: Option<String>,
    /// Write it to a file that only its owner may read, at once or not at all; it contains the hook secret
    #[arg(long, value_name = "FILE", conflicts_with = "install")]
    pub output: Option<PathBuf>,
    /// Without hooks; Streamward then finds streams by polling every two seconds
    #[arg(long)]
    pub no_hooks: bool,
    /// Put mediamtx.yml, the hook secret and this program (as MediaMTX's hook) into a directory
    #[arg(long, value_name = "DIR")]
    pub install: Option<PathBuf>,
    /// Ports and addresses
    #[command(flatten)]
    pub ports: PortArgs,
}

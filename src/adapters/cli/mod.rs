//! The command line in: what can be said, and the commands that are use-cases under another name.
//!
//! Commands call [`app`](crate::app) as HTTP does, with [`Actor::cli`](crate::domain::access::Actor::cli), and never
//! SQL. What needs the whole program (serving, supervising, examining) is only *parsed* here and done in
//! [`runtime`](crate::runtime).

pub mod access;
pub mod broadcaster;
mod client;
pub mod healthcheck;
pub mod hook;
pub mod kick;
pub mod media_server;
mod output;
pub mod stream;
pub mod stream_key;
pub mod streamer;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use output::Output;

/// Control plane beside a MediaMTX media server: who may publish, what is live, who needs to know.
#[derive(Debug, Parser)]
#[command(name = "streamward", version, about, max_term_width = 100)]
pub struct Cli {
    /// Configuration file; streamward.toml in the working directory is read if it is there
    #[arg(long, global = true, value_name = "FILE", env = "STREAMWARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where Streamward keeps its files (the key `data_dir`)
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print JSON, for machines
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do; serve if nothing is said
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve: answer media servers and callers until told to stop
    Serve,
    /// Serve, and run a MediaMTX found on this machine with the right configuration
    Up(UpArgs),
    /// Print the mediamtx.yml for this setup, or install it where a MediaMTX finds it
    MediamtxConfig(MediamtxConfigArgs),
    /// Tell Streamward what MediaMTX sees; MediaMTX runs this by itself
    Hook(hook::HookArgs),
    /// Bring the database's schema up to date
    Migrate,
    /// Who may publish
    #[command(subcommand)]
    Broadcaster(broadcaster::BroadcasterCommand),
    /// The secrets they publish with
    #[command(subcommand)]
    Key(stream_key::KeyCommand),
    /// What opens the management API
    #[command(subcommand)]
    Token(access::TokenCommand),
    /// What is live, and what was
    #[command(subcommand)]
    Stream(stream::StreamCommand),
    /// People on Kick whose status is watched
    #[command(subcommand)]
    Streamer(streamer::StreamerCommand),
    /// How watching Kick is doing, and whether Kick lets us in
    #[command(subcommand)]
    Kick(kick::KickCommand),
    /// The configured media servers
    #[command(subcommand)]
    MediaServer(media_server::MediaServerCommand),
    /// Look for what is wrong with this setup, and say what to do about it
    Doctor,
    /// Print the OpenAPI document
    Openapi {
        /// Print the list of problem types instead
        #[arg(long)]
        problems: bool,
    },
    /// Print the effective configuration, secrets masked
    Config {
        /// Print one secret instead, for wiring by hand
        #[arg(long, value_name = "KEY", value_parser = ["hooks.secret", "api.hmac_secret"])]
        reveal: Option<String>,
    },
    /// Ask the running service whether it is well; for container health checks
    Healthcheck,
}

/// How to run MediaMTX.
#[derive(Debug, Clone, Default, Args)]
pub struct UpArgs {
    /// The program; looked for on PATH and in the working directory otherwise
    #[arg(long, value_name = "FILE", env = "MEDIAMTX_BIN")]
    pub mediamtx: Option<PathBuf>,
    /// A mediamtx.yml of your own instead of a generated one
    #[arg(long, value_name = "FILE")]
    pub media_config: Option<PathBuf>,
    /// Ports and addresses
    #[command(flatten)]
    pub ports: PortArgs,
}

/// Where MediaMTX listens. What is not said follows from the URLs in the configuration.
#[derive(Debug, Clone, Default, Args)]
pub struct PortArgs {
    /// Address encoders and viewers may reach it at; all of this machine's if absent
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

/// Which mediamtx.yml to write.
#[derive(Debug, Clone, Default, Args)]
pub struct MediamtxConfigArgs {
    /// The media server it is for
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub server: String,
    /// The MediaMTX that is to read it, e.g. v1.20.1; the running one is asked otherwise
    #[arg(long, value_name = "VERSION")]
    pub for_version: Option<String>,
    /// Where MediaMTX finds Streamward (the key `hooks.url`)
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Without hooks: streams are noticed by looking, every two seconds
    #[arg(long)]
    pub no_hooks: bool,
    /// Put mediamtx.yml, the hook secret and this program (as MediaMTX's hook) into a directory
    #[arg(long, value_name = "DIR")]
    pub install: Option<PathBuf>,
    /// Ports and addresses
    #[command(flatten)]
    pub ports: PortArgs,
}

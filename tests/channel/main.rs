//! Channels: the real program with real encoders, and what platforms receive. An nginx with the RTMP module, a second
//! MediaMTX and a TLS endpoint stand for platforms; ffprobe and ffmpeg judge.
//!
//! Needs ffmpeg and nginx-rtmp (`.ci/setup` installs both). What needs a MediaMTX too is ignored without one (`MEDIAMTX_BIN`,
//! see tests/e2e), what needs an S3 server without one (`S3_SERVER_BIN`, see `s3.rs`), and so is what takes more than a minute, unless `CHANNEL=all`.

#![expect(
    clippy::print_stderr,
    reason = "what the tests run against, and what they measure, is part of their report"
)]

mod bucket;
mod database;
#[path = "../e2e/encoder.rs"]
#[expect(dead_code, reason = "tests/e2e uses all of it")]
mod encoder;
mod engines;
mod judge;
mod live;
#[path = "../e2e/media_server.rs"]
#[expect(dead_code, reason = "tests/e2e uses all of it")]
mod media_server;
#[path = "../contract/media_suite.rs"]
mod media_suite;
mod network;
mod outputs;
mod platform;
#[path = "../e2e/program.rs"]
#[expect(dead_code, reason = "tests/e2e uses all of it")]
mod program;
mod s3;
mod srt;
#[path = "../e2e/tools.rs"]
#[expect(dead_code, reason = "tests/e2e uses all of it")]
mod tools;
mod world;

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use streamward::adapters::mediamtx::Version;
use streamward_test_support::{ports, process};
use tempfile::TempDir;
use tools::Tools;

/// How many tests run at once by default: each has several programs, which mostly wait.
const AT_ONCE: usize = 3;
/// How long a scenario may take.
const LIMIT: Duration = Duration::from_secs(240);
/// How long a state may take to come, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(40);
/// The longest hole that may be seen at a destination. The promise is 0.1 to 0.9 s; other tests run beside.
pub(crate) const HOLE: Duration = Duration::from_millis(3_000);

/// The input of a test: the programs and its own directory.
pub(crate) struct Bench {
    pub(crate) tools: Arc<Tools>,
    dir: TempDir,
}

impl Bench {
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn database_url(&self) -> String {
        format!("sqlite://{}", self.path().join("streamward.db").display())
    }
}

/// Prints a measured time.
pub(crate) fn report(what: impl Display, took: Duration) {
    note(format_args!("{what}: {} ms", took.as_millis()));
}

/// Prints what was found.
pub(crate) fn note(what: impl Display) {
    eprintln!("channel: {what}");
}

/// What a scenario needs beside ffmpeg and nginx-rtmp.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    MediaMtx,
    /// One that carries channels itself.
    Forward,
    /// One that does not.
    NoForward,
    /// Any, and `CHANNEL=all`.
    MediaMtxAndTime,
    Time,
    S3,
}

type Scenario = fn(Bench) -> Result<()>;

/// Every scenario with its name and what it needs.
macro_rules! scenarios {
    ($($module:ident: $($name:ident $needs:ident),+ $(,)?;)+) => {
        vec![$($((
            concat!(stringify!($module), "::", stringify!($name)),
            Needs::$needs,
            (|bench| run(&bench, $module::$name(&bench))) as Scenario,
        )),+),+]
    };
}

/// What is on this machine.
struct Found {
    tools: Result<Arc<Tools>, String>,
    /// Why there is no MediaMTX.
    no_media_server: Option<String>,
    /// Why there is no S3 server.
    no_s3: Option<String>,
    is_all: bool,
}

fn main() -> Result<ExitCode> {
    // As in the `main` of the program; HTTP clients need it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let found = Arc::new(if arguments.list { Found::nothing() } else { Found::search()? });
    let scenarios: Vec<(&'static str, Needs, Scenario)> = scenarios![
        live:
            destinations_keep_their_connections MediaMtx,
            a_rehearsal_reports_the_holes_of_the_cut_and_of_the_return MediaMtx,
            the_programme_continues_while_the_media_server_restarts MediaMtx,
            the_programme_is_on_air_again_after_a_restart MediaMtx,
            a_flapping_uplink_is_cut_no_more_often_than_the_rules_allow MediaMtx,
            an_encoder_with_another_profile_is_refused_or_switched_to MediaMtx;
        engines:
            an_encoder_of_another_profile_is_transcoded MediaMtx,
            the_media_server_carries_a_channel Forward,
            the_media_server_plays_a_clip_over_rtmps Forward,
            a_media_server_that_is_too_old_is_named NoForward;
        outputs:
            broken_destinations_harm_no_other Nothing,
            planned_cuts_and_changes_of_clips_make_no_hole Nothing,
            a_private_authority_is_trusted_if_the_operator_says_so Nothing,
            a_new_session_is_a_short_moment_and_loses_nothing Time;
        srt:
            a_listener_of_srt_gets_the_programme MediaMtx,
            a_listener_of_srt_that_refuses_is_told_in_plain_words MediaMtx,
            without_ffmpeg_it_says_what_to_install Nothing;
        bucket:
            a_real_server_keeps_the_rules S3,
            wrong_settings_are_explained_in_one_sentence S3,
            a_clip_of_one_instance_is_played_by_another S3;
        database:
            a_locked_file_delays_decisions_and_nothing_else MediaMtx,
            a_stopped_postgresql_delays_decisions_and_nothing_else MediaMtxAndTime;
    ];
    let trials = scenarios
        .into_iter()
        .map(|(name, needs, scenario)| {
            let found = found.clone();
            Trial::ignorable_test(name, move || match found.bench(needs) {
                Ok(bench) => {
                    scenario(bench?).map_err(|error| Failed::from(format!("{error:#}")))?;
                    Ok(Completion::Completed)
                }
                Err(why) => Ok(Completion::ignored_with(why)),
            })
        })
        .collect();
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

impl Found {
    fn nothing() -> Self {
        Self { tools: Err("not searched".to_owned()), no_media_server: None, no_s3: None, is_all: false }
    }

    fn search() -> Result<Self> {
        let is_all = std::env::var("CHANNEL").is_ok_and(|which| which == "all");
        let ignored = |why: String| {
            eprintln!("channel: every test is ignored: {why}");
            Self { tools: Err(why), no_media_server: None, no_s3: None, is_all }
        };
        if let Some(why) = platform::Nginx::is_missing() {
            return Ok(ignored(why));
        }
        let mut tools = match Tools::without_media_server() {
            Ok(tools) => tools,
            Err(why) => return Ok(ignored(format!("{why:#}"))),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let no_media_server = runtime.block_on(tools.find_media_server()).err().map(|why| format!("{why:#}"));
        match &no_media_server {
            Some(why) => eprintln!("channel: tests with a live encoder are ignored: {why}"),
            None => eprintln!("channel: MediaMTX {} ({})", tools.version, tools.mediamtx.display()),
        }
        let no_s3 = s3::is_missing();
        if let Some(why) = &no_s3 {
            eprintln!("channel: tests with a bucket are ignored: {why}");
        }
        Ok(Self { tools: Ok(Arc::new(tools)), no_media_server, no_s3, is_all })
    }

    /// What a scenario runs with, or why it is ignored.
    fn bench(&self, needs: Needs) -> Result<Result<Bench, Failed>, String> {
        let tools = self.tools.clone()?;
        let needs_media_server = !matches!(needs, Needs::Nothing | Needs::Time | Needs::S3);
        if let Some(why) = self.no_media_server.as_ref().filter(|_| needs_media_server) {
            return Err(why.clone());
        }
        if let Some(why) = self.no_s3.as_ref().filter(|_| needs == Needs::S3) {
            return Err(why.clone());
        }
        if !self.is_all && matches!(needs, Needs::Time | Needs::MediaMtxAndTime) {
            return Err("it takes long: set CHANNEL=all".to_owned());
        }
        let forwards = Version::parse(&tools.version).is_some_and(|version| version >= Version::FORWARD);
        match needs {
            Needs::Forward if !forwards => {
                return Err(format!("the engine media_server needs MediaMTX {}", Version::FORWARD));
            }
            Needs::NoForward if forwards => {
                return Err(format!("this MediaMTX is not older than {}", Version::FORWARD));
            }
            _ => {}
        }
        let dir = tempfile::tempdir().map_err(|error| Failed::from(error.to_string()));
        Ok(dir.map(|dir| Bench { tools, dir }))
    }
}

/// Runs a scenario. If it fails, the report includes the logs of the programs.
fn run(bench: &Bench, scenario: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let limited = tokio::time::timeout(LIMIT, scenario).await;
        limited.unwrap_or_else(|_| bail!("has not ended after {LIMIT:?}")).with_context(|| logs(bench.path()))
    })
}

/// The end of every log in `dir` and in the folders of platforms.
fn logs(dir: &Path) -> String {
    let mut report = String::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.join("nginx.conf").exists() || path.join("platform.yml").exists() {
            report.push_str(&logs(&path));
        } else if path.extension().is_some_and(|ending| ending == "log") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n");
            report.push_str(&format!("\n--- {}\n{tail}\n", entry.file_name().display()));
        }
    }
    report
}

//! Streamward beside a real MediaMTX, with real encoders and viewers.
//!
//! Needs ffmpeg and a MediaMTX: `MEDIAMTX_BIN`, or `mediamtx` on the PATH, or a Docker daemon to take one from.
//! Without them every test is reported as ignored, with the reason. The scenarios `srs::` need an SRS instead: `SRS_BIN`.
//! WHIP is sent by a MediaMTX ≥ 1.20.1: the same one, or
//! `MEDIAMTX_WHIP_BIN`. With `E2E_DATABASE=postgresql` the database of every Streamward is a fresh one on a PostgreSQL of
//! the tests; otherwise it is a file.

#![expect(clippy::print_stderr, reason = "what the tests run against is part of their report")]

mod adapter;
mod command;
mod conflict;
mod encoder;
mod ending;
mod gate;
mod media_server;
mod outage;
mod playback;
mod program;
mod publish;
mod srs;
mod srs_many;
mod srs_world;
mod tools;
mod up;
mod world;

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use streamward_test_support::{Database, empty_database, ports, process};
use tempfile::TempDir;
use tools::Tools;

/// How many tests run at once by default: each has an encoder, a media server and a Streamward.
const AT_ONCE: usize = 2;

/// How long a scenario may take.
const LIMIT: Duration = Duration::from_secs(300);

/// The input of a test: the programs, its own directory, and its own database.
pub(crate) struct Bench {
    pub(crate) tools: Arc<Tools>,
    pub(crate) dir: TempDir,
    /// Unless it is a file.
    database: Option<Database>,
}

impl Bench {
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn database_url(&self) -> String {
        let file = || format!("sqlite://{}", self.path().join("streamward.db").display());
        self.database.as_ref().map_or_else(file, |database| database.url().to_owned())
    }
}

/// The kind of database in `E2E_DATABASE`.
#[derive(Clone, Copy, PartialEq)]
enum DatabaseKind {
    Sqlite,
    Postgresql,
}

impl DatabaseKind {
    fn wanted() -> Result<Self> {
        match std::env::var("E2E_DATABASE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Ok(Self::Sqlite),
            Ok("postgresql") => Ok(Self::Postgresql),
            Ok(other) => bail!("E2E_DATABASE is {other}; it can be sqlite or postgresql"),
        }
    }

    fn create(self) -> Result<Option<Database>> {
        if self == Self::Sqlite {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Some(runtime.block_on(empty_database())))
    }
}

/// Prints a measured time.
pub(crate) fn report(what: impl Display, took: Duration) {
    eprintln!("e2e: {what}: {} ms", took.as_millis());
}

type Scenario = fn(Bench) -> Result<()>;

/// Every scenario with its name.
macro_rules! scenarios {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        vec![$($((
            concat!(stringify!($module), "::", stringify!($name)),
            (|bench| run(&bench, $module::$name(&bench))) as Scenario,
        )),+),+]
    };
}

fn main() -> Result<ExitCode> {
    // As in the `main` of the program; HTTP clients need it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let tools = if arguments.list { Err("not searched".to_owned()) } else { find_tools()? };
    let database = DatabaseKind::wanted()?;
    let scenarios: Vec<(&'static str, Scenario)> = scenarios![
        adapter:
            the_written_configuration_is_accepted,
            the_control_api_is_closed_to_others,
            an_rtmp_publisher_is_seen_and_ended,
            an_srt_publisher_is_seen_and_ended,
            an_rtsp_publisher_is_seen_and_ended,
            a_whip_publisher_is_seen_and_ended,
            a_relay_shows_a_private_path_at_a_public_one,
            a_path_of_the_operators_own_is_left_alone,
            another_process_is_another_run,
            thousands_of_paths_are_polled_quickly;
        publish:
            rtmp_on_a_named_path,
            rtmp_with_the_secret_as_path,
            rtmp_with_the_secret_below_an_application,
            srt_on_a_named_path,
            rtsp_on_a_named_path,
            whip_on_a_named_path,
            whoever_has_no_key_is_refused,
            an_rtsp_publisher_leaves_no_failure;
        conflict:
            a_second_encoder_is_refused,
            a_takeover_on_the_same_path,
            a_takeover_by_another_protocol,
            a_takeover_from_a_private_path,
            a_takeover_by_a_private_path,
            two_encoders_that_both_come_back_do_not_take_the_key_from_each_other_all_the_time,
            an_encoder_that_was_cut_off_comes_back_at_once;
        ending:
            rtmp_revoked_rotated_expired,
            secret_path_revoked_rotated_expired,
            srt_revoked_rotated_expired,
            rtsp_revoked_rotated_expired,
            whip_revoked_rotated_expired,
            an_operator_ends_a_stream_and_the_key_stays_valid,
            a_deleted_broadcaster_is_off_the_air;
        outage:
            the_media_server_is_killed_and_returns,
            streamward_is_killed_and_returns,
            a_key_that_died_while_streamward_was_down_is_ended,
            streams_are_found_without_hooks,
            with_hooks_it_is_a_matter_of_moments,
            sigterm_ends_streamward_in_good_order;
        playback:
            hls_needs_a_token_until_it_ends,
            webrtc_needs_a_token_until_it_ends,
            rtsp_needs_a_token_until_it_ends,
            rtmp_needs_a_token_until_it_ends,
            srt_needs_a_token_until_it_ends,
            a_session_ends_with_its_token_after_a_restart_too,
            mediamtx_itself_verifies_a_token;
        command:
            up_runs_everything,
            the_printed_configuration_is_all_it_takes;
        up:
            one_command_puts_a_stream_on_the_air,
            the_media_server_is_started_again,
            edited_configuration_is_kept,
            a_quiet_system_writes_no_lines,
            what_is_installed_suffices;
        srs:
            a_named_path_is_published_and_watched,
            a_path_of_one_part_works_too,
            srt_on_a_named_path,
            whip_on_a_named_path_is_watched_by_whep,
            private_stream_needs_a_token,
            the_key_is_the_name_of_the_stream,
            whoever_has_no_key_is_refused,
            a_second_encoder_is_refused,
            a_takeover_replaces_the_first_encoder,
            a_key_that_ends_takes_its_stream_off_the_air,
            srs_is_killed_and_returns,
            streamward_is_killed_and_returns,
            a_callback_that_hangs_harms_nobody_else,
            a_channel_fails_over;
        srs_many:
            two_hundred_streams_are_all_seen;
    ];
    let trials = scenarios
        .into_iter()
        .map(|(name, scenario)| trial(name, tools.clone(), database, scenario))
        .collect();
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn find_tools() -> Result<Result<Arc<Tools>, String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(match runtime.block_on(Tools::find()) {
        Ok(tools) => {
            match &tools.missing {
                None => eprintln!("e2e: MediaMTX {} ({})", tools.version, tools.mediamtx.display()),
                Some(why) => eprintln!("e2e: the tests with MediaMTX are ignored: {why}"),
            }
            match &tools.srs {
                Ok(srs) => eprintln!("e2e: SRS ({})", srs.display()),
                Err(why) => eprintln!("e2e: the tests with SRS are ignored: {why}"),
            }
            Ok(Arc::new(tools))
        }
        Err(why) => {
            eprintln!("e2e: every test is ignored: {why:#}");
            Err("its tools are missing, see above".to_owned())
        }
    })
}

fn trial(
    name: &'static str,
    tools: Result<Arc<Tools>, String>,
    database: DatabaseKind,
    scenario: Scenario,
) -> Trial {
    Trial::ignorable_test(name, move || {
        let tools = match tools {
            Ok(tools) => tools,
            Err(why) => return Ok(Completion::ignored_with(why)),
        };
        let missing = match &tools.srs {
            _ if !name.starts_with("srs") => tools.missing.clone(),
            Ok(srs) if name.contains("srt") && !tools::has(srs, "srt") => {
                Some("this SRS was built without SRT".to_owned())
            }
            Ok(srs) if name.contains("whip") && !tools::has(srs, "rtc") => {
                Some("this SRS was built without WebRTC".to_owned())
            }
            Ok(_) => None,
            Err(why) => Some(why.clone()),
        };
        if let Some(why) = missing {
            return Ok(Completion::ignored_with(why));
        }
        if name.contains("whip")
            && let Err(why) = &tools.whip
        {
            return Ok(Completion::ignored_with(why));
        }
        let dir = tempfile::tempdir().map_err(|error| Failed::from(error.to_string()))?;
        let database = database.create().map_err(|error| Failed::from(format!("{error:#}")))?;
        scenario(Bench { tools, dir, database }).map_err(|error| Failed::from(format!("{error:#}")))?;
        Ok(Completion::Completed)
    })
}

/// Runs a scenario. If it fails, the report includes the logs of the programs.
fn run(bench: &Bench, scenario: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let limited = tokio::time::timeout(LIMIT, scenario).await;
        limited.unwrap_or_else(|_| bail!("has not ended after {LIMIT:?}")).with_context(|| logs(bench.path()))
    })
}

/// The end of every log in `dir`.
fn logs(dir: &Path) -> String {
    let mut report = String::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().extension().is_none_or(|ending| ending != "log") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n");
        report.push_str(&format!("\n--- {}\n{tail}\n", entry.file_name().display()));
    }
    report + "---\n"
}

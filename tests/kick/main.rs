//! Streamward and Kick: the push feeds, against a scripted server and against a real Pusher server.
//!
//! The real one is `sockudo` (the crate of that name), found by `SOCKUDO_BIN`. Without it its tests are reported as
//! ignored, with the reason; the scripted ones always run.

#![expect(clippy::print_stderr, reason = "what the tests run against is part of their report")]

mod listener;
mod scripted;
mod soak;
mod sockudo;
mod whole;
mod with_sockudo;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use streamward_test_support::{ports, process};
use tokio::time::timeout;

/// How many tests run at once by default: several measure time.
const AT_ONCE: usize = 12;
const SOCKUDO: &str = "SOCKUDO_BIN";

/// The input of a test: the Pusher server, if it needs one.
type Sockudo = PathBuf;
type Scenario = fn(&Sockudo) -> Result<()>;

/// Every scenario with its name.
macro_rules! scenarios {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        vec![$($((
            concat!(stringify!($module), "::", stringify!($name)),
            (|sockudo| run($module::$name(sockudo))) as Scenario,
        )),+),+]
    };
}

fn main() -> ExitCode {
    // As in the `main` of the program; HTTP clients need it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let sockudo = std::env::var_os(SOCKUDO).filter(|path| !path.is_empty()).map(PathBuf::from);
    match &sockudo {
        Some(path) => eprintln!("kick: Pusher server {}", path.display()),
        None if !arguments.list => {
            eprintln!("kick: {SOCKUDO} is not set: the tests with a real Pusher server are ignored");
        }
        None => {}
    }
    let scenarios: Vec<(&'static str, Scenario)> = scenarios![
        scripted:
            status_changes_arrive_over_either_protocol,
            the_feed_is_negotiated_with_kick,
            a_configured_feed_is_not_negotiated,
            a_fatal_code_stops_all_connections_and_is_retried_much_later,
            one_connection_that_is_refused_does_not_end_the_others,
            over_capacity_waits_before_the_retry,
            immediate_reconnects_are_limited,
            an_unacknowledged_subscription_is_repeated,
            a_half_open_connection_is_noticed,
            a_quiet_connection_is_kept,
            garbage_changes_nothing,
            ten_thousand_channels_are_watched,
            a_channel_comes_and_goes_without_touching_others,
            nothing_is_lost_while_nobody_reads,
            a_guest_token_is_replaced_in_time,
            a_failed_negotiation_is_retried,
            a_refusal_to_open_is_a_refusal,
            a_feed_that_moved_is_found,
            connections_close_when_watching_stops;
        whole:
            names_are_enough,
            missed_changes_are_found_later,
            full_polls_continue_without_a_feed,
            a_row_written_by_another_program_is_watched_at_once,
            another_instance_continues,
            the_database_may_be_unreachable,
            it_may_be_killed_at_any_time,
            webhooks_change_the_status,
            a_dry_run_writes_nothing,
            commands_query_kick_and_print_no_secret;
        soak:
            disconnects_leave_no_trace;
        with_sockudo:
            status_changes_make_the_round_trip,
            a_thousand_channels_share_connections,
            an_unsubscribed_channel_is_silent,
            a_restart_is_survived,
            our_pings_are_answered;
    ];
    let trials =
        scenarios.into_iter().map(|(name, scenario)| trial(name, sockudo.clone(), scenario)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &'static str, sockudo: Option<Sockudo>, scenario: Scenario) -> Trial {
    Trial::ignorable_test(name, move || {
        let sockudo = match sockudo {
            Some(path) => path,
            None if name.contains("sockudo") => {
                return Ok(Completion::ignored_with(format!("{SOCKUDO} is not set")));
            }
            None => PathBuf::new(),
        };
        scenario(&sockudo).map_err(|error| Failed::from(format!("{error:#}")))?;
        Ok(Completion::Completed)
    })
}

fn run(scenario: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let soak = std::env::var("KICK_SOAK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        let limit = Duration::from_secs(300 + soak);
        timeout(limit, scenario).await.unwrap_or_else(|_| bail!("has not ended after {limit:?}"))
    })
}

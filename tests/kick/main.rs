//! Streamward and Kick: the push feeds, against a scripted server and against a real Pusher server.
//!
//! The real one is `sockudo` (the crate of that name), found by `SOCKUDO_BIN`. Without it its tests are reported as
//! ignored, and say why; the scripted ones always run.

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

/// How many tests run at once, if nothing else is asked for: several measure time.
const AT_ONCE: usize = 4;
const SOCKUDO: &str = "SOCKUDO_BIN";

/// What a test is given: the Pusher server, if it needs one.
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
    // As in the program's own `main`; no client can be made without.
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
            edges_are_told_by_either_protocol,
            kick_is_asked_which_feed_it_serves,
            what_is_configured_is_not_asked_for,
            a_fatal_code_stops_everything_and_is_tried_again_much_later,
            one_connection_that_is_refused_does_not_end_the_others,
            over_capacity_is_waited_for,
            at_once_is_at_once_but_not_for_ever,
            a_lost_acknowledgement_is_asked_for_again,
            a_half_open_connection_is_noticed,
            a_quiet_connection_is_kept,
            garbage_changes_nothing,
            ten_thousand_channels_are_watched,
            a_channel_comes_and_goes_without_touching_others,
            nothing_is_lost_while_nobody_listens,
            a_guest_token_is_replaced_in_time,
            a_negotiation_that_fails_is_tried_again,
            a_refusal_to_open_is_a_refusal,
            a_feed_that_moved_is_found,
            whoever_stops_watching_has_no_connections;
        whole:
            names_are_enough,
            what_was_missed_is_made_up_for,
            full_polls_continue_without_a_feed,
            a_row_written_by_another_program_is_watched_at_once,
            another_instance_goes_on,
            the_database_may_be_away,
            it_may_be_killed_at_any_time,
            webhooks_are_heard,
            a_dry_run_writes_nothing,
            the_command_line_asks_kick;
        soak:
            disconnects_leave_no_trace;
        with_sockudo:
            edges_make_the_round_trip,
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

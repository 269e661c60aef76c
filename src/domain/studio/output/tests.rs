//! Tests of the stream's state.

use rstest::rstest;

use super::super::moment::test_moment as ms;
use super::*;
use StreamEvent::{Reconnected, Reconnecting, Started, Starting, Stopped, Stopping};

const STALL: Duration = Duration::from_secs(5);

fn sample(duration_ms: u64, bytes: u64) -> StreamSample {
    let duration = Duration::from_millis(duration_ms);
    StreamSample { active: true, duration, bytes, ..StreamSample::default() }
}

fn live(at: u64) -> Output {
    let mut output = Output::default();
    output.event(ms(at), Started);
    output
}

fn feed(output: &mut Output, at: u64, sample: StreamSample) {
    output.sample(ms(at), sample, STALL);
}

#[rstest]
#[case(&[Stopping, Stopped], StreamState::Off, Some(Cause::ManualStop))]
#[case(&[Stopped], StreamState::Off, Some(Cause::ConnectionLost))]
#[case(&[Reconnecting], StreamState::Reconnecting, Some(Cause::ConnectionLost))]
#[case(&[Reconnecting, Reconnecting], StreamState::Reconnecting, Some(Cause::ConnectionLost))]
#[case(&[Reconnecting, Stopping, Stopped], StreamState::Off, Some(Cause::ManualStop))]
#[case(&[Reconnecting, Reconnected], StreamState::Live, None)]
#[case(&[Stopped, Starting, Started], StreamState::Live, None)]
#[case(&[Stopped, Starting, Stopped], StreamState::Off, Some(Cause::ConnectionLost))]
fn events_say_why_there_is_no_stream(
    #[case] events: &[StreamEvent],
    #[case] state: StreamState,
    #[case] cause: Option<Cause>,
) {
    let mut output = live(0);
    for (n, event) in events.iter().enumerate() {
        output.event(ms(5_000 + 100 * u64::try_from(n).unwrap()), *event);
    }
    assert_eq!((output.state(), output.outage().map(|(cause, _)| cause)), (state, cause));
    if let Some((_, since)) = output.outage() {
        assert_eq!(since, ms(5_000).at, "an outage begins with the first bad event");
    }
}

#[test]
fn our_stop_is_no_outage() {
    let mut output = live(0);
    output.we_stop();
    output.event(ms(5_000), Stopping);
    output.event(ms(5_500), Stopped);
    assert_eq!((output.state(), output.outage()), (StreamState::Off, None));
    output.event(ms(6_000), Starting);
    output.event(ms(6_200), Started);
    output.event(ms(9_000), Stopping);
    assert_eq!(output.outage(), Some((Cause::ManualStop, ms(9_000).at)), "the next one is not ours");
}

#[test]
fn reconnecting_is_seen_although_obs_says_active() {
    let mut output = live(0);
    feed(&mut output, 2_000, sample(2_000, 100));
    feed(&mut output, 3_000, StreamSample { reconnecting: true, ..sample(0, 0) });
    assert_eq!(output.outage(), Some((Cause::ConnectionLost, ms(3_000).at)));
    // The event that it is back is lost; the counters say since when.
    feed(&mut output, 8_000, sample(1_500, 90));
    assert_eq!((output.state(), output.outage(), output.good_since), (StreamState::Live, None, ms(6_500).at));
}

#[test]
fn sample_older_than_the_last_event_is_ignored() {
    let mut output = live(0);
    feed(&mut output, 100, StreamSample::default());
    assert_eq!(output.state(), StreamState::Live);
    output.event(ms(5_000), Reconnecting);
    feed(&mut output, 5_100, sample(5_000, 100));
    assert_eq!(output.state(), StreamState::Reconnecting);
    feed(&mut output, 6_100, StreamSample::default());
    assert_eq!(output.state(), StreamState::Off, "a second later it counts");
}

#[test]
fn bytes_that_do_not_grow_are_a_stall_since_they_grew_last() {
    let mut output = live(0);
    for second in 1..=10_u64 {
        feed(&mut output, second * 1_000, sample(second * 1_000, second.min(3) * 50_000));
    }
    assert_eq!(output.state(), StreamState::Stalled);
    assert_eq!(output.outage(), Some((Cause::ConnectionLost, ms(3_000).at)));
    feed(&mut output, 11_000, sample(11_000, 200_000));
    assert_eq!(
        (output.state(), output.outage(), output.good_since),
        (StreamState::Live, None, ms(11_000).at)
    );
}

#[test]
fn obs_that_does_not_answer_has_not_stalled() {
    let mut output = live(0);
    feed(&mut output, 1_000, sample(1_000, 50_000));
    feed(&mut output, 60_000, sample(60_000, 3_000_000));
    assert_eq!((output.state(), output.outage()), (StreamState::Live, None));
}

#[test]
fn counters_that_restart_do_no_harm() {
    let mut output = live(0);
    for (at, bytes) in [(1_000, 900_000), (2_000, 0), (3_000, 0), (4_000, 10), (5_000, 90), (9_000, 95)] {
        feed(&mut output, at, sample(bytes, bytes));
        assert_eq!(output.state(), StreamState::Live, "{at}");
    }
}

#[test]
fn stream_that_runs_is_adopted_with_its_age() {
    let mut output = Output::default();
    feed(&mut output, 60_000, sample(45_000, 900_000));
    assert_eq!((output.state(), output.good_since), (StreamState::Live, ms(15_000).at));
}

#[test]
fn stream_that_is_seen_again_went_on_if_it_counted_the_time() {
    let mut output = live(1_000);
    feed(&mut output, 60_000, sample(57_000, 900_000));
    let began = output.good_since;
    for (seen, duration, continues) in [(90_000, 86_500, true), (90_000, 20_000, false)] {
        let mut output = output.clone();
        output.forget();
        feed(&mut output, seen, sample(duration, 1_200_000));
        assert_eq!(output.good_since == began, continues);
    }
    // The machine slept for an hour, or its clock was set.
    let hour = Duration::from_secs(3_600);
    let mut later = ms(61_000);
    later.at = later.at.plus(hour);
    for duration in [58_000, 3_658_000] {
        let mut output = output.clone();
        output.forget();
        output.sample(later, sample(duration, 1_200_000), STALL);
        assert_eq!(output.good_since, began, "{duration}");
    }
}

#[test]
fn start_that_leads_to_nothing_has_failed() {
    let mut output = Output::default();
    feed(&mut output, 0, StreamSample::default());
    output.event(ms(1_000), Starting);
    feed(&mut output, 5_000, StreamSample::default());
    assert_eq!(output.state(), StreamState::Starting);
    feed(&mut output, 11_000, StreamSample::default());
    assert_eq!(output.state(), StreamState::Off);
}

//! Tables and properties of decisions on reports.

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::decide::{
    API_LAG, Announcement, CONFIRM_AFTER, Decision, Outcome, Report, ReportedStatus, decide,
};
use super::{Session, Source, Status, Streamer, Track};
use crate::domain::streamer::{KickIds, Slug, StreamerPatch, UserId};
use crate::domain::{StreamerId, Timestamp};

const WINDOW: Duration = Duration::from_secs(15);
const T0: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(T0 + second)
}

fn report(source: Source, second: i64, reported: ReportedStatus) -> Report {
    Report { streamer: StreamerId(Uuid::from_u128(1)), source, at: at(second), reported }
}

fn by_id(id: u64) -> Session {
    Session { id: Some(id.to_string()), ..Session::default() }
}

fn by_time(second: i64) -> Session {
    Session { started_at: Some(at(second)), ..Session::default() }
}

fn begun(id: u64, second: i64) -> Session {
    Session { started_at: Some(at(second)), ..by_id(id) }
}

fn ended(second: i64, end: i64) -> Session {
    Session { ended_at: Some(at(end)), ..by_time(second) }
}

fn started(id: u64, second: i64) -> Report {
    report(Source::Pusher, second, ReportedStatus::Started(begun(id, second)))
}

fn stopped(id: u64, second: i64) -> Report {
    report(Source::Pusher, second, ReportedStatus::Stopped { session: by_id(id), banned: false })
}

fn hook_started(second: i64, session: Session) -> Report {
    report(Source::Webhook, second, ReportedStatus::Started(session))
}

fn hook_stopped(second: i64, session: Session) -> Report {
    report(Source::Webhook, second, ReportedStatus::Stopped { session, banned: false })
}

fn live(sent: i64, session: Session) -> Report {
    report(Source::Poll, sent, ReportedStatus::Live(session))
}

fn not_live(sent: i64) -> Report {
    report(Source::Poll, sent, ReportedStatus::NotLive)
}

/// Decides on reports one after the other.
fn decisions(reports: &[Report]) -> Vec<Decision> {
    let decide_next = |track: &mut Track, report| {
        let decision = decide(track, report, WINDOW);
        *track = decision.track.clone();
        Some(decision)
    };
    reports.iter().scan(Track::default(), decide_next).collect()
}

fn after(reports: &[Report]) -> Decision {
    decisions(reports).pop().unwrap()
}

/// The statuses that history keeps.
fn history(reports: &[Report]) -> Vec<Status> {
    let mut track = Track::default();
    let mut changes = Vec::new();
    for decision in decisions(reports) {
        if let Some(change) = &decision.change {
            assert_eq!((change.previous_status, change.new_status), (track.status, decision.track.status));
            assert_ne!(change.previous_status, change.new_status);
            assert!(decision.announcement.is_some(), "a change that has no event");
            changes.push(change.new_status);
        }
        track = decision.track;
        let last = changes.last().copied().unwrap_or_default();
        assert_eq!(track.status, last, "a change without a trace");
    }
    changes
}

#[test]
fn lagging_answer_with_another_start_does_not_restore_online() {
    let lag = i64::try_from(API_LAG.as_secs()).unwrap();
    // The feed sent 0, the API 300: too far apart to be the same session by their times.
    let over = vec![started(5, 0), stopped(5, 600)];
    let with = |more: &[Report]| [over.as_slice(), more].concat();
    assert_eq!(history(&with(&[live(601, by_time(300))])), [Status::Online, Status::Offline]);
    let lasting = [live(601 + lag, by_time(300)), live(610 + lag, by_time(300))];
    assert_eq!(history(&with(&lasting)), [Status::Online, Status::Offline, Status::Online]);
    assert_eq!(after(&with(&[live(602, by_time(601))])).track.status, Status::Online, "this one is new");
    assert!(after(&with(&[hook_started(601, by_time(300))])).verify, "this needs a poll");
}

#[test]
fn sequences_of_reports_give_the_expected_history() {
    use Status::{Offline, Online};
    let lag = i64::try_from(API_LAG.as_secs()).unwrap();
    let before = || by_time(-900);
    let table: &[(&str, &[Report], &[Status])] = &[
        ("a start and a stop", &[started(5, 0), stopped(5, 60)], &[Online, Offline]),
        ("a stop with unknown status", &[stopped(5, 0)], &[Offline]),
        ("a start that is reported twice", &[started(5, 0), started(5, 9)], &[Online]),
        ("two stops", &[started(5, 0), stopped(5, 9), stopped(5, 10)], &[Online, Offline]),
        ("a stop of an older session", &[started(5, 0), stopped(4, 9)], &[Online]),
        ("a start after its stop", &[stopped(5, 9), started(5, 10)], &[Offline]),
        ("a new session whose predecessor's stop was lost", &[started(5, 0), started(6, 9)], &[Online]),
        ("and the lost stop, late", &[started(5, 0), started(6, 9), stopped(5, 10)], &[Online]),
        ("a stop whose start was lost", &[started(5, 0), stopped(6, 9), started(6, 10)], &[Online, Offline]),
        (
            "the same updates from a feed without ids",
            &[
                started(5, 0),
                hook_started(1, by_time(3)),
                stopped(5, 60),
                hook_stopped(62, by_time(3)),
                hook_started(63, by_time(3)),
            ],
            &[Online, Offline],
        ),
        ("one answer of not live", &[started(5, 0), not_live(lag + 1)], &[Online]),
        ("two not-live answers at once", &[started(5, 0), not_live(lag + 1), not_live(lag + 2)], &[Online]),
        (
            "two independent not-live answers",
            &[started(5, 0), not_live(lag + 1), not_live(lag + 6)],
            &[Online, Offline],
        ),
        ("live in between", &[started(5, 0), not_live(40), live(50, by_time(0)), not_live(60)], &[Online]),
        ("answers that lag behind the feed", &[started(5, 0), not_live(2), not_live(20)], &[Online]),
        ("one not-live answer with unknown status", &[not_live(0)], &[]),
        ("two not-live answers with unknown status", &[not_live(0), not_live(5)], &[Offline]),
        ("a first live answer", &[live(0, before())], &[Online]),
        (
            "still live just after a stop: the answer lags",
            &[live(0, before()), stopped(5, 60), live(61, before()), live(67, before())],
            &[Online, Offline],
        ),
        (
            "still live long after a stop: the stop was wrong",
            &[live(0, before()), stopped(5, 60), live(100, before()), live(106, before())],
            &[Online, Offline, Online],
        ),
        (
            "a stop of a session with another start in the API",
            &[started(5, 0), live(40, by_time(25)), stopped(5, 60)],
            &[Online, Offline],
        ),
        (
            "sessions with close starts, without ids",
            &[
                hook_started(1, by_time(0)),
                hook_stopped(31, ended(0, 30)),
                hook_started(41, by_time(40)),
                hook_stopped(42, ended(0, 30)),
            ],
            &[Online, Offline, Online],
        ),
        (
            "live with another session",
            &[live(0, before()), stopped(5, 60), live(61, by_time(59))],
            &[Online, Offline, Online],
        ),
        (
            "a late stop of a session that an answer replaced",
            &[started(5, 0), stopped(5, 60), live(200, by_time(190)), stopped(5, 201)],
            &[Online, Offline, Online],
        ),
    ];
    for (name, reports, changes) in table {
        assert_eq!(history(reports), *changes, "{name}");
    }
}

#[test]
fn uncertain_report_is_verified() {
    let unclear = after(&[live(0, by_time(-900)), stopped(5, 60)]);
    assert!(unclear.verify, "a stop that might be of an earlier session");
    assert!(!after(&[started(5, 0), stopped(5, 60)]).verify);
    let contradicted = after(&[started(5, 0), not_live(60)]);
    assert_eq!((contradicted.outcome, contradicted.verify), (Outcome::Unconfirmed, true));
}

#[test]
fn duplicate_report_writes_nothing() {
    let known = after(&[live(0, Session { title: Some("new".into()), ..begun(5, 0) })]).track;
    let old_title = Session { title: Some("old".into()), ..begun(5, 0) };
    let again = decide(&known, &report(Source::Pusher, 9, ReportedStatus::Started(old_title)), WINDOW);
    assert_eq!((again.outcome, again.announcement, again.track), (Outcome::Duplicate, None, known));
}

#[test]
fn answer_refreshes_the_session_and_announces_only_a_new_title() {
    let with =
        |title: &str, viewers| Session { title: Some(title.into()), viewers: Some(viewers), ..by_time(0) };
    let same = after(&[live(0, with("a", 10)), live(60, with("a", 12))]);
    assert_eq!((same.outcome, same.announcement), (Outcome::Refreshed, None));
    assert_eq!(same.track.session.unwrap().viewers, Some(12));
    assert_eq!(same.track.last_seen_online, Some(at(60)));
    let other = after(&[live(0, with("a", 10)), live(60, with("b", 12))]);
    assert_eq!(other.announcement, Some(Announcement::Updated));
}

#[test]
fn times_and_session_are_kept() {
    let decision = after(&[started(5, 0), stopped(5, 60)]);
    let change = decision.change.unwrap();
    assert_eq!((change.occurred_at, change.received_at), (at(60), at(60)));
    let session = decision.track.session.unwrap();
    assert_eq!(session, Session { ended_at: Some(at(60)), ..begun(5, 0) });
    assert_eq!(decision.track.last_seen_online, Some(at(60)));
    assert_eq!(decision.track.last_status_update, Some(at(60)));
    let late = after(&[report(Source::Pusher, 7, ReportedStatus::Started(begun(5, 0)))]).change.unwrap();
    assert_eq!((late.occurred_at, late.received_at), (at(0), at(7)), "Kick's time and ours");
}

#[test]
fn flap_is_announced_once() {
    let pending = after(&[started(5, 0), stopped(5, 60)]);
    let due = Some(at(75));
    assert_eq!((pending.announcement, pending.track.offline_due), (Some(Announcement::Updated), due));
    let back = after(&[started(5, 0), stopped(5, 60), started(6, 65)]);
    assert_eq!((back.announcement, back.track.offline_due), (Some(Announcement::Updated), None));
    assert_eq!(history(&[started(5, 0), stopped(5, 60), started(6, 65)]).len(), 3, "all of it is recorded");
    // Announced meanwhile.
    let announced = Track { offline_due: None, ..pending.track };
    assert_eq!(decide(&announced, &started(6, 90), WINDOW).announcement, Some(Announcement::Online));
    let track = after(&[started(5, 0)]).track;
    let at_once = decide(&track, &stopped(5, 60), Duration::ZERO);
    assert_eq!((at_once.announcement, at_once.track.offline_due), (Some(Announcement::Offline), None));
}

#[test]
fn first_known_live_status_is_not_announced_as_going_live() {
    assert_eq!(after(&[live(0, by_time(-900))]).announcement, Some(Announcement::Updated));
    assert_eq!(after(&[started(5, 0)]).announcement, Some(Announcement::Online));
    let later = after(&[not_live(0), not_live(9), live(60, by_time(59))]);
    assert_eq!(later.announcement, Some(Announcement::Online));
}

#[test]
fn new_name_resets_the_streamer() {
    let mut streamer = Streamer::new(StreamerId(Uuid::from_u128(1)), &Slug::parse("a").unwrap(), at(0));
    streamer.track = after(&[started(5, 0)]).track;
    streamer.ids = KickIds { user: UserId::new(7).ok(), ..KickIds::default() };
    let renamed = StreamerPatch { username: Slug::parse("b").ok(), ..StreamerPatch::default() };
    let same = StreamerPatch { username: Slug::parse("A").ok(), ..StreamerPatch::default() };
    assert_eq!(streamer.clone().patched(&same, at(9)).track, streamer.track);
    let other = streamer.patched(&renamed, at(9));
    assert_eq!((other.track, other.ids, other.username), (Track::default(), KickIds::default(), "b".into()));
}

/// Starts and stops of sessions 1 to 4 in any order: the session, whether it is its start, and the report.
type Updates = Vec<(u64, bool, Report)>;

/// As the feed sends them: a number always, a time only with a start.
fn of_the_feed() -> impl Strategy<Value = Updates> {
    updates(
        |id, begin, is_start| {
            if is_start { (Source::Pusher, begun(id, begin)) } else { (Source::Pusher, by_id(id)) }
        },
    )
}

/// As a feed with ids and times, and webhooks with times only, send them.
fn of_two_sources() -> impl Strategy<Value = Updates> {
    any::<u32>().prop_flat_map(|mask| {
        updates(move |id, begin, is_start| {
            let by_webhook = mask >> (2 * id + u64::from(is_start)) & 1 == 1;
            match (by_webhook, is_start) {
                (false, _) => (Source::Pusher, begun(id, begin)),
                (true, true) => (Source::Webhook, by_time(begin)),
                (true, false) => {
                    (Source::Webhook, Session { ended_at: Some(at(begin + 500)), ..by_time(begin) })
                }
            }
        })
    })
}

fn updates(describe: impl Fn(u64, i64, bool) -> (Source, Session) + Clone) -> impl Strategy<Value = Updates> {
    prop::collection::vec((1_u64..5, any::<bool>()), 1..24).prop_map(move |picks| {
        let update = |(arrival, (id, is_start)): (usize, (u64, bool))| {
            let (source, session) = describe(id, i64::try_from(id).unwrap() * 1_000, is_start);
            let reported = if is_start {
                ReportedStatus::Started(session)
            } else {
                ReportedStatus::Stopped { session, banned: false }
            };
            (id, is_start, report(source, 10_000 + i64::try_from(arrival).unwrap(), reported))
        };
        picks.into_iter().enumerate().map(update).collect()
    })
}

fn reports_of(updates: &Updates) -> Vec<Report> {
    updates.iter().map(|(_, _, report)| report.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// In any order, with any repeats: online exactly if the newest session has not stopped.
    #[test]
    fn order_of_arrival_does_not_matter(updates in prop_oneof![of_the_feed(), of_two_sources()]) {
        let newest = updates.iter().map(|(id, _, _)| *id).max().unwrap();
        let is_over = updates.iter().any(|(id, is_start, _)| (*id, *is_start) == (newest, false));
        let expected = if is_over { Status::Offline } else { Status::Online };
        let reports = reports_of(&updates);
        prop_assert_eq!(after(&reports).track.status, expected);
        history(&reports);
    }

    /// A repeated lagging answer is ignored each time.
    #[test]
    fn repeated_reports_have_no_effect(updates in prop_oneof![of_the_feed(), of_two_sources()]) {
        let track = after(&reports_of(&updates)).track;
        for (_, _, report) in &updates {
            let again = decide(&track, report, WINDOW);
            prop_assert_eq!(again.change, None);
            prop_assert_eq!(again.track.status, track.status);
        }
    }

    /// Any mixture of updates and answers keeps the history consistent and never returns to unknown.
    #[test]
    fn history_and_status_agree(
        updates in of_the_feed(),
        answers in prop::collection::vec((0_usize..24, 0_i64..60, prop::option::of(1_i64..5)), 0..12),
    ) {
        let mut all = reports_of(&updates);
        for (place, second, session) in answers {
            let answer = match session {
                Some(begin) => live(10_000 + second, by_time(begin * 1_000)),
                None => not_live(10_000 + second),
            };
            all.insert(place.min(all.len()), answer);
        }
        // It compares history and status after each report.
        history(&all);
    }

    /// One answer never takes a streamer offline.
    #[test]
    fn one_answer_never_takes_a_streamer_offline(updates in of_the_feed(), sent in 0_i64..100_000) {
        let track = after(&reports_of(&updates)).track;
        let decision = decide(&track, &not_live(sent), WINDOW);
        prop_assert_eq!(decision.track.status, track.status);
        let soon = sent + i64::try_from(CONFIRM_AFTER.as_secs()).unwrap() - 1;
        prop_assert_eq!(decide(&decision.track, &not_live(soon), WINDOW).track.status, track.status);
    }
}

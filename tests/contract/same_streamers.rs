//! Runs random steps of streamers on the store in memory and on a SQL store. Every answer and every row must be the
//! same, and the history must always lead to the current status.

use std::fmt::Debug;
use std::time::Duration;
use streamward::domain::access::Scope;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest_reuse::apply;
use streamward::domain::page::Page;
use streamward::domain::streamer::decide::{Report, ReportedStatus};
use streamward::domain::streamer::{
    ChannelId, Found, KickIds, Learned, Session, Source, Streamer, StreamerPatch, UserId,
};
use streamward::domain::{StreamerId, Timestamp};
use streamward::ports::{StreamerFilter, Written};

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};
use crate::streamer_fixture::{slug, streamer};

const NAMES: [&str; 4] = ["anna", "bo_b", "c-c", "dora"];

/// A random step. Numbers select among the existing things; times are seconds before now.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Create { name: usize },
    Update { streamer: usize, name: Option<usize>, is_active: Option<bool>, channel: Option<u64> },
    Delete { streamer: usize },
    Record { reports: Vec<(usize, Source, u64, ReportedOf)>, flap: bool },
    Learn(Vec<(usize, FoundOf)>),
    Announce,
    Prune { ago: u64 },
}

#[derive(Clone, Debug)]
enum ReportedOf {
    Started(SessionOf),
    Stopped(SessionOf, bool),
    Live(SessionOf),
    NotLive,
}

#[derive(Clone, Debug)]
struct SessionOf {
    id: Option<&'static str>,
    started: Option<u64>,
    ended: Option<u64>,
    title: Option<u8>,
    viewers: Option<u64>,
}

#[derive(Clone, Debug)]
enum FoundOf {
    Ids { user: Option<u64>, channel: Option<u64>, renamed: Option<usize> },
    Problem(u8),
}

fn sessions() -> impl Strategy<Value = SessionOf> {
    let ids = prop::sample::select(&["1", "2", "3", "10", "x"][..]);
    let (id, started, ended) = (
        prop::option::weighted(0.7, ids),
        prop::option::of(prop::sample::select(&[0u64, 30, 300][..])),
        prop::option::weighted(0.3, 0u64..300),
    );
    (id, started, ended, prop::option::of(0u8..2), prop::option::of(0u64..3))
        .prop_map(|(id, started, ended, title, viewers)| SessionOf { id, started, ended, title, viewers })
}

fn reported() -> impl Strategy<Value = ReportedOf> {
    prop_oneof![
        3 => sessions().prop_map(ReportedOf::Started),
        3 => (sessions(), any::<bool>()).prop_map(|(session, banned)| ReportedOf::Stopped(session, banned)),
        2 => sessions().prop_map(ReportedOf::Live),
        2 => Just(ReportedOf::NotLive),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = 0usize..5;
    let name = 0..NAMES.len();
    let source =
        prop::sample::select(vec![Source::Pusher, Source::Centrifugo, Source::Webhook, Source::Poll]);
    let ids =
        (prop::option::of(1u64..3), prop::option::of(1u64..3), prop::option::weighted(0.5, name.clone()));
    let found = prop_oneof![
        2 => ids.prop_map(|(user, channel, renamed)| FoundOf::Ids { user, channel, renamed }),
        1 => (0u8..2).prop_map(FoundOf::Problem),
    ];
    let update = (
        some.clone(),
        prop::option::of(name.clone()),
        prop::option::weighted(0.3, any::<bool>()),
        prop::option::weighted(0.3, 1u64..3),
    );
    let one = prop_oneof![
        4 => prop::sample::select(&[0u64, 1, 6, 40][..]).prop_map(Step::Wait),
        3 => name.prop_map(|name| Step::Create { name }),
        2 => update.prop_map(|(streamer, name, is_active, channel)| {
            Step::Update { streamer, name, is_active, channel }
        }),
        1 => some.clone().prop_map(|streamer| Step::Delete { streamer }),
        12 => (vec((some.clone(), source, 0u64..8, reported()), 1..6), any::<bool>())
            .prop_map(|(reports, flap)| Step::Record { reports, flap }),
        2 => vec((some, found), 1..5).prop_map(Step::Learn),
        2 => Just(Step::Announce),
        1 => (0u64..60).prop_map(|ago| Step::Prune { ago }),
    ];
    vec(one, 1..40)
}

/// The things created so far, the same in both stores.
struct Story {
    now: Timestamp,
    made: Vec<Streamer>,
}

impl Story {
    fn ago(&self, seconds: u64) -> Timestamp {
        self.now.minus(Duration::from_secs(seconds))
    }

    fn id(&self, number: usize) -> Option<StreamerId> {
        self.made.get(number % self.made.len().max(1)).map(|streamer| streamer.id)
    }

    fn session(&self, of: &SessionOf) -> Session {
        Session {
            id: of.id.map(str::to_owned),
            started_at: of.started.map(|ago| self.ago(ago)),
            ended_at: of.ended.map(|ago| self.ago(ago)),
            title: of.title.map(|number| format!("title \"{number}\"")),
            category: None,
            viewers: of.viewers,
        }
    }

    fn report(&self, (of, source, ago, reported): &(usize, Source, u64, ReportedOf)) -> Option<Report> {
        let reported = match reported {
            ReportedOf::Started(session) => ReportedStatus::Started(self.session(session)),
            ReportedOf::Stopped(session, banned) => {
                ReportedStatus::Stopped { session: self.session(session), banned: *banned }
            }
            ReportedOf::Live(session) => ReportedStatus::Live(self.session(session)),
            ReportedOf::NotLive => ReportedStatus::NotLive,
        };
        Some(Report { streamer: self.id(*of)?, source: *source, at: self.ago(*ago), reported })
    }

    fn learned(&self, (of, found): &(usize, FoundOf)) -> Option<Learned> {
        let found = match found {
            FoundOf::Ids { user, channel, renamed } => {
                let ids = numbers(*user, *channel);
                Found::Ids { ids, renamed: renamed.map(|name| slug(NAMES[name])) }
            }
            FoundOf::Problem(number) => Found::Problem(format!("problem {number}")),
        };
        Some(Learned { streamer: self.id(*of)?, found })
    }
}

fn numbers(user: Option<u64>, channel: Option<u64>) -> KickIds {
    KickIds {
        user: user.and_then(|number| UserId::new(number).ok()),
        channel: channel.and_then(|number| ChannelId::new(number).ok()),
        chatroom: None,
    }
}

/// Runs one step on both stores and compares the answers.
macro_rules! both {
    ($worlds:expr, |$world:ident| $call:expr) => {{
        let [one, other] = $worlds;
        let $world = one;
        let first = $call;
        let $world = other;
        let second = $call;
        assert_eq!(first, second);
        first
    }};
}

async fn play(worlds: [&World; 2], story: &mut Story, step: &Step) {
    let now = story.now;
    match step {
        Step::Wait(seconds) => story.now = now.plus(Duration::from_secs(*seconds)),
        Step::Create { name } => {
            let one = streamer(NAMES[*name], now);
            let entry = audit("create", now);
            if both!(worlds, |world| world.store.create_streamer(&one, by(&entry)).await.unwrap())
                == Written::Done(())
            {
                story.made.push(one);
            }
        }
        Step::Update { streamer, name, is_active, channel } => {
            let Some(id) = story.id(*streamer) else { return };
            let patch = StreamerPatch {
                username: name.map(|name| slug(NAMES[name])),
                display_name: None,
                is_active: *is_active,
                ids: numbers(None, *channel),
            };
            let entry = audit("update", now);
            both!(worlds, |world| world.store.update_streamer(id, &patch, by(&entry)).await.unwrap());
        }
        Step::Delete { streamer } => {
            let Some(id) = story.id(*streamer) else { return };
            let entry = audit("delete", now);
            both!(worlds, |world| world.store.delete_streamer(id, by(&entry)).await.unwrap());
        }
        Step::Record { reports, flap } => {
            let reports: Vec<Report> = reports.iter().filter_map(|report| story.report(report)).collect();
            let flap = if *flap { Duration::from_secs(5) } else { Duration::ZERO };
            both!(worlds, |world| world.record(&reports, flap, now).await);
        }
        Step::Learn(learned) => {
            let learned: Vec<Learned> = learned.iter().filter_map(|one| story.learned(one)).collect();
            both!(worlds, |world| world.store.learn(&learned, now).await.unwrap());
        }
        Step::Announce => {
            both!(worlds, |world| world.store.announce_offline(now).await.unwrap());
        }
        Step::Prune { ago } => {
            let before = story.ago(*ago);
            both!(worlds, |world| world.store.prune_status_events(before).await.unwrap());
        }
    }
}

/// Everything that can be read.
async fn all(world: &World) -> impl Debug + PartialEq + use<> {
    let streamers =
        world.store.streamers(&Scope::system(), &StreamerFilter::default(), &Page::default()).await.unwrap();
    let mut history = Vec::new();
    for streamer in &streamers {
        history.push(world.history(streamer).await);
    }
    (streamers, history, world.log().await, world.audited().await)
}

async fn compare(engine: Engine, steps: &[Step]) {
    let (memory, other) = (Engine::Memory.world().await, engine.world().await);
    let worlds = [&memory, &other];
    let mut story = Story { now: at(1_000), made: vec![] };
    for step in steps {
        play(worlds, &mut story, step).await;
        other.agree().await;
    }
    assert_eq!(all(&memory).await, all(&other).await);
}

#[apply(every_store)]
#[test]
fn the_same_happens_to_streamers_as_in_memory(#[case] engine: Engine) {
    let cases = if engine == Engine::Memory { 200 } else { 32 };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runner
        .run(&steps(), |steps| {
            runtime.block_on(compare(engine, &steps));
            Ok(())
        })
        .unwrap();
}

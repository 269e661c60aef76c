//! The feeds against a scripted server, for faults that a real one cannot produce.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use streamward::adapters::kick::feed::{FeedChoice, FeedSettings, Timing};
use streamward::domain::streamer::Source;
use streamward::domain::streamer::feed::FeedState;
use streamward::ports::{FeedSignal, Subject};
use streamward_test_support::feed_server::{Dialect, FeedServer, live, stop};
use tokio::time::{Instant, sleep, timeout};

use crate::listener::{Listener, auto, settings};

const LIVE: &str = r"App\Events\StreamerIsLive";
const STOP: &str = r"App\Events\StopStreamBroadcast";
const AT: &str = "2025-09-14T23:18:20.000000Z";
const BOTH: [Dialect; 2] = [Dialect::Pusher, Dialect::Centrifugo];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The feed works: a new change arrives.
async fn hears(listener: &mut Listener, server: &FeedServer, channel: u64) -> Result<()> {
    let id = 1_000_000 + u64::try_from(listener.heard().updates.len())?;
    server.publish(channel, LIVE, &live(channel, id, AT));
    listener.until("a change", |heard| heard.changes().last() == Some(&(channel, id, true))).await?;
    Ok(())
}

pub(crate) async fn status_changes_arrive_over_either_protocol(_: &Path) -> Result<()> {
    for (dialect, source) in BOTH.into_iter().zip([Source::Pusher, Source::Centrifugo]) {
        let server = FeedServer::start(dialect).await;
        let mut listener = Listener::start(auto(&server)?, [7, 8])?;
        listener.until_subscribed(2).await?;
        server.publish(7, LIVE, &live(7, 100, AT));
        server.publish_as(7, STOP, &stop(7, 100));
        server.publish_as(8, LIVE, &live(8, 101, "2025-09-14 23:18:20"));
        let heard = listener.until("three changes", |heard| heard.updates.len() == 3).await?;
        ensure!(heard.changes() == [(7, 100, true), (7, 100, false), (8, 101, true)], "{heard:?}");
        ensure!(heard.updates.iter().all(|update| update.source == source), "{heard:?}");
        let status = heard.status();
        ensure!(
            (status.connections, status.connected, status.wanted, status.subscribed) == (1, 1, 2, 2),
            "{status:?}"
        );
        ensure!(status.provider == Some(source) && status.error.is_none(), "{status:?}");
    }
    Ok(())
}

pub(crate) async fn the_feed_is_negotiated_with_kick(_: &Path) -> Result<()> {
    for (choice, dialect, accepted) in [
        (FeedChoice::Auto, Dialect::Pusher, vec!["pusher", "centrifugo"]),
        (FeedChoice::Auto, Dialect::Centrifugo, vec!["pusher", "centrifugo"]),
        (FeedChoice::Pusher, Dialect::Pusher, vec!["pusher"]),
        (FeedChoice::Centrifugo, Dialect::Centrifugo, vec!["centrifugo"]),
    ] {
        let server = FeedServer::start(dialect).await;
        let mut listener = Listener::start(FeedSettings { choice, ..auto(&server)? }, [7])?;
        listener.until_subscribed(1).await?;
        let seen = server.seen();
        ensure!(seen.negotiations == 1 && seen.accepted == accepted, "{seen:?}");
        ensure!(seen.tokens == usize::from(dialect == Dialect::Centrifugo), "{seen:?}");
        ensure!(seen.origin.as_deref() == Some("https://kick.com"), "{seen:?}");
    }
    Ok(())
}

pub(crate) async fn a_configured_feed_is_not_negotiated(_: &Path) -> Result<()> {
    for dialect in BOTH {
        let server = FeedServer::start(dialect).await;
        let settings = match dialect {
            Dialect::Pusher => {
                let settings = settings(FeedChoice::Pusher, &server.url(), &server.ws_url())?;
                FeedSettings { pusher_key: Some("key".into()), ..settings }
            }
            Dialect::Centrifugo => {
                let settings = settings(FeedChoice::Centrifugo, &server.url(), &server.ws_url())?;
                FeedSettings { centrifugo_url: Some(server.ws_url().parse()?), ..settings }
            }
        };
        let mut listener = Listener::start(settings, [7])?;
        listener.until_subscribed(1).await?;
        ensure!(server.seen().negotiations == 0, "{:?}", server.seen());
    }
    Ok(())
}

pub(crate) async fn a_fatal_code_stops_all_connections_and_is_retried_much_later(_: &Path) -> Result<()> {
    for (dialect, code) in BOTH.into_iter().zip([4001, 3501]) {
        let server = FeedServer::start(dialect).await;
        server.script(|script| script.closes_with = Some(code));
        let mut settings = auto(&server)?;
        settings.channels_per_connection = 1;
        settings.timing.rejected = ms(3_000);
        let mut listener = Listener::start(settings, 1..=20)?;
        let heard = listener.until("a rejection", |heard| heard.is(FeedState::Rejected)).await?;
        let rejected = Instant::now();
        ensure!(heard.status().error.is_some_and(|error| error.contains(&code.to_string())));
        sleep(ms(500)).await;
        let attempts = server.seen().opened;
        sleep(ms(1_500)).await;
        ensure!(server.seen().opened == attempts, "a refused feed is retried slowly");
        ensure!(server.seen().negotiations == 1 && listener.heard().is(FeedState::Rejected));
        server.script(|script| script.closes_with = None);
        listener.until_subscribed(20).await?;
        ensure!(rejected.elapsed() >= ms(2_800), "again after {:?}", rejected.elapsed());
        ensure!(server.seen().negotiations == 2, "Kick gets another request");
    }
    Ok(())
}

pub(crate) async fn one_connection_that_is_refused_does_not_end_the_others(_: &Path) -> Result<()> {
    for (dialect, code) in BOTH.into_iter().zip([4001, 3501]) {
        let server = FeedServer::start(dialect).await;
        let mut settings = auto(&server)?;
        settings.channels_per_connection = 1;
        settings.timing.rejected = ms(1_500);
        let mut listener = Listener::start(settings, 1..=2)?;
        listener.until_subscribed(2).await?;
        server.script(|script| script.closes_with = Some(code));
        listener.want(1..=3)?;
        let heard = listener.until("a refusal", |heard| heard.status().error.is_some()).await?;
        ensure!(heard.is(FeedState::Degraded) && heard.status().connected == 2, "{:?}", heard.status());
        hears(&mut listener, &server, 1).await?;
        server.script(|script| script.closes_with = None);
        listener.until_subscribed(3).await?;
        let seen = server.seen();
        ensure!((seen.negotiations, seen.opened) == (1, 4), "{seen:?}");
    }
    Ok(())
}

pub(crate) async fn over_capacity_waits_before_the_retry(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Pusher).await;
    server.script(|script| script.closes_with = Some(4100));
    let mut settings = auto(&server)?;
    settings.timing.backoff = ms(1_000);
    let mut listener = Listener::start(settings, [7])?;
    let begun = Instant::now();
    server.until("three attempts", |seen| seen.opened == 3).await;
    ensure!(begun.elapsed() >= ms(2_000), "three attempts within {:?}", begun.elapsed());
    ensure!(listener.heard().is(FeedState::Connecting));
    server.script(|script| script.closes_with = None);
    listener.until_subscribed(1).await?;
    Ok(())
}

pub(crate) async fn immediate_reconnects_are_limited(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Pusher).await;
    let mut settings = auto(&server)?;
    settings.timing = Timing { backoff: ms(60_000), backoff_cap: ms(60_000), ..settings.timing };
    let mut listener = Listener::start(settings, [7])?;
    for time in 1..=3 {
        listener.until_subscribed(time).await?;
        let closed = Instant::now();
        server.close_all(4200);
        server.until("another connection", |seen| seen.opened == time + 1).await;
        ensure!(closed.elapsed() < ms(1_000), "at once took {:?}", closed.elapsed());
    }
    listener.until_subscribed(4).await?;
    server.script(|script| script.closes_with = Some(4200));
    server.close_all(4200);
    server.until("the last attempts", |seen| seen.opened == 7).await;
    sleep(ms(1_500)).await;
    // Six without a wait, and at most one more with a very short one.
    ensure!(server.seen().opened <= 8, "{:?}", server.seen());
    Ok(())
}

pub(crate) async fn an_unacknowledged_subscription_is_repeated(_: &Path) -> Result<()> {
    for dialect in BOTH {
        let server = FeedServer::start(dialect).await;
        server.script(|script| script.acknowledges = false);
        let mut listener = Listener::start(auto(&server)?, [7, 8])?;
        let seen = server.until("both requested again", |seen| seen.subscribes >= 6).await;
        ensure!(seen.opened == 1 && listener.heard().subscribed() == 0, "{seen:?}");
        server.script(|script| script.acknowledges = true);
        let heard = listener.until_subscribed(2).await?;
        ensure!(heard.subscribed() == 2, "each is reported once: {:?}", heard.batches);
        hears(&mut listener, &server, 8).await?;
    }
    Ok(())
}

pub(crate) async fn a_half_open_connection_is_noticed(_: &Path) -> Result<()> {
    for dialect in BOTH {
        let server = FeedServer::start(dialect).await;
        server.script(|script| script.activity_seconds = 1);
        let mut listener = Listener::start(auto(&server)?, [7])?;
        listener.until_subscribed(1).await?;
        let silent = Instant::now();
        server.silence_all();
        server.script(|script| script.activity_seconds = 120);
        listener.until_subscribed(2).await?;
        // A second of silence, and half a second more for an answer.
        ensure!((ms(1_300)..ms(5_000)).contains(&silent.elapsed()), "noticed after {:?}", silent.elapsed());
        hears(&mut listener, &server, 7).await?;
    }
    Ok(())
}

pub(crate) async fn a_quiet_connection_is_kept(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Pusher).await;
    server.script(|script| script.activity_seconds = 1);
    let mut listener = Listener::start(auto(&server)?, [7])?;
    listener.until_subscribed(1).await?;
    server.until("three pings", |seen| seen.pings == 3).await;
    server.send_raw(r#"{"event":"pusher:ping","data":"{}"}"#);
    let seen = server.until("a pong", |seen| seen.pongs == 1).await;
    ensure!(seen.opened == 1, "{seen:?}");
    let server = FeedServer::start(Dialect::Centrifugo).await;
    server.script(|script| script.activity_seconds = 1);
    let mut listener = Listener::start(auto(&server)?, [7])?;
    listener.until_subscribed(1).await?;
    for time in 1..=6 {
        sleep(ms(500)).await;
        server.send_raw("{}");
        server.until("a pong", |seen| seen.pongs == time).await;
    }
    ensure!(server.seen().opened == 1, "{:?}", server.seen());
    Ok(())
}

pub(crate) async fn garbage_changes_nothing(_: &Path) -> Result<()> {
    for dialect in BOTH {
        let server = FeedServer::start(dialect).await;
        let mut listener = Listener::start(auto(&server)?, [7])?;
        let before = listener.until_subscribed(1).await?;
        for text in ["", "{", "[]", "null", "\u{0}", "{\"event\":1}", "{\"id\":77}", "{\"push\":3}"] {
            server.send_raw(text);
        }
        server.publish(7, LIVE, &json!({ "livestream": { "id": 1 } }));
        server.publish(7, LIVE, &live(8, 1, AT));
        server.publish(7, LIVE, &live(7, 1, "yesterday"));
        server.publish_as(7, LIVE, &json!(12));
        server.publish(7, r"App\Events\Unknown", &live(7, 1, AT));
        hears(&mut listener, &server, 7).await?;
        let heard = listener.heard();
        ensure!(heard.updates.len() == 1 && heard.statuses == before.statuses, "{heard:?}");
        ensure!(server.seen().opened == 1, "{:?}", server.seen());
    }
    Ok(())
}

pub(crate) async fn ten_thousand_channels_are_watched(_: &Path) -> Result<()> {
    for (dialect, connections, most) in [(Dialect::Pusher, 40, 250), (Dialect::Centrifugo, 100, 100)] {
        let server = FeedServer::start(dialect).await;
        let begun = Instant::now();
        let mut settings = auto(&server)?;
        // Slow answers of a busy machine must not count as lost acknowledgements.
        settings.timing.ack = ms(20_000);
        let mut listener = Listener::start(settings, 1..=10_000)?;
        let heard = listener.until("all", |heard| heard.status().subscribed == 10_000).await?;
        let seen = server.seen();
        ensure!((seen.opened, seen.most_on_one, seen.subscribes) == (connections, most, 10_000), "{seen:?}");
        ensure!(heard.batches.len() < 10 * connections, "{} batches", heard.batches.len());
        let at_most = 12 + usize::try_from(begun.elapsed().as_millis() / 100)?;
        ensure!(heard.statuses.len() <= at_most, "{} in {:?}", heard.statuses.len(), begun.elapsed());
        for channel in [1, 5_000, 10_000] {
            hears(&mut listener, &server, channel).await?;
        }
        listener.want(std::iter::empty())?;
        server.until("no connection", |seen| seen.open == 0).await;
        listener
            .until("peace", |heard| heard.status().connections == 0 && heard.is(FeedState::Connected))
            .await?;
    }
    Ok(())
}

pub(crate) async fn a_channel_comes_and_goes_without_touching_others(_: &Path) -> Result<()> {
    for dialect in BOTH {
        let server = FeedServer::start(dialect).await;
        let mut settings = auto(&server)?;
        settings.channels_per_connection = 10;
        let mut listener = Listener::start(settings, 1..=25)?;
        listener.until_subscribed(25).await?;
        let begun = Instant::now();
        listener.want(1..=26)?;
        listener.until_subscribed(26).await?;
        ensure!(begun.elapsed() < ms(1_000), "a new channel took {:?}", begun.elapsed());
        listener.want((1..=26).filter(|channel| *channel != 3))?;
        let seen = server.until("one less", |seen| !seen.subscribed.contains_key(&3)).await;
        ensure!((seen.opened, seen.open, seen.subscribes, seen.unsubscribes) == (3, 3, 26, 1), "{seen:?}");
        server.publish(3, LIVE, &live(3, 1, AT));
        hears(&mut listener, &server, 26).await?;
        ensure!(listener.heard().changes().iter().all(|(channel, ..)| *channel != 3), "3 is not watched");
        // The last connection has 21 to 26.
        listener.want((1..=20).filter(|channel| *channel != 3))?;
        let seen = server.until("one connection less", |seen| seen.open == 2).await;
        ensure!(seen.opened == 3, "{seen:?}");
        hears(&mut listener, &server, 20).await?;
    }
    Ok(())
}

pub(crate) async fn nothing_is_lost_while_nobody_reads(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Centrifugo).await;
    let (_listener, mut out) = Listener::deaf(auto(&server)?, [7], 1)?;
    server.until("a subscription", |seen| seen.subscribed.contains_key(&7)).await;
    let total = 3_000;
    for id in 1..=total {
        server.publish(7, LIVE, &live(7, id, AT));
        if id == 500 {
            server.send_raw("{}");
        }
    }
    server.until("an answer to a ping", |seen| seen.pongs == 1).await;
    sleep(ms(1_000)).await;
    let mut next = 1;
    while next <= total {
        match timeout(ms(5_000), out.recv()).await? {
            Some(FeedSignal::Update(update)) => {
                ensure!(
                    format!("{:?}", update.reported).contains(&format!("\"{next}\"")),
                    "{next}: {update:?}"
                );
                ensure!(matches!(update.subject, Subject::Channel(channel) if channel.get() == 7));
                next += 1;
            }
            Some(_) => {}
            None => break,
        }
    }
    ensure!(next == total + 1 && server.seen().opened == 1, "{next} {:?}", server.seen());
    Ok(())
}

pub(crate) async fn a_guest_token_is_replaced_in_time(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Centrifugo).await;
    server.script(|script| script.ttl_seconds = 2);
    let mut listener = Listener::start(auto(&server)?, [7])?;
    listener.until_subscribed(1).await?;
    let seen = server.until("two refreshes", |seen| seen.refreshes == 2).await;
    ensure!((seen.opened, seen.tokens) == (1, 3), "{seen:?}");
    hears(&mut listener, &server, 7).await
}

pub(crate) async fn a_failed_negotiation_is_retried(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Centrifugo).await;
    server.script(|script| script.refuses_questions = Some(503));
    let mut listener = Listener::start(auto(&server)?, [7])?;
    let heard = listener.until("trouble", |heard| heard.status().error.is_some()).await?;
    ensure!(heard.is(FeedState::Connecting), "{heard:?}");
    server.until("three negotiations", |seen| seen.negotiations == 3).await;
    server.script(|script| script.refuses_questions = None);
    let heard = listener.until_subscribed(1).await?;
    ensure!(heard.status().error.is_none(), "{heard:?}");

    let server = FeedServer::start(Dialect::Centrifugo).await;
    server.script(|script| script.refuses_questions = Some(403));
    let mut listener = Listener::start(auto(&server)?, [7])?;
    listener.until("a rejection", |heard| heard.is(FeedState::Rejected)).await?;
    sleep(ms(1_500)).await;
    ensure!(server.seen().negotiations == 1, "{:?}", server.seen());

    let server = FeedServer::start(Dialect::Centrifugo).await;
    server.script(|script| script.offers = Some(json!([{ "provider": "ably" }, { "provider": 7 }])));
    let mut listener = Listener::start(auto(&server)?, [7])?;
    listener.until("trouble", |heard| heard.status().error.is_some()).await?;
    server.script(|script| {
        let url = format!("{}/connection/websocket", server.ws_url());
        let ours = json!({ "provider": "centrifugo", "credentials": { "url": url } });
        script.offers = Some(json!([{ "provider": "ably" }, ours]));
    });
    listener.until_subscribed(1).await?;
    Ok(())
}

pub(crate) async fn a_refusal_to_open_is_a_refusal(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Pusher).await;
    server.script(|script| script.refuses_sockets = Some(403));
    let mut listener = Listener::start(auto(&server)?, [7])?;
    listener.until("a rejection", |heard| heard.is(FeedState::Rejected)).await?;
    server.script(|script| script.refuses_sockets = None);
    listener.until_subscribed(1).await?;
    Ok(())
}

pub(crate) async fn a_feed_that_moved_is_found(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Centrifugo).await;
    let elsewhere = json!([{ "provider": "centrifugo", "credentials": { "url": "ws://127.0.0.1:9/" } }]);
    server.script(|script| script.offers = Some(elsewhere));
    let mut settings = auto(&server)?;
    settings.timing.renegotiate = ms(1_000);
    let mut listener = Listener::start(settings, [7])?;
    listener.until("trouble", |heard| heard.status().error.is_some()).await?;
    server.script(|script| script.offers = None);
    listener.until_subscribed(1).await?;
    ensure!(server.seen().negotiations >= 2, "{:?}", server.seen());
    Ok(())
}

pub(crate) async fn connections_close_when_watching_stops(_: &Path) -> Result<()> {
    let server = FeedServer::start(Dialect::Pusher).await;
    let mut settings = auto(&server)?;
    settings.channels_per_connection = 10;
    let mut listener = Listener::start(settings, 1..=50)?;
    listener.until_subscribed(50).await?;
    listener.stop().await;
    server.until("no connection", |seen| seen.open == 0).await;
    Ok(())
}

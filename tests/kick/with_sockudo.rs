//! The Pusher protocol against a real server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use streamward::adapters::kick::feed::{FeedChoice, FeedSettings};
use streamward::domain::streamer::feed::FeedState;
use streamward_test_support::feed_server::{live, stop};
use tokio::time::{Instant, sleep};

use crate::listener::{Listener, settings};
use crate::sockudo::Sockudo;

const LIVE: &str = r"App\Events\StreamerIsLive";
const STOP: &str = r"App\Events\StopStreamBroadcast";
const AT: &str = "2025-09-14T23:18:20.000000Z";

/// As Kick sends it: JSON in a string.
fn text(data: &Value) -> Value {
    Value::String(data.to_string())
}

fn pusher(sockudo: &Sockudo) -> Result<FeedSettings> {
    let settings = settings(FeedChoice::Pusher, "http://127.0.0.1:9", &sockudo.ws_url())?;
    Ok(FeedSettings { pusher_key: Some("kickkey".into()), ..settings })
}

pub(crate) async fn status_changes_make_the_round_trip(program: &Path) -> Result<()> {
    let sockudo = Sockudo::start(program, 120).await?;
    let mut listener = Listener::start(pusher(&sockudo)?, [668, 669])?;
    listener.until_subscribed(2).await?;
    let sent = Instant::now();
    sockudo
        .publish(&[
            (668, LIVE, text(&live(668, 1, AT))),
            (669, LIVE, text(&live(669, 2, AT))),
            (668, STOP, text(&stop(668, 1))),
            (670, LIVE, text(&live(670, 3, AT))),
        ])
        .await?;
    let heard = listener.until("three changes", |heard| heard.updates.len() >= 3).await?;
    eprintln!("kick: three changes took {} ms, publishing included", sent.elapsed().as_millis());
    ensure!(heard.changes() == [(668, 1, true), (669, 2, true), (668, 1, false)], "{heard:?}");
    Ok(())
}

pub(crate) async fn a_thousand_channels_share_connections(program: &Path) -> Result<()> {
    let sockudo = Sockudo::start(program, 120).await?;
    let mut listener = Listener::start(pusher(&sockudo)?, 1..=1_000)?;
    let heard = listener.until_subscribed(1_000).await?;
    ensure!((heard.status().connections, heard.subscribed()) == (4, 1_000), "{:?}", heard.status());
    let events: Vec<_> =
        (1..=1_000).map(|channel| (channel, LIVE, text(&live(channel, channel, AT)))).collect();
    sockudo.publish(&events).await?;
    let heard = listener.until("a change of each", |heard| heard.updates.len() >= 1_000).await?;
    let mut changes = heard.changes();
    changes.sort_unstable();
    ensure!(changes == (1..=1_000).map(|channel| (channel, channel, true)).collect::<Vec<_>>());
    Ok(())
}

pub(crate) async fn an_unsubscribed_channel_is_silent(program: &Path) -> Result<()> {
    let sockudo = Sockudo::start(program, 120).await?;
    let mut listener = Listener::start(pusher(&sockudo)?, [1, 2])?;
    listener.until_subscribed(2).await?;
    listener.want([2])?;
    listener.until("one less", |heard| heard.status().subscribed == 1).await?;
    sockudo.publish(&[(1, LIVE, text(&live(1, 1, AT))), (2, LIVE, text(&live(2, 2, AT)))]).await?;
    let heard = listener.until("a change", |heard| !heard.updates.is_empty()).await?;
    ensure!(heard.changes() == [(2, 2, true)], "{heard:?}");
    // The channel is watched again.
    listener.want([1, 2])?;
    listener.until_subscribed(3).await?;
    sockudo.publish(&[(1, STOP, text(&stop(1, 1)))]).await?;
    listener.until("the other", |heard| heard.changes().last() == Some(&(1, 1, false))).await?;
    Ok(())
}

pub(crate) async fn a_restart_is_survived(program: &Path) -> Result<()> {
    let mut sockudo = Sockudo::start(program, 120).await?;
    let mut listener = Listener::start(pusher(&sockudo)?, 1..=300)?;
    listener.until_subscribed(300).await?;
    sockudo.terminate().await?;
    listener.until("the loss", |heard| heard.is(FeedState::Connecting)).await?;
    sockudo.start_again().await?;
    let again = Instant::now();
    listener.until_subscribed(600).await?;
    eprintln!("kick: all was subscribed again {} ms after the restart", again.elapsed().as_millis());
    sockudo.publish(&[(300, LIVE, text(&live(300, 5, AT)))]).await?;
    listener.until("a change", |heard| heard.changes() == [(300, 5, true)]).await?;
    Ok(())
}

pub(crate) async fn our_pings_are_answered(program: &Path) -> Result<()> {
    let sockudo = Sockudo::start(program, 120).await?;
    let mut settings = pusher(&sockudo)?;
    settings.timing.activity = Duration::from_millis(300);
    let mut listener = Listener::start(settings, [7])?;
    let before = listener.until_subscribed(1).await?;
    // After each silence an answer must come within half a second, or the connection is closed.
    sleep(Duration::from_secs(4)).await;
    let heard = listener.heard();
    ensure!(heard.batches == before.batches && heard.statuses.len() == before.statuses.len(), "{heard:?}");
    sockudo.publish(&[(7, LIVE, text(&live(7, 5, AT)))]).await?;
    listener.until("a change", |heard| heard.changes() == [(7, 5, true)]).await?;
    Ok(())
}

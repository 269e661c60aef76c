//! A soak: streamers go live and stop while the feed is disconnected repeatedly in several ways. At the end all
//! statuses match the script.
//!
//! Ten minutes with a disconnect every 20 s if `KICK_SOAK` is `600`; otherwise half a minute, with one every 3 s.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use streamward_test_support::feed_server::Dialect;
use tokio::time::{Instant, sleep};

use crate::world::World;

const PEOPLE: u64 = 200;

pub(crate) async fn disconnects_leave_no_trace(_: &Path) -> Result<()> {
    let seconds = std::env::var("KICK_SOAK").ok().and_then(|text| text.parse().ok());
    let (lasts, every) = seconds.map_or((30, 3), |seconds: u64| (seconds, 20));
    let (lasts, every) = (Duration::from_secs(lasts), Duration::from_secs(every));
    let mut world = World::new(Dialect::Pusher).await?;
    world.start().await?;
    world.add(PEOPLE).await?;
    world.until_subscribed(usize::try_from(PEOPLE)?).await?;
    let (begun, mut next, mut step, mut disconnects) = (Instant::now(), Instant::now() + every, 0_u64, 0_u64);
    while begun.elapsed() < lasts {
        step += 1;
        // The factor is coprime to the count, so every streamer is visited, in an irregular order.
        let n = step * 7_919 % PEOPLE + 1;
        if world.truth.contains_key(&n) {
            world.stops(n);
        } else {
            world.goes_live(n);
        }
        if Instant::now() >= next {
            next += every;
            disconnects += 1;
            match disconnects % 4 {
                0 => world.feed.cut_all(),
                1 => world.feed.close_all(4200),
                2 => world.feed.close_all(1006 - 5),
                _ => world.feed.close_all(4100),
            }
            world.feed.send_raw("garbage");
        }
        sleep(Duration::from_millis(20)).await;
    }
    // A missed stop takes two answers, the first one half a minute after the change.
    let recovered = world.until_right(Duration::from_secs(90)).await?;
    let changes = world.check_history().await?;
    world.until_subscribed(usize::try_from(PEOPLE)?).await?;
    ensure!(changes > 100 && disconnects > 2, "{changes} changes, {disconnects} disconnects");
    eprintln!(
        "kick: soak of {lasts:?}: {step} reports, {disconnects} disconnects, {changes} changes recorded, all right {recovered:?} after"
    );
    Ok(())
}

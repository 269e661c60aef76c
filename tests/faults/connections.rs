//! Clients that connect and never finish.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::fault::{Facts, Fault};
use crate::lights::Ready;
use crate::load::Load;
use crate::world::World;

/// File descriptors of this process that are needed for something else.
const OTHERS: usize = 1_000;

/// How long it takes until all of them are open.
const RAMP: Duration = Duration::from_secs(5);

/// So many connections are held open, half of them in the middle of a request.
pub(crate) struct Silent {
    count: usize,
    clients: JoinSet<()>,
}

impl Silent {
    /// Fewer, if this process may not open as many.
    pub(crate) fn at_most(count: usize) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        let allowed = limit.maximum.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        Self { count: count.min(allowed.saturating_sub(OTHERS)), clients: JoinSet::new() }
    }
}

#[async_trait(?Send)]
impl Fault for Silent {
    fn facts(&self) -> Facts {
        Facts {
            injected: format!(
                "{} connections are opened within 5 s and kept for 10 s; half of them stop in the middle of a request",
                self.count
            ),
            promised: "everybody else is served as before",
            // A debug build cannot accept so many as fast as they come.
            ready: if self.count > 5_000 && cfg!(debug_assertions) { Ready::MayBeLost } else { Ready::Stays },
            lasts: Duration::from_secs(15),
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        let mut world = World::prepare_sqlite().await?;
        // With the default the last of 10,000 would be closed at once, and those of the load with them.
        world.instances[0].set("STREAMWARD_HTTP__MAX_CONNECTIONS", "12000");
        world.serve().await
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let address = world.caller()?.address(0);
        for n in 0..self.count {
            // Not all at the same moment, which would test the kernel.
            let first = RAMP.mul_f64(n as f64 / self.count as f64);
            self.clients.spawn(client(address, n.is_multiple_of(2), first));
        }
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        self.clients.shutdown().await;
        Ok(())
    }
}

/// Connects after a pause, sends a request or half of one, and connects again when it is disconnected.
#[expect(clippy::infinite_loop, reason = "its task is aborted")]
async fn client(address: SocketAddr, finishes: bool, first: Duration) {
    let request = "GET /livez HTTP/1.1\r\nHost: x\r\n";
    sleep(first).await;
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let text = if finishes { format!("{request}\r\n") } else { request.to_owned() };
            let _ = stream.write_all(text.as_bytes()).await;
            let mut answer = [0; 512];
            while stream.read(&mut answer).await.is_ok_and(|read| read > 0) {}
        }
        sleep(Duration::from_millis(100)).await;
    }
}

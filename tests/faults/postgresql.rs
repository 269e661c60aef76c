//! Faults of PostgreSQL.

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use streamward_test_support::Cluster;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;

use crate::fault::{Facts, Fault};
use crate::lights::Ready;
use crate::load::Load;
use crate::world::{World, cluster};

const PROMISED_WITHOUT_IT: &str = "publishers with a key that was valid at the last contact are let in (`auth.grace`), \
    unknown and revoked keys are not; writes are refused with 503, none is half done; `/readyz` says so";

/// It ends as in a crash, and starts again later.
pub(crate) struct Stopped {
    pub(crate) lasts: Duration,
}

#[async_trait(?Send)]
impl Fault for Stopped {
    fn facts(&self) -> Facts {
        Facts {
            injected: format!("PostgreSQL is killed, and started again after {} s", self.lasts.as_secs()),
            promised: PROMISED_WITHOUT_IT,
            lasts: self.lasts,
            ready: Ready::IsLost,
            failing_task: Some("database-probe"),
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        World::on_postgresql(1).await
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let cluster = world.cluster()?;
        block_in_place(|| cluster.stop());
        Ok(())
    }

    async fn heal(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let cluster = world.cluster()?;
        block_in_place(|| cluster.run()).map_err(anyhow::Error::msg)
    }
}

/// It is restarted three times in a row.
pub(crate) struct Restarted;

#[async_trait(?Send)]
impl Fault for Restarted {
    fn facts(&self) -> Facts {
        Facts {
            injected: "PostgreSQL is restarted three times, one second apart".to_owned(),
            promised: "as when it is stopped; the connections that broke are replaced",
            ready: Ready::MayBeLost,
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        World::on_postgresql(1).await
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        for _ in 0..3 {
            let cluster = world.cluster()?;
            block_in_place(|| {
                cluster.stop();
                cluster.run()
            })
            .map_err(anyhow::Error::msg)?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        Ok(())
    }
}

/// It keeps its connections and answers nothing.
pub(crate) struct Frozen;

#[async_trait(?Send)]
impl Fault for Frozen {
    fn facts(&self) -> Facts {
        Facts {
            injected: "every process of PostgreSQL is frozen (SIGSTOP) for 6 s".to_owned(),
            promised: PROMISED_WITHOUT_IT,
            ready: Ready::IsLost,
            failing_task: Some("database-probe"),
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        World::on_postgresql(1).await
    }

    async fn inject(&mut self, world: &mut World, load: &Load) -> Result<()> {
        let cluster = world.cluster()?;
        load.revoke_and(|| cluster.freeze()).await
    }

    async fn heal(&mut self, world: &mut World, _: &Load) -> Result<()> {
        world.cluster()?.resume();
        Ok(())
    }
}

/// The primary dies, and its replica takes over its address.
#[derive(Default)]
pub(crate) struct FailedOver {
    replica: Option<Cluster>,
    address: Option<Address>,
}

#[async_trait(?Send)]
impl Fault for FailedOver {
    fn facts(&self) -> Facts {
        Facts {
            injected: "the primary is killed; after 4 s its synchronous replica is promoted and takes over the address"
                .to_owned(),
            promised: PROMISED_WITHOUT_IT,
            lasts: Duration::from_secs(4),
            ready: Ready::MayBeLost,
            failing_task: Some("database-probe"),
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        let cluster = cluster().await?;
        let replica = block_in_place(|| cluster.replica()).map_err(anyhow::Error::msg)?;
        // Otherwise the last acknowledged writes may not have reached the replica: no program could change that.
        let mut admin = PgConnection::connect(&cluster.url("postgres")).await?;
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
        admin.execute("SELECT pg_reload_conf()").await?;
        let address = Address::of(cluster.port()).await?;
        let url = cluster.url("postgres").replace(&cluster.port().to_string(), &address.port.to_string());
        (self.replica, self.address) = (Some(replica), Some(address));
        World::new(tempfile::tempdir()?, Some(cluster), &url, 1).await?.serve().await
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let cluster = world.cluster()?;
        block_in_place(|| cluster.stop());
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        let (replica, address) = self.replica.as_ref().zip(self.address.as_ref()).context("prepared")?;
        let mut admin = PgConnection::connect(&replica.url("postgres")).await?;
        admin.execute("SELECT pg_promote()").await?;
        // It had no replica of its own.
        admin.execute("ALTER SYSTEM RESET synchronous_standby_names").await?;
        admin.execute("SELECT pg_reload_conf()").await?;
        address.leads_to(replica.port());
        Ok(())
    }
}

/// An address that leads to one server, and later to another one, as a virtual address does.
struct Address {
    port: u16,
    target: watch::Sender<u16>,
    _task: JoinSet<()>,
}

impl Address {
    async fn of(target: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (sender, target) = watch::channel(target);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let port = *target.borrow();
                connections.spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await {
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
        Ok(Self { port, target: sender, _task: task })
    }

    fn leads_to(&self, port: u16) {
        self.target.send_replace(port);
    }
}

/// Another program takes every connection there is, and ends ours.
#[derive(Default)]
pub(crate) struct WithoutConnections {
    other: JoinSet<()>,
}

#[async_trait(?Send)]
impl Fault for WithoutConnections {
    fn facts(&self) -> Facts {
        Facts {
            injected:
                "for 10 s another program ends our sessions and takes every connection that PostgreSQL has"
                    .to_owned(),
            promised: PROMISED_WITHOUT_IT,
            lasts: Duration::from_secs(10),
            ready: Ready::MayBeLost,
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        World::on_postgresql(1).await
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let url = world.cluster()?.url("postgres");
        let mut admin = PgConnection::connect(&url).await?;
        self.other.spawn(async move {
            let mut taken = Vec::new();
            loop {
                while let Ok(conn) = PgConnection::connect(&url).await {
                    taken.push(conn);
                }
                let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'streamward'";
                let _ = admin.execute(others).await;
            }
        });
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        self.other.shutdown().await;
        Ok(())
    }
}

/// What another program's transaction locks.
pub(crate) enum Locked {
    /// The row of one key.
    Row,
    Table,
}

/// Another program's transaction blocks our statements.
pub(crate) struct Blocked {
    what: Locked,
    other: Option<PgConnection>,
}

impl Blocked {
    pub(crate) fn by(what: Locked) -> Self {
        Self { what, other: None }
    }
}

#[async_trait(?Send)]
impl Fault for Blocked {
    fn facts(&self) -> Facts {
        let (injected, promised) = match self.what {
            Locked::Row => (
                "another program locks the row of one stream key for 6 s, so every statement about it hangs",
                "only that key is affected",
            ),
            Locked::Table => (
                "another program locks the table `stream_keys` for 6 s (ACCESS EXCLUSIVE)",
                "as when PostgreSQL is stopped, as far as stream keys are needed",
            ),
        };
        Facts {
            injected: injected.to_owned(),
            promised,
            ready: match self.what {
                Locked::Row => Ready::Stays,
                Locked::Table => Ready::MayBeLost,
            },
            failing_task: match self.what {
                Locked::Row => None,
                Locked::Table => Some("database-probe"),
            },
            ..Facts::default()
        }
    }

    async fn world(&mut self) -> Result<World> {
        World::on_postgresql(1).await
    }

    async fn inject(&mut self, world: &mut World, load: &Load) -> Result<()> {
        let mut other = PgConnection::connect(&world.cluster()?.url("postgres")).await?;
        other.execute("BEGIN").await?;
        // Second encoders request it all the time.
        let key = load.anchors().swap_remove(0).key.id;
        let lock = match self.what {
            Locked::Row => format!("SELECT 1 FROM stream_keys WHERE id = '{key}' FOR UPDATE"),
            Locked::Table => "LOCK TABLE stream_keys IN ACCESS EXCLUSIVE MODE".to_owned(),
        };
        other.execute(AssertSqlSafe(lock)).await?;
        self.other = Some(other);
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        if let Some(other) = self.other.take() {
            other.close().await?;
        }
        Ok(())
    }
}

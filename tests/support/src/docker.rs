//! PostgreSQL in a container, for machines with Docker and without PostgreSQL.

use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{GenericImage, ImageExt as _};

use crate::watchdog;

const IMAGE: (&str, &str) = ("postgres", "17-alpine");

/// Starts a container; returns the address of a server, up to the database's name. It ends with this process.
pub(crate) fn start() -> Result<String, String> {
    let (sender, receiver) = mpsc::channel();
    // A separate thread, since the client belongs to its runtime, and each test has its own runtime.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(async {
                let image = GenericImage::new(IMAGE.0, IMAGE.1)
                    .with_exposed_port(5432.tcp())
                    .with_wait_for(WaitFor::message_on_stderr(
                        "database system is ready to accept connections",
                    ))
                    .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
                    .with_env_var("POSTGRES_USER", "streamward")
                    .with_cmd([
                        "-c",
                        "fsync=off",
                        "-c",
                        "synchronous_commit=off",
                        "-c",
                        "max_connections=400",
                    ]);
                let started = async {
                    let container = image.start().await?;
                    let port = container.get_host_port_ipv4(5432.tcp()).await?;
                    // Inside a container the client guesses the address of the bridge, and may be wrong.
                    let guess = container.get_host().await?.to_string();
                    let local = TcpStream::connect(("127.0.0.1", port)).is_ok();
                    let host = if local { "127.0.0.1" } else { guess.as_str() };
                    Ok((container, format!("postgres://streamward@{host}:{port}")))
                };
                let started: Result<_, testcontainers::TestcontainersError> = started.await;
                match started {
                    Ok((container, url)) => {
                        let watchdog = watchdog::after_us("docker rm -f \"$1\"", &[container.id().as_ref()]);
                        let _ = sender.send(Ok(url));
                        std::future::pending::<()>().await;
                        drop((container, watchdog));
                    }
                    Err(error) => drop(sender.send(Err(error.to_string()))),
                }
            }),
            Err(error) => drop(sender.send(Err(error.to_string()))),
        }
    });
    receiver.recv().map_err(|error| error.to_string())?
}

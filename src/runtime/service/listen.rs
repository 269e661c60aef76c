//! Binds the addresses of `http.listen`, `http.media_listen` and `studios.<name>.health_listen`.
//!
//! All are bound before anything listens or is created, so that a taken address stops the start.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context as _, anyhow};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;

/// An address that is bound.
pub(super) struct Bound {
    /// The key of the configuration.
    key: String,
    /// The same with its value.
    setting: String,
    socket: TcpSocket,
}

/// Binds the address `listen`, the value of `key`.
pub(super) async fn bind(key: &str, listen: &str) -> anyhow::Result<Bound> {
    let setting = format!("{key} {listen}");
    let mut found = lookup_host(listen).await.with_context(|| setting.clone())?;
    let address = found.next().with_context(|| format!("{setting} cannot be resolved"))?;
    match bind_to(address) {
        Ok(socket) => Ok(Bound { key: key.to_owned(), setting, socket }),
        Err(error) => Err(explain(key, &setting, &error)),
    }
}

fn bind_to(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Otherwise a restart would fail until the system has forgotten the connections of the last run.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Begins to accept.
pub(super) fn listen(Bound { key, setting, socket }: Bound) -> anyhow::Result<TcpListener> {
    socket.listen(BACKLOG).map_err(|error| explain(&key, &setting, &error))
}

fn explain(key: &str, setting: &str, error: &std::io::Error) -> anyhow::Error {
    let variable = format!("STREAMWARD_{}", key.replace('.', "__").to_uppercase());
    let taken = format!(
        "another program listens there: stop it, or choose another address, such as {variable}=127.0.0.1:<port>"
    );
    let advice = match error.kind() {
        ErrorKind::AddrInUse => taken.as_str(),
        ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose one above",
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address: use one of its own, 127.0.0.1 or 0.0.0.0"
        }
        _ => "choose another address",
    };
    anyhow!("{setting} cannot be used ({error}); {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_of_a_taken_port_has_advice() {
        let taken = listen(bind("http.listen", "127.0.0.1:0").await.unwrap()).unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = match bind("http.listen", &address).await {
            Err(error) => error,
            Ok(bound) => listen(bound).unwrap_err(),
        };
        let error = error.to_string();
        assert!(error.starts_with(&format!("http.listen {address} cannot be used")), "{error}");
        assert!(error.contains("STREAMWARD_HTTP__LISTEN"), "{error}");
        let elsewhere = bind("http.listen", "192.0.2.1:80").await.err().unwrap().to_string();
        assert!(elsewhere.contains("no such address"), "{elsewhere}");
    }
}

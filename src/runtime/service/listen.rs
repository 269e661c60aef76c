//! Taking the address of `http.listen`.
//!
//! It is taken early, so that a taken one is told before anything else is done, and listened on late, so that callers
//! are refused rather than kept waiting until the service is ready.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context as _, anyhow};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Takes the address.
pub(super) async fn bind(listen: &str) -> anyhow::Result<TcpSocket> {
    let mut found = lookup_host(listen).await.with_context(|| format!("http.listen {listen}"))?;
    let address = found.next().with_context(|| format!("http.listen {listen} is the name of nothing"))?;
    bind_to(address).map_err(|error| explain(listen, &error))
}

fn bind_to(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Or a restart would have to wait for connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Begins to accept.
pub(super) fn listen(socket: TcpSocket, listen: &str) -> anyhow::Result<TcpListener> {
    socket.listen(BACKLOG).map_err(|error| explain(listen, &error))
}

fn explain(listen: &str, error: &std::io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => {
            "something else listens there: stop it, or choose another one with STREAMWARD_HTTP__LISTEN=127.0.0.1:<port>"
        }
        ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose one above",
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address: use one of its own, 127.0.0.1 or 0.0.0.0"
        }
        _ => "choose another address",
    };
    anyhow!("http.listen {listen} cannot be used ({error}); {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_told_with_what_to_do() {
        let taken = listen(bind("127.0.0.1:0").await.unwrap(), "").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let told = match bind(&address).await {
            Err(error) => error,
            Ok(socket) => listen(socket, &address).unwrap_err(),
        };
        let told = told.to_string();
        assert!(told.starts_with(&format!("http.listen {address} cannot be used")), "{told}");
        assert!(told.contains("STREAMWARD_HTTP__LISTEN"), "{told}");
        let elsewhere = bind("192.0.2.1:80").await.unwrap_err().to_string();
        assert!(elsewhere.contains("no such address"), "{elsewhere}");
    }
}

//! The streaming lane: bodies that are too large to be buffered.
//!
//! The handler takes an [`Upload`] and reads it chunk by chunk. Nothing is read ahead, so a slow handler slows its client
//! down. The caller is authenticated by headers alone; a signature covers the whole body, so signed requests are refused.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::body;
use super::problem::Problem;

/// The limits of a route in the streaming lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UploadLimits {
    /// The largest body, in bytes.
    pub(super) max_bytes: u64,
    /// The longest pause between two chunks. The limit of the server (10 s) also applies.
    pub(super) idle: Duration,
}

/// How the bodies of a route are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// As a whole, up to 1 MiB, within 10 s.
    Buffered,
    /// By the handler, which takes an [`Upload`].
    Streaming(UploadLimits),
}

/// A body that is still arriving.
pub(super) struct Upload {
    body: Body,
    limits: UploadLimits,
    received: u64,
}

impl Upload {
    /// The next chunk; `None` at the end of a complete body. After an error the body is not complete.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let Ok(frame) = timeout(self.limits.idle, self.body.frame()).await else {
                let limit = self.limits.idle.as_secs_f64();
                return Err(body::refused(format!(
                    "The body paused for more than {limit} s. Send it again."
                )));
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| body::broken(&error, self.limits.max_bytes))?;
            // Anything else is a trailer.
            if let Ok(chunk) = frame.into_data() {
                self.received += chunk.len() as u64;
                if self.received > self.limits.max_bytes {
                    body::drain(std::mem::take(&mut self.body)).await;
                    return Err(body::too_large(self.limits.max_bytes));
                }
                return Ok(Some(chunk));
            }
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        // Absent only on a route outside of the streaming lane.
        let limits = *parts.extensions.get::<UploadLimits>().ok_or_else(Problem::internal)?;
        let body = body::stated_within(&parts.headers, body, limits.max_bytes).await?;
        Ok(Self { body, limits, received: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use axum::extract::State;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Semaphore;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tokio::task::JoinSet;
    use utoipa_axum::routes;

    use super::*;
    use crate::adapters::argon2_pool::Argon2Pool;
    use crate::adapters::http::{CookieRules, Gate, RequestLog, Routes, router};
    use crate::adapters::local_wake_ups::LocalWakeUps;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::{SystemClock, SystemIds};
    use crate::app::Core;
    use crate::app::access::{Access, AccessSettings};
    use crate::app::audit::AuditLog;
    use crate::app::auth_failures::AuthFailures;
    use crate::app::user::{Providers, UserSettings, Users};
    use crate::domain::access::Role;
    use crate::domain::secret::{MasterKey, Secret};
    use crate::domain::user::SessionTerms;

    /// Does not fit into the socket buffers of loopback.
    const MAX: u64 = 16 * 1024 * 1024;

    /// A server with one upload route. It reports each chunk, and how the upload ended, after it was allowed to read.
    struct Server {
        address: SocketAddr,
        seen: UnboundedReceiver<Result<usize, String>>,
        may_read: Arc<Semaphore>,
        _task: JoinSet<std::io::Result<()>>,
    }

    type Handles = (UnboundedSender<Result<usize, String>>, Arc<Semaphore>);

    /// Take a file
    #[utoipa::path(put, path = "/upload", responses((status = 200)))]
    async fn take(State((seen, may_read)): State<Handles>, mut upload: Upload) -> Result<String, Problem> {
        let mut total = 0;
        loop {
            may_read.acquire().await.unwrap().forget();
            match upload.chunk().await {
                Ok(Some(chunk)) => {
                    total += chunk.len();
                    seen.send(Ok(chunk.len())).unwrap();
                }
                Ok(None) => return Ok(format!("took {total}")),
                Err(problem) => {
                    seen.send(Err(problem.detail().to_owned())).unwrap();
                    return Err(problem);
                }
            }
        }
    }

    fn gate() -> (Gate, Arc<Core>) {
        let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
        let wake_ups = Arc::new(LocalWakeUps::default());
        let core = Arc::new(Core::over_one_store(
            store,
            Arc::new(SystemClock),
            Arc::new(SystemIds),
            wake_ups,
            &MasterKey::new([1; 32]),
        ));
        let settings =
            AccessSettings { admin_token: Some(Secret::new("admin")), ..AccessSettings::default() };
        let failures = Arc::new(AuthFailures::new(Arc::clone(&core)));
        let access = Arc::new(Access::new(Arc::clone(&core), settings, Arc::default(), failures));
        let terms = SessionTerms { idle: Duration::from_secs(60), longest: Duration::from_secs(60) };
        let settings = UserSettings { terms, public_url: String::new() };
        let hasher = Arc::new(Argon2Pool::new());
        let (known, providers) = (Arc::clone(&access), Providers::new());
        let users = Users::new(Arc::clone(&core), known, hasher, None, providers, settings);
        let (users, audit) = (Arc::new(users), AuditLog::new(Arc::clone(&core)));
        let cookies = CookieRules::new(&[], None, "");
        (Gate::new((access, users), Arc::new(audit), cookies, 10_000), core)
    }

    const TOKEN: &str = "authorization: Bearer admin";

    async fn start(reads: usize) -> Server {
        let (sender, seen) = unbounded_channel();
        let may_read = Arc::new(Semaphore::new(reads));
        let limits = UploadLimits { max_bytes: MAX, idle: Duration::from_millis(300) };
        let routes = Routes::new("files").uploads(Role::Operator, "file", routes!(take), limits);
        let (gate, core) = gate();
        let log = Arc::new(RequestLog::of(&core));
        let router = router([routes.into_router((sender, Arc::clone(&may_read)), &gate)], log, "");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        task.spawn(async move { axum::serve(listener, service).await });
        Server { address, seen, may_read, _task: task }
    }

    async fn send_head(server: &Server, headers: &str) -> TcpStream {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        let head = format!("PUT /upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        client
    }

    async fn begin(server: &Server, length: u64) -> TcpStream {
        send_head(server, &format!("{TOKEN}\r\ncontent-length: {length}")).await
    }

    async fn answer(mut client: TcpStream) -> String {
        let mut text = String::new();
        let read = timeout(Duration::from_secs(10), client.read_to_string(&mut text)).await;
        read.expect("an answer").expect("text");
        text
    }

    #[tokio::test]
    async fn chunk_is_handed_on_before_the_next_one_is_sent() {
        let mut server = start(100).await;
        let mut client = begin(&server, 10).await;
        for _ in 0..2 {
            client.write_all(b"12345").await.unwrap();
            assert_eq!(server.seen.recv().await.unwrap(), Ok(5));
        }
        assert!(answer(client).await.ends_with("took 10"));
    }

    #[tokio::test]
    async fn upload_that_grows_too_large_is_refused() {
        let mut server = start(1_000).await;
        let mut client = send_head(&server, &format!("{TOKEN}\r\ntransfer-encoding: chunked")).await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        for _ in 0..=MAX / 0x10000 {
            client.write_all(chunk.as_bytes()).await.unwrap();
        }
        client.write_all(b"0\r\n\r\n").await.unwrap();
        assert!(answer(client).await.starts_with("HTTP/1.1 413"));
        server.seen.close();
        let mut total = 0;
        while let Some(Ok(bytes)) = server.seen.recv().await {
            total += bytes as u64;
        }
        assert!(total <= MAX, "the handler got {total} bytes");
    }

    #[tokio::test]
    async fn incomplete_upload_is_not_taken_for_a_complete_one() {
        for (aborts, words) in [(false, "paused"), (true, "broke off")] {
            let mut server = start(100).await;
            let mut client = begin(&server, 10).await;
            client.write_all(b"half").await.unwrap();
            assert_eq!(server.seen.recv().await.unwrap(), Ok(4));
            if aborts {
                drop(client);
            } else {
                assert!(answer(client).await.starts_with("HTTP/1.1 408"));
            }
            assert!(server.seen.recv().await.unwrap().unwrap_err().contains(words));
        }
    }

    #[tokio::test]
    async fn client_waits_while_the_handler_does_not_read() {
        let server = start(0).await;
        let mut client = begin(&server, MAX).await;
        socket2::SockRef::from(&client).set_send_buffer_size(16 * 1024).unwrap();
        let all = vec![b'x'; usize::try_from(MAX).unwrap()];
        let mut written = 0;
        let stuck = loop {
            match timeout(Duration::from_millis(200), client.write(&all[written..])).await {
                Ok(bytes) => written += bytes.unwrap(),
                Err(_) => break true,
            }
            if written == all.len() {
                break false;
            }
        };
        assert!(stuck, "the server took all of it");
        server.may_read.add_permits(10_000);
        client.write_all(&all[written..]).await.unwrap();
        assert!(answer(client).await.ends_with(&format!("took {MAX}")));
    }

    #[tokio::test]
    async fn upload_is_refused_by_its_headers_before_anything_is_read() {
        let server = start(100).await;
        for (headers, length, status, words) in [
            ("x-y: z", 10, 401, "no credentials"),
            ("authorization: Bearer wrong", 10, 401, "not an API token"),
            ("x-api-key: k\r\nx-timestamp: 1\r\nx-signature: ab", 10, 401, "cannot be signed"),
            (TOKEN, MAX + 1, 413, "at most 16777216 bytes"),
        ] {
            let client = send_head(&server, &format!("{headers}\r\ncontent-length: {length}")).await;
            let answer = answer(client).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(words), "{answer}");
        }
        assert!(server.seen.is_empty());
    }
}

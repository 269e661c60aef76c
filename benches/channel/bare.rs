//! The reference: a process that copies the same bytes from as many sources to as many sinks, and does nothing else.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The argument that makes this bench the reference.
pub(crate) const ARGUMENT: &str = "copy-bytes";

/// The running reference.
pub(crate) struct Bare(Child);

impl Bare {
    /// Copies `streams` streams from `source`, each to `outputs` connections at `sink`.
    pub(crate) fn start(source: SocketAddr, sink: SocketAddr, streams: usize, outputs: usize) -> Self {
        let this = std::env::current_exe().expect("the path of this bench");
        let mut command = Command::new(this);
        command.args([ARGUMENT.to_owned(), source.to_string(), sink.to_string()]);
        command.args([streams.to_string(), outputs.to_string()]).stdin(Stdio::null());
        Self(command.spawn().expect("the reference starts"))
    }

    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the reference does, with the arguments of [`Bare::start`].
pub(crate) async fn copy(arguments: &[String]) {
    let [source, sink, streams, outputs] = arguments else { panic!("four arguments") };
    let address = |text: &String| text.parse::<SocketAddr>().expect("an address");
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (source, sink, outputs) = (address(source), address(sink), number(outputs));
    let mut copies = JoinSet::new();
    for _ in 0..number(streams) {
        copies.spawn(async move {
            let mut from = TcpStream::connect(source).await.expect("the source");
            let mut to = Vec::new();
            for _ in 0..outputs {
                let one = TcpStream::connect(sink).await.expect("the sink");
                one.set_nodelay(true).expect("a socket");
                to.push(one);
            }
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = from.read(&mut buffer).await {
                for one in &mut to {
                    one.write_all(&buffer[..read]).await.expect("the sink takes it");
                }
            }
        });
    }
    while copies.join_next().await.is_some() {}
}

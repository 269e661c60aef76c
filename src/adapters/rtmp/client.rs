//! Publishing and playing.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rml_amf0::Amf0Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::address::Address;
use super::codec::Formats;
use super::connect::{Connection, Connector, StepTime, refused, step};
use super::error::{RtmpError, Step};
use super::frame::{Frame, Unsupported};
use super::session::{Event, Unreadable};
use crate::domain::secret::Secret;

/// How long a write may take.
const WRITE: Duration = Duration::from_secs(10);
/// How long the end of a stream may take.
const CLOSE: Duration = Duration::from_secs(1);

/// Publishes a stream.
pub struct Publisher {
    connection: Connection,
    name: Secret,
    out: Vec<u8>,
}

/// A connection whose application accepted us. No stream has begun, and no key was sent.
pub struct Prepared(pub(super) Connection);

/// Plays a stream.
pub struct Player {
    connection: Connection,
    name: Secret,
    frames: VecDeque<Result<Frame, Unsupported>>,
}

impl Publisher {
    /// Connects, without beginning a stream. Each step is added to `steps`.
    ///
    /// # Errors
    /// If a step fails.
    pub async fn prepare(
        connector: &Connector,
        address: &Address,
        steps: &mut Vec<StepTime>,
    ) -> Result<Prepared, RtmpError> {
        connector.connect(address, steps).await.map(Prepared)
    }

    /// Begins the stream `name`.
    ///
    /// # Errors
    /// If the server refuses it, or the connection breaks. The text does not contain `name`.
    pub async fn begin(
        Prepared(mut connection): Prepared,
        name: Secret,
        steps: &mut Vec<StepTime>,
    ) -> Result<Self, RtmpError> {
        let begun = step(steps, Step::Stream, connection.begin(name.expose(), Purpose::Publish)).await;
        begun.map_err(|error| error.without(name.expose()))?;
        Ok(Self { connection, name, out: Vec::new() })
    }

    /// The round-trip time of the connection, in milliseconds, if the system knows it.
    pub fn rtt_ms(&self) -> Option<u32> {
        self.connection.tcp.rtt_ms()
    }

    /// Describes the stream, for servers that want to know before the first frame. Sent with the next frames.
    ///
    /// # Errors
    /// If the description is too large.
    pub fn describe(&mut self, formats: &Formats) -> Result<(), RtmpError> {
        let mut values = HashMap::new();
        let mut number = |name: &str, value: f64| values.insert(name.to_owned(), Amf0Value::Number(value));
        if let Some(video) = &formats.video {
            number("width", f64::from(video.width));
            number("height", f64::from(video.height));
            number("videocodecid", 7.0);
            number("framerate", video.fps.unwrap_or(0.0));
        }
        if let Some(audio) = formats.audio {
            number("audiocodecid", 10.0);
            number("audiosamplerate", f64::from(audio.rate));
            number("audiosamplesize", 16.0);
        }
        let is_stereo = formats.audio.is_some_and(|audio| audio.channels != 1);
        values.insert("stereo".to_owned(), Amf0Value::Boolean(is_stereo));
        self.connection.session.metadata(values, &mut self.out).map_err(media)
    }

    /// Adds a frame at `timestamp` to what [`Publisher::send`] sends.
    ///
    /// # Errors
    /// If the frame is too large for RTMP.
    pub fn add(&mut self, frame: &Frame, timestamp: u32) -> Result<(), RtmpError> {
        let Self { connection, out, .. } = self;
        connection.session.media(frame.kind(), timestamp, frame.payload.clone(), out).map_err(media)
    }

    /// Sends what was added. Returns its bytes.
    ///
    /// # Errors
    /// If the server takes nothing for ten seconds, or the connection breaks.
    pub async fn send(&mut self) -> Result<u64, RtmpError> {
        let mut out = std::mem::take(&mut self.connection.answers);
        out.append(&mut self.out);
        let slow = |_| RtmpError::new(Step::Media, "the server took nothing for ten seconds");
        timeout(WRITE, self.connection.write(&out, Step::Media)).await.map_err(slow).flatten()?;
        Ok(out.len() as u64)
    }

    /// Waits for a message of the server. Returns only if there was one: then call [`Publisher::send`], which sends the
    /// answer too. Nothing is lost if this is dropped.
    ///
    /// # Errors
    /// If the server ends the stream, with its words.
    pub async fn listen(&mut self) -> Result<(), RtmpError> {
        for event in
            self.connection.listen(Step::Media).await.map_err(|error| error.without(self.name.expose()))?
        {
            match event {
                Event::Status { is_error: true, words, .. } => {
                    let error = refused(Step::Media, "the server ended the stream", &words);
                    return Err(error.without(self.name.expose()));
                }
                Event::End => return Err(RtmpError::new(Step::Media, "the server ended the stream")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends the stream and the connection, and waits until the server has ended it too: a new stream with the same name
    /// is then not one too many. Takes a second at most.
    pub async fn close(mut self) {
        let closing = async {
            if self.connection.session.close(self.name.expose(), &mut self.out).is_ok() {
                let _ = self.connection.write(&self.out, Step::Media).await;
            }
            let io = &mut self.connection.io;
            let _ = io.shutdown().await;
            while io.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {}
        };
        let _ = timeout(CLOSE, closing).await;
    }
}

impl Player {
    /// Connects and begins to play the stream `name`.
    ///
    /// # Errors
    /// If a step fails. The text does not contain `name`.
    pub async fn open(connector: &Connector, address: &Address, name: Secret) -> Result<Self, RtmpError> {
        let hidden = |error: RtmpError| error.without(name.expose());
        let mut steps = Vec::new();
        let connection = connector.connect(address, &mut steps).await.map_err(hidden)?;
        Self::begin(connection, name).await
    }

    /// Begins to play the stream `name`.
    pub(super) async fn begin(mut connection: Connection, name: Secret) -> Result<Self, RtmpError> {
        let mut steps = Vec::new();
        let begun = step(&mut steps, Step::Stream, connection.begin(name.expose(), Purpose::Play)).await;
        let frames = begun.map_err(|error| error.without(name.expose()))?;
        Ok(Self { connection, name, frames })
    }

    /// The next frame.
    ///
    /// # Errors
    /// If the stream ended, or the connection broke.
    pub async fn next(&mut self) -> Result<Result<Frame, Unsupported>, RtmpError> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(frame);
            }
            let events = self.connection.read(Step::Media).await;
            for event in events.map_err(|error| error.without(self.name.expose()))? {
                match event {
                    Event::Frame(frame) => self.frames.push_back(frame),
                    Event::End => return Err(ended()),
                    Event::Status { code, .. } if is_end(&code) => return Err(ended()),
                    _ => {}
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Publish,
    Play,
}

impl Connection {
    /// Begins a stream. Returns the frames that came with the answer.
    async fn begin(
        &mut self,
        name: &str,
        purpose: Purpose,
    ) -> Result<VecDeque<Result<Frame, Unsupported>>, RtmpError> {
        let broken = |error: Unreadable| RtmpError::new(Step::Stream, error.0);
        let mut out = Vec::new();
        if purpose == Purpose::Publish {
            self.session.announce(name, &mut out).map_err(broken)?;
        }
        let transaction = self.session.create_stream(&mut out).map_err(broken)?;
        self.write(&out, Step::Stream).await?;
        let mut frames = VecDeque::new();
        let mut refusable = vec![transaction];
        loop {
            let mut has_begun = false;
            for event in self.read(Step::Stream).await? {
                match event {
                    Event::Answer { transaction: of, is_error: false, number: Some(stream), .. }
                        if of == transaction =>
                    {
                        let mut out = Vec::new();
                        let stream = stream_id(stream);
                        let request = match purpose {
                            Purpose::Publish => self.session.publish(stream, name, &mut out),
                            Purpose::Play => self.session.play(stream, name, &mut out),
                        };
                        // Some servers answer without a number.
                        refusable.extend([request.map_err(broken)?, 0]);
                        self.write(&out, Step::Stream).await?;
                    }
                    Event::Answer { transaction: of, is_error: true, words, .. }
                        if refusable.contains(&of) =>
                    {
                        return Err(refused(Step::Stream, "the server refused the stream", &words));
                    }
                    Event::Status { code, .. } if code == purpose.started() => has_begun = true,
                    Event::Status { is_error: true, words, .. } => {
                        return Err(refused(Step::Stream, "the server refused the stream", &words));
                    }
                    Event::Frame(frame) => frames.push_back(frame),
                    Event::End => return Err(ended()),
                    _ => {}
                }
            }
            if has_begun || !frames.is_empty() {
                return Ok(frames);
            }
        }
    }
}

impl Purpose {
    fn started(self) -> &'static str {
        match self {
            Self::Publish => "NetStream.Publish.Start",
            Self::Play => "NetStream.Play.Start",
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float saturates")]
fn stream_id(number: f64) -> u32 {
    number as u32
}

fn is_end(code: &str) -> bool {
    [
        "NetStream.Play.Stop",
        "NetStream.Play.UnpublishNotify",
        "NetStream.Play.Complete",
        "NetStream.Play.StreamNotFound",
    ]
    .contains(&code)
}

fn ended() -> RtmpError {
    RtmpError::new(Step::Media, "the stream ended")
}

fn media(error: Unreadable) -> RtmpError {
    RtmpError::new(Step::Media, error.0)
}

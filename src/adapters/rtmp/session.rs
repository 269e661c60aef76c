//! An RTMP session of a client, without I/O: bytes in, events and bytes out.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use rml_amf0::Amf0Value;
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::messages::{MessagePayload, RtmpMessage, UserControlEventType};
use rml_rtmp::time::RtmpTimestamp;

use super::frame::{Frame, Unsupported};

/// Our chunks: large ones cost less.
const CHUNK: u32 = 65_536;
/// How many bytes the server may send before we acknowledge them.
const WINDOW: u32 = 2_500_000;
/// Larger commands are ignored: their reader is recursive.
const MOST_COMMAND: usize = 4_096;
/// The id of the message stream that carries commands about the connection.
const CONTROL: u32 = 0;

/// What a server sent.
#[derive(Debug)]
pub(super) enum Event {
    /// The answer to a command.
    Answer { transaction: u32, is_error: bool, number: Option<f64>, words: String },
    /// The state of our stream changed.
    Status { code: String, words: String, is_error: bool },
    /// A frame, or media that we do not carry.
    Frame(Result<Frame, Unsupported>),
    /// The server has no more frames.
    End,
}

/// What a server sends that cannot be read.
pub(super) struct Unreadable(pub(super) String);

pub(super) struct Session {
    writer: ChunkSerializer,
    reader: ChunkDeserializer,
    transactions: u32,
    received: u64,
    acknowledged: u64,
    /// After how many bytes the server wants an acknowledgement.
    window: u64,
    stream: u32,
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            writer: ChunkSerializer::new(),
            reader: ChunkDeserializer::new(),
            transactions: 0,
            received: 0,
            acknowledged: 0,
            window: u64::from(WINDOW),
            stream: CONTROL,
        }
    }

    /// Reads what came. What has to be answered is added to `out`.
    pub(super) fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Vec<Event>, Unreadable> {
        self.received += bytes.len() as u64;
        let mut events = Vec::new();
        let mut bytes = bytes;
        while let Some(message) = self.next_message(bytes)? {
            bytes = &[];
            self.handle(&message, &mut events, out)?;
        }
        if self.received - self.acknowledged >= self.window / 2 {
            self.acknowledged = self.received;
            // Modulo 2^32 (RTMP 1.0, 5.4.3).
            let sequence_number = low_bits(self.received);
            self.write(RtmpMessage::Acknowledgement { sequence_number }, CONTROL, 0, out)?;
        }
        Ok(events)
    }

    /// The library panics at some chunks in a debug build; in a release build their numbers wrap.
    fn next_message(&mut self, bytes: &[u8]) -> Result<Option<MessagePayload>, Unreadable> {
        let reader = &mut self.reader;
        catch_unwind(AssertUnwindSafe(|| reader.get_next_message(bytes)))
            .map_err(|_| Unreadable("the server sent a chunk that is not RTMP".to_owned()))?
            .map_err(|error| Unreadable(format!("the server sent a chunk that is not RTMP: {error}")))
    }

    fn handle(
        &mut self,
        message: &MessagePayload,
        events: &mut Vec<Event>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        if matches!(message.type_id, 8 | 9) {
            let frame = Frame::read(message.type_id, message.timestamp.value, &message.data);
            events.extend(frame.map(Event::Frame));
            return Ok(());
        }
        let is_wanted = matches!(message.type_id, 1 | 4 | 5 | 17 | 20) && message.data.len() <= MOST_COMMAND;
        // A message that cannot be read is ignored: nothing depends on it. The library panics at some short ones.
        let read = || catch_unwind(AssertUnwindSafe(|| message.to_rtmp_message().ok())).ok().flatten();
        let Some(message) = is_wanted.then(read).flatten() else { return Ok(()) };
        match message {
            RtmpMessage::SetChunkSize { size } => {
                let size = usize::try_from(size).ok().filter(|size| (1..=0xff_ffff).contains(size));
                let refused =
                    || Unreadable("the server set a chunk size that RTMP does not allow".to_owned());
                self.reader.set_max_chunk_size(size.ok_or_else(refused)?).map_err(|_| refused())
            }
            RtmpMessage::WindowAcknowledgement { size } => {
                self.window = u64::from(size.max(2));
                Ok(())
            }
            RtmpMessage::UserControl { event_type: UserControlEventType::PingRequest, timestamp, .. } => {
                let answer = RtmpMessage::UserControl {
                    event_type: UserControlEventType::PingResponse,
                    stream_id: None,
                    buffer_length: None,
                    timestamp,
                };
                self.write(answer, CONTROL, 0, out)
            }
            RtmpMessage::UserControl { event_type: UserControlEventType::StreamEof, .. } => {
                events.push(Event::End);
                Ok(())
            }
            RtmpMessage::Amf0Command { command_name, transaction_id, additional_arguments, .. } => {
                events.extend(command(&command_name, transaction_id, &additional_arguments));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Requests the application `app`. Returns the transaction.
    pub(super) fn connect(&mut self, app: &str, url: &str, out: &mut Vec<u8>) -> Result<u32, Unreadable> {
        let text = |text: &str| Amf0Value::Utf8String(text.to_owned());
        let object = HashMap::from([
            ("app".to_owned(), text(app)),
            ("type".to_owned(), text("nonprivate")),
            ("flashVer".to_owned(), text("FMLE/3.0 (compatible; Streamward)")),
            ("tcUrl".to_owned(), text(url)),
            ("objectEncoding".to_owned(), Amf0Value::Number(0.0)),
        ]);
        self.command("connect", Amf0Value::Object(object), vec![], CONTROL, out)
    }

    /// After the application accepted us: our sizes.
    pub(super) fn set_sizes(&mut self, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        self.write(RtmpMessage::WindowAcknowledgement { size: WINDOW }, CONTROL, 0, out)?;
        let packet =
            self.writer.set_max_chunk_size(CHUNK, RtmpTimestamp::new(0)).map_err(|e| unwritable(&e))?;
        out.extend(packet.bytes);
        Ok(())
    }

    pub(super) fn create_stream(&mut self, out: &mut Vec<u8>) -> Result<u32, Unreadable> {
        self.command("createStream", Amf0Value::Null, vec![], CONTROL, out)
    }

    /// Announces a stream, as encoders do: some servers wait for it.
    pub(super) fn announce(&mut self, name: &str, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        for command in ["releaseStream", "FCPublish"] {
            let name = Amf0Value::Utf8String(name.to_owned());
            self.command(command, Amf0Value::Null, vec![name], CONTROL, out)?;
        }
        Ok(())
    }

    pub(super) fn publish(&mut self, stream: u32, name: &str, out: &mut Vec<u8>) -> Result<u32, Unreadable> {
        self.stream = stream;
        let arguments = [name, "live"].map(|text| Amf0Value::Utf8String(text.to_owned()));
        self.command("publish", Amf0Value::Null, arguments.to_vec(), stream, out)
    }

    pub(super) fn play(&mut self, stream: u32, name: &str, out: &mut Vec<u8>) -> Result<u32, Unreadable> {
        self.stream = stream;
        let name = Amf0Value::Utf8String(name.to_owned());
        self.command("play", Amf0Value::Null, vec![name], stream, out)
    }

    /// Ends our stream.
    pub(super) fn close(&mut self, name: &str, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let unpublish = vec![Amf0Value::Utf8String(name.to_owned())];
        self.command("FCUnpublish", Amf0Value::Null, unpublish, CONTROL, out)?;
        let stream = Amf0Value::Number(f64::from(self.stream));
        self.command("deleteStream", Amf0Value::Null, vec![stream], CONTROL, out).map(drop)
    }

    /// Describes the stream that we publish.
    pub(super) fn metadata(
        &mut self,
        values: HashMap<String, Amf0Value>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let names = ["@setDataFrame", "onMetaData"].map(|name| Amf0Value::Utf8String(name.to_owned()));
        let values = names.into_iter().chain([Amf0Value::Object(values)]).collect();
        self.write(RtmpMessage::Amf0Data { values }, self.stream, 0, out)
    }

    /// A tag of the stream that we publish.
    pub(super) fn media(
        &mut self,
        kind: u8,
        timestamp: u32,
        data: Bytes,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let data = if kind == 8 { RtmpMessage::AudioData { data } } else { RtmpMessage::VideoData { data } };
        self.write(data, self.stream, timestamp, out)
    }

    fn command(
        &mut self,
        name: &str,
        object: Amf0Value,
        arguments: Vec<Amf0Value>,
        stream: u32,
        out: &mut Vec<u8>,
    ) -> Result<u32, Unreadable> {
        self.transactions += 1;
        let message = RtmpMessage::Amf0Command {
            command_name: name.to_owned(),
            transaction_id: f64::from(self.transactions),
            command_object: object,
            additional_arguments: arguments,
        };
        self.write(message, stream, 0, out).map(|()| self.transactions)
    }

    fn write(
        &mut self,
        message: RtmpMessage,
        stream: u32,
        timestamp: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let message = message
            .into_message_payload(RtmpTimestamp::new(timestamp), stream)
            .map_err(|error| unwritable(&error))?;
        let packet = self.writer.serialize(&message, false, false).map_err(|error| unwritable(&error))?;
        out.extend(packet.bytes);
        Ok(())
    }
}

fn unwritable(error: &dyn std::error::Error) -> Unreadable {
    Unreadable(format!("a message cannot be written: {error}"))
}

#[expect(clippy::cast_possible_truncation, reason = "the number wraps")]
fn low_bits(number: u64) -> u32 {
    number as u32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float saturates")]
fn command(name: &str, transaction: f64, arguments: &[Amf0Value]) -> Option<Event> {
    let transaction = transaction as u32;
    let object = arguments.iter().find_map(|value| match value {
        Amf0Value::Object(object) => Some(object),
        _ => None,
    });
    let text = |name: &str| match object.and_then(|object| object.get(name)) {
        Some(Amf0Value::Utf8String(text)) => text.clone(),
        _ => String::new(),
    };
    let (code, description) = (text("code"), text("description"));
    let words = match (code.is_empty(), description.is_empty()) {
        (false, false) => format!("{description} ({code})"),
        (false, true) => code.clone(),
        _ => description,
    };
    let number = arguments.iter().find_map(|value| match value {
        Amf0Value::Number(number) => Some(*number),
        _ => None,
    });
    match name {
        "_result" | "_error" => {
            Some(Event::Answer { transaction, is_error: name == "_error", number, words })
        }
        "onStatus" => Some(Event::Status { is_error: text("level") == "error", code, words }),
        "close" => Some(Event::End),
        _ => None,
    }
}

//! The messages of obs-websocket 5 (OBS 28 to 32), as JSON: envelopes, not their contents.
//!
//! Unknown operations and fields are ignored; so are the UUIDs that OBS sends since 30.2, for names are sent too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::domain::secret::Secret;

/// What is subscribed: General, Config, Scenes, Inputs, Transitions, Outputs, SceneItems and MediaInputs.
const EVENTS: u32 = 1 | 2 | 4 | 8 | 16 | 64 | 128 | 256;
/// What is subscribed too while levels are measured: InputVolumeMeters.
const METERS: u32 = 1 << 16;

/// The code of an answer that was carried out.
const SUCCESS: u64 = 100;

/// What a message is.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    /// The first message of OBS.
    Hello {
        /// What the password is hashed with, if one is required.
        challenge: Option<Challenge>,
    },
    /// OBS accepted the password, or other subscriptions.
    Identified,
    /// Something happened.
    Event { name: String, data: Value },
    /// The answer to a request.
    Answer { id: u64, result: Result<Value, Refusal> },
    /// Anything else: it is ignored.
    Unknown,
}

/// What a password is hashed with.
#[derive(Debug, PartialEq)]
pub(super) struct Challenge {
    salt: String,
    challenge: String,
}

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// One of `RequestStatus`.
    pub(super) code: u16,
    /// OBS's words. Not masked.
    pub(super) comment: String,
}

/// Reads a message. `None` if it is no message of obs-websocket.
pub(super) fn read(text: &str) -> Option<Incoming> {
    let mut message: Value = serde_json::from_str(text).ok()?;
    let operation = message.get("op")?.as_u64()?;
    let mut data = message.get_mut("d").map(Value::take).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(match operation {
        0 => {
            let authentication = data.get("authentication").filter(|value| !value.is_null());
            let challenge = match authentication {
                None => None,
                Some(given) => Some(Challenge {
                    salt: text(given.get("salt")?)?,
                    challenge: text(given.get("challenge")?)?,
                }),
            };
            Incoming::Hello { challenge }
        }
        2 => Incoming::Identified,
        5 => {
            let name = text(data.get("eventType")?)?;
            Incoming::Event { name, data: data.get_mut("eventData").map(Value::take).unwrap_or_default() }
        }
        7 => {
            let id = data.get("requestId")?.as_str()?.parse().ok()?;
            let status = data.get("requestStatus")?;
            let code = status.get("code")?.as_u64()?;
            let result = if code == SUCCESS {
                Ok(data.get_mut("responseData").map(Value::take).unwrap_or_default())
            } else {
                let comment = status.get("comment").and_then(text).unwrap_or_default();
                Err(Refusal { code: u16::try_from(code).unwrap_or(u16::MAX), comment })
            };
            Incoming::Answer { id, result }
        }
        _ => Incoming::Unknown,
    })
}

/// The answer to [`Incoming::Hello`].
pub(super) fn identify(challenge: Option<&Challenge>, password: &Secret, with_meters: bool) -> String {
    let mut data = json!({ "rpcVersion": 1, "eventSubscriptions": subscriptions(with_meters) });
    if let (Some(challenge), Some(data)) = (challenge, data.as_object_mut()) {
        data.insert("authentication".into(), challenge.proof(password).into());
    }
    json!({ "op": 1, "d": data }).to_string()
}

/// Changes what is subscribed.
pub(super) fn reidentify(with_meters: bool) -> String {
    json!({ "op": 3, "d": { "eventSubscriptions": subscriptions(with_meters) } }).to_string()
}

/// A request. `data` is null if it has none.
pub(super) fn request(id: u64, name: &str, data: &Value) -> String {
    let mut body = json!({ "requestType": name, "requestId": id.to_string() });
    if let (false, Some(body)) = (data.is_null(), body.as_object_mut()) {
        body.insert("requestData".into(), data.clone());
    }
    json!({ "op": 6, "d": body }).to_string()
}

fn subscriptions(with_meters: bool) -> u32 {
    if with_meters { EVENTS | METERS } else { EVENTS }
}

impl Challenge {
    /// What proves that the password is known.
    fn proof(&self, password: &Secret) -> String {
        let hash = |parts: [&str; 2]| {
            let mut digest = Sha256::new();
            parts.iter().for_each(|part| digest.update(part.as_bytes()));
            STANDARD.encode(digest.finalize())
        };
        let secret = hash([password.expose(), &self.salt]);
        hash([&secret, &self.challenge])
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn password_is_proved_as_the_protocol_says() {
        // The example of the protocol's documentation.
        let challenge = Challenge {
            salt: "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=".into(),
            challenge: "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=".into(),
        };
        let proof = challenge.proof(&Secret::new("supersecretpassword"));
        assert_eq!(proof, "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=");
        let identify = identify(Some(&challenge), &Secret::new("supersecretpassword"), false);
        assert!(identify.contains(&proof) && !identify.contains("supersecret"), "{identify}");
    }

    #[rstest]
    #[case(r#"{"op":0,"d":{"obsWebSocketVersion":"5.1.0","rpcVersion":1}}"#, Incoming::Hello { challenge: None })]
    #[case(r#"{"op":2,"d":{"negotiatedRpcVersion":1,"new":{}}}"#, Incoming::Identified)]
    #[case(r#"{"op":9,"d":{}}"#, Incoming::Unknown)]
    #[case(r#"{"op":77}"#, Incoming::Unknown)]
    #[case(r#"{"op":5,"d":{"eventType":"ExitStarted","eventIntent":1}}"#,
        Incoming::Event { name: "ExitStarted".into(), data: Value::Null })]
    #[case(r#"{"op":7,"d":{"requestId":"7","requestType":"X","requestStatus":{"result":true,"code":100}}}"#,
        Incoming::Answer { id: 7, result: Ok(Value::Null) })]
    #[case(r#"{"op":7,"d":{"requestId":"7","requestStatus":{"result":false,"code":601,"comment":"no"}}}"#,
        Incoming::Answer { id: 7, result: Err(Refusal { code: 601, comment: "no".into() }) })]
    fn message_is_read(#[case] text: &str, #[case] expected: Incoming) {
        assert_eq!(read(text), Some(expected));
    }

    #[rstest]
    #[case("")]
    #[case("[]")]
    #[case("{}")]
    #[case(r#"{"op":"0"}"#)]
    #[case(r#"{"op":0,"d":{"authentication":{"salt":"x"}}}"#)]
    #[case(r#"{"op":5,"d":{}}"#)]
    #[case(r#"{"op":7,"d":{"requestId":7,"requestStatus":{"code":100}}}"#)]
    #[case(r#"{"op":7,"d":{"requestId":"x","requestStatus":{"code":100}}}"#)]
    #[case(r#"{"op":7,"d":{"requestId":"1"}}"#)]
    fn other_text_is_no_message(#[case] text: &str) {
        assert_eq!(read(text), None);
    }

    #[test]
    fn request_without_data_has_none() {
        assert_eq!(
            request(3, "GetStats", &Value::Null),
            r#"{"d":{"requestId":"3","requestType":"GetStats"},"op":6}"#
        );
    }
}

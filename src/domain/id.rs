//! Identifiers: UUIDv7 behind one type per aggregate, so that a key's id cannot be passed where a stream's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(/// Names a broadcaster.
    BroadcasterId);
id!(/// Names a stream key; not a secret.
    StreamKeyId);
id!(/// Names one stream, live or ended.
    StreamId);
id!(/// Names an API token; not a secret.
    ApiTokenId);
id!(/// Names an audit entry.
    AuditId);
id!(/// Names a streamer whose status is watched.
    StreamerId);

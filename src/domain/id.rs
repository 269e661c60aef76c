//! Identifiers: UUIDv7 behind one type per resource, so that a key's id cannot be passed where a stream's is meant.
//!
//! Here are those that several slices name. A slice declares its own with `id!` beside its types.

/// Declares an identifier.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                uuid::Uuid::parse_str(text).map(Self)
            }
        }
    };
}
pub(crate) use id;

id!(/// Names an organization.
    OrganizationId);

impl OrganizationId {
    /// The one that is there from the start.
    pub const DEFAULT: Self = Self(uuid::Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}

id!(/// Names a person who can sign in.
    UserId);
id!(/// Names a session of somebody who signed in; not a secret.
    SessionId);
id!(/// Names a broadcaster.
    BroadcasterId);
id!(/// Names a stream key; not a secret.
    StreamKeyId);
id!(/// Names a clip.
    ClipId);
id!(/// Names one stream, live or ended.
    StreamId);
id!(/// Names a streamer whose status is watched.
    StreamerId);

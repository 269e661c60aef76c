//! Why a request is allowed or denied, and what a person can do about it.

use std::net::IpAddr;

use strum::{EnumString, IntoStaticStr};

use crate::domain::secret::{KEY_LENGTH, KEY_PREFIX};
use crate::domain::stream_key::{MAX_TAKEOVERS, TAKEOVER_WINDOW};

/// How many characters of a stream key follow its prefix.
const KEY_CHARACTERS: usize = KEY_LENGTH - KEY_PREFIX.len();

/// Why a request is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AllowReason {
    /// The key is valid, and this connection holds it now.
    KeyClaimed,
    /// The key is valid. The request named no connection, so the key was not claimed.
    KeyValid,
    /// The database is unreachable, and the key was valid when it last answered (`auth.grace`).
    Grace,
    /// Anyone may watch.
    PublicRead,
    /// The viewer has a playback token for the path.
    PlaybackToken,
    /// It is our own relay, or a channel that reads its inputs.
    Relay,
    /// The client has the media server's control secret.
    ControlSecret,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum DenyReason {
    /// RTSP clients and users of an API send no credentials first, and do so when they are asked to. This is no attempt yet.
    NoCredentials,
    /// `streamward doctor` checks that refusals work.
    Doctor,
    /// The request contains no text in the shape of a stream key.
    NoKey,
    /// A text begins like a stream key, but has another length or other characters than one.
    MalformedKey {
        /// How many characters follow `sk_`; a key has 43.
        characters: usize,
    },
    /// The key does not exist.
    UnknownKey,
    /// The key was revoked.
    KeyRevoked,
    /// The key has expired.
    KeyExpired,
    /// The key is for another path.
    WrongPath,
    /// Another connection holds the key.
    KeyInUse,
    /// Connections took the key from each other too often.
    TooManyTakeovers {
        /// The address of the connection that keeps the key.
        holder: Option<IpAddr>,
        /// The address of the refused one.
        newcomer: Option<IpAddr>,
    },
    /// The path is private.
    PrivatePath,
    /// A playback token is needed, and none was sent.
    NoPlaybackToken,
    /// What was sent is no playback token of this installation.
    PlaybackTokenInvalid,
    /// The playback token has expired.
    PlaybackTokenExpired,
    /// The playback token was revoked.
    PlaybackTokenRevoked,
    /// The playback token is for other paths.
    PlaybackTokenWrongPath,
    /// The playback token is for viewers at another address.
    PlaybackTokenWrongAddress,
    /// The playback token has as many sessions as it allows.
    PlaybackTokenInUse,
    /// The control secret is missing or wrong.
    WrongControlSecret,
    /// This version does not know the action.
    UnknownAction,
    /// There was no decision in time. It is no fault of the client.
    Undecided,
}

impl AllowReason {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl DenyReason {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What only the operator sees, beside the word.
    pub fn detail(self) -> Option<String> {
        match self {
            Self::MalformedKey { characters } => Some(format!(
                "malformed stream key: {characters} of {KEY_CHARACTERS} characters after {KEY_PREFIX}"
            )),
            Self::TooManyTakeovers { holder, newcomer } => {
                let address =
                    |ip: Option<IpAddr>| ip.map_or("an unknown address".to_owned(), |ip| ip.to_string());
                let (newcomer, holder, seconds) =
                    (address(newcomer), address(holder), TAKEOVER_WINDOW.as_secs());
                Some(format!(
                    "{newcomer} wants the key that {holder} uses, which was taken over {MAX_TAKEOVERS} times within {seconds} s"
                ))
            }
            _ => None,
        }
    }

    /// Whether it refuses an attempt, which operators want to see.
    pub fn is_of_an_attempt(self) -> bool {
        !matches!(self, Self::NoCredentials | Self::Doctor)
    }

    /// Whether the client does not know the secret that it needs: so anybody is refused who guesses.
    pub fn is_guess(self) -> bool {
        matches!(
            self,
            Self::MalformedKey { .. }
                | Self::UnknownKey
                | Self::PrivatePath
                | Self::WrongControlSecret
                | Self::PlaybackTokenInvalid
        )
    }

    /// What a person can do about it. Never contains anything that the client sent.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoCredentials => {
                "Credentials are needed. To publish, send the stream key as password, or add ?key=sk_… to the path; for an API, send the control secret."
            }
            Self::Doctor => "This was only a check.",
            Self::NoKey => {
                "Nothing that was sent is a stream key. Add ?key=sk_… to the path, or send the key as password or bearer token."
            }
            Self::MalformedKey { .. } => {
                "The stream key is malformed. A stream key is sk_ and 43 letters, digits, '-' or '_'. Copy it again."
            }
            Self::UnknownKey => {
                "The stream key does not exist. Compare it with the one that was shown at its creation, or create a new key."
            }
            Self::KeyRevoked => "The stream key was revoked. Create a new key.",
            Self::KeyExpired => "The stream key has expired. Create a new key.",
            Self::WrongPath => {
                "The stream key is for another path. Publish to the path that it was created for."
            }
            Self::KeyInUse => {
                "Another connection uses the stream key. Stop that encoder, or create the key with on_conflict takeover."
            }
            Self::TooManyTakeovers { .. } => {
                "Two encoders take the stream key from each other. Stop one of them, or give it a key of its own; a takeover is possible again within a minute."
            }
            Self::NoPlaybackToken => {
                "A playback token is needed to watch this path. Add ?token=… to the address; an operator makes one with `streamward playback token`."
            }
            Self::PlaybackTokenInvalid => {
                "This is no playback token of this installation. Copy the link again, or ask for a new one."
            }
            Self::PlaybackTokenExpired => "The playback token has expired. Ask for a new one.",
            Self::PlaybackTokenRevoked => "The playback token was revoked. Ask for a new one.",
            Self::PlaybackTokenWrongPath => {
                "The playback token is for other paths. Ask for one for this path."
            }
            Self::PlaybackTokenWrongAddress => {
                "The playback token is for viewers at another address. Ask for one for the address that you have now."
            }
            Self::PlaybackTokenInUse => {
                "The playback token is in use as often as it allows. Stop another player, and try again after half a minute."
            }
            Self::PrivatePath => "This path cannot be watched. Use the public path of the stream.",
            Self::WrongControlSecret => {
                "The control secret is missing or wrong. Send the one in media_servers.<name>.control_secret."
            }
            Self::UnknownAction => "This version of Streamward does not know the action. Upgrade Streamward.",
            Self::Undecided => {
                "Streamward could not decide in time. Try again; `streamward doctor` shows what is wrong."
            }
        }
    }
}

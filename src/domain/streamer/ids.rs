//! The name and the three numeric ids of a streamer on Kick.
//!
//! The numbers are not interchangeable: the official API and webhooks go by the *user*, the feed by the *channel*,
//! chat by the *chatroom*.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::invalid::{Invalid, text_type};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Takes a number from 1 to 2^63 - 1, which is what the database can hold.
            pub fn new(number: u64) -> Result<Self, Invalid> {
                if number == 0 || i64::try_from(number).is_err() {
                    let rule = format!("must be a number from 1 to {}, got {number}", i64::MAX);
                    return Err(Invalid::one($field, rule));
                }
                Ok(Self(number))
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(/// The user: what the official API and webhooks go by (`broadcaster_user_id`).
    UserId, "user_id");
number!(/// The channel: what the feed goes by (`channel.<id>`).
    ChannelId, "channel_id");
number!(/// The chatroom.
    ChatroomId, "chatroom_id");

/// The three numbers, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KickIds {
    /// The user.
    pub user: Option<UserId>,
    /// The channel.
    pub channel: Option<ChannelId>,
    /// The chatroom.
    pub chatroom: Option<ChatroomId>,
}

impl KickIds {
    /// Whether none is known.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// These, with what `other` knows in their place.
    #[must_use]
    pub fn updated(self, other: Self) -> Self {
        Self {
            user: other.user.or(self.user),
            channel: other.channel.or(self.channel),
            chatroom: other.chatroom.or(self.chatroom),
        }
    }
}

/// The name in a channel's address, `kick.com/<slug>`: 1 to 64 of `a-z 0-9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

text_type!(Slug);

impl Slug {
    /// Takes a name as people give it: in capitals, with `@` before it, or as the whole address.
    pub fn parse(given: &str) -> Result<Self, Invalid> {
        let text = given.trim().to_ascii_lowercase();
        let text = text.strip_prefix("https://").unwrap_or(&text);
        let text = text.strip_prefix("www.").unwrap_or(text);
        let text = text.strip_prefix("kick.com/").unwrap_or(text);
        let text = text.strip_prefix('@').unwrap_or(text).trim_end_matches('/');
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        let rule = "must be a name as in kick.com/<name>: 1 to 64 letters, digits, _ or -, without spaces or accents";
        Err(Invalid::one("username", rule))
    }

    /// How the name may be spelled in an address: people write their `user_name`, addresses say `user-name`.
    #[must_use]
    pub fn dashed(&self) -> Self {
        Self(self.0.replace('_', "-"))
    }

    /// Whether `name` means this one, in any spelling.
    pub fn is(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_as_people_give_it() {
        for given in
            ["xQc", " xqc ", "@xqc", "kick.com/xqc", "https://kick.com/xQc/", "https://www.kick.com/xqc"]
        {
            assert_eq!(Slug::parse(given).map(String::from), Ok("xqc".to_owned()), "{given:?}");
        }
        for bad in ["", "@", "a b", "ä", "a/b", "x\0", "kick.com/", &"a".repeat(65)] {
            assert_eq!(Slug::parse(bad).unwrap_err().0[0].field, "username", "{bad:?}");
        }
    }

    #[test]
    fn numbers_are_what_the_database_can_hold() {
        assert!(UserId::new(1).is_ok() && UserId::new(i64::MAX.unsigned_abs()).is_ok());
        for bad in [0, u64::MAX] {
            assert_eq!(ChannelId::new(bad).unwrap_err().0[0].field, "channel_id");
        }
    }
}

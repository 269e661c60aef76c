//! The kinds of values in the configuration that serde does not bring along.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use humantime_serde::re::humantime;
use ipnet::IpNet;
use serde::de::{Deserializer, Error as _, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::domain::secret::Secret;

/// A length of time, written like `15s`, `1m 30s`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigDuration(pub Duration);

impl ConfigDuration {
    /// So many seconds.
    pub(super) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many days of 24 hours.
    pub(super) const fn days(days: u64) -> Self {
        Self::seconds(days * 86_400)
    }
}

impl fmt::Display for ConfigDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for ConfigDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConfigDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = ConfigDuration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"15s\", \"2h\" or \"30d\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ConfigDuration, E> {
                let parsed = humantime::parse_duration(text);
                parsed.map(ConfigDuration).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A secret from the configuration: prints as `***` wherever it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretValue(pub Secret);

impl Serialize for SecretValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl<'de> Deserialize<'de> for SecretValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim() != text || text.is_empty() {
            return Err(D::Error::custom("must not be empty or have spaces around it"));
        }
        Ok(Self(Secret::new(text)))
    }
}

/// Reads a number that may come as text, as it does from the environment.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct Number;
    impl Visitor<'_> for Number {
        type Value = u32;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }
        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<u32, E> {
            u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }
        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<u32, E> {
            u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u32, E> {
            text.trim().parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Number)
}

/// Reads addresses and networks: a list, or one text with commas between.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    struct Networks;
    impl Networks {
        fn one<E: serde::de::Error>(&self, text: &str) -> Result<IpNet, E> {
            let text = text.trim();
            IpNet::from_str(text)
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| E::invalid_value(Unexpected::Str(text), self))
        }
    }
    impl<'de> Visitor<'de> for Networks {
        type Value = Vec<IpNet>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("addresses or networks such as 10.0.0.1, 192.168.0.0/16")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<IpNet>, E> {
            text.split(',').filter(|part| !part.trim().is_empty()).map(|part| self.one(part)).collect()
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<IpNet>, A::Error> {
            let mut networks = Vec::new();
            while let Some(text) = list.next_element::<String>()? {
                networks.push(self.one(&text)?);
            }
            Ok(networks)
        }
    }
    deserializer.deserialize_any(Networks)
}

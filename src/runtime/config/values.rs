//! The types of values in the configuration, how each is read, and the rules to check them with.

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;
use serde_with::SerializeDisplay;
use toml::Value;
use url::{Host, Url};

use crate::domain::Invalid;
use crate::domain::OrganizationId;
use crate::domain::local_time::TimeZone;
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;
use crate::domain::studio::SceneName;

/// A type of value. In the environment every value is a text.
pub(super) trait FromValue: Sized {
    /// Whether it must not be shown, and can be given as a file.
    const IS_SECRET: bool = false;
    /// The allowed words, if only some are.
    const WORDS: &'static [&'static str] = &[];

    /// Reads the value. The error names the allowed values.
    fn read(value: &Value) -> Result<Self, String>;
}

impl FromValue for String {
    fn read(value: &Value) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| format!("must be a text in quotes, not {value}"))
    }
}

impl FromValue for PathBuf {
    fn read(value: &Value) -> Result<Self, String> {
        String::read(value).map(Self::from)
    }
}

impl FromValue for bool {
    fn read(value: &Value) -> Result<Self, String> {
        let truth = match value {
            Value::Boolean(truth) => Some(*truth),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        truth.ok_or_else(|| format!("must be true or false, not {value}"))
    }
}

impl FromValue for u32 {
    fn read(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Integer(number) => Self::try_from(*number).ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| format!("must be a whole number, not {value}"))
    }
}

impl FromValue for u64 {
    fn read(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Integer(number) => Self::try_from(*number).ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| format!("must be a whole number, not {value}"))
    }
}

impl FromValue for f64 {
    fn read(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => i32::try_from(*number).ok().map(Self::from),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number: &Self| number.is_finite());
        number.ok_or_else(|| format!("must be a number, not {value}"))
    }
}

/// Texts: a list, or one text with commas between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Texts(pub Vec<String>);

impl FromValue for Texts {
    fn read(value: &Value) -> Result<Self, String> {
        let texts: Option<_> = match value {
            Value::Array(list) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Value::String(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(parts.map(str::to_owned).collect())
            }
            _ => None,
        };
        texts.map(Self).ok_or_else(|| format!("must be a list of texts, not {value}"))
    }
}

impl FromValue for OrganizationId {
    fn read(value: &Value) -> Result<Self, String> {
        let id = value.as_str().and_then(|text| text.parse().ok());
        id.ok_or_else(|| "must be the id of an organization, a UUID".to_owned())
    }
}

impl FromValue for TimeZone {
    fn read(value: &Value) -> Result<Self, String> {
        String::read(value)?.parse().map_err(|rule| format!("{rule}, not {value}"))
    }
}

impl FromValue for SceneName {
    fn read(value: &Value) -> Result<Self, String> {
        let rule = |invalid: Invalid| invalid.0.into_iter().map(|error| error.message).collect();
        Self::parse(&String::read(value)?).map_err(rule)
    }
}

/// An enum whose variants are the words of a value.
macro_rules! choice {
    ($type:ty) => {
        impl $crate::runtime::config::values::FromValue for $type {
            const WORDS: &'static [&'static str] = <$type as strum::VariantNames>::VARIANTS;

            fn read(value: &toml::Value) -> Result<Self, String> {
                let known = Self::WORDS.join(", ");
                let chosen = value.as_str().and_then(|word| word.parse().ok());
                chosen.ok_or_else(|| format!("must be one of {known}, not {value}"))
            }
        }
    };
}
pub(super) use choice;

/// A duration, written like `15s`, `1m 30s`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, SerializeDisplay)]
pub struct ConfigDuration(pub Duration);

impl ConfigDuration {
    pub(super) const SECOND: Self = Self::seconds(1);
    pub(super) const MINUTE: Self = Self::seconds(60);
    pub(super) const HOUR: Self = Self::seconds(3_600);
    pub(super) const CENTURY: Self = Self::days(36_525);

    pub(super) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Days of 24 hours.
    pub(super) const fn days(days: u64) -> Self {
        Self::seconds(days * 86_400)
    }
}

impl Display for ConfigDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not months and years as humantime writes them: their length is not obvious.
        let nanos = u128::from(self.0.subsec_nanos());
        let seconds = u128::from(self.0.as_secs());
        let units = [
            (seconds / 86_400, "d"),
            (seconds / 3_600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (nanos / 1_000_000, "ms"),
            (nanos / 1_000 % 1_000, "us"),
            (nanos % 1_000, "ns"),
        ];
        let units = units.iter().filter(|(number, _)| *number > 0);
        let text: Vec<String> = units.map(|(number, unit)| format!("{number}{unit}")).collect();
        f.write_str(if text.is_empty() { "0s" } else { "" })?;
        f.write_str(&text.join(" "))
    }
}

impl FromValue for ConfigDuration {
    fn read(value: &Value) -> Result<Self, String> {
        let duration = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        let rule = "must be a duration such as \"15s\", \"2h\" or \"30d\"";
        duration.map(Self).ok_or_else(|| format!("{rule}, not {value}"))
    }
}

/// Shown in place of a secret.
pub(super) const MASK: &str = "***";

/// A secret. It prints as `***`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub struct SecretValue(pub Secret);

impl Default for SecretValue {
    fn default() -> Self {
        Self(Secret::new(""))
    }
}

impl From<SecretValue> for &'static str {
    fn from(_: SecretValue) -> Self {
        MASK
    }
}

impl FromValue for SecretValue {
    const IS_SECRET: bool = true;

    fn read(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be a text in quotes")?;
        let is_bare = text.trim() == text && !text.is_empty();
        require(is_bare, || "must not be empty or have spaces around it".into())?;
        Ok(Self(Secret::new(text)))
    }
}

impl FromValue for MediaServerName {
    fn read(value: &Value) -> Result<Self, String> {
        Self::parse(&String::read(value)?).map_err(|invalid| invalid.to_string())
    }
}

/// Addresses and networks: a list, or one text with commas between.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Networks(pub Vec<IpNet>);

impl FromValue for Networks {
    fn read(value: &Value) -> Result<Self, String> {
        let network = |text: &str| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
        let networks: Option<_> = match value {
            Value::Array(list) => list.iter().map(|item| network(item.as_str()?)).collect(),
            Value::String(text) => {
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(network).collect()
            }
            _ => None,
        };
        let rule = "must be addresses or networks such as 10.0.0.1, 192.168.0.0/16";
        networks.map(Self).ok_or_else(|| format!("{rule}, not {value}"))
    }
}

pub(super) fn require(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    holds.then_some(()).ok_or_else(message)
}

/// A rule: the value is in this range.
pub(super) fn within<T: PartialOrd + Display>(
    least: T,
    most: T,
) -> impl FnOnce(&mut T) -> Result<(), String> {
    move |value| {
        let holds = (&least..=&most).contains(&&*value);
        require(holds, || format!("must be {least} to {most}, not {value}"))
    }
}

/// A rule for a value that need not be set.
pub(super) fn if_set<T>(
    rule: impl FnOnce(&mut T) -> Result<(), String>,
) -> impl FnOnce(&mut Option<T>) -> Result<(), String> {
    |value| value.as_mut().map_or(Ok(()), rule)
}

/// Whether the address is one of this machine.
pub(super) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        // The host of other schemes than http is not parsed further.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        None => false,
    }
}

/// A rule: a base address with one of these schemes and a host, perhaps a port and a path, but no user, query or
/// fragment. A slash at its end is removed.
pub(super) fn address(schemes: &[&str]) -> impl FnOnce(&mut String) -> Result<(), String> {
    move |given| {
        let refuse = |what: &str| {
            let scheme = schemes.first().unwrap_or(&"http");
            Err(format!("{what}; it must be an address such as {scheme}://host:port"))
        };
        let Ok(url) = Url::parse(given) else { return refuse("cannot be read as an address") };
        let scheme = url.scheme();
        if !schemes.contains(&scheme) {
            return refuse(&format!("must start with {}://, not {scheme}://", schemes.join(":// or ")));
        }
        for (is_wrong, what) in [
            (url.host_str().is_none_or(str::is_empty), "names no host"),
            (!url.username().is_empty() || url.password().is_some(), "must not hold a user name or password"),
            (url.query().is_some() || url.fragment().is_some(), "must not have a query or fragment"),
        ] {
            if is_wrong {
                return refuse(what);
            }
        }
        given.truncate(given.trim_end_matches('/').len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_shown_in_days_and_shorter_units_and_read_back() {
        for (shown, duration) in [
            ("365d", ConfigDuration::days(365)),
            ("36525d", ConfigDuration::CENTURY),
            ("15s", ConfigDuration::seconds(15)),
            ("1d 12h", ConfigDuration::seconds(129_600)),
            ("1m 30s", ConfigDuration::seconds(90)),
            ("1ms 500us", ConfigDuration(Duration::from_micros(1_500))),
            ("0s", ConfigDuration(Duration::ZERO)),
        ] {
            assert_eq!(duration.to_string(), shown);
            assert_eq!(ConfigDuration::read(&Value::String(shown.to_owned())).unwrap(), duration);
        }
    }
}

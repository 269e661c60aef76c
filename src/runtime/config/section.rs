//! How a section of the configuration is written: each key once, with its type, default and rule.
//! The types of the fields ([`Setting`]) decide which keys exist and which are secret.

use std::collections::BTreeMap;
use std::fmt::Display;

use toml::Value;

use super::error::ConfigError;
use super::values::FromValue;

/// A key of the configuration.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its full name; `*` stands for a name that the operator chooses.
    pub name: String,
    /// Whether its value is never shown, and can be given as a file.
    pub is_secret: bool,
    /// The allowed words, if only some are.
    pub words: &'static [&'static str],
    /// The effect while it is not set.
    pub unset: &'static str,
    /// What it is for: the doc comment of its field.
    pub about: &'static str,
}

/// A value of the configuration, or a section of it.
pub(super) trait Setting {
    /// Adds the keys at or below `name`.
    fn keys(name: &str, keys: &mut Vec<Key>);

    /// Sets the key at `path`, which is relative to this setting. Other paths are ignored.
    fn set(&mut self, path: &[String], value: &Value) -> Result<(), String>;

    /// Checks the values. The key of an error is relative to this setting.
    fn check(&mut self) -> Result<(), ConfigError> {
        Ok(())
    }
}

impl<T: FromValue> Setting for T {
    fn keys(name: &str, keys: &mut Vec<Key>) {
        let (is_secret, words) = (T::IS_SECRET, T::WORDS);
        keys.push(Key { name: name.to_owned(), is_secret, words, unset: "not set", about: "" });
    }

    fn set(&mut self, _: &[String], value: &Value) -> Result<(), String> {
        *self = T::read(value)?;
        Ok(())
    }
}

impl<T: FromValue> Setting for Option<T> {
    fn keys(name: &str, keys: &mut Vec<Key>) {
        T::keys(name, keys);
    }

    fn set(&mut self, _: &[String], value: &Value) -> Result<(), String> {
        *self = Some(T::read(value)?);
        Ok(())
    }
}

impl<K: Ord + Display + TryFrom<String, Error: Display>, T: Setting + Default> Setting for BTreeMap<K, T> {
    fn keys(name: &str, keys: &mut Vec<Key>) {
        T::keys(&below(name, "*"), keys);
    }

    fn set(&mut self, path: &[String], value: &Value) -> Result<(), String> {
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        let name = K::try_from(name.clone()).map_err(|error| format!("has a bad name: {error}"))?;
        self.entry(name).or_default().set(rest, value)
    }

    fn check(&mut self) -> Result<(), ConfigError> {
        self.iter_mut().try_for_each(|(name, value)| value.check().map_err(|error| error.inside(name)))
    }
}

/// The name of `key` in the section `name`.
pub(super) fn below(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") }
}

/// Writes a section: `key: Type = default, check rule, unset "what applies while it is not set";`. A rule may change
/// the value. `check` behind the name of the section is a rule for the section as a whole, and is applied last.
macro_rules! section {
    (
        pub struct $name:ident $(, check $whole:expr;)? {
            $(
                $(#[doc = $about:literal])*
                $key:ident: $type:ty $(= $default:expr)? $(, check $rule:expr)? $(, unset $unset:literal)?;
            )+
        }
    ) => {
        #[doc = "A section of the configuration."]
        #[derive(Clone, Debug, serde::Serialize)]
        pub struct $name {
            $(
                #[doc = concat!("`", stringify!($key), "`.")]
                #[doc = ""]
                $(#[doc = $about])*
                pub $key: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $crate::runtime::config::section::section!(@default $($default)?),)+ }
            }
        }

        const _: () = {
            use $crate::runtime::config::error::ConfigError;
            use $crate::runtime::config::section::{Key, Setting, below};

            impl Setting for $name {
                fn keys(name: &str, keys: &mut Vec<Key>) {
                    $(
                        <$type as Setting>::keys(&below(name, stringify!($key)), keys);
                        if let Some(key) = keys.last_mut() {
                            // The keys of a section have descriptions of their own.
                            if key.about.is_empty() { key.about = concat!($($about),*); }
                            $(key.unset = $unset;)?
                        }
                    )+
                }

                fn set(&mut self, path: &[String], value: &toml::Value) -> Result<(), String> {
                    match path.split_first() {
                        $(Some((key, rest)) if key == stringify!($key) => self.$key.set(rest, value),)+
                        _ => Ok(()),
                    }
                }

                fn check(&mut self) -> Result<(), ConfigError> {
                    $(
                        $(($rule)(&mut self.$key).map_err(|message: String| {
                            ConfigError::new(stringify!($key), message)
                        })?;)?
                        self.$key.check().map_err(|error| error.inside(stringify!($key)))?;
                    )+
                    $(($whole)(self)?;)?
                    Ok(())
                }
            }
        };
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}
pub(super) use section;

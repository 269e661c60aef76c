//! Refused input, field by field.

use std::fmt;

/// A refused field, and why, so that a person can correct it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field as the client named it, e.g. `display_name`.
    pub field: String,
    /// What it must be, e.g. `must be 1 to 255 characters, got 300`.
    pub message: String,
}

/// One or more refused fields. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<FieldError>);

impl Invalid {
    /// A refusal of one field.
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// The same refusal, naming the field `field`.
    #[must_use]
    pub fn of(mut self, field: &str) -> Self {
        for error in &mut self.0 {
            error.field = field.to_owned();
        }
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "; " };
            write!(f, "{comma}{} {}", error.field, error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// What every text type with a function `parse` has in common: its text, how it prints, and how serde reads and writes it.
macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::Invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}
pub(crate) use text_type;

/// Collects the refusals of several fields, so that one answer contains them all.
#[derive(Debug, Default)]
pub struct Checks(Vec<FieldError>);

impl Checks {
    /// Returns the value, or notes the refusal.
    pub fn take<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Invalid(errors)) => {
                self.0.extend(errors);
                None
            }
        }
    }

    /// Like [`Checks::take`], for an optional field.
    pub fn take_opt<T>(&mut self, result: Option<Result<T, Invalid>>) -> Option<T> {
        result.and_then(|r| self.take(r))
    }

    /// `Ok` if there are no refusals, otherwise all of them.
    pub fn finish(self) -> Result<(), Invalid> {
        if self.0.is_empty() { Ok(()) } else { Err(Invalid(self.0)) }
    }
}

/// Refuses a number that is out of its limits.
pub fn within(field: &str, value: Option<u32>, min: u32, max: u32) -> Result<(), Invalid> {
    match value {
        Some(value) if value < min || value > max => {
            Err(Invalid::one(field, format!("must be {min} to {max}, got {value}")))
        }
        _ => Ok(()),
    }
}

/// Checks the length of a text in characters and refuses control characters. (PostgreSQL cannot store NUL.)
pub fn text(field: &str, value: &str, min: usize, max: usize) -> Result<String, Invalid> {
    let count = value.chars().count();
    if count < min || count > max {
        return Err(Invalid::one(field, format!("must be {min} to {max} characters, got {count}")));
    }
    if let Some(bad) = value.chars().find(|c| c.is_control()) {
        return Err(Invalid::one(
            field,
            format!("must not contain control characters, found U+{:04X}", u32::from(bad)),
        ));
    }
    if min > 0 && value.trim().is_empty() {
        return Err(Invalid::one(field, "must not be blank"));
    }
    Ok(value.to_owned())
}

//! The section `[mail]`: e-mail that Streamward sends.

use super::error::ConfigError;
use super::section::section;
use super::values::SecretValue;

section! {
    pub struct Mail, check both; {
        /// The mail server, with name and password: `smtps://user:password@mail.example.org`, or `smtp://…?tls=required`.
        smtp_url: Option<SecretValue>, unset "not set: no e-mail is sent";
        /// Who the e-mails are from.
        from: Option<String>;
    }
}

fn both(mail: &mut Mail) -> Result<(), ConfigError> {
    match (&mail.smtp_url, &mail.from) {
        (Some(_), None) => Err(ConfigError::new("from", "is missing: it belongs to mail.smtp_url")),
        (None, Some(_)) => Err(ConfigError::new("smtp_url", "is missing: it belongs to mail.from")),
        _ => Ok(()),
    }
}

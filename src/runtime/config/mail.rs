//! The section `[mail]`: e-mail that Streamward sends.

use url::Url;

use super::error::ConfigError;
use super::section::section;
use super::values::{SecretValue, is_here};

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
        (Some(url), Some(_)) if shows_its_password(url.0.expose()) => Err(ConfigError::new(
            "smtp_url",
            "would send its password without encryption: begin it with smtps://, or end it with ?tls=required",
        )),
        _ => Ok(()),
    }
}

/// Whether everybody between us and the mail server could read the password. `tls=opportunistic` does without TLS if
/// somebody between takes it away.
fn shows_its_password(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let must_encrypt = url.query_pairs().any(|(key, value)| key == "tls" && value == "required");
        url.scheme() == "smtp" && url.password().is_some() && !must_encrypt && !is_here(&url)
    })
}

//! The text of the first start on a database: the admin token and the next steps.

use std::io::Write as _;

use crate::adapters::system::SystemIds;
use crate::app::access::{Access, ApiTokenDraft};
use crate::app::secrets::first_time;
use crate::app::user::Users;
use crate::domain::access::Actor;
use crate::runtime::bootstrap::Bootstrap;
use crate::runtime::config::MediaServerKind;

/// The text for this start, if it is the first one on this database, over all instances. Makes an admin token unless
/// one is configured, and one-time links: to the page, and for the first administrator.
pub(super) async fn welcome(
    base: &Bootstrap,
    access: &Access,
    users: &Users,
    with_media_server: bool,
) -> anyhow::Result<Option<String>> {
    if !first_time(&base.store(), &base.sealer, &SystemIds, "first_start").await? {
        return Ok(None);
    }
    let page = users.create_setup_link(&Actor::cli("first start")).await?;
    let link = users.create_first_link(&Actor::cli("first start")).await?;
    let token = if base.config().api.admin_token.is_some() {
        "the one in api.admin_token".to_owned()
    } else {
        let draft = ApiTokenDraft {
            name: "first start".to_owned(),
            role: "admin".to_owned(),
            ..ApiTokenDraft::default()
        };
        let (_, secret) = access.create_token(&Actor::cli("first start"), &draft).await?;
        secret.expose().to_owned()
    };
    let config = base.config();
    let has_srs = config.media_servers.values().any(|server| server.kind == MediaServerKind::Srs);
    let shown = (page.url.expose(), token.as_str(), link.url.expose());
    let reader = Reader::of_this_process();
    Ok(Some(text(&config.local_url(), shown, &reader, with_media_server, has_srs)))
}

/// Where the reader types the commands of the text.
enum Reader {
    /// In this directory, with the program called this way: with `cargo run` it is not on the `PATH`.
    Here(String),
    /// Outside the container, in which this program is the first process.
    OutsideContainer,
}

impl Reader {
    fn of_this_process() -> Self {
        // No other program is started as the first process.
        if std::process::id() == 1 {
            return Self::OutsideContainer;
        }
        let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
        Self::Here(called.filter(|name| name.contains('/')).unwrap_or_else(|| "streamward".to_owned()))
    }
}

fn text(
    url: &str,
    (page, token, link): (&str, &str, &str),
    reader: &Reader,
    with_media_server: bool,
    has_srs: bool,
) -> String {
    let line = "─".repeat(72);
    let (program, place) = match reader {
        Reader::Here(program) => (program.as_str(), "in another terminal, in this directory"),
        Reader::OutsideContainer => {
            ("streamward", "in this container (with compose: `docker compose exec streamward …`)")
        }
    };
    // compose.yaml has already given MediaMTX its configuration.
    let media_server = if has_srs {
        format!("3. {program} srs-config > srs.conf\n     for SRS")
    } else if with_media_server || matches!(reader, Reader::OutsideContainer) {
        format!("3. publish with them; {program} stream list\n     shows what is live")
    } else {
        format!(
            "3. {program} mediamtx-config --output mediamtx.yml\n     for a MediaMTX of your own; `{program} up` runs one by itself"
        )
    };
    format!(
        "
{line}
Streamward is set up. This is shown once.

  Open the page     {page}
                    signs in there, once; another one: {program} user setup-link

  Admin API token   {token}
                    as \"Authorization: Bearer …\"; lost? {program} token create --role admin NAME

  First person      {link}
                    sets a password there; later: {program} user create --admin E-MAIL

Next, {place}:
  1. {program} broadcaster create Alice
  2. {program} key create --broadcaster Alice
     prints settings for OBS and others
  {media_server}
  4. {program} doctor
     checks the whole setup

  API {url}   to read and try it: {url}/docs
{line}
"
    )
}

/// Prints to standard output: logs are stored and forwarded, and must hold no secret.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout();
    // If the token is lost, `streamward token create` makes another one.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_type_next_works_where_it_is_typed() {
        let here = text(
            "http://127.0.0.1:8080",
            ("x", "swt_x", "swl_x"),
            &Reader::Here("target/streamward".to_owned()),
            false,
            false,
        );
        assert!(here.contains("in this directory:\n  1. target/streamward broadcaster create"), "{here}");
        assert!(here.contains("mediamtx-config"), "{here}");
        let shown = ("x", "swt_x", "swl_x");
        let srs = text("http://127.0.0.1:8080", shown, &Reader::Here("streamward".to_owned()), false, true);
        assert!(srs.contains("srs-config > srs.conf") && !srs.contains("mediamtx"), "{srs}");
        let container = text("http://127.0.0.1:8080", shown, &Reader::OutsideContainer, false, false);
        assert!(container.contains("docker compose exec streamward"), "{container}");
        assert!(container.contains("  1. streamward broadcaster create"), "{container}");
        assert!(!container.contains("mediamtx.yml"), "{container}");
    }
}

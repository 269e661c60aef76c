//! `streamward auth …`

use clap::Subcommand;
use serde_json::Value;

use super::api::{Api, Query, at};
use super::{Output, list_output};
use crate::adapters::views::{AuthFailureList, AuthFailureView};

/// Commands about publish decisions.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// List refused attempts to publish, the newest first, and what to do about them
    Failures,
    /// List the addresses with the most wrong stream keys, API tokens, signatures and passwords
    Offenders,
}

/// Runs the command.
pub async fn run(api: &Api, command: &AuthCommand, out: &mut Output) -> anyhow::Result<()> {
    if matches!(command, AuthCommand::Offenders) {
        let list = api.get::<AuthFailureList>("/auth-failures?limit=1").await?;
        let offenders = list["offenders"].as_array().map(Vec::as_slice).unwrap_or_default();
        let columns = ["address", "attempts", "paths", "since", "last_at", "causes"];
        return list_output::print_rows(out, ("offenders", &columns), offenders);
    }
    let mut pages = api.pages::<AuthFailureView>("auth_failures", "/auth-failures", &Query::default());
    if out.is_json() {
        return list_output::print_pages(out, ("auth_failures", &[]), pages, |_| ()).await;
    }
    let mut is_first = true;
    while let Some(rows) = pages.next().await? {
        for row in rows {
            let space = if is_first { "" } else { "\n" };
            is_first = false;
            if !out.line(&format!("{space}{}", explained(&row)))? {
                return Ok(());
            }
        }
    }
    if is_first { out.text("no auth failures") } else { Ok(()) }
}

/// A refused attempt in sentences: a table has no room for what to do about it.
fn explained(row: &Value) -> String {
    let field = |name: &str| Some(at(row, &format!("/{name}"))).filter(|text| !text.is_empty());
    let or_none = |name: &str| field(name).unwrap_or_else(|| "-".to_owned());
    let times = match field("count").as_deref() {
        None | Some("1") => "once".to_owned(),
        Some(count) => format!("{count} times, the last"),
    };
    let seconds =
        |text: String| text.split('.').next().map(|whole| whole.trim_end_matches('Z').to_owned() + "Z");
    let last = field("last_at").and_then(seconds).unwrap_or_default();
    let mut lines = vec![format!(
        "{last}  {}  {times} from {} on {}",
        or_none("cause"),
        or_none("ip_address"),
        or_none("path")
    )];
    lines.extend(field("nearest_path").map(|path| format!("    probably meant: {path}")));
    let key = field("key_prefix").zip(field("key_path"));
    lines.extend(key.map(|(prefix, path)| format!("    with the key {prefix}… of {path}")));
    lines.extend(field("detail").map(|detail| format!("    {detail}")));
    lines.extend(field("advice").map(|advice| format!("    {advice}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refused_attempt_says_what_to_do() {
        let row = json!({
            "last_at": "2026-01-31T12:00:00.123Z", "count": 3, "cause": "wrong_path", "path": "live/alcie",
            "nearest_path": "live/alice", "key_path": "live/alice", "key_prefix": "sk_abc", "ip_address": "192.0.2.7",
            "advice": "Use the path of the key.",
        });
        assert_eq!(
            explained(&row),
            "2026-01-31T12:00:00Z  wrong_path  3 times, the last from 192.0.2.7 on live/alcie\n    probably meant: live/alice\n    \
             with the key sk_abc… of live/alice\n    Use the path of the key."
        );
        let bare =
            json!({"last_at": "2026-01-31T12:00:00Z", "count": 1, "cause": "unknown_key", "path": null});
        assert_eq!(explained(&bare), "2026-01-31T12:00:00Z  unknown_key  once from - on -");
    }
}

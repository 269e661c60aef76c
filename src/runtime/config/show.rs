//! The effective configuration for people (`streamward config`), in the form of `streamward.toml`, secrets masked.

use std::fmt;

use serde_json::Value;

use super::layers::is_secret;
use super::load::Loaded;

/// The configuration as it can be shown.
pub struct Shown<'a>(pub &'a Loaded);

impl Shown<'_> {
    /// As one JSON document.
    pub fn to_json(&self) -> Value {
        let mut value = serde_json::to_value(&self.0.config).unwrap_or_default();
        strip_absent(&mut value);
        value
    }
}

fn strip_absent(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(strip_absent);
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match &self.0.file {
            Some(file) => format!("read from {}", file.display()),
            None => "there is no streamward.toml here; this is what one could say".to_owned(),
        };
        writeln!(f, "# {from}")?;
        let value = serde_json::to_value(&self.0.config).unwrap_or_default();
        self.table(f, &mut Vec::new(), &value)
    }
}

impl Shown<'_> {
    /// Plain values first, then the tables inside, as TOML wants it.
    fn table(&self, f: &mut fmt::Formatter<'_>, path: &mut Vec<String>, value: &Value) -> fmt::Result {
        let Value::Object(map) = value else { return Ok(()) };
        let (tables, plain): (Vec<_>, Vec<_>) = map.iter().partition(|(_, value)| value.is_object());
        if !path.is_empty() && !plain.is_empty() {
            writeln!(f, "\n[{}]", path.join("."))?;
        }
        for (key, value) in plain {
            path.push(key.clone());
            let full = path.join(".");
            let origin = self.0.origins.get(&full).map_or("default", String::as_str);
            let (line, note) = match value {
                Value::Null => (format!("# {key} ="), absent(path)),
                value => (format!("{key} = {value}"), origin),
            };
            writeln!(f, "{line:<44} # {note}")?;
            path.pop();
        }
        for (key, value) in tables {
            path.push(key.clone());
            self.table(f, path, value)?;
            path.pop();
        }
        Ok(())
    }
}

/// What holds where nothing is set.
fn absent(path: &[String]) -> &'static str {
    match path.join(".").as_str() {
        "database.url" => "not set: streamward.db in data_dir",
        "hooks.url" => "not set: the address of http.listen",
        "hooks.secret" | "api.hmac_secret" => {
            "not set: made at the first start, kept in the database; see `config --reveal`"
        }
        "metrics.token" => "not set: anyone who reaches /metrics may read it",
        "kick.feed" => "not set: nobody is watched; auto, pusher, centrifugo (unofficial), webhook, poll",
        "kick.client_secret" => "not set: Kick's official API cannot be asked",
        "kick.pusher_key" | "kick.centrifugo_url" | "kick.webhook_public_key" => "not set: Kick is asked",
        key if key.ends_with(".control_secret") => "not set: made at the first start, kept in the database",
        _ if is_secret(path) => "not set",
        _ => "not set",
    }
}

//! Every key of the configuration, with its default and what it is for.

use serde_json::{Value, json};
use streamward::runtime::config::{Config, Key, MediaServer, Oidc, Studio, keys};

use super::{assert_page, code, table};

const INTRO: &str = "Everything has a default. Settings come from `streamward.toml` in the working directory (or `--config FILE`, or \
`STREAMWARD_CONFIG`), then from the environment, then from the command line; the later one wins. `streamward config` shows the values in \
effect and where each was set, `GET /configuration` and the page show the same. An unknown key or a bad value stops the start with one line.

* In the environment `media_servers.default.api_url` is `STREAMWARD_MEDIA_SERVERS__DEFAULT__API_URL`, and so on: two underscores for each \
dot. A list has commas between.
* `<name>` stands for a name of your own. There can be several of them.
* A secret can be read from a file: `<key>_file` in `streamward.toml`, `…_FILE` in the environment. It is never shown.
* Durations are written like `15s`, `1m 30s`, `30d`.

| Only in the environment | |
|---|---|
| `STREAMWARD_MASTER_KEY`, `STREAMWARD_MASTER_KEY_FILE` | the master key: 32 bytes in hex. Without it, the first start makes `streamward-secrets.key` |
| `DATABASE_URL` | `database.url`, if that is not set |
| `STREAMWARD_CONFIG` | the configuration file |
| `STREAMWARD_URL`, `STREAMWARD_TOKEN` | a Streamward on another machine, for [commands](../commands.md#on-another-machine) |";

/// The default values, with the keys' `*` as the name of one of each.
fn defaults() -> Value {
    let mut all = serde_json::to_value(Config::default()).expect("JSON");
    all["media_servers"] = json!({ "*": MediaServer::default() });
    all["studios"] = json!({ "*": Studio::default() });
    all["users"]["oidc"] = json!({ "*": Oidc::default() });
    all
}

fn default_of(key: &Key, defaults: &Value) -> String {
    let value = key.name.split('.').fold(defaults, |value, part| &value[part]);
    match value {
        Value::String(text) => code(text),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => {
            list.iter().map(|one| code(one.as_str().unwrap_or_default())).collect::<Vec<_>>().join(", ")
        }
        Value::Null => key.unset.strip_prefix("not set: ").unwrap_or(key.unset).to_owned(),
        other => code(&other.to_string()),
    }
}

fn meaning_of(key: &Key) -> String {
    let mut text = key.about.trim().to_owned();
    if !key.words.is_empty() {
        let words: Vec<String> = key.words.iter().map(|word| code(word)).collect();
        text += &format!(" One of {}.", words.join(", "));
    }
    if key.is_secret {
        text += " Secret.";
    }
    text
}

#[test]
fn configuration() {
    let defaults = defaults();
    let mut text = INTRO.to_owned();
    let section = |key: &Key| key.name.split_once('.').map_or("", |(section, _)| section).to_owned();
    for keys in keys().chunk_by(|one, next| section(one) == section(next)) {
        let heading = section(&keys[0]);
        if !heading.is_empty() {
            text += &format!("\n\n## {heading}");
        }
        let rows = keys.iter().map(|key| {
            assert!(
                !key.about.trim().is_empty(),
                "{} has no description: give its field a doc comment",
                key.name
            );
            [code(&key.name.replace('*', "<name>")), default_of(key, &defaults), meaning_of(key)]
        });
        text += &format!("\n\n{}", table(["Key", "Default", "Meaning"], rows).trim());
    }
    assert_page("configuration.md", "Configuration", &text);
}

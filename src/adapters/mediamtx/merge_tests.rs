//! What a person changed in mediamtx.yml stays, and what Streamward needs is set.

use super::{Map, merge};
use crate::adapters::mediamtx::config::{Addresses, ConfigInput, HookCommands, yaml};
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;

fn setup() -> ConfigInput {
    ConfigInput {
        streamward: "http://127.0.0.1:8080".to_owned(),
        server: MediaServerName::default(),
        hook_secret: Secret::new("old-secret"),
        hooks: Some(HookCommands {
            ready: ["/opt/streamward", "hook", "ready", "--url", "x"].map(str::to_owned).into(),
            not_ready: ["/opt/streamward", "hook", "not-ready"].map(str::to_owned).into(),
        }),
        addresses: Addresses::default(),
    }
}

fn generated(version: &str) -> String {
    yaml(&setup(), Some(version))
}

/// The keys that are set, after a merge that must succeed; the text is checked to merge without a change then.
fn merged(existing: &str, generated: &str) -> (String, Vec<String>) {
    let merged = merge(existing, generated).unwrap_or_else(|why| panic!("{why} in\n{existing}"));
    let again = merge(&merged.text, generated).unwrap();
    assert_eq!(
        (again.text.as_str(), again.changed.len()),
        (merged.text.as_str(), 0),
        "a second merge changes nothing"
    );
    (merged.text, merged.changed)
}

#[test]
fn untouched_file_stays_and_follows_the_setup() {
    let old = generated("v1.20.1");
    assert_eq!(merged(&old, &old), (old.clone(), vec![]));
    let mut changed = setup();
    changed.hook_secret = Secret::new("new-secret");
    changed.addresses.rtmp = ":11935".to_owned();
    let new = yaml(&changed, Some("v1.20.1"));
    let (text, keys) = merged(&old, &new);
    assert_eq!(text, new);
    assert_eq!(keys, ["authHTTPAddress", "rtmpAddress"]);
}

#[test]
fn entries_and_comments_of_a_person_stay() {
    let old = generated("v1.20.1")
        .replace("hls: yes", "hls: no # we have no viewers on HLS")
        .replace("paths:\n", "paths:\n  # the camera in the hall\n  cam1:\n    source: rtsp://10.0.0.7/é\n")
        .replace("pathDefaults:\n", "pathDefaults:\n  record: yes\n")
        + "# mine\nreadTimeout: 20s\nauthJWTJWKS: |\n  hls: yes\n";
    let mut changed = setup();
    changed.hook_secret = Secret::new("new-secret");
    changed.addresses.hls = ":18888".to_owned();
    let (text, keys) = merged(&old, &yaml(&changed, Some("v1.20.1")));
    assert_eq!(keys, ["authHTTPAddress", "hlsAddress"]);
    let expected = old.replace("old-secret", "new-secret").replace(":8888", ":18888");
    assert_eq!(text, expected);
}

#[test]
fn line_added_below_ours_wins() {
    let (text, keys) = merged(&(generated("v1.20.1") + "hls: no\n"), &generated("v1.20.1"));
    assert!(text.contains("\nhls: no\n") && !text.contains("hls: yes"), "{text}");
    assert_eq!(keys, ["hls"]);
    let doubled = generated("v1.20.1") + "readTimeout: 1s\nreadTimeout: 2s\n";
    assert!(merge(&doubled, &generated("v1.20.1")).unwrap_err().contains("readTimeout is there twice"));
}

#[test]
fn key_that_streamward_needs_is_set_again() {
    let ours = generated("v1.20.1");
    for (from, to, key) in [
        ("authMethod: http", "authMethod: internal", "authMethod"),
        ("authHTTPExclude: []", "authHTTPExclude:\n- action: api\n  path: \"\"", "authHTTPExclude"),
        ("authHTTPExclude: []", "authHTTPExclude: [{action: api}]", "authHTTPExclude"),
        ("api: yes", "\"api\": no", "api"),
        ("api: yes\n", "", "api"),
        ("apiAddress: \"127.0.0.1:9997\"", "apiAddress:", "apiAddress"),
        ("paths:\n  all_others:\n", "", "paths"),
        ("paths:\n  all_others:\n", "paths:\n", "paths"),
        ("runOnAvailable: \"/opt", "runOnAvailable: \"/old", "runOnAvailable"),
    ] {
        assert!(ours.contains(from), "{from}");
        let (text, keys) = merged(&ours.replace(from, to), &ours);
        assert_eq!(keys, [key], "{to}");
        assert_eq!(Map::parse(&text).unwrap().get(key), Map::parse(&ours).unwrap().get(key), "{text}");
    }
}

#[test]
fn hooks_and_moq_follow_the_version() {
    let (old, new) = (generated("v1.18.0"), generated("v1.20.1"));
    let (text, _) = merged(
        &old.replace("pathDefaults:\n", "pathDefaults:\n    record: yes\n").replace("  runOn", "    runOn"),
        &new,
    );
    assert!(text.contains("    runOnAvailable: \"/opt/streamward hook ready --url x\"\n"), "{text}");
    assert!(text.contains("    record: yes\n") && !text.contains("runOnReady"), "{text}");
    assert!(text.contains("\nmoq: no\n"), "{text}");
    let (text, _) = merged(&new, &old);
    assert!(text.contains("  runOnReady:") && !text.contains("runOnAvailable"), "{text}");
    assert!(!text.contains("\nmoq: no\n"), "{text}");
    let none = yaml(&ConfigInput { hooks: None, ..setup() }, Some("v1.20.1"));
    let (text, _) = merged(&new, &none);
    assert!(!text.contains("\n  runOn"), "{text}");
    let (text, _) = merged(&none, &new);
    assert_eq!(text.matches("\n  runOn").count(), 2, "{text}");
}

#[test]
fn hook_of_a_person_stays_and_is_reported() {
    let ours = generated("v1.20.1");
    let hook = ours.lines().find(|line| line.contains("runOnAvailable")).unwrap();
    let theirs = ours.replace(hook, "  runOnReady: /home/me/record.sh");
    let merged = merge(&theirs, &ours).unwrap();
    assert_eq!(merged.text, theirs);
    assert_eq!(merged.own_hooks, ["pathDefaults.runOnReady"]);
}

#[test]
fn file_that_cannot_be_changed_safely_is_refused() {
    let ours = generated("v1.20.1");
    for (theirs, why) in [
        (format!("{ours}---\na: b\n"), "one document"),
        (format!("{ours}\tx: [\n"), "line "),
        ("# just a comment\n".to_owned(), "one document"),
        ("{api: yes}\n".to_owned(), "one document"),
    ] {
        let refused = merge(&theirs, &ours).expect_err(&theirs);
        assert!(refused.contains(why), "{refused}");
    }
    let flow = ours.lines().filter(|line| !line.contains("runOn")).collect::<Vec<_>>().join("\n");
    let flow = flow.replace("pathDefaults:", "pathDefaults: {record: yes}");
    let refused = merge(&flow, &ours).unwrap_err();
    assert!(refused.contains("pathDefaults"), "{refused}");
}

//! Users from the command line, and the first administrator.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Home, SOON, client};

const PASSWORD: &str = "correct horse battery";

#[test]
fn commands_manage_users() {
    let home = Home::new().prepared();
    let text = home.ok(&["user", "create", "--admin", "Ada@Example.org", "--name", "Ada"]);
    assert!(text.contains("Created administrator ada@example.org"), "{text}");
    assert!(text.contains(&format!("{}#swl_", home.url("/link"))), "{text}");
    let ada = home.json(&["user", "show", "ada@example.org"]);
    assert_eq!((&ada["administrator"], &ada["has_password"]), (&json!(true), &json!(false)));
    let last = home.refused(&["user", "delete", "ada@example.org"]);
    assert!(last.contains("last administrator"), "{last}");
    home.ok(&["user", "create", "bob@example.org", "--role", "viewer"]);
    let bob = home.json(&["user", "update", "bob@example.org", "--role", "operator", "--name", "Bob"]);
    assert_eq!((&bob["display_name"], &bob["roles"][0]["role"]), (&json!("Bob"), &json!("operator")));
    assert_eq!(home.json(&["user", "list"])["count"], 2);
    assert!(home.ok(&["user", "link", "bob@example.org"]).contains("#swl_"));
    assert!(home.refused(&["user", "show", "carol@example.org"]).contains("user does not exist"));
    assert!(home.refused(&["user", "update", "bob@example.org"]).contains("nothing to change"));
    home.ok(&["user", "delete", "bob@example.org"]);
    assert_eq!(home.json(&["user", "list"])["count"], 1);
}

/// Runs a command that reads a password from standard input.
fn with_password(home: &Home, arguments: &[&str], password: &str) -> String {
    let mut command = home.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    writeln!(child.stdin.take().expect("standard input"), "{password}").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(!text.contains(password), "{text}");
    format!("{}: {text}", output.status.success())
}

async fn sign_in(home: &Home, password: &str) -> u16 {
    let body = json!({"email": "ada@example.org", "password": password});
    client().post(home.url("/session")).json(&body).send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_password_is_read_from_standard_input_and_counts_at_once() {
    let home = Home::new();
    let _service = home.serve().await;
    let made = with_password(&home, &["user", "create", "ada@example.org", "--password"], PASSWORD);
    assert!(made.starts_with("true: ") && !made.contains("swl_"), "{made}");
    assert_eq!(sign_in(&home, PASSWORD).await, 201);
    let sessions = home.json(&["user", "sessions", "ada@example.org"]);
    assert_eq!(sessions["count"], 1);
    let refused = with_password(&home, &["user", "password", "ada@example.org"], "short");
    assert!(refused.starts_with("false: ") && refused.contains("at least 12 characters"), "{refused}");
    let set = with_password(&home, &["user", "password", "ada@example.org"], "another long password");
    assert!(set.starts_with("true: "), "{set}");
    assert_eq!(sign_in(&home, PASSWORD).await, 401);
    assert_eq!(sign_in(&home, "another long password").await, 201);
    home.ok(&["user", "sessions", "ada@example.org", "--end"]);
    assert_eq!(home.json(&["user", "sessions", "ada@example.org"])["count"], 0);
}

#[tokio::test]
async fn the_page_link_of_the_first_start_signs_in_once() {
    let home = Home::new().with("LOG__FORMAT", "json").with("LOG__LEVEL", "debug");
    let mut service = home.serve().await;
    let log = home.log();
    let links: Vec<&str> = log.split_whitespace().filter(|word| word.contains("/ui/#setup=")).collect();
    assert_eq!(links.len(), 1, "{log}");
    let (page, code) = links[0].split_once("#setup=").expect("a code");
    assert!(!log.lines().any(|line| line.starts_with('{') && line.contains(code)), "{log}");
    assert_eq!(client().get(page).send().await.expect("an answer").status(), 200);
    let sign_in = async |code: &str| {
        let body = json!({ "setup": code });
        client().post(home.url("/session")).json(&body).send().await.expect("an answer")
    };
    let opened = sign_in(code).await;
    assert_eq!(opened.status(), 201);
    assert_eq!(opened.json::<Value>().await.expect("JSON")["role"], "admin");
    assert_eq!(sign_in(code).await.status(), 401);
    let other = home.json(&["user", "setup-link"]);
    let (_, other) = other["url"].as_str().expect("a link").split_once("#setup=").expect("a code");
    assert_eq!(sign_in(other).await.status(), 201);
    assert!(service.terminate(SOON).await.expect("it stops").success());
    assert!(!home.log().replacen(code, "", 1).contains(code), "the code is printed, and never logged");
}

#[tokio::test]
async fn the_link_of_the_first_start_makes_the_first_administrator_once() {
    let home = Home::new().with("LOG__FORMAT", "json").with("LOG__LEVEL", "debug");
    let mut service = home.serve().await;
    let log = home.log();
    let links: Vec<&str> = log.split_whitespace().filter(|word| word.contains("/link#swl_")).collect();
    assert_eq!(links.len(), 1, "{log}");
    let (_, secret) = links[0].split_once('#').expect("a secret");
    let link = secret.strip_suffix("&first").expect("the page must know that it is the first").to_owned();
    assert!(!log.lines().any(|line| line.starts_with('{') && line.contains(&link)), "{log}");
    let redeem = async |email: &str| {
        let body = json!({"link": link, "password": PASSWORD, "email": email});
        client().post(home.url("/link")).json(&body).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(redeem("nonsense").await, 400);
    assert_eq!(redeem("ada@example.org").await, 200);
    assert_eq!(redeem("eve@example.org").await, 401);
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    let answer = client().post(home.url("/session")).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
    let me: Value = answer.json().await.expect("JSON");
    assert_eq!(me["role"], "admin");
    assert!(service.terminate(SOON).await.expect("it stops").success());
    assert!(!home.log().contains(PASSWORD));
}

//! Layers, masks and error lines.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;

use streamward_test_support::fuzz::{fuzz, texts};
use tempfile::TempDir;

use super::keys::{KEYS, find_key};
use super::show::mask;
use super::values::MASK;
use super::*;
use crate::domain::secret::Secret;

/// A configuration from a file's text and an environment.
fn load(toml: &str, env: &[(&str, &str)]) -> Result<Loaded, String> {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("streamward.toml");
    std::fs::write(&file, toml).unwrap();
    let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    let sources = Sources { file: Some(file), env, flags: Vec::new() };
    let hide = |error: ConfigError| error.to_string().replace(&dir.path().display().to_string(), "…");
    sources.load().map_err(hide)
}

fn refused(toml: &str, env: &[(&str, &str)]) -> String {
    let line = load(toml, env).unwrap_err();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

#[test]
fn every_key_has_a_default() {
    let loaded = load("", &[]).unwrap();
    let config = &loaded.config;
    assert_eq!(config.http.listen, "127.0.0.1:8080");
    assert_eq!(config.database_kind(), DatabaseKind::Sqlite("./streamward.db".into()));
    let (name, server) = config.media_servers.iter().next().unwrap();
    assert_eq!((name.as_str(), server.api_url()), ("default", "http://127.0.0.1:9997"));
    let urls = server.base_urls();
    assert_eq!((urls.rtmp.as_str(), urls.srt.as_str()), ("rtmp://127.0.0.1:1935", "srt://127.0.0.1:8890"));
    assert_eq!((urls.hls.as_str(), urls.webrtc.as_str()), ("http://127.0.0.1:8888", "http://127.0.0.1:8889"));
    assert!(loaded.origins.is_empty());
}

#[test]
fn the_environment_wins_over_the_file() {
    let toml = "[auth]\nclaim_ttl = '20s'\n[http]\nmax_connections = 7";
    let env = [
        ("STREAMWARD_AUTH__CLAIM_TTL", "30s"),
        ("STREAMWARD_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1"),
        ("STREAMWARD_DATABASE__MAX_CONNECTIONS", "12"),
        ("STREAMWARD_REVERSED", ""),
        ("STREAMWARD_SERVICE_HOST", "10.1.2.3"),
        ("STREAMWARD_PORT_8080_TCP", "tcp://10.1.2.3:8080"),
        ("OTHER", "x"),
    ];
    let loaded = load(toml, &env).unwrap();
    assert_eq!(loaded.config.auth.claim_ttl, ConfigDuration::seconds(30));
    assert_eq!((loaded.config.http.max_connections, loaded.config.database.max_connections), (7, 12));
    assert_eq!(loaded.config.http.trusted_proxies.0.len(), 2);
    assert_eq!(loaded.origins["auth.claim_ttl"], "STREAMWARD_AUTH__CLAIM_TTL");
    assert!(loaded.origins["http.max_connections"].ends_with("streamward.toml"));
}

#[test]
fn a_database_url_may_come_by_its_usual_name() {
    let url =
        |env: &[(&str, &str)]| load("database.url = 'sqlite:a.db'", env).unwrap().config.database_kind();
    let pg = |url: &str| DatabaseKind::Postgres(Secret::new(url));
    assert_eq!(url(&[]), DatabaseKind::Sqlite("a.db".into()));
    assert_eq!(url(&[("DATABASE_URL", "postgres://b/c")]), pg("postgres://b/c"));
    let own = ("STREAMWARD_DATABASE__URL", "postgresql:///streamward?host=/run&user=x");
    assert_eq!(url(&[("DATABASE_URL", "postgres://b/c"), own]), pg(own.1));
}

#[test]
fn unknown_key_is_named_with_its_place() {
    assert_eq!(
        refused("[http]\nlisten_on = 'x'", &[]),
        "configuration: http.listen_on is not a key; did you mean http.listen? (set in …/streamward.toml)"
    );
    assert_eq!(
        refused("", &[("STREAMWARD_HTTP_LISTEN", "x")]),
        "configuration: http_listen is not a key; did you mean http.listen? (set in STREAMWARD_HTTP_LISTEN)"
    );
    let line = refused("", &[("STREAMWARD_HTPP__LISTEN", "x")]);
    let asked =
        "configuration: htpp.listen is not a key; did you mean http.listen? (set in STREAMWARD_HTPP__LISTEN)";
    assert_eq!(line, asked);
    let line = refused("", &[("STREAMWARD_HTPP", "x")]);
    assert!(
        line.starts_with("configuration: htpp is not a key; did you mean one of http.base_path, http."),
        "{line}"
    );
    let line = refused("", &[("STREAMWARD_MEDIA_SERVERS__EU__AIP_URL", "x")]);
    assert!(line.contains("did you mean media_servers.eu.api_url?"), "{line}");
    let line = refused("", &[("STREAMWARD_LOG__COLOUR", "x")]);
    assert_eq!(
        line,
        "configuration: log.colour is not a key; known here: level, format (set in STREAMWARD_LOG__COLOUR)"
    );
    assert!(refused("[media_servers.default]\napi = 'x'", &[]).contains("media_servers.default.api"));
}

#[test]
fn wrong_value_is_named_with_the_allowed_values() {
    for (env, expected) in [
        (
            ("AUTH__CLAIM_TTL", "soon"),
            "auth.claim_ttl must be a duration such as \"15s\", \"2h\" or \"30d\", not \"soon\"",
        ),
        (("AUTH__CLAIM_TTL", "1ms"), "auth.claim_ttl must be 1s to 10m, not 1ms"),
        (("HTTP__LISTEN", "8080"), "http.listen must be an address and a port such as 127.0.0.1:8080"),
        (("HTTP__MAX_CONNECTIONS", "many"), "http.max_connections must be a whole number, not \"many\""),
        (
            ("LOG__LEVEL", "warning"),
            "log.level must be one of off, error, warn, info, debug, trace, or a filter",
        ),
        (("LOG__FORMAT", "xml"), "log.format must be one of text, json, not \"xml\""),
        (("PLAYBACK__ACCESS", "members"), "playback.access must be one of public, token, not \"members\""),
        (("DATABASE__URL", "mysql://u:hunter2@h/d"), "database.url must be sqlite://<file> or postgres://"),
        (("DATABASE__URL", "sqlite::memory:"), "database.url must be sqlite://<file>"),
        (("HOOKS__SECRET", "a,b,c"), "hooks.secret must be one secret of at least 8 characters"),
        (("HOOKS__URL", "streamward:8080"), "hooks.url must start with http:// or https://"),
        (("MEDIA_SERVERS__EU__RTMP_URL", "rtmp://h"), "media_servers.eu.api_url is missing"),
        (("MEDIA_SERVERS__DEFAULT__HLS_URL", "http://u:p@h"), "media_servers.default.hls_url must not hold"),
        (
            ("MEDIA_SERVERS__DEFAULT__KIND", "nginx"),
            "media_servers.default.kind must be one of mediamtx, srs",
        ),
    ] {
        let name = format!("STREAMWARD_{}", env.0);
        let line = refused("", &[(&name, env.1)]);
        assert!(line.starts_with(&format!("configuration: {expected}")), "{line}");
        assert!(line.ends_with(&format!("(set in {name})")) || line.contains("missing"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    let bad_name = refused("[media_servers.'Eu West']\napi_url = 'http://h'", &[]);
    assert!(bad_name.contains("media_servers.Eu West") && bad_name.contains("lower-case"), "{bad_name}");
}

#[test]
fn the_error_of_a_broken_file_does_not_contain_its_text() {
    let line = refused("[hooks]\nsecret = \"hunter2hunter2\nother = 1", &[]);
    assert!(line.contains("line 2") && !line.contains("hunter2"), "{line}");
    let line = refused("[hooks]\nsecret = 12345678", &[]);
    assert!(line.contains("hooks.secret must be a text") && !line.contains("12345678"), "{line}");
}

#[test]
fn secret_can_be_in_its_own_file() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "from-a-file\n").unwrap();
    let file = file.to_str().unwrap();
    let secret = |toml: &str, env: &[(&str, &str)]| {
        load(toml, env).map(|loaded| loaded.config.hooks.secret.unwrap().0.expose().to_owned())
    };
    let in_toml = format!("[hooks]\nsecret_file = '{file}'");
    assert_eq!(secret(&in_toml, &[]).unwrap(), "from-a-file");
    assert_eq!(secret(&in_toml, &[("STREAMWARD_HOOKS__SECRET", "from-the-env")]).unwrap(), "from-the-env");
    let env = [("STREAMWARD_HOOKS__SECRET_FILE", file)];
    assert_eq!(secret("[hooks]\nsecret = 'from-the-toml'", &env).unwrap(), "from-a-file");
    let both = refused("", &[env[0], ("STREAMWARD_HOOKS__SECRET", "from-the-env")]);
    assert!(both.contains("hooks.secret_file and secret are both set"), "{both}");
    let gone = refused("", &[("STREAMWARD_API__HMAC_KEYS__DASH_FILE", "/nowhere")]);
    assert!(gone.contains("api.hmac_keys.dash_file names /nowhere, which cannot be read"), "{gone}");
    let not_a_secret = refused("", &[("STREAMWARD_HTTP__LISTEN_FILE", file)]);
    assert!(not_a_secret.contains("http.listen_file is not a key"), "{not_a_secret}");
}

#[test]
fn shown_configuration_has_sources_and_no_secrets() {
    let toml = "[hooks]\nsecret = 'hunter2hunter2'\n[api.hmac_keys]\ndash = 'hunter2hunter2'";
    let env = [("DATABASE_URL", "postgres://u:hunter2@h/d"), ("STREAMWARD_LOG__LEVEL", "warn")];
    let loaded = load(toml, &env).unwrap();
    let text = Shown(&loaded).to_string();
    let json = Shown(&loaded).to_json();
    for shown in [&text, &json.to_string(), &format!("{:?}", loaded.config)] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(text.contains("[api.hmac_keys]\ndash = \"***\""), "{text}");
    let level = text.lines().find(|line| line.starts_with("level = ")).unwrap();
    assert!(level.ends_with("# STREAMWARD_LOG__LEVEL"), "{level}");
    assert_eq!((&json["hooks"]["secret"], &json["log"]["level"]), (&"***".into(), &"warn".into()));
}

#[test]
fn every_key_can_be_set_and_secret_keys_are_those_of_secret_type() {
    for key in KEYS.iter() {
        let name = format!("STREAMWARD_{}", key.name.replace('*', "x").replace('.', "__").to_uppercase());
        let error = load("", &[(&name, "1")]).err().unwrap_or_default();
        assert!(!error.contains("is not a key"), "{}: {error}", key.name);
    }
    let secrets: Vec<&str> = KEYS.iter().filter(|key| key.is_secret).map(|key| key.name.as_str()).collect();
    assert_eq!(
        secrets,
        [
            "database.url",
            "database.listen_url",
            "hooks.secret",
            "api.admin_token",
            "api.hmac_secret",
            "api.hmac_keys.*",
            "users.oidc.*.client_secret",
            "mail.smtp_url",
            "metrics.token",
            "kick.client_secret",
            "media.secret_access_key",
            "media_servers.*.control_secret",
            "studios.*.password",
            "studios.*.platform.key",
            "studios.*.probe.path",
            "studios.*.probe.stream",
        ]
    );
}

/// Every value of the configuration belongs to a key whose secrecy is known.
#[test]
fn every_shown_value_belongs_to_a_key() {
    fn walk(path: &[&str], value: &serde_json::Value) {
        let serde_json::Value::Object(map) = value else {
            assert!(find_key(path).is_some(), "{path:?} is shown, but no key is derived for it");
            return;
        };
        map.iter().for_each(|(key, value)| walk(&[path, &[key]].concat(), value));
    }
    let loaded = load("api.hmac_keys.dash = 'hunter2hunter2'", &[]).unwrap();
    walk(&[], &serde_json::to_value(&loaded.config).unwrap());
}

#[test]
fn value_of_an_unknown_key_is_masked() {
    let mut value =
        serde_json::json!({"log": {"level": "warn", "new": "hunter2"}, "new": ["hunter2"], "none": null});
    mask(&[], &mut value);
    assert_eq!(value, serde_json::json!({"log": {"level": "warn", "new": MASK}, "new": MASK, "none": null}));
}

#[test]
fn a_master_key_is_found_or_made_once() {
    let dir = TempDir::new().unwrap();
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let MasterKeySource::Absent(file) = find_master_key(&config, &[]).unwrap() else { panic!("found") };
    let made = create_master_key(&file, [7; 32]).unwrap();
    let other = create_master_key(&file, [8; 32]).unwrap();
    assert_eq!((made.expose(), other.expose()), (&[7; 32], &[7; 32]), "the first one stays");
    let MasterKeySource::Found(found) = find_master_key(&config, &[]).unwrap() else { panic!("absent") };
    assert_eq!(found.expose(), &[7; 32]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let env = |value: &str| vec![(OsString::from("STREAMWARD_MASTER_KEY"), OsString::from(value))];
    for good in ["00".repeat(32), "A".repeat(43), format!("{}=", "A".repeat(43))] {
        assert!(matches!(find_master_key(&config, &env(&good)), Ok(MasterKeySource::Found(_))), "{good}");
    }
    let line = find_master_key(&config, &env("hunter2")).unwrap_err().to_string();
    assert!(line.contains("STREAMWARD_MASTER_KEY must be 32 bytes") && !line.contains("hunter2"), "{line}");
}

#[test]
fn any_file_is_read_or_refused_in_one_line() {
    const FILES: [&str; 3] = [
        "[http]\nlisten = '127.0.0.1:8080'\ntrusted_proxies = ['10.0.0.0/8']\n[auth]\nclaim_ttl = '20s'\n",
        "log = { level = 'info', format = 'json' }\nmedia_servers.eu.api_url = 'http://127.0.0.1:9997'\n",
        "[api.hmac_keys]\ndash = 'hunter2hunter2'\n[database]\nurl = 'postgres://u:p@h/d'\nmax_connections = 30\n",
    ];
    fuzz(&texts(&FILES), |toml| match load(&toml, &[]) {
        Ok(loaded) => assert!(!Shown(&loaded).to_string().contains("hunter2hunter2")),
        Err(line) => assert_eq!(line.lines().count(), 1, "{line}"),
    });
}

#[test]
fn any_secret_in_the_environment_is_hidden() {
    let secrets = KEYS.iter().filter(|key| key.is_secret && !key.name.contains('*'));
    let names: Vec<String> =
        secrets.map(|key| format!("STREAMWARD_{}", key.name.replace('.', "__").to_uppercase())).collect();
    assert!(names.len() > 3, "{names:?}");
    fuzz(
        &(proptest::sample::select(names), texts(&["postgres://u:p@h/d", "a-secret,another-secret"])),
        |(name, value)| {
            if value.contains('\0') || value.len() < 12 {
                return;
            }
            let shown = match load("", &[(&name, &value)]) {
                Ok(loaded) => Shown(&loaded).to_string() + &Shown(&loaded).to_json().to_string(),
                Err(line) => line,
            };
            assert!(!shown.contains(&value), "{name}: {shown}");
        },
    );
}

#[test]
fn the_base_path_is_that_of_the_public_url() {
    let base = |toml: &str| load(toml, &[]).unwrap().config.base_path();
    assert_eq!(base(""), "");
    assert_eq!(base("[http]\npublic_url = 'https://tv.example.org'"), "");
    assert_eq!(base("[http]\npublic_url = 'https://tv.example.org/a/streamward/'"), "/a/streamward");
    assert_eq!(base("[http]\nbase_path = '/streamward/'"), "/streamward");
    assert_eq!(base("[http]\nbase_path = '/'"), "");
    let both = "[http]\nbase_path = '/a'\npublic_url = 'https://tv.example.org/a'";
    assert_eq!(base(both), "/a");
    let local = load("[http]\nbase_path = '/a'", &[]).unwrap().config.public_url();
    assert_eq!(local, "http://127.0.0.1:8080/a");
    for wrong in ["a", "a/", "//a", "/a//b", "/a/../b", "/a b", "/a?b", "/ä", "/a\"><b"] {
        let line = refused(&format!("[http]\nbase_path = '{wrong}'"), &[]);
        assert!(line.contains("http.base_path must be a path such as /streamward"), "{wrong}: {line}");
    }
    let line = refused("[http]\nbase_path = '/a'\npublic_url = 'https://tv.example.org/b'", &[]);
    assert!(line.contains("http.base_path must be the path of http.public_url"), "{line}");
}

const OIDC: &str = "[users.oidc.company]\nissuer = 'https://login.example/realms/tv/'\nclient_id = 'streamward'\n\
                    client_secret = 'hunter2hunter2'\n[users.oidc.company.roles]\ntv-root = 'administrator'\n\
                    '/tv/team.a' = '00000000-0000-7000-8000-000000000007=operator'\n";

#[test]
fn providers_have_an_issuer_a_client_and_roles() {
    let loaded = load(OIDC, &[("STREAMWARD_USERS__OIDC__COMPANY__SCOPES", "email, groups")]).unwrap();
    let (name, oidc) = loaded.config.users.oidc.iter().next().unwrap();
    assert_eq!((name.as_str(), oidc.issuer.as_deref()), ("company", Some("https://login.example/realms/tv")));
    assert_eq!((oidc.scopes.0.join(" ").as_str(), oidc.roles_claim.as_str()), ("email groups", "groups"));
    let grants = oidc.grants();
    let granted = grants.granted(&["tv-root".into(), "/tv/team.a".into()]);
    assert!(granted.administrator && granted.roles.len() == 1);
    let shown = format!("{}{}", Shown(&loaded), Shown(&loaded).to_json());
    assert!(!shown.contains("hunter2"), "{shown}");
    for (from, to, expected) in [
        ("https://login.example", "http://login.example", "issuer must begin with https://"),
        ("issuer = 'https://login.example/realms/tv/'", "", "company.issuer is missing"),
        ("client_id = 'streamward'", "", "company.client_id is missing"),
        ("'administrator'", "'root'", "company.roles.tv-root must be administrator, viewer"),
        ("users.oidc.company]", "users.oidc.'a/b']", "must be 1 to 50 letters"),
    ] {
        let line = refused(&OIDC.replace(from, to), &[]);
        assert!(line.contains(expected), "{expected}: {line}");
    }
    let here = OIDC.replace("https://login.example", "http://127.0.0.1:9000");
    assert!(load(&here, &[]).is_ok());
    let (without_roles, _) = OIDC.split_once("[users.oidc.company.roles]").unwrap();
    assert!(refused(without_roles, &[]).contains("company.roles is missing"));
}

#[test]
fn a_password_for_a_mail_server_elsewhere_is_sent_encrypted() {
    let mail = |url: &str| format!("[mail]\nfrom = \"tv@example.org\"\nsmtp_url = \"{url}\"\n");
    for shown in ["smtp://me:p%40ss@mail.example.org", "smtp://me:pw@192.0.2.7:587?tls=opportunistic"] {
        let error = refused(&mail(shown), &[]);
        assert!(error.contains("mail.smtp_url") && error.contains("?tls=required"), "{error}");
        assert!(!error.contains("pw") && !error.contains("p%40ss"), "the password is in {error}");
    }
    for kept in [
        "smtps://me:pw@mail.example.org",
        "smtp://me:pw@mail.example.org?tls=required",
        "smtp://me:pw@127.0.0.1:2525",
        "smtp://me:pw@localhost",
        "smtp://mail.example.org",
    ] {
        load(&mail(kept), &[]).unwrap();
    }
}

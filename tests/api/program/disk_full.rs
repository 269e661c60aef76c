//! SQLite on a disk that is really full: a small file system in memory, in a mount namespace of the service's own.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use streamward_test_support::process::{Process, output_within};

use super::{HOOK_SECRET, Home, SOON, client, eventually};

/// Mounts the file system on `$1` and runs the rest.
const MOUNT: &str = r#"mount -t tmpfs -o size=8m,mode=777 none "$1" && shift && exec "$@""#;

/// The command that gives another one a mount namespace, if that is allowed here.
fn namespace() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-Urm"]];
    let folder = tempfile::tempdir().expect("a folder");
    ways.into_iter().find(|way| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).args(["sh", "-c", MOUNT, "sh"]).arg(folder.path()).arg("true");
        output_within(&mut command, SOON).is_ok_and(|ended| ended.status.success())
    })
}

/// The service with its data on a small disk.
struct SmallDisk {
    home: Home,
    service: Process,
    /// The disk as seen from outside the namespace.
    disk: PathBuf,
}

impl SmallDisk {
    async fn serve(namespace: &[&str]) -> Self {
        let home = Home::new().with("DATA_DIR", "disk").with("HOOKS__SECRET", HOOK_SECRET);
        let inside = home.dir.path().join("disk");
        fs::create_dir(&inside).expect("created");
        let serve = home.command(&["serve"]);
        let mut command = Command::new(namespace[0]);
        command.args(&namespace[1..]).args(["sh", "-c", MOUNT, "sh"]).arg(&inside);
        command.arg(serve.get_program()).args(serve.get_args());
        command.env_clear().envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let service = Process::start("serve", &mut command, home.dir.path()).expect("it starts");
        home.ready().await;
        let seen = Path::new("/proc").join(service.id().to_string()).join("root");
        let disk = seen.join(inside.strip_prefix("/").expect("an absolute path"));
        assert!(disk.join("streamward.db").exists(), "the database is on the small disk");
        Self { home, service, disk }
    }

    /// Leaves no room; frees it when the file is removed.
    fn fill(&self) -> PathBuf {
        let path = self.disk.join("fill");
        let mut file = File::create(&path).expect("created");
        while file.write_all(&[0; 4_096]).is_ok() {}
        path
    }

    async fn status(&self, path: &str) -> u16 {
        client().get(self.home.url(path)).send().await.expect("an answer").status().as_u16()
    }

    /// Makes a broadcaster with much metadata; returns the status.
    async fn write(&self, admin: &str) -> u16 {
        let text = "x".repeat(8_000);
        let draft = json!({"display_name": "Alice", "metadata": {"text": text}});
        let call = client().post(self.home.url("/broadcasters")).bearer_auth(admin).json(&draft);
        call.send().await.expect("an answer").status().as_u16()
    }
}

#[tokio::test]
async fn full_disk_is_reported_and_writing_works_again_within_five_seconds_of_room() {
    let Some(namespace) = namespace() else {
        eprintln!(
            "IGNORED, NOTHING WAS TESTED: no file system can be mounted here (needs root, or user namespaces)"
        );
        return;
    };
    let mut small = SmallDisk::serve(namespace).await;
    let admin = small.home.admin_token();
    let made = client().post(small.home.url("/broadcasters")).bearer_auth(&admin);
    let made: Value =
        made.json(&json!({"display_name": "A"})).send().await.expect("an answer").json().await.expect("JSON");
    let draft = json!({"broadcaster_id": made["id"], "path": "live/alice"});
    let key = client().post(small.home.url("/stream-keys")).bearer_auth(&admin).json(&draft);
    let key: Value = key.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(small.home.may_publish(&key, 1).await, 200);
    for round in 0..3 {
        let fill = small.fill();
        // What the write-ahead log has room for is still written.
        eventually("a write fails", SOON, async || Ok((small.write(&admin).await == 503).then_some(())))
            .await
            .expect("full");
        for path in ["/readyz", "/health"] {
            eventually(format!("{path} tells"), SOON, async || {
                small.write(&admin).await;
                Ok((small.status(path).await == 503).then_some(()))
            })
            .await
            .expect("told");
        }
        assert_eq!(small.status("/livez").await, 200, "a restart would not help");
        assert_eq!(small.home.may_publish(&key, 1).await, 200, "its key was valid at the last contact");
        fs::remove_file(fill).expect("removed");
        let (_, took) = eventually("everything works again", SOON, async || {
            let works = small.write(&admin).await == 201
                && small.status("/readyz").await == 200
                && small.status("/health").await == 200
                && small.home.may_publish(&key, 1).await == 200;
            Ok(works.then_some(()))
        })
        .await
        .expect("it works");
        assert!(took <= Duration::from_secs(5), "round {round}: {took:?}");
    }
    assert!(small.service.terminate(SOON).await.expect("it stops").success());
    assert!(small.home.log().contains("full"), "the log says why");
}

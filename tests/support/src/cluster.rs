//! A throwaway PostgreSQL cluster from installed server programs.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{Signal, output_within, send_signal, wait_for_exit};
use crate::watchdog;

/// The prefix of its folders in the folder for temporary files.
const PREFIX: &str = "streamward-pg-";
/// How long a server may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a server may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A PostgreSQL server of our own. Ends with this process at the latest.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    port: u16,
    durable: bool,
    server: Option<Child>,
    watchdog: Child,
}

impl Cluster {
    /// Creates and starts a cluster. `durable` makes it wait for the disk, as a real one does.
    pub fn start(durable: bool) -> Result<Self, String> {
        Self::create(durable, |bin, folder| {
            let mut initdb = as_other_user(&bin.join("initdb"))?;
            initdb.arg("-D").arg(folder.join("data")).args(["-U", "streamward", "--auth=trust", "--no-sync"]);
            initdb.args(["-E", "UTF8", "--locale=C"]);
            Ok(initdb)
        })
    }

    /// Creates and starts a replica that follows this server.
    pub fn replica(&self) -> Result<Self, String> {
        Self::create(self.durable, |bin, folder| {
            let mut copy = as_other_user(&bin.join("pg_basebackup"))?;
            copy.arg("-D").arg(folder.join("data")).args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]);
            copy.args(["-h", "127.0.0.1", "-U", "streamward", "-p", &self.port.to_string()]);
            Ok(copy)
        })
    }

    /// Fills the folder of a cluster by the command of `fill` and starts it.
    fn create(
        durable: bool,
        fill: impl FnOnce(&Path, &Path) -> Result<Command, String>,
    ) -> Result<Self, String> {
        let bin = find_programs()?;
        clean_up_after_the_dead();
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{}", std::process::id(), unique()));
        let io_error = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(io_error)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(io_error)?;
        if let Some((uid, gid)) = other_user()? {
            chown(&folder, Some(uid), Some(gid)).map_err(io_error)?;
        }
        // From here on the watchdog cleans up. `kill` is a shell builtin.
        let script = r#"{ read -r pid < "$1/data/postmaster.pid"; } 2>/dev/null && kill -QUIT "$pid"
            for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
            rm -rf "$1""#;
        let watchdog = watchdog::after_us(script, &[folder.as_os_str()]).map_err(io_error)?;
        let mut filling = fill(&bin, &folder)?;
        filling.current_dir(&folder);
        let made = output_within(&mut filling, START_LIMIT).map_err(|error| format!("{error:#}"))?;
        if !made.status.success() {
            return Err(format!("{filling:?} failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let mut cluster = Self { folder, bin, port: 0, durable, server: None, watchdog };
        // Another program may take the free port first.
        let mut result = Ok(());
        for _ in 0..3 {
            cluster.port = free_port().map_err(|error| error.to_string())?;
            result = cluster.run();
            if result.is_ok() {
                return Ok(cluster);
            }
        }
        result.map(|()| cluster)
    }

    /// Starts the server again after [`Cluster::stop`], on the same port.
    pub fn run(&mut self) -> Result<(), String> {
        let log = self.folder.join("log");
        let file = fs::File::create(&log).map_err(|error| error.to_string())?;
        let mut server = as_other_user(&self.bin.join("postgres"))?;
        server.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        let port = format!("port={}", self.port);
        let mut settings =
            vec!["listen_addresses=127.0.0.1", &port, "max_connections=400", "shared_buffers=64MB"];
        if !self.durable {
            // Commits still reach the system before they are confirmed, so they survive `stop`.
            settings.extend(["fsync=off", "full_page_writes=off"]);
        }
        for setting in settings {
            server.args(["-c", setting]);
        }
        server.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let mut server = server.spawn().map_err(|error| error.to_string())?;
        let started = Instant::now();
        let output = || fs::read_to_string(&log).unwrap_or_default();
        loop {
            let status = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            if status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                self.server = Some(server);
                return Ok(());
            }
            if let Ok(Some(_)) = server.try_wait() {
                return Err(format!("postgres did not start: {}", output()));
            }
            if started.elapsed() > START_LIMIT {
                let _ = server.kill();
                return Err(format!("postgres was not ready in time: {}", output()));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server at once, as a crash would; what it wrote stays.
    ///
    /// # Panics
    /// If it does not stop.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let stopped = send_signal(server.id(), Signal::QUIT)
            .map_err(anyhow::Error::from)
            .and_then(|()| wait_for_exit(&mut server, STOP_LIMIT));
        if let Err(error) = stopped {
            panic!("PostgreSQL did not stop: {error:#}");
        }
    }

    /// Freezes the server, which keeps its connections open and answers nothing, until [`Cluster::resume`].
    ///
    /// # Panics
    /// If it does not run.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets a frozen server continue.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    /// Its sessions are processes of their own.
    fn signal_all(&self, signal: Signal) {
        let server = self.server.as_ref().expect("PostgreSQL runs").id();
        send_signal(server, signal).unwrap_or_else(|error| panic!("{signal:?} to PostgreSQL: {error}"));
        for session in children(server) {
            // It may have ended since it was listed.
            let _ = send_signal(session, signal);
        }
    }

    /// The address of a database in it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://streamward@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // A frozen server acts on no signal but this one.
            let _ = send_signal(server.id(), Signal::CONT);
            let _ = send_signal(server.id(), Signal::QUIT);
            if let Err(error) = wait_for_exit(&mut server, STOP_LIMIT) {
                eprintln!("PostgreSQL did not stop: {error:#}");
            }
        }
        drop(self.watchdog.stdin.take());
        let _ = wait_for_exit(&mut self.watchdog, STOP_LIMIT);
    }
}

/// The folder with PostgreSQL's programs, the newest if there are several.
fn find_programs() -> Result<PathBuf, String> {
    let mut places: Vec<PathBuf> = Vec::new();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    places.extend(versions.into_iter().rev().map(|(_, path)| path));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        places.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    places.push(PathBuf::from("/usr/local/pgsql/bin"));
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found =
        places.into_iter().find(|place| ["initdb", "postgres"].iter().all(|p| place.join(p).is_file()));
    found.ok_or_else(|| "no PostgreSQL server programs (initdb, postgres) are installed".into())
}

/// PostgreSQL refuses to run as root: the user to run it as, if we are root.
pub(crate) fn other_user() -> Result<Option<(u32, u32)>, String> {
    let us = fs::metadata("/proc/self").map_err(|error| error.to_string())?.uid();
    if us != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let user = ids("postgres").or_else(|| ids("nobody"));
    user.map(Some).ok_or_else(|| "we are root, and there is no user postgres or nobody".into())
}

pub(crate) fn as_other_user(program: &Path) -> Result<Command, String> {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = other_user()? {
        // As root this gives up the supplementary groups too.
        command.uid(uid).gid(gid);
    }
    Ok(command)
}

fn children(process: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A number for each server of one process.
pub(crate) fn unique() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// Removes clusters whose process and watchdog are gone (the machine was reset, the container killed).
fn clean_up_after_the_dead() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let owner = owner.split('-').next().unwrap_or_default();
        let alive = Path::new("/proc").join(owner).exists();
        // A watchdog that is still at work has the folder's name among its arguments.
        if !alive && !is_mentioned(entry.path().as_os_str(), Path::new("/proc")) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_mentioned(what: &OsStr, processes: &Path) -> bool {
    let what = what.to_string_lossy();
    fs::read_dir(processes).into_iter().flatten().flatten().any(|process| {
        fs::read(process.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(what.as_ref()))
    })
}

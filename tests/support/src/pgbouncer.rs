//! A throwaway PgBouncer in transaction mode.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, as_other_user, other_user, unique};
use crate::process::{Signal, send_signal, wait_for_exit};
use crate::{ports, watchdog};

/// How long it may take to be ready, or to stop.
const LIMIT: Duration = Duration::from_secs(30);

/// PgBouncer in front of a [`Cluster`]. It gives each transaction one of few sessions of PostgreSQL, and knows no startup
/// parameter but those it always knows. Ends with this process at the latest.
#[derive(Debug)]
pub struct PgBouncer {
    folder: PathBuf,
    port: u16,
    server: Child,
    watchdog: Child,
}

impl PgBouncer {
    /// With `sessions` sessions for each database of `cluster`.
    pub fn start(cluster: &Cluster, sessions: u32) -> Result<Self, String> {
        let program = find_program()?;
        let text = |error: std::io::Error| error.to_string();
        let folder =
            std::env::temp_dir().join(format!("streamward-pgbouncer-{}-{}", std::process::id(), unique()));
        fs::create_dir_all(&folder).map_err(text)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(text)?;
        let port = ports::free().map_err(|error| error.to_string())?;
        let config = folder.join("pgbouncer.ini");
        fs::write(&config, settings(cluster.port(), port, sessions, &folder)).map_err(text)?;
        if let Some((uid, gid)) = other_user()? {
            for path in [&folder, &config] {
                chown(path, Some(uid), Some(gid)).map_err(text)?;
            }
        }
        let script = r#"{ read -r pid < "$1/pid"; } 2>/dev/null && kill "$pid"; rm -rf "$1""#;
        let watchdog = watchdog::after_us(script, &[folder.as_os_str()]).map_err(text)?;
        let mut command = as_other_user(&program)?;
        command.arg(&config).current_dir(&folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().map_err(text)?;
        let mut started = Self { folder, port, server, watchdog };
        started.wait()?;
        Ok(started)
    }

    fn wait(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            if matches!(self.server.try_wait(), Ok(Some(_))) || started.elapsed() > LIMIT {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("pgbouncer did not start: {log}"));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// The address of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://streamward@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // SIGINT and SIGTERM wait for its clients.
        let _ = send_signal(self.server.id(), Signal::QUIT);
        let _ = wait_for_exit(&mut self.server, LIMIT);
        // The watchdog finds no process any more.
        let _ = fs::remove_file(self.folder.join("pid"));
        drop(self.watchdog.stdin.take());
        let _ = wait_for_exit(&mut self.watchdog, LIMIT);
    }
}

fn settings(server: u16, port: u16, sessions: u32, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "[databases]\n* = host=127.0.0.1 port={server} user=streamward\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = {sessions}\nmax_client_conn = 500\n\
         logfile = {folder}/log\npidfile = {folder}/pid\n"
    )
}

fn find_program() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = places.find_map(|place| Some(place.join("pgbouncer")).filter(|program| program.is_file()));
    found.ok_or_else(|| "pgbouncer is not installed".into())
}

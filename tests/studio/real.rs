//! A real OBS without a screen: OBS, an X server, and an nginx as its platform, all in a network namespace of their own,
//! because OBS listens on all addresses.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use streamward_test_support::ports;
use streamward_test_support::process::{Process, Signal, TICK, eventually, output_within};
use tempfile::TempDir;

use crate::SOON;

/// Where Debian has nginx and its module.
const NGINX: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
/// How long OBS may take to quit.
const QUIT: Duration = Duration::from_secs(20);
/// Set in the namespace.
const INSIDE: &str = "STUDIO_TESTS_IN_NAMESPACE";
const PASSWORD: &str = "studio-password";

/// Why there is no real OBS on this machine.
pub(crate) fn is_missing() -> Option<String> {
    let runs =
        |program: &str, argument: &str| output_within(Command::new(program).arg(argument), SOON).is_ok();
    for (program, argument, package) in [
        ("obs", "--version", "obs-studio"),
        ("Xvfb", "-help", "xvfb"),
        ("ip", "-V", "iproute2"),
        (NGINX, "-v", "nginx"),
    ] {
        if !runs(program, argument) {
            return Some(format!("{program} is missing: install {package} (.ci/setup does)"));
        }
    }
    if !Path::new(MODULE).exists() {
        return Some("nginx has no RTMP module: install libnginx-mod-rtmp (.ci/setup does)".to_owned());
    }
    (!is_inside()).then(|| {
        "this machine allows no network namespace (unshare -n), and OBS listens on all addresses".to_owned()
    })
}

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program once more in a network namespace of its own. `None` if it is there already, or cannot be.
pub(crate) fn enter_namespace() -> Option<ExitCode> {
    if is_inside() {
        return None;
    }
    // With `-r` it needs no rights.
    let can = |flags: &str| {
        let done = output_within(Command::new("unshare").args([flags, "true"]), SOON);
        done.is_ok_and(|output| output.status.success())
    };
    let flags = ["-n", "-rn"].into_iter().find(|flags| can(flags))?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let script = r#"ip link set lo up && exec "$0" "$@""#;
    let status = Command::new("unshare")
        .args([flags, "sh", "-c", script])
        .arg(std::env::current_exe().ok()?)
        .args(arguments)
        .env(INSIDE, "1")
        .status();
    let is_success = status.is_ok_and(|status| status.success());
    Some(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A running OBS with its platform.
pub(crate) struct RealObs {
    obs: Option<Process>,
    display: Process,
    display_number: u32,
    nginx: Option<Process>,
    pub(crate) port: u16,
    pub(crate) rtmp: u16,
    pub(crate) http: u16,
    dir: TempDir,
}

impl RealObs {
    pub(crate) async fn start() -> Result<Self> {
        let mut real = Self::prepare().await?;
        real.launch()?;
        Ok(real)
    }

    /// Everything but OBS.
    pub(crate) async fn prepare() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (port, rtmp, http) = (ports::free()?, ports::free()?, ports::free()?);
        write_files(dir.path(), port, rtmp, http)?;
        // It chooses a free number, and prints it.
        let mut command = Command::new("Xvfb");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "800x600x24",
            "-nolisten",
            "tcp",
            "+extension",
            "GLX",
        ]);
        let display = Process::start("xvfb", &mut command, dir.path())?;
        let number = async || Ok(display.log().lines().find_map(|line| line.trim().parse::<u32>().ok()));
        let (display_number, _) = eventually("Xvfb has a display", SOON, number).await?;
        let mut real = Self { obs: None, display, display_number, nginx: None, port, rtmp, http, dir };
        real.platform(true).await?;
        Ok(real)
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub(crate) fn password(&self) -> &'static str {
        PASSWORD
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// What starts OBS: a program and its arguments.
    pub(crate) fn command(&self) -> (&'static str, Vec<String>) {
        let (home, path) = (self.home().display().to_string(), self.path().display().to_string());
        let mut arguments = vec![
            format!("HOME={home}"),
            format!("XDG_CONFIG_HOME={home}/.config"),
            format!("XDG_RUNTIME_DIR={path}/run"),
            format!("DISPLAY=:{}", self.display_number),
        ];
        let fixed = "QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 obs --multi --minimize-to-tray \
                     --disable-missing-files-check --disable-updater --disable-shutdown-check --profile studio \
                     --collection studio --websocket_ipv4_only";
        arguments.extend(fixed.split_whitespace().map(str::to_owned));
        let port = self.port.to_string();
        arguments.extend(["--websocket_port", &port, "--websocket_password", PASSWORD].map(str::to_owned));
        ("env", arguments)
    }

    /// Starts OBS. It answers about a second later.
    pub(crate) fn launch(&mut self) -> Result<()> {
        let (program, arguments) = self.command();
        let mut command = Command::new(program);
        self.obs = Some(Process::start("obs", command.args(arguments), self.path())?);
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.obs.as_ref().context("OBS runs")?.signal(signal)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.obs = None;
    }

    /// A person quits it.
    pub(crate) fn quit(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// Starts it again, after the end of the former one. OBS 29 sometimes hangs at its end, and is killed then.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        if let Some(mut obs) = self.obs.take() {
            let ended = obs.wait(QUIT).await;
            if ended.is_err() {
                eprintln!("studio: OBS had not ended after {QUIT:?} and was killed");
            }
        }
        self.launch()
    }

    /// Starts or ends the platform.
    pub(crate) async fn platform(&mut self, is_on: bool) -> Result<()> {
        self.nginx = None;
        if is_on {
            let mut command = Command::new(NGINX);
            command.arg("-p").arg(self.path()).arg("-c").arg(self.path().join("nginx.conf"));
            command.arg("-e").arg(self.path().join("nginx-error.log"));
            self.nginx = Some(Process::start("nginx", &mut command, self.path())?);
            let port = self.rtmp;
            let listens = async || Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok());
            eventually("nginx listens", SOON, listens).await?;
        }
        Ok(())
    }

    /// What OBS printed last.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.path().join("obs.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
    }
}

impl Drop for RealObs {
    fn drop(&mut self) {
        self.obs = None;
        // Killed, it would leave its files in /tmp.
        let _ = self.display.signal(Signal::TERM);
        for _ in 0..100 {
            if self.display.exit_status().is_some() {
                break;
            }
            std::thread::sleep(TICK);
        }
    }
}

fn write_files(dir: &Path, port: u16, rtmp: u16, http: u16) -> Result<()> {
    let (config, d) = (dir.join("home/.config/obs-studio"), dir.display());
    let profile = config.join("basic/profiles/studio");
    fs::create_dir_all(&profile)?;
    fs::create_dir_all(dir.join("run"))?;
    fs::set_permissions(dir.join("run"), std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    // `FirstRun=true` says that it ran before; the version is that of its first-run questions, 29.0.2.
    let global = format!(
        "[General]\nFirstRun=true\nLastVersion=486539266\nEnableAutoUpdates=false\nConfirmOnExit=false\n\
         [Basic]\nProfile=studio\nProfileDir=studio\nSceneCollection=studio\nSceneCollectionFile=studio\nConfigOnNewProfile=false\n\
         [BasicWindow]\nPreviewEnabled=false\nSysTrayEnabled=false\nWarnBeforeStartingStream=false\nWarnBeforeStoppingStream=false\n\
         [OBSWebSocket]\nFirstLoad=false\nServerEnabled=true\nServerPort={port}\nAlertsEnabled=false\nAuthRequired=true\nServerPassword={PASSWORD}\n"
    );
    fs::write(config.join("global.ini"), global)?;
    let basic = "[General]\nName=studio\n\
        [Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\nFPSType=1\nFPSInt=10\nColorFormat=NV12\n\
        [Output]\nMode=Simple\nReconnect=true\nRetryDelay=1\nMaxRetries=1000\n\
        [SimpleOutput]\nStreamEncoder=x264\nUseAdvanced=true\nPreset=ultrafast\nVBitrate=400\nABitrate=64\n\
        [Audio]\nSampleRate=48000\nChannelSetup=Stereo\n";
    fs::write(profile.join("basic.ini"), basic)?;
    let nginx = format!(
        "load_module {MODULE};\ndaemon off;\nmaster_process off;\nworker_processes 1;\nerror_log {d}/nginx-error.log info;\n\
         pid {d}/nginx.pid;\nevents {{ worker_connections 64; }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{rtmp}; chunk_size 4096;\n  application live {{ live on; record off; wait_key on; }} }} }}\n\
         http {{ access_log off; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f;\n  \
         uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;\n  server {{ listen 127.0.0.1:{http};\n    \
         location /stat {{ rtmp_stat all; }} }} }}\n"
    );
    fs::write(dir.join("nginx.conf"), nginx)?;
    Ok(())
}

/// Makes a file with this picture and sound, unless it is there.
pub(crate) fn make_clip(file: &Path, picture: &str, sound: &str, seconds: u32) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let size = if picture.contains('=') { ":s=640x360:r=10" } else { "=size=640x360:rate=10" };
    let video = format!("{picture}{size}:duration={seconds}");
    let separator = if sound.contains('=') { ':' } else { '=' };
    let audio = format!("{sound}{separator}duration={seconds}");
    let output = "-c:v libx264 -preset ultrafast -g 10 -pix_fmt yuv420p -c:a aac -b:a 64k -shortest";
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i"]).stdin(Stdio::null());
    ffmpeg.arg(video).args(["-f", "lavfi", "-i"]).arg(audio).args(output.split(' ')).arg(file);
    let made = output_within(&mut ffmpeg, Duration::from_secs(60))?;
    ensure!(made.status.success(), "ffmpeg cannot make a clip: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

//! A folder with a service, in which the commands of a page are run.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use streamward_test_support::ports;
use streamward_test_support::process::{Process, output_within};

use super::super::{COMMAND_LIMIT, Home};
use super::blocks::{Block, Step};
use super::shape::{Names, has_shape};

/// Between a command and its output.
const MARK: char = '\u{1e}';

/// A folder, and what the page's names and addresses are there.
pub(super) struct Place {
    home: Home,
    /// The ports and folders of pages, and those here.
    addresses: Vec<(String, String)>,
    names: Names,
}

impl Place {
    pub(super) fn new() -> Self {
        let mut home = Home::new();
        let folder = home.dir.path().display().to_string();
        symlink_program(&home);
        for name in ["backup", "media"] {
            fs::create_dir(home.dir.path().join(name)).expect("a folder");
        }
        let mut addresses = vec![
            ("127.0.0.1:8080".to_owned(), format!("127.0.0.1:{}", home.port)),
            ("/backup/".to_owned(), format!("{folder}/backup/")),
            ("/media/".to_owned(), format!("{folder}/media/")),
        ];
        home.env.retain(|(name, _)| !name.ends_with("API_URL"));
        for (key, scheme, usual) in [
            ("API", "http", 9997),
            ("RTMP", "rtmp", 1935),
            ("RTSP", "rtsp", 8554),
            ("SRT", "srt", 8890),
            ("HLS", "http", 8888),
            ("WEBRTC", "http", 8889),
        ] {
            let port = ports::free().expect("a port");
            addresses.push((format!("127.0.0.1:{usual}"), format!("127.0.0.1:{port}")));
            let (name, url) =
                (format!("MEDIA_SERVERS__DEFAULT__{key}_URL"), format!("{scheme}://127.0.0.1:{port}"));
            home = home.with(&name, &url);
        }
        Self { home, addresses, names: Names::new() }
    }

    /// Starts the service, with a media server or without.
    pub(super) async fn serve(&self, with_media_server: bool) -> Process {
        let mut command = self.home.command(&[]);
        if let Some(program) = std::env::var_os("MEDIAMTX_BIN").filter(|_| with_media_server) {
            let udp = ports::free().expect("a port").to_string();
            command.arg("up").arg("--mediamtx").arg(program).args([
                "--bind",
                "127.0.0.1",
                "--webrtc-udp-port",
                &udp,
            ]);
        }
        command.arg0("streamward");
        let process = Process::start("serve", &mut command, self.home.dir.path()).expect("it starts");
        self.home.ready().await;
        process
    }

    /// Runs a block. Returns what is wrong, with its line.
    pub(super) fn run(&mut self, block: &Block, log: &str) -> Vec<(usize, String)> {
        let mut script = "exec 2>&1 </dev/null\n".to_owned();
        for command in &block.before {
            script += &format!("{}\n", self.here(command));
        }
        for step in &block.steps {
            let command = if is_service(&step.command) { ":".to_owned() } else { self.here(&step.command) };
            script += &format!("printf '{MARK}'; {{ {command}\n}}; printf '{MARK}%s{MARK}' $?\n");
        }
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(&script).current_dir(self.home.dir.path()).env_clear();
        let program = self.home.dir.path().join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{path}", program.display())).env("HOME", self.home.dir.path());
        shell.envs(self.home.env.iter().map(|(name, value)| (name, value)));
        let ended = match output_within(&mut shell, COMMAND_LIMIT) {
            Ok(ended) => String::from_utf8_lossy(&ended.stdout).into_owned(),
            Err(error) => return vec![(block.line, format!("{error:#}"))],
        };
        // Before the first mark, then for each step its output, its code, and what is between.
        let mut parts = ended.split(MARK).skip(1);
        let mut wrong = Vec::new();
        for step in &block.steps {
            let output = parts.next().unwrap_or_default();
            let code = parts.next().unwrap_or_default();
            parts.next();
            let output = if is_service(&step.command) { log } else { output };
            wrong.extend(self.compare(step, output, code).map(|text| (step.line, text)));
        }
        wrong
    }

    fn compare(&mut self, step: &Step, output: &str, code: &str) -> Option<String> {
        let command = &step.command;
        let output = self.elsewhere(output);
        if (code != "0") != step.fails() {
            return Some(format!("$ {command}\nended with {code}:\n{output}"));
        }
        // `cargo run` has the program in another place.
        let bare = |line: &String| line.replace("target/debug/streamward", "streamward");
        let mut shown: Vec<String> = step.output.iter().map(bare).collect();
        if is_service(command) && !shown.is_empty() {
            // The log has more than what is of interest.
            shown.insert(0, "…".to_owned());
            shown.push("…".to_owned());
        }
        let shown_text = shown.join("\n");
        if shown_text.trim().is_empty() || has_shape(&shown, &output, &mut self.names) {
            return None;
        }
        Some(format!("$ {command}\nThe page shows:\n{shown_text}\n\nIt prints:\n{output}"))
    }

    /// A command of a page, with what its names and addresses are here.
    fn here(&self, command: &str) -> String {
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(shown, _)| std::cmp::Reverse(shown.len()));
        let command =
            names.into_iter().fold(command.to_owned(), |text, (shown, real)| text.replace(shown, real));
        self.addresses.iter().fold(command, |text, (shown, real)| text.replace(shown, real))
    }

    /// An output from here, as a page shows it.
    fn elsewhere(&self, output: &str) -> String {
        self.addresses.iter().fold(output.to_owned(), |text, (shown, real)| text.replace(real, shown))
    }
}

/// The service runs already: what these print is in its log.
fn is_service(command: &str) -> bool {
    let bare = command.split('#').next().unwrap_or_default().trim();
    ["cargo run", "streamward serve", "streamward up"].contains(&bare)
}

/// The program under its name, in a folder of the search path.
fn symlink_program(home: &Home) {
    let folder = home.dir.path().join("bin");
    fs::create_dir(&folder).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_streamward"), folder.join("streamward")).expect("a link");
}

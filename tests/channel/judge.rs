//! What a destination received, judged by ffprobe and ffmpeg.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use streamward_test_support::process::{Process, Signal, output_within};

/// A frame of FLV is whole. The parser of ffmpeg reads it with the headers that the file begins with, and complains.
const UNPARSED: [&str; 2] = ["-fflags", "+noparse+nofillin"];
/// How long a judge may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A recording of one connection.
pub(crate) struct Recorded(pub(crate) PathBuf);

impl Recorded {
    /// Fails unless the timestamps of both tracks rise strictly, without a hole above `most`, and all can be decoded.
    /// Returns the longest hole of the picture.
    pub(crate) fn is_continuous(&self, most: Duration) -> Result<Duration> {
        self.is_sound()?;
        let hole = self.longest_hole("video")?;
        ensure!(hole <= most, "a hole of {hole:?} in the video of {}", self.0.display());
        let silence = self.longest_hole("audio")?;
        ensure!(silence <= most, "a hole of {silence:?} in the audio of {}", self.0.display());
        Ok(hole)
    }

    /// Fails if a decoder finds an error.
    pub(crate) fn is_sound(&self) -> Result<()> {
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-v", "error", "-xerror"]);
        command.args(UNPARSED).arg("-i").arg(&self.0);
        let output = output_within(command.args(["-enc_time_base", "1/1000", "-f", "null", "-"]), LIMIT)?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && error.is_empty(), "the recording cannot be decoded: {error}");
        Ok(())
    }

    /// The longest time between two packets of a track. Fails if their timestamps do not rise strictly.
    pub(crate) fn longest_hole(&self, kind: &str) -> Result<Duration> {
        let times = self.times(kind)?;
        ensure!(times.len() > 30, "only {} packets of {kind}", times.len());
        let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        ensure!(steps.iter().all(|step| *step > 0.0), "the timestamps of the {kind} do not rise strictly");
        Ok(Duration::from_secs_f64(steps.into_iter().fold(0.0, f64::max)))
    }

    /// The decoding time of each packet of a track, in seconds.
    fn times(&self, kind: &str) -> Result<Vec<f64>> {
        let text = self.probe(&[
            "-select_streams",
            kind.get(..1).unwrap_or_default(),
            "-show_entries",
            "packet=dts_time",
        ])?;
        Ok(text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect())
    }

    /// The sizes of the pictures, one after the other, such as `1280,720`.
    pub(crate) fn sizes(&self) -> Result<Vec<String>> {
        let text = self.probe(&["-select_streams", "v", "-show_entries", "frame=width,height"])?;
        let lines = text.lines().map(|line| line.trim_end_matches(',').to_owned());
        let mut sizes: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
        sizes.dedup();
        Ok(sizes)
    }

    /// How many pictures it has.
    pub(crate) fn pictures(&self) -> Result<usize> {
        Ok(self.times("video")?.len())
    }

    fn probe(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error"]).args(UNPARSED).args(arguments).args(["-of", "csv=p=0"]).arg(&self.0);
        let output = output_within(&mut command, LIMIT).context("ffprobe")?;
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A viewer of a destination, who records.
pub(crate) struct Viewer {
    process: Process,
    file: PathBuf,
}

impl Viewer {
    pub(crate) fn start(dir: &Path, url: &str, format: &str) -> Result<Self> {
        let file = dir.join(format!("viewer.{format}"));
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-i", url, "-c", "copy"]);
        command.args(["-flush_packets", "1", "-f", format]);
        Ok(Self { process: Process::start("viewer", command.arg(&file), dir)?, file })
    }

    /// Whether it received something.
    pub(crate) fn has_begun(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.len() > 1_000)
    }

    pub(crate) async fn stop(mut self) -> Result<Recorded> {
        self.process.signal(Signal::INT)?;
        self.process.wait(Duration::from_secs(10)).await?;
        Ok(Recorded(self.file))
    }
}

//! Copies the log of MediaMTX into our log, with its levels, and with stream keys masked.

use tracing::Level;

use crate::domain::secret::mask_keys;

/// Writes one line to the log under the target `mediamtx`, and what to do about a port that is taken.
pub(super) fn log_line(line: &str) {
    let (level, text) = read(line);
    if let Some(advice) = taken_port(&text) {
        tracing::error!("{advice}");
    }
    match level {
        Level::DEBUG => tracing::debug!(target: "mediamtx", "{text}"),
        Level::INFO => tracing::info!(target: "mediamtx", "{text}"),
        Level::ERROR => tracing::error!(target: "mediamtx", "{text}"),
        _ => tracing::warn!(target: "mediamtx", "{text}"),
    }
}

/// What to do if this line says that a port is taken: `listen tcp :1935: bind: address already in use`.
fn taken_port(text: &str) -> Option<String> {
    let (before, _) = text.split_once(": bind: address already in use")?;
    let mut words = before.rsplit(' ');
    let (address, network) = (words.next()?, words.next().unwrap_or("tcp"));
    let port: u16 = address.rsplit(':').next()?.parse().ok()?;
    let list = if network.starts_with("udp") { "-ulnp" } else { "-tlnp" };
    let option = match port {
        1935 => " (--rtmp-port)",
        8554 => " (--rtsp-port)",
        8890 => " (--srt-port)",
        8888 => " (--hls-port)",
        8889 => " (--webrtc-port)",
        8189 => " (--webrtc-udp-port)",
        9997 => " (--api-port)",
        _ => "",
    };
    Some(format!(
        "MediaMTX cannot start: port {port} is taken by another program, perhaps another MediaMTX, nginx or OBS. \
         `ss {list} 'sport = :{port}'` shows which one: stop that, or give MediaMTX another port{option}"
    ))
}

/// Level and text of `2026/11/20 12:00:00 INF [RTMP] …`. A line of another form (a panic) is logged whole.
fn read(line: &str) -> (Level, String) {
    let mut words = line.splitn(4, ' ');
    let (date, _time, level, text) = (words.next(), words.next(), words.next(), words.next());
    let level = level.and_then(|level| match level {
        "DEB" => Some(Level::DEBUG),
        "INF" => Some(Level::INFO),
        "WAR" => Some(Level::WARN),
        "ERR" => Some(Level::ERROR),
        _ => None,
    });
    match (date, level, text) {
        (Some(date), Some(level), Some(text)) if date.contains('/') => (level, mask_keys(text)),
        _ => (Level::WARN, mask_keys(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::KeySecret;

    #[test]
    fn taken_port_is_named_with_advice() {
        let advice = taken_port("[RTMP] listen tcp :1935: bind: address already in use").unwrap();
        assert!(advice.contains("port 1935") && advice.contains("ss -tlnp 'sport = :1935'"), "{advice}");
        assert!(advice.ends_with("(--rtmp-port)"), "{advice}");
        let advice = taken_port("listen udp 127.0.0.1:8001: bind: address already in use").unwrap();
        assert!(advice.contains("ss -ulnp") && advice.ends_with("another port"), "{advice}");
        assert_eq!(taken_port("[RTMP] listener opened on :1935"), None);
    }

    #[test]
    fn lines_keep_their_level_and_keys_are_masked() {
        let key = KeySecret::from_random([1; 32]);
        let line = format!("2026/11/20 12:00:00 INF [path {}] stream is available", key.expose());
        assert_eq!(read(&line), (Level::INFO, "[path sk_***] stream is available".to_owned()));
        assert_eq!(read("2026/11/20 12:00:00 ERR it broke").0, Level::ERROR);
        assert_eq!(read("panic: oh no, a bad thing"), (Level::WARN, "panic: oh no, a bad thing".to_owned()));
        assert_eq!(read(""), (Level::WARN, String::new()));
    }
}

//! The levels of inputs, from the meters of OBS.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::ports::obs_values::{AudioLevel, SILENCE_DB};

/// How long a peak counts.
const WINDOW: Duration = Duration::from_secs(1);
/// How many peaks of an input are kept: OBS sends twenty a second.
const PEAKS: usize = 64;
/// The largest factor that is a level: 40 dB.
const LOUDEST: f64 = 100.0;
/// How many inputs are kept.
const INPUTS: usize = 256;

/// The peaks of the last second.
#[derive(Debug, Default)]
pub(super) struct Levels(BTreeMap<String, VecDeque<(Instant, f32)>>);

impl Levels {
    /// Takes one message of the meters.
    pub(super) fn note(&mut self, data: &Value, now: Instant) {
        for input in data.get("inputs").and_then(Value::as_array).into_iter().flatten() {
            let name = input.get("inputName").and_then(Value::as_str);
            let (Some(name), Some(peak)) = (name, input.get("inputLevelsMul").and_then(loudest)) else {
                continue;
            };
            if !self.0.contains_key(name) {
                if self.0.len() >= INPUTS {
                    continue;
                }
                self.0.insert(name.to_owned(), VecDeque::new());
            }
            let Some(peaks) = self.0.get_mut(name) else { continue };
            if peaks.len() == PEAKS {
                peaks.pop_front();
            }
            peaks.push_back((now, peak));
        }
        self.forget(now);
    }

    /// The loudest peak of each input within the last second.
    pub(super) fn read(&mut self, now: Instant) -> Vec<AudioLevel> {
        self.forget(now);
        let loudest =
            |peaks: &VecDeque<(Instant, f32)>| peaks.iter().fold(0.0, |most: f32, (_, peak)| most.max(*peak));
        self.0
            .iter()
            .map(|(input, peaks)| AudioLevel { input: input.clone(), peak_db: decibels(loudest(peaks)) })
            .collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn forget(&mut self, now: Instant) {
        for peaks in self.0.values_mut() {
            while peaks.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
                peaks.pop_front();
            }
        }
        self.0.retain(|_, peaks| !peaks.is_empty());
    }
}

/// The loudest channel's peak after the fader, as a factor. `None` if OBS measures nothing: the input is not active. What
/// cannot be a level is left out: OBS 29 sends 10³¹ at the beginning of an input.
fn loudest(channels: &Value) -> Option<f32> {
    let peaks = channels.as_array()?.iter().filter_map(|channel| channel.get(1)?.as_f64());
    let peaks = peaks.filter(|peak| (0.0..=LOUDEST).contains(peak));
    #[expect(clippy::cast_possible_truncation, reason = "a level needs no more precision")]
    peaks.map(|peak| peak as f32).reduce(f32::max)
}

/// A factor in dB, at least [`SILENCE_DB`].
fn decibels(factor: f32) -> f32 {
    (20.0 * factor.log10()).max(SILENCE_DB)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meters(name: &str, channels: &Value) -> Value {
        json!({ "inputs": [{ "inputName": name, "inputLevelsMul": channels }] })
    }

    #[test]
    fn loudest_peak_of_the_last_second_counts() {
        let (mut levels, start) = (Levels::default(), Instant::now());
        let after = |ms| start + Duration::from_millis(ms);
        levels.note(&meters("mic", &json!([[0.1, 0.5, 1.0], [0.0, 0.1, 0.2]])), start);
        levels.note(&meters("mic", &json!([[0.0, 0.0, 0.0]])), after(900));
        let peak =
            |levels: &mut Levels, ms| levels.read(after(ms)).first().map(|level| level.peak_db.round());
        assert_eq!(peak(&mut levels, 950), Some(-6.0));
        assert_eq!(peak(&mut levels, 1_500), Some(SILENCE_DB));
        assert_eq!(peak(&mut levels, 2_000), None, "it is unknown, not silent");
    }

    #[test]
    fn input_that_is_not_measured_is_unknown() {
        let (mut levels, now) = (Levels::default(), Instant::now());
        for data in [
            meters("a", &json!([])),
            meters("b", &json!(7)),
            json!({}),
            json!({ "inputs": [7, {}] }),
            meters("c", &json!([[1e31, 8e31, 8e31]])),
        ] {
            levels.note(&data, now);
        }
        assert_eq!(levels.read(now), []);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut levels, now) = (Levels::default(), Instant::now());
        for n in 0..INPUTS + 10 {
            for _ in 0..3 {
                levels.note(&meters(&n.to_string(), &json!([[0, 1, 1]])), now);
            }
        }
        for _ in 0..PEAKS * 2 {
            levels.note(&meters("0", &json!([[0, 1, 1]])), now);
        }
        assert_eq!((levels.0.len(), levels.0["0"].len()), (INPUTS, PEAKS));
    }
}

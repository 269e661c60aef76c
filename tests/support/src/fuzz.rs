//! Random input for parsers of what comes from outside.
//!
//! By default each parser gets the same two thousand inputs in every run. With `FUZZ_SECONDS` set it gets further ones, for
//! that long. They are the same in every run too, so chance does not decide what passes. `FUZZ_SEED=7` gives other ones.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A stream key that may be among the input. Nothing may print it.
pub const KEY: &str = "sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI";

/// How many inputs one round has.
const INPUTS: u32 = 2_000;
/// How long one input may take on a busy machine. Inputs are small.
const LIMIT: Duration = Duration::from_secs(5);

/// What mutations insert: all that has a meaning in JSON, TOML, forms, URLs, headers or numbers.
const TOKENS: [&str; 40] = [
    "{", "}", "[", "]", "\"", ",", ":", "null", "true", "-1", "0", "1e999", "9223372036854775808", "\\u0000", "\\ud800",
    "\0", "\n", "\r\n", "\u{feff}", "\u{202e}", "ä", "🦀", "%00", "%ff", "%2F", "&", "=", "?", "#", "/", "..", "//", " ",
    "''", "[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":", "2026-01-31T12:00:00Z", "+", KEY, "Bearer ",
];

#[derive(Clone, Debug)]
enum Edit {
    Delete(Index, usize),
    Insert(Index, String),
    /// A part of it once more.
    Repeat(Index, usize),
}

/// Texts: `samples` after a few edits, and anything.
pub fn texts(samples: &'static [&'static str]) -> impl Strategy<Value = String> {
    let inserted = prop_oneof![
        4 => select(&TOKENS[..]).prop_map(str::to_owned),
        1 => ".{0,12}",
    ];
    let edit = prop_oneof![
        (any::<Index>(), 1_usize..20).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<Index>(), inserted).prop_map(|(at, text)| Edit::Insert(at, text)),
        (any::<Index>(), 1_usize..60).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ];
    let edited = (select(samples), vec(edit, 0..6)).prop_map(|(sample, edits)| edited(sample, edits));
    prop_oneof![8 => edited, 1 => ".{0,200}"]
}

/// The same as bytes, which need not be UTF-8.
pub fn bytes(samples: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let broken = (texts(samples), any::<Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
        let mut bytes = text.into_bytes();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    prop_oneof![4 => texts(samples).prop_map(String::into_bytes), 1 => broken, 1 => vec(any::<u8>(), 0..200)]
}

fn edited(sample: &str, edits: Vec<Edit>) -> String {
    let mut text: Vec<char> = sample.chars().collect();
    for edit in edits {
        let place = |at: Index, text: &Vec<char>| at.index(text.len() + 1);
        match edit {
            Edit::Delete(at, length) => {
                let at = place(at, &text);
                text.drain(at..(at + length).min(text.len()));
            }
            Edit::Insert(at, inserted) => {
                let at = place(at, &text);
                text.splice(at..at, inserted.chars());
            }
            Edit::Repeat(at, length) => {
                let at = place(at, &text);
                let part: Vec<char> = text[at..(at + length).min(text.len())].to_vec();
                text.splice(at..at, part);
            }
        }
    }
    text.into_iter().collect()
}

/// Calls `check`, which panics if something is wrong, with many inputs.
///
/// # Panics
/// If `check` does, or takes too long. The message has the smallest such input.
pub fn fuzz<S: Strategy<Value: Debug>>(inputs: &S, check: impl Fn(S::Value)) {
    let config = Config { cases: INPUTS, failure_persistence: None, ..Config::default() };
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a whole number"));
    let until = number("FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let seed: u64 = number("FUZZ_SEED").unwrap_or(0);
    for round in 0_u64.. {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&round.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config.clone(), rng);
        let result = runner.run(inputs, |input| {
            let started = Instant::now();
            check(input);
            prop_assert!(started.elapsed() < LIMIT, "it took {:?}", started.elapsed());
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
        if until.is_none_or(|until| Instant::now() >= until) {
            return;
        }
    }
}

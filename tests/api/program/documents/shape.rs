//! Whether an output has the form of the one that a page shows.

use std::collections::BTreeMap;

/// What a page shows, and what was there instead.
pub(super) type Names = BTreeMap<String, String>;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// An id, a secret or a time: what it is, and its text.
    Varying(&'static str, String),
}

/// Compares line by line, and learns which names stand for which.
pub(super) fn has_shape(shown: &[String], real: &str, names: &mut Names) -> bool {
    let bare = |lines: Vec<&str>| -> Vec<String> {
        let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
        lines[..end].iter().map(|line| (*line).to_owned()).collect()
    };
    let shown = bare(shown.iter().map(String::as_str).collect());
    let real = bare(real.lines().collect());
    lines_match(&shown, &real, names)
}

fn lines_match(shown: &[String], real: &[String], names: &mut Names) -> bool {
    let Some((first, rest)) = shown.split_first() else { return real.is_empty() };
    if first.trim() == "…" {
        return (0..=real.len()).any(|skipped| lines_match(rest, &real[skipped..], names));
    }
    let Some((line, others)) = real.split_first() else { return false };
    line_matches(first, line) && lines_match(rest, others, names) && {
        learn(first, line, names);
        true
    }
}

fn line_matches(shown: &str, real: &str) -> bool {
    let flat = |line: &str| {
        let parts = parts(line).into_iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Varying(what, _) => what.to_owned(),
        });
        parts.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (shown, real) = (flat(shown), flat(real));
    let mut pieces = shown.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| real.strip_prefix(first)) else { return false };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.is_empty()
}

/// Which id or secret of the page is which here.
fn learn(shown: &str, real: &str, names: &mut Names) {
    let varying = |line: &str| {
        let all = parts(line).into_iter().filter_map(|part| match part {
            Part::Varying(what, text) => Some((what, text)),
            Part::Text(_) => None,
        });
        all.collect::<Vec<_>>()
    };
    let (shown, real) = (varying(shown), varying(real));
    if shown.len() == real.len() {
        for ((_, old), (what, new)) in shown.into_iter().zip(real) {
            if ["<id>", "<secret>"].contains(&what) {
                names.insert(old, new);
            }
        }
    }
}

fn parts(line: &str) -> Vec<Part> {
    let mut all = Vec::new();
    let mut rest = line;
    let mut text = String::new();
    while let Some(next) = rest.chars().next() {
        let is_start = !text.ends_with(|c: char| c.is_ascii_alphanumeric());
        if let Some((what, length)) = varying(rest).filter(|_| is_start) {
            all.push(Part::Text(std::mem::take(&mut text)));
            let (found, behind) = rest.split_at(length);
            all.push(Part::Varying(what, found.to_owned()));
            rest = behind;
        } else {
            text.push(next);
            rest = rest.split_at(next.len_utf8()).1;
        }
    }
    all.push(Part::Text(text));
    all
}

/// What varies at the beginning of a text, and how long it is.
fn varying(text: &str) -> Option<(&'static str, usize)> {
    let length = |is: fn(char) -> bool| text.find(|c: char| !is(c)).unwrap_or(text.len());
    let secret =
        ["sk_", "swt_", "swl_", "sws_", "whsec_", "eyJ"].iter().any(|prefix| text.starts_with(prefix));
    if secret {
        return Some(("<secret>", length(|c| c.is_ascii_alphanumeric() || "_-.+/=…".contains(c))));
    }
    let hex = length(|c| c.is_ascii_hexdigit() || c == '-');
    let is_id = hex == 36
        && text.bytes().take(hex).enumerate().all(|(n, b)| (b == b'-') == [8, 13, 18, 23].contains(&n));
    if is_id {
        return Some(("<id>", hex));
    }
    let digits = length(|c| c.is_ascii_digit());
    if digits == 0 {
        return None;
    }
    let time = length(|c| c.is_ascii_digit() || "-:.TZ+".contains(c));
    if digits == 4 && text.split_at(time).0.contains('T') && time >= 20 {
        return Some(("<time>", time));
    }
    // Durations: `12 ms`, `3s ago`, `1.2 s`.
    let number = length(|c| c.is_ascii_digit() || c == '.');
    let unit = text.split_at(number).1.trim_start();
    let is_duration = ["ms", "µs"].iter().any(|one| unit.starts_with(one)) || unit.starts_with("s ago");
    is_duration.then_some(("<n>", number))
}

#[test]
fn outputs_have_the_shape_that_is_shown() {
    let mut names = Names::new();
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let page = "…\nCreated 01a1f932-61ad-72e8-bdf8-96ddcb7cccf2 in 2 ms.  At 2026-11-20T16:59:46Z\n\n  sk_abc…\nanswers … here";
    let real = "log\nlog\nCreated 01a20173-7c0c-72e4-a868-b3fc169903e7 in 17 ms. At 2027-01-01T00:00:00.123Z\n\n  sk_XYZ-1\nanswers 1 2 3 here\n\n";
    assert!(has_shape(&shown(page), real, &mut names));
    assert_eq!(names["01a1f932-61ad-72e8-bdf8-96ddcb7cccf2"], "01a20173-7c0c-72e4-a868-b3fc169903e7");
    assert_eq!(names["sk_abc…"], "sk_XYZ-1");
    for other in ["", "Created x", &real.replace("here", "there"), &format!("{real}more")] {
        assert!(!has_shape(&shown(page), other, &mut Names::new()), "{other}");
    }
    assert!(!has_shape(&shown("a"), "a\nb", &mut names) && !has_shape(&shown("a\nb"), "a", &mut names));
}

//! What a person may have meant by a mistyped name.

/// The one of `known` that is most like `given`, if any is much like it.
pub fn nearest<T: AsRef<str>>(given: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    let given = given.to_lowercase();
    let most = (given.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&given, &known.as_ref().to_lowercase()), known))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_name_finds_the_one_that_was_meant() {
        let known = ["live/alice", "live/alina", "live/bob", "studio"];
        for (given, meant) in [
            ("live/alcie", Some("live/alice")),
            ("Live/Alice", Some("live/alice")),
            ("live/alice", Some("live/alice")),
            ("lvie/bob", Some("live/bob")),
            ("live-bob", Some("live/bob")),
            ("cam/garden", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), meant, "{given}");
        }
    }
}

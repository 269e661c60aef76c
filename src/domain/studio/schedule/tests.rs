//! Tests of the schedule.

use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::domain::local_time::{Day, TimeOfDay};
use crate::domain::studio::content::{self, AgeRating, ContentKind, Tier, file};

fn block(name: &str, from: &str, to: &str, days: &[Day]) -> Block {
    Block {
        name: name.to_owned(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        days: days.to_vec(),
        age: AgeRating::AllAges,
        kinds: vec![],
    }
}

fn schedule(zone: &str, blocks: Vec<Block>, content: Vec<ContentSource>) -> Schedule {
    Schedule { time_zone: zone.parse().unwrap(), blocks, content }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn in_block(name: &str, block: &str) -> ContentSource {
    ContentSource { blocks: vec![block.to_owned()], ..file(name) }
}

/// The times of a preview, short: local times, block.
fn shown(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let zone = schedule.time_zone;
    let times = schedule.preview(&Library::default(), at(from), at(to));
    times
        .iter()
        .map(|span| {
            let block = span.block.as_deref().unwrap_or("-");
            format!("{} {} {block}", zone.rfc3339(span.from), zone.rfc3339(span.to))
        })
        .collect()
}

const EVERY_DAY: &[Day] = &[];
const MON: &[Day] = &[Day::Mon];
const TUE: &[Day] = &[Day::Tue];
const SUN: &[Day] = &[Day::Sun];

#[rstest]
#[case(("09:00", "12:00", EVERY_DAY), ("11:59", "13:00", EVERY_DAY), Some("mon 11:59"))]
#[case(("09:00", "12:00", EVERY_DAY), ("12:00", "13:00", EVERY_DAY), None)]
#[case(("09:00", "12:00", MON), ("09:00", "12:00", TUE), None)]
#[case(("22:00", "02:00", MON), ("01:00", "03:00", TUE), Some("tue 01:00"))]
#[case(("22:00", "02:00", SUN), ("00:00", "03:00", MON), Some("mon 00:00"))]
#[case(("22:00", "02:00", SUN), ("02:00", "03:00", MON), None)]
#[case(("23:00", "01:00", EVERY_DAY), ("00:30", "00:10", EVERY_DAY), Some("mon 00:00"))]
fn overlap_is_refused_with_both_names(
    #[case] one: (&str, &str, &[Day]),
    #[case] other: (&str, &str, &[Day]),
    #[case] overlap: Option<&str>,
) {
    let blocks = vec![block("early", one.0, one.1, one.2), block("late", other.0, other.1, other.2)];
    let refused = schedule("UTC", blocks, vec![]).check().err().map(|error| error.to_string());
    let wanted = overlap.map(|at| format!("blocks 'early' and 'late' overlap at {at}: change one of them"));
    assert_eq!(refused, wanted);
}

#[test]
fn schedule_is_refused_with_all_that_is_wrong() {
    let mut content = vec![in_block("a", "noon"), file("a"), file("b")];
    content[2].priority = 3;
    content[2].plays_for_seconds = Some(0);
    let blocks = vec![block("day", "09:00", "09:00", &[]), block("day", "10:00", "11:00", &[])];
    let refused = schedule("UTC", blocks, content).check().unwrap_err().to_string();
    assert_eq!(
        refused,
        "blocks[0].to must differ from `from`, both are 09:00; blocks[1].name 'day' is the name of two blocks; \
         content[0].blocks there is no block 'noon'; content[1].name 'a' is the name of two sources; \
         content[2].priority must be 11 to 100, got 3; content[2].plays_for_seconds must be at least 1"
    );
}

#[test]
fn better_content_plays_first_and_only_where_it_is_allowed() {
    let premium = ContentSource { tier: Tier::Premium, ..in_block("film", "evening") };
    let adult = ContentSource { age: AgeRating::Adult, ..file("late film") };
    let first = ContentSource { priority: 11, ..file("z") };
    let mut blocks = vec![block("day", "06:00", "18:00", &[]), block("evening", "18:00", "23:00", &[])];
    blocks[1].age = AgeRating::Adult;
    let schedule = schedule("UTC", blocks, vec![file("a"), first, premium, adult]).check().unwrap();
    let names = |time: &str| {
        let block = schedule.block_at(at(&format!("2026-01-04T{time}:00Z")));
        let allowed = schedule.allowed(block);
        allowed.into_iter().map(|source| source.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names("07:00"), ["z", "a"]);
    assert_eq!(names("18:00"), ["film", "z", "a", "late film"]);
    assert_eq!(names("23:30"), ["z", "a", "late film"], "without a block");
}

#[test]
fn block_allows_kinds() {
    let mut only_live = block("live", "06:00", "18:00", &[]);
    only_live.kinds = vec![ContentKind::LiveInput];
    let live = content::Media::LiveInput { url: "rtmp://h/a".into() };
    let live = ContentSource { media: live, ..file("camera") };
    let schedule = schedule("UTC", vec![only_live], vec![file("a"), live]);
    let block = schedule.block_at(at("2026-01-04T07:00:00Z"));
    assert_eq!(schedule.allowed(block).len(), 1);
}

#[test]
fn preview_says_what_plays_and_what_cannot() {
    let premium = ContentSource { tier: Tier::Premium, ..in_block("film", "evening") };
    let blocks = vec![block("evening", "18:00", "20:00", &[])];
    let schedule = schedule("UTC", blocks, vec![file("a"), file("b"), premium]);
    let library = content::library(&[("a", 60), ("film", 600)]);
    let (from, to) = (at("2026-01-04T17:00:30Z"), at("2026-01-04T21:00:00Z"));
    let preview = schedule.preview(&library, from, to);
    let names = |names: &[ContentName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let shown: Vec<_> =
        preview.iter().map(|span| (names(&span.plays), names(&span.unplayable), span.from)).collect();
    let wanted =
        [("a", "b", from), ("film", "b", at("2026-01-04T18:00:00Z")), ("a", "b", at("2026-01-04T20:00:00Z"))];
    assert_eq!(shown, wanted.map(|(plays, not, from)| (plays.to_owned(), not.to_owned(), from)));
    assert_eq!(preview[2].to, to);
    assert_eq!(schedule.nothing_to_play(&library, from, to), None);
}

#[test]
fn nothing_to_play_is_found_days_before() {
    let blocks = vec![block("sunday", "10:00", "12:00", &[Day::Sun])];
    let kids = ContentSource { age: AgeRating::Teen, ..file("a") };
    let schedule = schedule("UTC", blocks, vec![kids]);
    // 2026-01-05 is a Monday.
    let (from, to) = (at("2026-01-05T00:00:00Z"), at("2026-01-12T00:00:00Z"));
    let gap = schedule.nothing_to_play(&content::library(&[("a", 60)]), from, to).unwrap();
    assert_eq!((gap.from, gap.to), (at("2026-01-11T10:00:00Z"), at("2026-01-11T12:00:00Z")));
    assert_eq!(gap.block.as_deref(), Some("sunday"));
    let gap = schedule.nothing_to_play(&Library::default(), from, to).unwrap();
    assert_eq!(gap.from, from, "not verified is not playable");
}

#[test]
fn blocks_keep_the_local_time_when_the_clock_is_set_forward() {
    // On 2026-03-29 the clock in Zurich jumps from 02:00 to 03:00.
    let blocks = vec![block("night", "02:00", "03:00", &[]), block("tea", "15:00", "18:00", &[])];
    let schedule = schedule("Europe/Zurich", blocks, vec![]);
    assert_eq!(
        shown(&schedule, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        [
            "2026-03-29T00:00:00+01:00 2026-03-29T15:00:00+02:00 -",
            "2026-03-29T15:00:00+02:00 2026-03-29T18:00:00+02:00 tea",
            "2026-03-29T18:00:00+02:00 2026-03-30T00:00:00+02:00 -",
        ]
    );
}

#[test]
fn blocks_keep_the_local_time_when_the_clock_is_set_back() {
    // On 2026-10-25 the hour from 02:00 comes twice in Zurich.
    let blocks = vec![block("night", "02:00", "03:00", &[]), block("tea", "15:00", "18:00", &[])];
    let schedule = schedule("Europe/Zurich", blocks, vec![]);
    assert_eq!(
        shown(&schedule, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        [
            "2026-10-25T00:00:00+02:00 2026-10-25T02:00:00+02:00 -",
            "2026-10-25T02:00:00+02:00 2026-10-25T03:00:00+01:00 night",
            "2026-10-25T03:00:00+01:00 2026-10-25T15:00:00+01:00 -",
            "2026-10-25T15:00:00+01:00 2026-10-25T18:00:00+01:00 tea",
            "2026-10-25T18:00:00+01:00 2026-10-26T00:00:00+01:00 -",
        ]
    );
}

fn any_block() -> impl Strategy<Value = (u32, u32, Vec<usize>)> {
    (0_u32..1_440, 0_u32..1_440, vec(0_usize..7, 0..4))
}

fn made(name: &str, (from, to, days): &(u32, u32, Vec<usize>)) -> Block {
    use strum::VariantArray as _;
    let time = |minutes| TimeOfDay::from_minutes(minutes).unwrap();
    let days: Vec<Day> = days.iter().map(|day| Day::VARIANTS[*day]).collect();
    Block { from: time(*from), to: time(*to), days, ..block(name, "00:00", "00:00", &[]) }
}

proptest! {
    /// Two blocks are refused if and only if some minute of the week is in both.
    #[test]
    fn overlap_is_what_the_clock_says(one in any_block(), other in any_block()) {
        prop_assume!(one.0 != one.1 && other.0 != other.1);
        let (one, other) = (made("one", &one), made("other", &other));
        let zone = TimeZone::UTC;
        let both = (0..7 * 1_440).any(|minute: i64| {
            // 2026-01-05 is a Monday.
            let local = zone.local(Timestamp::from_seconds(1_767_571_200 + minute * 60)).unwrap();
            [&one, &other].into_iter().all(|block| local.is_within(block.from, block.to, &block.days))
        });
        let is_refused = Schedule { blocks: vec![one, other], ..Schedule::empty(zone) }.check().is_err();
        prop_assert_eq!(is_refused, both);
    }

    /// A preview covers its time without a hole, and says of each moment what the schedule says.
    #[test]
    fn preview_agrees_with_the_schedule(
        blocks in vec(any_block(), 0..4),
        start in 0_i64..31_536_000,
        length in 1_i64..300_000,
        moment in 0.0..1.0,
    ) {
        let blocks: Vec<Block> =
            blocks.iter().enumerate().map(|(n, one)| made(&n.to_string(), one)).collect();
        let schedule = Schedule { blocks, ..Schedule::empty("America/New_York".parse().unwrap()) };
        let from = Timestamp::from_seconds(1_750_000_000 + start);
        let to = from.plus(Duration::from_secs(length.unsigned_abs()));
        let preview = schedule.preview(&Library::default(), from, to);
        prop_assert_eq!((preview[0].from, preview[preview.len() - 1].to), (from, to));
        prop_assert!(preview.windows(2).all(|two| two[0].to == two[1].from && two[0].block != two[1].block));
        let moment = from.plus(Duration::from_secs(length.unsigned_abs()).mul_f64(moment));
        let span = preview.iter().find(|span| span.from <= moment && moment < span.to).unwrap();
        let block = schedule.block_at(moment).map(|block| block.name.clone());
        prop_assert_eq!(&span.block, &block);
    }
}

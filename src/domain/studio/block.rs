//! Blocks of a schedule, and which of them overlap.

use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

use super::content::{AgeRating, ContentKind};
use crate::domain::local_time::{Day, MINUTES_OF_DAY, TimeOfDay};

/// A span of local wall time, and what may play in it. The clock decides also when it is changed: a block from 15:00 to
/// 18:00 is always from 15:00 to 18:00; one from 02:00 to 03:00 lasts two hours when that hour comes twice, and does not come
/// when the clock jumps over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Its name, 1 to 100 characters. No two blocks have the same.
    pub name: String,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends. If that is earlier than `from`, on the next day.
    pub to: TimeOfDay,
    /// The days on which it begins. None means every day.
    #[serde(default)]
    pub days: Vec<Day>,
    /// For whom its content is. Without it, content for everybody plays.
    #[serde(default)]
    pub age: AgeRating,
    /// The kinds of content in it. None means all.
    #[serde(default)]
    pub kinds: Vec<ContentKind>,
}

const MINUTES_OF_WEEK: u32 = 7 * MINUTES_OF_DAY;

/// Which overlap in a week without a change of the clock: the names of two blocks that overlap, and a time at which they do, such as `sun 23:00`. Each pair once.
pub(super) fn overlaps(blocks: &[Block]) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (n, one) in blocks.iter().enumerate() {
        for other in blocks.iter().skip(n + 1) {
            let of_other: Vec<_> = parts(other).collect();
            let common = parts(one).flat_map(|(from, to)| {
                of_other.iter().map(move |(begin, end)| (from.max(*begin), to.min(*end)))
            });
            let first = common.filter(|(from, to)| from < to).map(|(from, _)| from).min();
            found.extend(first.map(|at| (one.name.clone(), other.name.clone(), shown(at))));
        }
    }
    found
}

/// When a block runs, in minutes since Monday 00:00. What passes the end of the week begins again at zero.
fn parts(block: &Block) -> impl Iterator<Item = (u32, u32)> {
    let days = if block.days.is_empty() { Day::VARIANTS } else { &block.days };
    let (from, to) = (block.from.minutes(), block.to.minutes());
    // A block that ends when it begins is refused elsewhere: here it is empty.
    let length = (to + MINUTES_OF_DAY - from) % MINUTES_OF_DAY;
    days.iter().flat_map(move |day| {
        let begin = *day as u32 * MINUTES_OF_DAY + from;
        let end = begin + length;
        [(begin, end.min(MINUTES_OF_WEEK)), (0, end.saturating_sub(MINUTES_OF_WEEK))]
    })
}

fn shown(minute: u32) -> String {
    let day = Day::VARIANTS.get((minute / MINUTES_OF_DAY) as usize).map_or("", Into::into);
    let time = minute % MINUTES_OF_DAY;
    format!("{day} {:02}:{:02}", time / 60, time % 60)
}

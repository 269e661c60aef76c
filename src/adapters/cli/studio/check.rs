//! `streamward studio check`: is the studio ready, and if not, what to do.

use anyhow::bail;

use super::view;
use crate::adapters::cli::Output;
use crate::adapters::views::StudioView;
use crate::app::studio::StudioOverview;
use crate::domain::studio::{CheckState, Checked};

/// Prints the checks. Fails if one has not passed.
pub(super) fn check(found: &StudioOverview, out: &mut Output) -> anyhow::Result<()> {
    let preflight = found.now().and_then(|now| now.preflight.as_ref());
    let failed = preflight.map_or(1, |preflight| preflight.failed().count());
    let text = text(found);
    out.thing(&StudioView::from(found.clone()), || text)?;
    let name = &found.studio.name;
    match (found.now(), preflight, failed) {
        (None, ..) => bail!("no instance supervises the studio {name}"),
        (_, None, _) => bail!("the checks of the studio {name} have not been made yet"),
        (_, Some(_), 0) => Ok(()),
        (_, Some(_), failed) => bail!("{failed} of the checks of the studio {name} failed"),
    }
}

fn text(found: &StudioOverview) -> String {
    let name = &found.studio.name;
    let Some(now) = found.now() else {
        let seen = view::seen(found);
        return format!(
            "{name}: no instance of Streamward supervises it ({seen}), so nothing is checked.\n  → Start `streamward serve` \
             with this configuration. If it runs, see `studio:{name}` in GET /tasks."
        );
    };
    let Some(preflight) = &now.preflight else {
        return format!("{name}: the checks have not been made yet. Try again in a few seconds.");
    };
    let mut lines = vec![format!("{name}: checked {} ago", view::age(found.at, preflight.at))];
    lines.extend(preflight.checks.iter().map(line));
    if let Some(at) = preflight.next_at() {
        lines.push(format!("checked again at {at}"));
    }
    lines.join("\n")
}

fn line(checked: &Checked) -> String {
    let mark = match checked.state {
        CheckState::Passed => "ok  ",
        CheckState::Failed => "FAIL",
        CheckState::Skipped => "-   ",
    };
    let line = format!("{mark}  {:<18} {}", checked.check.as_str(), view::printable(&checked.detail));
    if checked.advice.is_empty() {
        line
    } else {
        format!("{line}\n      {:<18} → {}", "", view::printable(&checked.advice))
    }
}

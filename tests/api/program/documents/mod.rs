//! The documentation: its commands run, with the output that it shows, and its links lead somewhere.
//!
//! Every `console` block of `README.md` and `docs/*.md` is run, line by line, in a folder of its own with a service of its own. Comments
//! of HTML above a block say otherwise:
//!
//! * `<!-- not run: REASON -->`: what it needs is not here, such as another machine.
//! * `<!-- with MediaMTX -->`: it is run if `MEDIAMTX_BIN` is set, with the service and the media server of `streamward up`.
//! * `<!-- before: COMMAND -->`: what the reader is expected to have done before.
//!
//! `…` in an output stands for anything, alone on a line for any number of lines. Ids, secrets, times and durations may differ. An output
//! with a line of an error (`streamward: …`, `FAIL`) is that of a command that fails; all others must succeed.

mod blocks;
mod links;
mod place;
mod shape;

use std::fs;
use std::path::{Path, PathBuf};

use blocks::{Block, When, blocks};
use place::Place;
use streamward_test_support::process::Process;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `README.md` and the pages of the book, sorted.
fn pages() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).expect("a folder").flatten();
    all.extend(
        docs.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "md")),
    );
    all.sort();
    all
}

/// What became of the blocks of a page.
#[derive(Default)]
struct Account {
    run: usize,
    skipped: usize,
    not_run: Vec<String>,
    wrong: Vec<String>,
}

/// Runs the blocks of a page, all in one place: later ones use what earlier ones made.
async fn run(page: &Path, has_media_server: bool) -> Account {
    let name = page.strip_prefix(root()).unwrap_or(page).display().to_string();
    let text = fs::read_to_string(page).expect("a text");
    let mut account = Account::default();
    let mut runnable: Vec<Block> = Vec::new();
    for block in blocks(&text) {
        match &block.when {
            When::Never(reason) => account.not_run.push(format!("{name}:{}: {reason}", block.line)),
            When::WithMediaServer if !has_media_server => account.skipped += 1,
            When::Always | When::WithMediaServer => runnable.push(block),
        }
    }
    account.run = runnable.len();
    if runnable.is_empty() {
        return account;
    }
    let with_media_server = runnable.iter().any(|block| block.when == When::WithMediaServer);
    let mut place = Place::new();
    let service = Ending(place.serve(with_media_server).await);
    for block in &runnable {
        let found = place.run(block, &service.0.log());
        account.wrong.extend(found.into_iter().map(|(line, text)| format!("{name}:{line}: {text}")));
    }
    account
}

/// A service that is asked to end, so that its media server ends too.
struct Ending(Process);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.signal(streamward_test_support::process::Signal::TERM);
        for _ in 0..500 {
            if self.0.exit_status().is_some() {
                return;
            }
            std::thread::sleep(streamward_test_support::process::TICK);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_the_documentation_do_what_it_shows() {
    let has_media_server = std::env::var_os("MEDIAMTX_BIN").is_some();
    let only = std::env::var("DOCUMENT").ok();
    let mut all = Account::default();
    for page in pages() {
        if only.as_ref().is_some_and(|only| !page.ends_with(only)) {
            continue;
        }
        let one = run(&page, has_media_server).await;
        all.run += one.run;
        all.skipped += one.skipped;
        all.not_run.extend(one.not_run);
        all.wrong.extend(one.wrong);
    }
    let Account { run, skipped, not_run, wrong } = all;
    eprintln!(
        "blocks of commands: {run} run, {skipped} skipped without MEDIAMTX_BIN, {} not run:",
        not_run.len()
    );
    not_run.iter().for_each(|one| eprintln!("  {one}"));
    assert!(wrong.is_empty(), "the documentation is wrong:\n\n{}", wrong.join("\n\n"));
    assert!(run > 20 || only.is_some(), "{run} blocks");
}

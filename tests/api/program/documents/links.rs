//! The links between the pages, and what is said of pages elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// All files with this ending, apart from what is built and installed.
fn files(folder: &Path, endings: &[&str], all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if !["target", "node_modules", ".git"].iter().any(|one| name == *one) {
                files(&path, endings, all);
            }
        } else if path.extension().is_some_and(|kind| endings.iter().any(|ending| kind == *ending)) {
            all.push(path);
        }
    }
}

/// The text without blocks and other code.
fn prose(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        inside ^= is_fence;
        !inside && !is_fence
    });
    let lines = lines.map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("`"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What a forge makes of the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut inside, mut seen) = (false, BTreeMap::<String, usize>::new());
    let mut all = BTreeSet::new();
    for line in text.lines() {
        inside ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if inside || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().to_lowercase().replace("&lt;", "");
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = kept.collect::<String>().replace(' ', "-");
        let times = seen.entry(anchor.clone()).or_default();
        all.insert(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
        *times += 1;
    }
    all
}

/// The targets of the links in a text.
fn targets(text: &str) -> Vec<String> {
    let text = prose(text);
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut all = Vec::new();
    files(root(), &["md"], &mut all);
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in &all {
        let text = fs::read_to_string(page).expect("a text");
        for target in
            targets(&text).iter().filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        {
            count += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = page.parent().expect("a folder");
            let file = if path.is_empty() { page.clone() } else { folder.join(path) };
            let has_anchor = || anchors(&fs::read_to_string(&file).unwrap_or_default()).contains(anchor);
            // Links of Rust's documentation name items.
            let is_item = path.contains("::") || page.ends_with("src/ARCHITECTURE.md") && !path.contains('.');
            if !is_item && !(file.exists() && (anchor.is_empty() || has_anchor())) {
                wrong.push(format!("{}: {target}", page.strip_prefix(root()).unwrap_or(page).display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these links lead nowhere:\n{}", wrong.join("\n"));
    assert!(count > 100, "{count} links");
}

#[test]
fn pages_that_the_code_names_exist() {
    let mut all = Vec::new();
    for folder in ["src", "deploy", "tests", "web/src", "openapi"] {
        files(&root().join(folder), &["rs", "md", "json", "js", "service", "yml", "conf"], &mut all);
    }
    for file in all {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for rest in text.split("docs/").skip(1) {
            let name = rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_/.".contains(c))).next();
            let name = name.unwrap_or_default().trim_end_matches('.');
            if name.ends_with(".md") {
                let exists = root().join("docs").join(name).exists();
                assert!(exists, "{} names docs/{name}, which does not exist", file.display());
            }
        }
    }
}

/// The contents are those of the book: mdBook builds it from them, and a page that is not there cannot be found.
#[test]
fn contents_name_every_page() {
    let folder = root().join("docs");
    let contents = fs::read_to_string(folder.join("SUMMARY.md")).expect("the contents");
    let named: BTreeSet<PathBuf> = targets(&contents).iter().map(|target| folder.join(target)).collect();
    let mut pages = Vec::new();
    files(&folder, &["md"], &mut pages);
    let missing: Vec<_> =
        pages.iter().filter(|page| !page.ends_with("SUMMARY.md") && !named.contains(*page)).collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md does not name {missing:?}");
}

#[test]
fn anchors_are_those_of_a_forge() {
    let text = "# A b\n## What's `x.y`?\n```\n# no\n```\n# A b\ntext #no\n#no\n";
    let all = anchors(text);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(all, ["a-b", "a-b-1", "whats-xy"]);
    assert_eq!(targets("[a](b.md#c) `[no](no)` ![d](e.png)\n```\n[no](no)\n```\n"), ["b.md#c", "e.png"]);
}

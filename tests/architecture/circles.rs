//! Finds modules that import each other in a circle, among the files and folders of each folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::resolve::Place;
use crate::source::{Kind, Modules, Segments};

/// What a folder's own file is called among its members.
const OWN: &str = "mod.rs";

/// Who imports whom within one folder, with the places where.
type Graph = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Modules that import each other, directly or through others.
pub(crate) struct Circle {
    /// `folder: one, other`.
    pub(crate) name: String,
    /// Each import that is part of it.
    pub(crate) imports: Vec<String>,
}

/// All circles outside of tests.
///
/// First the files and folders of each folder are compared without the folder's own file (`mod.rs`), then that file and
/// what it holds. Its `mod` lines and re-exports are no imports.
pub(crate) fn circles(modules: &Modules) -> Vec<Circle> {
    let mut folders: BTreeMap<Segments, Graph> = BTreeMap::new();
    for reference in modules.references() {
        let Place::Ours(to, _) = &reference.place else { continue };
        let Some(to) = modules.all.get(to) else { continue };
        let (from, to) = (&reference.from.file_module, &to.file_module);
        if from == to || reference.is_test() || reference.mention.kind == Kind::ReExport {
            continue;
        }
        let common = from.iter().zip(to).take_while(|(from, to)| from == to).count();
        let member = |path: &Segments| path.get(common).cloned().unwrap_or_else(|| OWN.to_owned());
        let graph = folders.entry(from[..common].to_vec()).or_default();
        let imports = graph.entry(member(from)).or_default().entry(member(to)).or_default();
        imports.push(reference.at());
    }
    folders.iter().flat_map(|(folder, graph)| of_folder(folder, graph)).collect()
}

fn of_folder(folder: &Segments, graph: &Graph) -> Vec<Circle> {
    let folder = if folder.is_empty() { "src".to_owned() } else { folder.join("/") };
    let without_own: Graph = graph
        .iter()
        .filter(|(from, _)| *from != OWN)
        .map(|(from, to)| {
            let to = to.iter().filter(|(to, _)| *to != OWN);
            (from.clone(), to.map(|(to, at)| (to.clone(), at.clone())).collect())
        })
        .collect();
    let mut found: Vec<Circle> = members_of_circles(&without_own)
        .iter()
        .map(|members| Circle {
            name: format!("{folder}: {}", members.iter().copied().collect::<Vec<_>>().join(", ")),
            imports: imports(&without_own, |from, to| members.contains(from) && members.contains(to)),
        })
        .collect();
    if let Some(members) = members_of_circles(graph).iter().find(|members| members.contains(OWN)) {
        let is_part = |from: &str, to: &str| {
            (from == OWN || to == OWN) && members.contains(from) && members.contains(to)
        };
        found.push(Circle { name: format!("{folder}: {OWN}"), imports: imports(graph, is_part) });
    }
    found
}

fn imports(graph: &Graph, is_part: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let imports = graph.iter().flat_map(|(from, to)| to.iter().map(move |(to, at)| (from, to, at)));
    imports.filter(|(from, to, _)| is_part(from, to)).flat_map(|(.., at)| at.clone()).collect()
}

/// The sets of modules each of which reaches all others of its set.
fn members_of_circles(graph: &Graph) -> Vec<BTreeSet<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|from| (from.as_str(), reachable(graph, from))).collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|all| all.contains(to));
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for (one, from_one) in &reached {
        if from_one.contains(one) && !found.iter().any(|members| members.contains(one)) {
            found.push(from_one.iter().copied().filter(|other| reaches(other, one)).collect());
        }
    }
    found
}

/// Everything that `from` imports, and what that imports.
fn reachable<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        let imported = graph.get(module).into_iter().flatten().map(|(to, _)| to.as_str());
        next.extend(imported.filter(|to| reached.insert(*to)).collect::<Vec<_>>());
    }
    reached
}

//! Says what a path means: which of our modules it leads to, or which other crate.

use crate::source::{Kind, Mention, Module, Modules, Segments};

/// How many `use` lines a name is followed through.
const DEEPEST: usize = 24;

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into one of our modules, to the thing of this name in it, if it is not the module itself.
    Ours(Segments, Option<String>),
    /// Into another crate.
    Outside(Segments),
}

/// A mention and where it leads.
pub(crate) struct Reference<'a> {
    pub(crate) from: &'a Module,
    pub(crate) mention: &'a Mention,
    pub(crate) place: Place,
}

impl Reference<'_> {
    /// In code that is compiled for tests only.
    pub(crate) fn is_test(&self) -> bool {
        self.mention.is_test || self.from.is_test
    }

    /// For a person to go to.
    pub(crate) fn at(&self) -> String {
        format!("{}:{}: {}", self.from.file, self.mention.line, self.mention.path.join("::"))
    }
}

impl Modules {
    /// Everything that the code refers to, with re-exports resolved.
    pub(crate) fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.all.iter().flat_map(move |(path, from)| {
            from.mentions.iter().filter_map(move |mention| {
                let place = self.meaning(path, mention)?;
                Some(Reference { from, mention, place })
            })
        })
    }

    fn meaning(&self, from: &[String], mention: &Mention) -> Option<Place> {
        let path = &mention.path;
        let first = path.first()?;
        if mention.kind == Kind::Code && path.len() == 1 && !is_relative(first) {
            // One word may be a variable. What a private `use` brings in has been seen there; what comes by a glob or
            // by a re-export of our own has not.
            return self.through_doors(from, first);
        }
        let found = self.resolve(from, path, 0);
        // What is none of our names and stands in front of `::` is a crate; a type is written large.
        let is_crate = || first.starts_with(|c: char| c.is_ascii_lowercase());
        found.or_else(|| is_crate().then(|| Place::Outside(path.clone())))
    }

    fn through_doors(&self, from: &[String], name: &str) -> Option<Place> {
        let module = &self.all[from];
        if module.items.contains(name) {
            return None;
        }
        let public = module.aliases.iter().find(|(alias, _, is_public)| alias == name && *is_public);
        if let Some((_, target, _)) = public {
            return self.resolve(from, target, 0);
        }
        if module.aliases.iter().any(|(alias, ..)| alias == name) {
            return None;
        }
        self.by_glob(from, &[name.to_owned()], 0)
    }

    /// What `path` means in the module `from`; `None` if it begins with no name of ours.
    pub(crate) fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        if depth > DEEPEST {
            return None;
        }
        match first.as_str() {
            "" => Some(Place::Outside(rest.to_vec())),
            "crate" | "streamward" => Some(self.walk(&[], rest, depth)),
            "self" => Some(self.walk(from, rest, depth)),
            "super" => {
                let parent = from.split_last().map_or(&[][..], |(_, parent)| parent);
                if rest.first().is_some_and(|next| next == "super") {
                    return self.resolve(parent, rest, depth + 1);
                }
                Some(self.walk(parent, rest, depth))
            }
            _ => self.find(from, path, depth).or_else(|| {
                let is_std = matches!(first.as_str(), "std" | "core" | "alloc");
                is_std.then(|| Place::Outside(path.to_vec()))
            }),
        }
    }

    /// Like [`Self::find`], for a path that must lead somewhere: what a macro defines is in the module as well.
    fn walk(&self, module: &[String], rest: &[String], depth: usize) -> Place {
        let here = || Place::Ours(module.to_vec(), rest.first().cloned());
        if rest.is_empty() { here() } else { self.find(module, rest, depth).unwrap_or_else(here) }
    }

    /// Finds the first name of `rest` in `module`, and continues from there.
    fn find(&self, module: &[String], rest: &[String], depth: usize) -> Option<Place> {
        let (name, rest_of_it) = rest.split_first()?;
        if depth > DEEPEST {
            return None;
        }
        let child: Segments = module.iter().chain([name]).cloned().collect();
        if self.all.contains_key(&child) {
            return Some(self.walk(&child, rest_of_it, depth + 1));
        }
        let here = self.all.get(module)?;
        if here.items.contains(name) {
            return Some(Place::Ours(module.to_vec(), Some(name.clone())));
        }
        let Some((_, target, _)) = here.aliases.iter().find(|(alias, ..)| alias == name) else {
            return self.by_glob(module, rest, depth);
        };
        // `use sqlx;` stands for the crate.
        let is_itself = target.len() == 1 && target[0] == *name;
        let found = if is_itself { None } else { self.resolve(module, target, depth + 1) };
        Some(match found {
            Some(Place::Ours(path, None)) => self.walk(&path, rest_of_it, depth + 1),
            Some(place @ Place::Ours(..)) => place,
            Some(Place::Outside(path)) => Place::Outside([path, rest_of_it.to_vec()].concat()),
            None => Place::Outside([target.clone(), rest_of_it.to_vec()].concat()),
        })
    }

    fn by_glob(&self, module: &[String], rest: &[String], depth: usize) -> Option<Place> {
        let here = self.all.get(module)?;
        here.globs.iter().find_map(|glob| match self.resolve(module, glob, depth + 1)? {
            Place::Ours(path, None) if path != module => self.find(&path, rest, depth + 1),
            _ => None,
        })
    }
}

/// Begins a path by itself.
fn is_relative(word: &str) -> bool {
    matches!(word, "crate" | "super" | "self")
}

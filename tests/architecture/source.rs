//! Reads the sources as Rust does: modules by their `mod` lines, and every path that each of them mentions.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// Segments of a path, as they are written or, from the crate's root, as they are resolved.
pub(crate) type Segments = Vec<String>;

/// How a path is mentioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A private `use`.
    Import,
    /// A `use` that others can import from. It is resolved: who uses the name depends on where it comes from.
    ReExport,
    /// Anywhere else: in a type, an expression, a macro's input, an attribute.
    Code,
}

/// One path in the text of a module.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) path: Segments,
    pub(crate) kind: Kind,
    /// In code that is compiled for tests only.
    pub(crate) is_test: bool,
}

/// A module: a file, or `mod name { … }` in one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Relative to the repository.
    pub(crate) file: String,
    /// The module that the file is.
    pub(crate) file_module: Segments,
    pub(crate) is_test: bool,
    /// Names that `use` brings in, with what they stand for, and whether others can import them from here.
    pub(crate) aliases: Vec<(String, Segments, bool)>,
    pub(crate) globs: Vec<Segments>,
    /// Names that are defined here.
    pub(crate) items: BTreeSet<String>,
    pub(crate) mentions: Vec<Mention>,
}

/// All modules of a crate, by their path from its root.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    pub(crate) all: BTreeMap<Segments, Module>,
    /// Files that were read.
    pub(crate) files: BTreeSet<String>,
}

impl Modules {
    /// Follows the `mod` lines from `root`, such as `src/lib.rs`. `read` gives the text of a file, if there is one.
    pub(crate) fn read(root: &str, read: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut modules = Self::default();
        modules.read_file(root, Vec::new(), false, read)?;
        Ok(modules)
    }

    fn read_file(
        &mut self,
        file: &str,
        path: Segments,
        is_test: bool,
        read: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        let text = read(file).ok_or_else(|| format!("{file}: there is no such file"))?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| format!("{file}:{}: {error}", error.span().start().line))?;
        self.files.insert(file.to_owned());
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let stem = name.trim_end_matches(".rs");
        let children = if matches!(stem, "mod" | "lib" | "main") {
            folder.to_owned()
        } else {
            format!("{folder}/{stem}")
        };
        let mut reader = Reader {
            module: Module { file: file.to_owned(), file_module: path.clone(), is_test, ..Module::default() },
            path,
            is_test,
            depth: 0,
            done: Vec::new(),
            declared: Vec::new(),
            folder: folder.to_owned(),
            children,
        };
        reader.visit_file(&parsed);
        let Reader { module, path, done, declared, .. } = reader;
        self.all.insert(path, module);
        self.all.extend(done);
        for child in declared {
            let found = child.files.iter().find(|file| read(file).is_some());
            let found =
                found.ok_or_else(|| format!("{file}: there is no file for mod {}", child.path.join("::")))?;
            self.read_file(found, child.path, child.is_test, read)?;
        }
        Ok(())
    }
}

/// `mod name;`, with the files that it may be.
struct Declared {
    path: Segments,
    files: Vec<String>,
    is_test: bool,
}

/// Goes through one file.
struct Reader {
    module: Module,
    path: Segments,
    is_test: bool,
    /// How many functions and other blocks we are in.
    depth: usize,
    done: Vec<(Segments, Module)>,
    declared: Vec<Declared>,
    folder: String,
    /// Where the files of the file's child modules are.
    children: String,
}

impl Reader {
    fn mention(&mut self, line: usize, path: Segments, kind: Kind) {
        self.module.mentions.push(Mention { line, path, kind, is_test: self.is_test });
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String], is_public: bool) {
        let kind = if is_public { Kind::ReExport } else { Kind::Import };
        let mut whole = before.to_vec();
        let (ident, alias) = match tree {
            UseTree::Path(path) => {
                whole.push(plain(&path.ident));
                return self.use_tree(&path.tree, &whole, is_public);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, before, is_public);
                }
                return;
            }
            UseTree::Glob(glob) => {
                self.module.globs.push(whole.clone());
                return self.mention(glob.star_token.spans[0].start().line, whole, kind);
            }
            UseTree::Name(name) => (&name.ident, None),
            UseTree::Rename(rename) => (&rename.ident, Some(plain(&rename.rename))),
        };
        // `a::{self}` is `a`.
        if ident != "self" || whole.is_empty() {
            whole.push(plain(ident));
        }
        let alias = alias.or_else(|| whole.last().cloned()).filter(|alias| alias != "_");
        if let Some(alias) = alias {
            self.module.aliases.push((alias, whole.clone(), is_public));
        }
        self.mention(ident.span().start().line, whole, kind);
    }

    fn qualified(&mut self, own: Option<&syn::QSelf>, path: &syn::Path) {
        if let Some(own) = own {
            self.visit_qself(own);
        }
        if own.is_none_or(|own| own.position > 0) {
            self.visit_path(path);
        } else {
            visit::visit_path(self, path);
        }
    }

    /// Paths in what a macro or an attribute is given. It need not be Rust, so it is read word by word.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(ident) if ident == "use" => {
                    let end = tokens[at..].iter().position(|token| is_punct(Some(token), ';'));
                    let item = end.map(|end| tokens[at..=at + end].iter().cloned().collect::<TokenStream>());
                    if let Some(Ok(item)) = item.map(syn::parse2::<syn::ItemUse>) {
                        self.visit_item_use(&item);
                        at += end.unwrap_or(0);
                    }
                }
                TokenTree::Ident(first) => {
                    let mut path = vec![plain(first)];
                    while is_punct(tokens.get(at + 1), ':') && is_punct(tokens.get(at + 2), ':') {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                        path.push(plain(next));
                        at += 3;
                    }
                    if path.len() > 1 {
                        self.mention(first.span().start().line, path, Kind::Code);
                    }
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                // `#[serde(with = "crate::some::module")]`
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let inner = text.trim_matches('"');
                    if inner.len() + 2 == text.len()
                        && let Ok(path) = syn::parse_str::<syn::Path>(inner)
                        && path.segments.len() > 1
                    {
                        let path = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
                        self.mention(literal.span().start().line, path, Kind::Code);
                    }
                }
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let was_test = self.is_test;
        self.is_test |= attributes(item).iter().any(is_for_tests);
        if self.depth == 0
            && let Some(name) = name(item)
        {
            self.module.items.insert(name);
        }
        let is_block = !matches!(item, Item::Mod(_) | Item::Use(_));
        self.depth += usize::from(is_block);
        visit::visit_item(self, item);
        self.depth -= usize::from(is_block);
        self.is_test = was_test;
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        for attribute in &item.attrs {
            self.visit_attribute(attribute);
        }
        let name = plain(&item.ident);
        let path: Segments = self.path.iter().cloned().chain([name.clone()]).collect();
        let Some((_, items)) = &item.content else {
            let inline = self.path[self.module.file_module.len()..].join("/");
            let folder = format!("{}/{inline}", self.children);
            let folder = folder.trim_end_matches('/');
            let files = path_attribute(&item.attrs).map_or_else(
                || vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")],
                |file| vec![format!("{}/{file}", self.folder)],
            );
            self.declared.push(Declared { path, files, is_test: self.is_test });
            return;
        };
        let inner = Module {
            file: self.module.file.clone(),
            file_module: self.module.file_module.clone(),
            is_test: self.is_test,
            ..Module::default()
        };
        let outer = std::mem::replace(&mut self.module, inner);
        let outer_path = std::mem::replace(&mut self.path, path);
        let depth = std::mem::take(&mut self.depth);
        for item in items {
            self.visit_item(item);
        }
        self.depth = depth;
        let inner = std::mem::replace(&mut self.module, outer);
        let path = std::mem::replace(&mut self.path, outer_path);
        self.done.push((path, inner));
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        let before = if item.leading_colon.is_some() { vec![String::new()] } else { Vec::new() };
        self.use_tree(&item.tree, &before, is_public);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let path = vec![String::new(), plain(&item.ident)];
        let alias = item.rename.as_ref().map_or_else(|| plain(&item.ident), |(_, rename)| plain(rename));
        let target = if item.ident == "self" { vec!["crate".to_owned()] } else { path.clone() };
        self.module.aliases.push((alias, target, !matches!(item.vis, Visibility::Inherited)));
        self.mention(item.ident.span().start().line, path, Kind::Import);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments: Segments = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
        if path.leading_colon.is_some() {
            segments.insert(0, String::new());
        }
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        self.mention(line, segments, Kind::Code);
        visit::visit_path(self, path);
    }

    /// In `<Vec<u8>>::new` the path after the type is none of its own.
    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        self.qualified(expr.qself.as_ref(), &expr.path);
    }

    fn visit_type_path(&mut self, ty: &'ast syn::TypePath) {
        self.qualified(ty.qself.as_ref(), &ty.path);
    }

    /// `pub(in path)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        visit::visit_macro(self, mac);
        self.tokens(mac.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let is_lint = ["expect", "allow", "warn", "deny"].iter().any(|lint| attribute.path().is_ident(lint));
        if is_lint || attribute.path().is_ident("doc") {
            return;
        }
        self.visit_path(attribute.path());
        match &attribute.meta {
            syn::Meta::List(list) => self.tokens(list.tokens.clone()),
            syn::Meta::NameValue(pair) => self.visit_expr(&pair.value),
            syn::Meta::Path(_) => {}
        }
    }
}

/// Without `r#`.
fn plain(ident: &proc_macro2::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// `#[cfg(test)]`, also within `all` and `any`. `not(test)` is no such thing.
fn is_for_tests(attribute: &Attribute) -> bool {
    fn mentions_test(tokens: TokenStream) -> bool {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        tokens.iter().enumerate().any(|(at, token)| match token {
            TokenTree::Ident(ident) => ident == "test",
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                let is_not = at
                    .checked_sub(1)
                    .is_some_and(|before| matches!(&tokens[before], TokenTree::Ident(i) if i == "not"));
                !is_not && mentions_test(group.stream())
            }
            _ => false,
        })
    }
    attribute.path().is_ident("cfg")
        && attribute.meta.require_list().is_ok_and(|list| mentions_test(list.tokens.clone()))
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let syn::Expr::Lit(literal) = &attribute.meta.require_name_value().ok()?.value else { return None };
    let syn::Lit::Str(text) = &literal.lit else { return None };
    Some(text.value())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(plain(ident))
}

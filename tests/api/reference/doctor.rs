//! The checks of `streamward doctor`: what each can find, and its advice, as the sources say it.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprForLoop, ExprMethodCall, FnArg, ItemConst, ItemFn, Local, Pat};

use super::source::{files, text};
use super::{assert_page, table};

const INTRO: &str = "`streamward doctor` and `GET /doctor` check the setup from outside, as media servers and clients do, and change nothing. \
`ok` needs no advice. `warn` works, but not well or not for long. Broadcasts fail because of `FAIL`; then the exit code is 7. `skip` was \
not checked, because something else is missing. `<…>` stands for a name or a value.";

/// A finding that is no good one.
type Finding = (&'static str, String, String);

/// The texts that stand behind names, and what calls pass on.
#[derive(Default)]
struct Reader {
    consts: BTreeMap<String, Vec<String>>,
    /// Of the function that is read.
    names: BTreeMap<String, Vec<String>>,
    /// The parameters of each function.
    parameters: BTreeMap<String, Vec<String>>,
    /// What each function gets as its first, second, … argument, from all who call it.
    passed: BTreeMap<(String, usize), BTreeSet<String>>,
    function: String,
    /// By the name of the check, in the order of the sources.
    found: Vec<(String, Finding)>,
    /// Functions with a check whose name could not be read.
    unread: BTreeSet<String>,
    /// All names of checks, also of those that only find that all is well.
    checks: BTreeSet<String>,
}

impl Reader {
    /// What an expression can say.
    fn texts(&self, expr: &Expr) -> Vec<String> {
        match expr {
            Expr::Lit(_) => text(expr).into_iter().collect(),
            Expr::Reference(inner) => self.texts(&inner.expr),
            Expr::Paren(inner) => self.texts(&inner.expr),
            Expr::Array(list) => list.elems.iter().flat_map(|one| self.texts(one)).collect(),
            Expr::MethodCall(call)
                if ["clone", "to_owned", "to_string"].contains(&&*call.method.to_string()) =>
            {
                self.texts(&call.receiver)
            }
            Expr::MethodCall(call) if call.method == "unwrap_or" => {
                call.args.iter().flat_map(|one| self.texts(one)).collect()
            }
            Expr::Call(call) => {
                // Such as `with_instances(setup, advice)`.
                call.args.iter().flat_map(|one| self.texts(one)).collect()
            }
            Expr::If(choice) => {
                let last = |block: &syn::Block| match block.stmts.last() {
                    Some(syn::Stmt::Expr(expr, None)) => self.texts(expr),
                    _ => Vec::new(),
                };
                let other = choice.else_branch.iter().flat_map(|(_, expr)| self.texts(expr));
                last(&choice.then_branch).into_iter().chain(other).collect()
            }
            Expr::Block(block) => match block.block.stmts.last() {
                Some(syn::Stmt::Expr(expr, None)) => self.texts(expr),
                _ => Vec::new(),
            },
            Expr::Match(choice) => choice.arms.iter().flat_map(|arm| self.texts(&arm.body)).collect(),
            Expr::Macro(call) if call.mac.path.is_ident("format") => self.formatted(call.mac.tokens.clone()),
            Expr::Path(path) => {
                path.path.get_ident().map_or_else(Vec::new, |name| self.named(&name.to_string()))
            }
            _ => Vec::new(),
        }
    }

    fn named(&self, name: &str) -> Vec<String> {
        if let Some(texts) = self.names.get(name).or_else(|| self.consts.get(name)) {
            return texts.clone();
        }
        let place =
            self.parameters.get(&self.function).and_then(|all| all.iter().position(|one| one == name));
        let passed = place.and_then(|place| self.passed.get(&(self.function.clone(), place)));
        passed.into_iter().flatten().cloned().collect()
    }

    /// `format!("channel {}", …)`: what is filled in becomes its name, or the constant's text.
    fn formatted(&self, tokens: TokenStream) -> Vec<String> {
        let Some(TokenTree::Literal(first)) = tokens.into_iter().next() else { return Vec::new() };
        let Ok(literal) = syn::parse_str::<syn::LitStr>(&first.to_string()) else { return Vec::new() };
        let (mut filled, literal) = (String::new(), literal.value());
        let mut rest = literal.as_str();
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((name, after)) = behind.split_once('}') else { break };
            let name = name.split(':').next().unwrap_or_default();
            filled += before;
            match (self.consts.get(name).or_else(|| self.names.get(name)).map(Vec::as_slice), name) {
                (Some([text]), _) => filled += text,
                (_, "") => filled += "<…>",
                (_, name) => filled += &format!("<{}>", name.replace('_', " ")),
            }
            rest = after;
        }
        vec![filled + rest]
    }

    fn add(&mut self, severity: &'static str, arguments: &[&Expr]) {
        let one = |texts: Vec<String>| texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        let [check, found, advice] = arguments else { return };
        let (checks, found, advice) =
            (one(self.texts(check)), one(self.texts(found)), one(self.texts(advice)));
        if checks.is_empty() {
            self.unread.insert(self.function.clone());
        }
        let found = if found.is_empty() { "the reason".to_owned() } else { found.join(" · ") };
        for check in checks {
            self.checks.insert(check.clone());
            if severity != "ok" {
                self.found.push((check, (severity, found.clone(), advice.join(" · "))));
            }
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item_const(&mut self, item: &'a ItemConst) {
        if let Some(text) = text(&item.expr) {
            self.consts.insert(item.ident.to_string(), vec![text]);
        }
    }

    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        self.function = item.sig.ident.to_string();
        self.names.clear();
        let names = item.sig.inputs.iter().map(|one| match one {
            FnArg::Typed(typed) => match &*typed.pat {
                Pat::Ident(name) => name.ident.to_string(),
                _ => String::new(),
            },
            FnArg::Receiver(_) => String::new(),
        });
        self.parameters.insert(self.function.clone(), names.collect());
        visit::visit_item_fn(self, item);
    }

    fn visit_local(&mut self, local: &'a Local) {
        visit::visit_local(self, local);
        let Some(init) = &local.init else { return };
        match (&local.pat, &*init.expr) {
            (Pat::Ident(name), expr) => {
                let texts = self.texts(expr);
                self.names.insert(name.ident.to_string(), texts);
            }
            (Pat::Tuple(names), Expr::Tuple(values)) => {
                for (name, value) in names.elems.iter().zip(&values.elems) {
                    if let Pat::Ident(name) = name {
                        let texts = self.texts(value);
                        self.names.insert(name.ident.to_string(), texts);
                    }
                }
            }
            _ => {}
        }
    }

    fn visit_expr_for_loop(&mut self, item: &'a ExprForLoop) {
        if let Pat::Ident(name) = &*item.pat {
            let texts = self.texts(&item.expr);
            self.names.insert(name.ident.to_string(), texts);
        }
        visit::visit_expr_for_loop(self, item);
    }

    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        if let Expr::Path(path) = &*call.func
            && let Some(name) = path.path.segments.last()
        {
            for (place, argument) in call.args.iter().enumerate() {
                let texts = self.texts(argument);
                self.passed.entry((name.ident.to_string(), place)).or_default().extend(texts);
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        let of_findings = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("findings"));
        let arguments: Vec<&Expr> = call.args.iter().collect();
        let nothing = syn::parse_str::<Expr>("\"\"").expect("an expression");
        match (of_findings, call.method.to_string().as_str(), &arguments[..]) {
            (true, "good", [check, found]) => self.add("ok", &[*check, *found, &nothing]),
            (true, "warning", all) => self.add("warn", all),
            (true, "failure", all) => self.add("FAIL", all),
            (true, "skipped", all) => self.add("skip", all),
            (true, "add", [_, all @ ..]) => self.add("warn, FAIL", all),
            _ => {}
        }
        visit::visit_expr_method_call(self, call);
    }
}

#[test]
fn doctor() {
    let mut reader = Reader::default();
    let all = files("runtime/doctor");
    let all: Vec<_> = all.iter().filter(|(path, _)| !path.ends_with("finding.rs")).collect();
    let files: Vec<syn::File> = all.iter().map(|(_, text)| syn::parse_file(text).expect("Rust")).collect();
    // What functions get is known when all their callers were read. Some pass on what they got.
    for _ in 0..3 {
        (reader.found, reader.checks, reader.unread) = Default::default();
        for file in &files {
            // Constants may stand below those who use them, and each file has its own.
            reader.consts.clear();
            file.items.iter().for_each(|item| {
                if let syn::Item::Const(one) = item {
                    reader.visit_item_const(one)
                }
            });
            reader.visit_file(file);
        }
    }
    assert!(reader.unread.is_empty(), "the name of a check cannot be read in {:?}", reader.unread);
    let mut text = INTRO.to_owned();
    for check in &reader.checks {
        let rows = reader.found.iter().filter(|(name, _)| name == check);
        let mut rows: Vec<_> = rows
            .map(|(_, (how, found, advice))| [(*how).to_owned(), found.clone(), advice.clone()])
            .collect();
        rows.dedup();
        text += &format!("\n\n## {}\n\n", check.replace('<', "&lt;"));
        match rows.is_empty() {
            true => text += "It finds nothing else.",
            false => text += table(["", "Found", "What to do"], rows).trim(),
        }
    }
    for check in [
        "database",
        "service",
        "hook secret",
        "auth of <name>",
        "channel <…>",
        "ffmpeg",
        "clock of the database",
    ] {
        assert!(reader.checks.contains(check), "{check} is not among {:?}", reader.checks);
    }
    assert_page("doctor.md", "Checks of the doctor", &text);
}

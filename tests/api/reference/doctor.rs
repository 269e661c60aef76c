//! The checks of `streamward doctor`: what each can find, and its advice, as the sources say it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Arm, Block, Expr, ExprCall, ExprForLoop, ExprLit, ExprMethodCall, File, FnArg, Item, ItemFn, Lit, Local,
    Pat, PatIdent, Stmt,
};

use super::source::{files, text};
use super::{assert_page, table};

const INTRO: &str = "`streamward doctor` and `GET /doctor` check the setup from outside, as media servers and clients do, and change nothing. \
`ok` needs no advice. `warn` works, but not well or not for long. Broadcasts fail because of `FAIL`; then the exit code is 7. `skip` was \
not checked, because something else is missing. `<…>` stands for a name or a value.";

/// A finding that is no good one.
type Finding = (&'static str, String, String);

/// A module, and a name in it.
type Function = (String, String);

/// The texts that stand behind names, and what calls pass on.
#[derive(Default)]
struct Reader {
    consts: BTreeMap<String, Vec<String>>,
    /// Of the function that is read.
    names: BTreeMap<String, Vec<String>>,
    /// Each function, with the names of its parameters and what it says at its end.
    functions: BTreeMap<Function, (Vec<String>, Vec<String>)>,
    /// What each function gets as its first, second, … argument, from all who call it.
    passed: BTreeMap<(Function, usize), BTreeSet<String>>,
    /// The one that is read.
    function: Function,
    /// By the name of the check, in the order of the sources.
    found: Vec<(String, Finding)>,
    /// Functions with a check whose name could not be read.
    unread: BTreeSet<Function>,
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
            Expr::Call(call) => {
                // Such as `with_instances(setup, advice)`, or else `advice(name, reason)`.
                let passed: Vec<String> = call.args.iter().flat_map(|one| self.texts(one)).collect();
                let body = self.called(call).and_then(|name| self.functions.get(&name));
                if passed.is_empty() { body.map_or(passed, |(_, end)| end.clone()) } else { passed }
            }
            Expr::If(choice) => {
                let other = choice.else_branch.iter().flat_map(|(_, expr)| self.texts(expr));
                self.end(&choice.then_branch).into_iter().chain(other).collect()
            }
            Expr::Block(block) => self.end(&block.block),
            Expr::Match(choice) => choice.arms.iter().flat_map(|arm| self.texts(&arm.body)).collect(),
            Expr::Macro(call) if call.mac.path.is_ident("format") => self.formatted(call.mac.tokens.clone()),
            Expr::Path(path) => {
                path.path.get_ident().map_or_else(Vec::new, |name| self.named(&name.to_string()))
            }
            _ => Vec::new(),
        }
    }

    /// What the last expression can say.
    fn end(&self, block: &Block) -> Vec<String> {
        match block.stmts.last() {
            Some(Stmt::Expr(expr, None)) => self.texts(expr),
            _ => Vec::new(),
        }
    }

    /// The function that is called: of the module that is named, of this one, or of the one that has it.
    fn called(&self, call: &ExprCall) -> Option<Function> {
        let Expr::Path(path) = &*call.func else { return None };
        let mut names = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
        let (name, module) = (names.next()?, names.next());
        let own = (module.unwrap_or_else(|| self.function.0.clone()), name);
        let known = || self.functions.keys().find(|(_, name)| *name == own.1).cloned();
        if self.functions.contains_key(&own) { Some(own) } else { known() }
    }

    fn named(&self, name: &str) -> Vec<String> {
        if let Some(texts) = self.names.get(name).or_else(|| self.consts.get(name)) {
            return texts.clone();
        }
        let parameters = self.functions.get(&self.function).map(|(parameters, _)| parameters);
        let place = parameters.and_then(|all| all.iter().position(|one| one == name));
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
    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        self.function.1 = item.sig.ident.to_string();
        self.names.clear();
        let names = item.sig.inputs.iter().map(|one| match one {
            FnArg::Typed(typed) => names_in(&typed.pat).pop().unwrap_or_default(),
            FnArg::Receiver(_) => String::new(),
        });
        self.functions.insert(self.function.clone(), (names.collect(), self.end(&item.block)));
        visit::visit_item_fn(self, item);
    }

    fn visit_block(&mut self, block: &'a Block) {
        let outside = self.names.clone();
        visit::visit_block(self, block);
        self.names = outside;
    }

    /// Names in a pattern stand for what is not known here.
    fn visit_arm(&mut self, arm: &'a Arm) {
        let outside = self.names.clone();
        names_in(&arm.pat).iter().for_each(|name| drop(self.names.remove(name)));
        visit::visit_arm(self, arm);
        self.names = outside;
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
        if let Some(function) = self.called(call) {
            for (place, argument) in call.args.iter().enumerate() {
                let texts = self.texts(argument);
                self.passed.entry((function.clone(), place)).or_default().extend(texts);
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

/// The names that a pattern binds.
fn names_in(pat: &Pat) -> Vec<String> {
    struct Names(Vec<String>);
    impl Visit<'_> for Names {
        fn visit_pat_ident(&mut self, name: &PatIdent) {
            self.0.push(name.ident.to_string());
            visit::visit_pat_ident(self, name);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat(pat);
    names.0
}

/// A text, or a time.
fn constant(expr: &Expr) -> Option<String> {
    if let Expr::Call(call) = expr
        && let Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) = call.args.first()
    {
        return Some(format!("{number} s"));
    }
    text(expr)
}

#[test]
fn doctor() {
    let mut reader = Reader::default();
    let all = files("runtime/doctor");
    let all: Vec<_> = all.iter().filter(|(path, _)| !path.ends_with("finding.rs")).collect();
    let module = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let read = |text: &str| syn::parse_file(text).expect("Rust");
    let files: Vec<(String, File)> = all.iter().map(|(path, text)| (module(path), read(text))).collect();
    // What functions get is known when all their callers were read. Some pass on what they got.
    for pass in 0..4 {
        (reader.found, reader.checks, reader.unread) = Default::default();
        if pass == 1 {
            // Only now all functions are known, so that none is taken for another one of its name.
            reader.passed.clear();
        }
        for (module, file) in &files {
            reader.function.0.clone_from(module);
            // Constants may stand below those who use them, and each file has its own.
            let consts = file.items.iter().filter_map(|item| match item {
                Item::Const(one) => Some((one.ident.to_string(), vec![constant(&one.expr)?])),
                _ => None,
            });
            reader.consts = consts.collect();
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

//! The rules about layers, adapters and crates. Each function returns the places that break its rule.

use proc_macro2::{TokenStream, TokenTree};

use crate::resolve::{Place, Reference};
use crate::source::Modules;

/// A layer and what it may import from, beside itself.
const LAYERS: [(&str, &[&str]); 5] = [
    ("domain", &[]),
    ("ports", &["domain"]),
    ("app", &["domain", "ports"]),
    ("adapters", &["domain", "ports", "app"]),
    ("runtime", &["domain", "ports", "app", "adapters"]),
];

/// Adapters that bring calls in. They may import from `app`; all others implement ports.
const INBOUND: [&str; 2] = ["http", "cli"];

/// Parts of `adapters` that are no adapter to anything, but what adapters are made of.
const SHARED: [&str; 8] =
    ["bitrate", "child", "ffmpeg", "local_wake_ups", "remote", "rtmp", "system", "views"];

/// Crates that do no I/O: all that domain, ports and app may use.
const WITHOUT_IO: [&str; 44] = [
    // Rust's own
    "std",
    "core",
    "alloc",
    "bool",
    "char",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "f64",
    // Types, texts, derives
    "arc_swap",
    "backon",
    "async_trait",
    "chrono",
    "chrono_tz",
    "form_urlencoded",
    "futures_util",
    "ipnet",
    "lru",
    "metrics",
    "serde",
    "serde_json",
    "serde_with",
    "strsim",
    "strum",
    "thiserror",
    "tokio",
    "tokio_util",
    "tracing",
    "url",
    "uuid",
    // Tests
    "prop",
    "proptest",
    "rstest",
    // Checksums
    "base64",
    "hex",
];

/// What the domain may use beyond that: secrets are made, hashed and sealed there.
const CRYPTO: [&str; 8] = ["aes_gcm", "crc32fast", "hmac", "ring", "sha1", "sha2", "subtle", "zeroize"];

/// What the inner layers may not use of crates that they may use.
const IO: [&str; 17] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "chrono::Local",
    "chrono::Utc::now",
    "tokio::fs",
    "tokio::io",
    "tokio::net",
    "tokio::process",
    "tokio::runtime",
    "tokio::signal",
];

/// Addresses are data.
const DATA: [&str; 4] =
    ["std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr", "std::net::SocketAddr"];

/// What only outbound adapters and the runtime use.
const OUTBOUND_CRATES: [&str; 4] = ["object_store", "sqlx", "reqwest", "tokio_tungstenite"];

/// Whether it is an adapter that is made for unit tests too, since it stays within the process.
fn is_in_process(place: &Place) -> bool {
    let Place::Ours(path, _) = place else { return false };
    let [layer, adapter, ..] = path.as_slice() else { return false };
    layer == "adapters" && ["argon2_pool", "local_wake_ups", "memory", "system"].contains(&adapter.as_str())
}

/// Imports that point outwards.
pub(crate) fn against_layers(modules: &Modules) -> Vec<String> {
    broken(modules, |reference| {
        let Place::Ours(to, _) = &reference.place else { return false };
        let (from, Some(to)) = (&reference.from.file_module, to.first()) else { return false };
        let Some(layer) = from.first() else { return false };
        let Some((_, inner)) = LAYERS.iter().find(|(name, _)| name == layer) else { return true };
        let may_call_app = layer != "adapters"
            || from.get(1).is_some_and(|part| INBOUND.contains(&part.as_str()) || part == "views");
        let is_for_test = layer == "app" && reference.is_test() && is_in_process(&reference.place);
        to != layer && !is_for_test && (!inner.contains(&to.as_str()) || (to == "app" && !may_call_app))
    })
}

/// Imports of one adapter from another.
pub(crate) fn between_adapters(modules: &Modules) -> Vec<String> {
    broken(modules, |reference| {
        let Place::Ours(to, _) = &reference.place else { return false };
        let from = &reference.from.file_module;
        let (Some("adapters"), Some("adapters")) =
            (from.first().map(String::as_str), to.first().map(String::as_str))
        else {
            return false;
        };
        let (from, Some(to)) = (from.get(1), to.get(1)) else { return false };
        let is_shared = |part: &String| SHARED.contains(&part.as_str());
        let is_for_test = reference.is_test() && is_in_process(&reference.place);
        from != Some(to) && !is_shared(to) && !is_for_test
    })
}

/// Crates that the inner layers may not use.
pub(crate) fn crates_of_inner_layers(modules: &Modules) -> Vec<String> {
    broken(modules, |reference| {
        let Place::Outside(path) = &reference.place else { return false };
        let Some(layer) = reference.from.file_module.first() else { return false };
        // What a test measures of its process stays in the test.
        if !["domain", "ports", "app"].contains(&layer.as_str()) || reference.is_test() {
            return false;
        }
        let Some(name) = path.first() else { return false };
        let is_known = WITHOUT_IO.contains(&name.as_str()) || CRYPTO.contains(&name.as_str());
        !is_known || (begins_with(path, &IO) && !begins_with(path, &DATA))
    })
}

/// Crates that HTTP and the command line may not use.
pub(crate) fn crates_of_inbound_adapters(modules: &Modules) -> Vec<String> {
    broken(modules, |reference| {
        let Place::Outside(path) = &reference.place else { return false };
        let [layer, adapter, ..] = reference.from.file_module.as_slice() else { return false };
        let forbidden = if adapter == "cli" { &["sqlx"][..] } else { &OUTBOUND_CRATES };
        layer == "adapters" && INBOUND.contains(&adapter.as_str()) && begins_with(path, forbidden)
    })
}

/// Uses of tokio and of futures in the domain.
pub(crate) fn tokio_in_domain(modules: &Modules) -> Vec<String> {
    broken(modules, |reference| {
        let from = &reference.from.file_module;
        let is_tokio =
            matches!(&reference.place, Place::Outside(path) if begins_with(path, &["tokio", "futures_util"]));
        from.first().is_some_and(|layer| layer == "domain") && is_tokio
    })
}

/// Lines of a file that contain `unsafe` or an attribute `allow`, comments and texts aside.
pub(crate) fn unsafe_or_allow(text: &str) -> Vec<usize> {
    fn allows(attribute: TokenStream) -> bool {
        attribute.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "allow",
            TokenTree::Group(group) => allows(group.stream()),
            _ => false,
        })
    }
    lines(text, &|token, after| match token {
        TokenTree::Ident(ident) => ident == "unsafe",
        TokenTree::Punct(sign) if sign.as_char() == '#' => {
            let inner = usize::from(matches!(after.first(), Some(TokenTree::Punct(_))));
            matches!(after.get(inner), Some(TokenTree::Group(attribute)) if allows(attribute.stream()))
        }
        _ => false,
    })
}

/// Programs that a file calls by name, with the line.
pub(crate) fn programs(text: &str) -> Vec<(usize, String)> {
    let is_call = |token: &TokenTree, after: &[TokenTree]| {
        let [
            TokenTree::Punct(_),
            TokenTree::Punct(_),
            TokenTree::Ident(new),
            TokenTree::Group(arguments),
            ..,
        ] = after
        else {
            return None;
        };
        let is_command = matches!(token, TokenTree::Ident(ident) if ident == "Command") && new == "new";
        match arguments.stream().into_iter().next() {
            Some(TokenTree::Literal(name)) if is_command => {
                Some(name.to_string().trim_matches('"').to_owned())
            }
            _ => None,
        }
    };
    find(text, &is_call)
}

/// Lines of a file with `async` or `await`.
pub(crate) fn async_or_await(text: &str) -> Vec<usize> {
    lines(text, &|token, _| matches!(token, TokenTree::Ident(ident) if ident == "async" || ident == "await"))
}

/// What `matcher` makes of a token and those after it, at any depth, with the line.
fn find<T>(text: &str, matcher: &dyn Fn(&TokenTree, &[TokenTree]) -> Option<T>) -> Vec<(usize, T)> {
    fn walk<T>(
        tokens: TokenStream,
        matcher: &dyn Fn(&TokenTree, &[TokenTree]) -> Option<T>,
        found: &mut Vec<(usize, T)>,
    ) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            found.extend(matcher(token, &tokens[at + 1..]).map(|one| (token.span().start().line, one)));
            if let TokenTree::Group(group) = token {
                walk(group.stream(), matcher, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(text.parse().unwrap_or_default(), matcher, &mut found);
    found
}

fn lines(text: &str, is_wanted: &dyn Fn(&TokenTree, &[TokenTree]) -> bool) -> Vec<usize> {
    let found = find(text, &|token, after| is_wanted(token, after).then_some(()));
    found.into_iter().map(|(line, ())| line).collect()
}

fn broken(modules: &Modules, is_broken: impl Fn(&Reference<'_>) -> bool) -> Vec<String> {
    let mut found: Vec<String> = modules.references().filter(|r| is_broken(r)).map(|r| r.at()).collect();
    found.sort();
    found.dedup();
    found
}

fn begins_with(path: &[String], starts: &[&str]) -> bool {
    let path = path.join("::");
    starts
        .iter()
        .any(|start| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
}

/// The lines on which a log statement or a span prints a value by `Debug` (`?value`), which is for programmers. A
/// `Duration` may: it prints as `1.5s`.
#[expect(clippy::string_slice, reason = "each place is the end of an ASCII text that was found there")]
pub(crate) fn debug_in_logs(text: &str) -> Vec<usize> {
    const MACROS: [&str; 10] = [
        "trace!(",
        "debug!(",
        "info!(",
        "warn!(",
        "error!(",
        "trace_span!(",
        "debug_span!(",
        "info_span!(",
        "warn_span!(",
        "error_span!(",
    ];
    const DURATIONS: [&str; 4] = ["limit", "pause", "took", "wait"];
    let mut found = Vec::new();
    for (begin, _) in text.match_indices("tracing::") {
        let rest = &text[begin + "tracing::".len()..];
        let Some(name) = MACROS.iter().find(|name| rest.starts_with(**name)) else { continue };
        let (mut depth, mut is_text, mut before) = (1, false, ' ');
        let mut field = String::new();
        for (at, c) in rest[name.len()..].char_indices() {
            match c {
                '"' if before != '\\' => is_text = !is_text,
                _ if is_text => {}
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                ',' => field.clear(),
                '?' => {
                    let after = &rest[name.len() + at + 1..];
                    let value: String =
                        after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    // `?` behind an expression passes on an error.
                    let is_prefix = matches!(before, ' ' | '(' | ',' | '=' | '\n') && !value.is_empty();
                    let named = field.split('=').next().unwrap_or_default().trim();
                    let named = if named.is_empty() { value.as_str() } else { named };
                    if is_prefix && !DURATIONS.contains(&named) {
                        found.push(
                            text[..begin + "tracing::".len() + name.len() + at].matches('\n').count() + 1,
                        );
                    }
                }
                c => field.push(c),
            }
            if depth == 0 {
                break;
            }
            before = c;
        }
    }
    found
}

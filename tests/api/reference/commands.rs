//! Every command: from the same tree that the program parses its arguments with.

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use streamward::adapters::cli::Cli;
use streamward::runtime::slices::with_subcommands;

use super::{assert_page, code, table};

fn name_of(argument: &Arg) -> String {
    let values: Vec<String> = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values())
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    let Some(long) = argument.get_long() else { return code(&values.join(" ")) };
    let short = argument.get_short().map_or_else(String::new, |short| format!("-{short}, "));
    let is_list = matches!(argument.get_action(), ArgAction::Append);
    let again = if is_list { " …" } else { "" };
    let name = format!("{short}--{long} {}{again}", values.join(" ")).replace("  ", " ");
    code(name.trim())
}

fn meaning_of(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = help.trim_end_matches('.').to_owned() + ".";
    let words: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| argument.get_action().takes_values())
        .map(|word| code(word.get_name()))
        .collect();
    if !words.is_empty() {
        text += &format!(" One of {}.", words.join(", "));
    }
    let defaults = argument.get_default_values().iter().map(|value| code(&value.to_string_lossy()));
    let defaults: Vec<String> = defaults.filter(|_| argument.get_action().takes_values()).collect();
    if !defaults.is_empty() {
        text += &format!(" Default: {}.", defaults.join(", "));
    }
    if let Some(variable) = argument.get_env() {
        text += &format!(" Also {}.", code(&variable.to_string_lossy()));
    }
    text
}

fn arguments<'a>(all: impl Iterator<Item = &'a Arg>) -> String {
    let all = all.filter(|one| !one.is_hide_set() && !["help", "version"].contains(&one.get_id().as_str()));
    let rows: Vec<_> = all.map(|one| [name_of(one), meaning_of(one)]).collect();
    if rows.is_empty() { String::new() } else { format!("\n{}", table(["Argument", "Meaning"], rows)) }
}

/// A part for each command that does something, in the order of the help.
fn describe(command: &mut Command, path: &str, text: &mut String) {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    if command.has_subcommands() && !path.is_empty() {
        *text += &format!("\n## {path}\n\n{about}.\n");
    } else if !path.is_empty() {
        let usage = command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>().join(" ");
        let level = "#".repeat(path.split(' ').count() + 1);
        *text += &format!("\n{level} {path}\n\n{}.\n\n```text\n{usage}\n```\n", about.trim_end_matches('.'));
        *text += &arguments(command.get_arguments().filter(|one| !one.is_global_set()));
    }
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        let path = format!("{path} {}", inner.get_name());
        describe(inner, path.trim(), text);
    }
}

#[test]
fn commands() {
    let mut command = with_subcommands(Cli::command());
    command.build();
    let mut text = "`streamward --help`, `streamward key --help` and `streamward key create --help` print the same. How commands work on \
        another machine, and what JSON they print, is in [Commands](../commands.md).\n\n## Exit codes\n\n"
        .to_owned();
    text += &command.get_after_help().expect("exit codes").to_string();
    text += "\n\n## Options of every command\n";
    text += &arguments(command.get_arguments().filter(|one| one.is_global_set()));
    describe(&mut command, "", &mut text);
    assert!(text.matches("```text").count() > 60, "a part of the tree is missing");
    assert_page("commands.md", "Commands", &text);
}

//! The `console` blocks of a page.

/// Whether a block is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// If there is a media server.
    WithMediaServer,
    /// Never, for this reason.
    Never(String),
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The line of the page where it begins.
    pub(super) line: usize,
    pub(super) when: When,
    /// What is run before it, and is not shown.
    pub(super) before: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// A command, and what it prints; nothing is said about its output if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) command: String,
    pub(super) output: Vec<String>,
}

impl Step {
    /// Whether the output is that of a command that fails.
    pub(super) fn fails(&self) -> bool {
        self.output.iter().any(|line| line.starts_with("streamward: ") || line.starts_with("FAIL"))
    }
}

/// The blocks of a page.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut comments: Vec<&str> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let bare = line.trim_start();
        if let Some(comment) = bare.strip_prefix("<!--").and_then(|rest| rest.trim_end().strip_suffix("-->"))
        {
            comments.push(comment.trim());
        } else if let Some(language) = bare.strip_prefix("```") {
            let indent = line.len() - bare.len();
            let inside: Vec<(usize, &str)> = lines
                .by_ref()
                .take_while(|(_, line)| !line.trim_start().starts_with("```"))
                .map(|(number, line)| (number + 1, line.get(indent..).unwrap_or_default()))
                .collect();
            let is_shell = ["sh", "bash", "shell"].contains(&language);
            assert!(!is_shell, "line {}: commands stand in a block `console`, after `$ `", number + 1);
            if language == "console" {
                all.push(block(number + 1, &comments, &inside));
            }
            comments.clear();
        } else if !bare.is_empty() {
            comments.clear();
        }
    }
    all
}

fn block(line: usize, comments: &[&str], inside: &[(usize, &str)]) -> Block {
    let mut block = Block { line, when: When::Always, before: Vec::new(), steps: Vec::new() };
    for comment in comments {
        if let Some(reason) = comment.strip_prefix("not run:") {
            assert!(!reason.trim().is_empty(), "line {line}: why is it not run?");
            block.when = When::Never(reason.trim().to_owned());
        } else if *comment == "with MediaMTX" {
            block.when = When::WithMediaServer;
        } else if let Some(command) = comment.strip_prefix("before:") {
            block.before.push(command.trim().to_owned());
        }
    }
    if matches!(block.when, When::Never(_)) {
        return block;
    }
    for (number, line) in inside {
        if let Some(command) = line.strip_prefix("$ ") {
            block.steps.push(Step { line: *number, command: command.to_owned(), output: Vec::new() });
            continue;
        }
        let step = block.steps.last_mut();
        let step =
            step.unwrap_or_else(|| panic!("line {number}: {line:?} is neither a command nor an output"));
        if step.output.is_empty() && step.command.ends_with('\\') {
            step.command += "\n";
            step.command += line;
        } else {
            step.output.push((*line).to_owned());
        }
    }
    assert!(!block.steps.is_empty(), "line {line}: there is no command");
    block
}

#[test]
fn blocks_are_found_with_what_is_said_about_them() {
    let text = "text\n\n<!-- before: touch a -->\n```console\n$ one   # why\n$ two \\\n    three\nfour\n\n```\n\n1. x\n\n   \
                <!-- not run: needs root -->\n   ```console\n   # five\n   ```\n```text\n$ six\n```\n";
    let found = blocks(text);
    let step = |line, command: &str, output: &[&str]| {
        let output = output.iter().map(|line| (*line).to_owned()).collect();
        Step { line, command: command.to_owned(), output }
    };
    let steps = vec![step(5, "one   # why", &[]), step(6, "two \\\n    three", &["four", ""])];
    let first = Block { line: 4, when: When::Always, before: vec!["touch a".to_owned()], steps };
    let when = When::Never("needs root".to_owned());
    assert_eq!(found, [first, Block { line: 15, when, before: Vec::new(), steps: Vec::new() }]);
    assert!(step(1, "x", &["streamward: no"]).fails() && !step(1, "x", &["ok"]).fails());
}

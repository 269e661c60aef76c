//! The `streamward` program: a thin entry that hands over to the library.

use std::process::ExitCode;

use clap::Parser as _;
use streamward::adapters::cli::Cli;

fn main() -> ExitCode {
    streamward::runtime::main(Cli::parse())
}

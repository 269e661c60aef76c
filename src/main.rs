//! The `streamward` program: a thin entry that hands over to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    streamward::runtime::main()
}

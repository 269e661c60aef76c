//! The `streamward` program: a thin entry that hands over to the library.

fn main() {}

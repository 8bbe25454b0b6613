//! Placeholder until the nodes land.
fn main() {}

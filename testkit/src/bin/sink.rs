//! SMTP test server.
fn main() {}

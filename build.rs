//! Tells the linker how a Node.js addon is linked; nothing to do for the engine alone.

fn main() {
    if std::env::var_os("CARGO_FEATURE_NODE").is_some() {
        napi_build::setup();
    }
}

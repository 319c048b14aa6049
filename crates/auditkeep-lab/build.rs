//! Rebuilds the crate when a file is added to or removed from `recorded/`, which `include_dir!` cannot notice itself.

fn main() {
    println!("cargo::rerun-if-changed=recorded");
    println!("cargo::rerun-if-changed=build.rs");
}

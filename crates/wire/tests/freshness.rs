//! The committed Rust under `src/gen` is what the protobuf files say. An ordinary build never generates; this
//! test does, into a folder of its own, and compares. With UPDATE_PROTO set it rewrites what is stale.
//!
//! Change a protobuf file first, then run this, then carry the change over in `src/pairs`: the test is built with the
//! crate, so it cannot run while the crate does not compile.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use protox::prost::Message;

const COMMAND: &str = "UPDATE_PROTO=1 cargo test -p tributary-wire --test freshness";

#[test]
fn generated_code_is_fresh() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh = tempfile::tempdir().expect("a temporary folder");
    generate(&crate_dir.join("../../proto"), fresh.path());

    let kept = crate_dir.join("src/gen");
    let update = env::var_os("UPDATE_PROTO").is_some();
    for file in files(fresh.path()) {
        let new = fs::read(fresh.path().join(&file)).expect("a file just written");
        if update {
            fs::write(kept.join(&file), new).expect("src/gen can be written");
        } else {
            let old = fs::read(kept.join(&file)).unwrap_or_default();
            assert!(new == old, "src/gen/{} is stale; run: {COMMAND}", file.display());
        }
    }
    assert_eq!(files(&kept), files(fresh.path()), "src/gen holds other files than are generated");
}

/// Writes the messages of both packages, the services of the public one, and its descriptors for reflection.
fn generate(protos: &Path, out: &Path) {
    let sources = |folder: &str| -> Vec<PathBuf> {
        let found: Vec<_> =
            files(&protos.join(folder)).iter().map(|file| Path::new(folder).join(file)).collect();
        assert!(!found.is_empty(), "no protobuf file in {folder}");
        found
    };
    let (records, api) = (sources("tributary/log/v1"), sources("tributary/v1"));

    let compiled = protox::compile(records.iter().chain(&api), [protos]).expect("the protobuf files compile");
    let mut config = prost_build::Config::new();
    config.bytes(["."]).btree_map(["."]);
    tonic_prost_build::configure()
        .out_dir(out)
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(compiled, config)
        .expect("the generator writes");

    let mut descriptors = protox::compile(&api, [protos]).expect("the public files compile");
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    fs::write(out.join("tributary.v1.bin"), descriptors.encode_to_vec())
        .expect("the descriptors can be written");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder entry").file_name().into()).collect();
    names.sort();
    names
}

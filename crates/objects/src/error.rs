use std::path::PathBuf;

use crate::place::Cause;

/// A store that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store is out of reach or slow, refuses, or its disk is full. A later try may succeed.
    #[error("could not {operation} {name} in the store {store}")]
    Failed {
        operation: &'static str,
        /// Of the object, or of the folder that was to be listed.
        name: String,
        store: String,
        #[source]
        source: Cause,
    },
    #[error("{text:?} is no store: `s3://BUCKET`, `s3://BUCKET/PREFIX` or `file:///FOLDER`")]
    NotAStore { text: String },
    /// It is not made here: where a mount is missing, nothing must be written into its place.
    #[error("the store {0} is not there: make the folder, or mount it")]
    NoFolder(PathBuf),
    #[error(
        "the store {store}: this build has no object stores; build one that has, with `cargo build --release \
         --features kafka`, or name a folder that all machines share: file:///FOLDER"
    )]
    NotBuilt { store: String },
    #[error("could not set up the store {store}")]
    SetUp {
        store: String,
        #[source]
        source: Cause,
    },
}

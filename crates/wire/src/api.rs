//! The public gRPC API: messages, clients and servers, generated from `proto/tributary/v1`.

pub mod v1 {
    #![allow(clippy::all, clippy::pedantic, missing_docs)]

    include!("gen/tributary.v1.rs");
}

/// The encoded `FileDescriptorSet` of [`v1`] and what it imports, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/tributary.v1.bin");

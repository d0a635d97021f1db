//! What a person writes down: how this process runs (`tributary.toml`) and what the business is
//! (`workspace.toml`). Both are read strictly: a key nobody knows is an error that names its line.

mod carrier;
mod keys;
mod objects;
mod process;
mod secret;
mod span;
mod strict;
mod workspace;

pub use carrier::Carrier;
pub use keys::{Keys, KeysAt};
#[cfg(test)]
pub use objects::StoreAt;
pub use objects::{Objects, S3};
pub use process::{Config, Listen, LogAt, Mail, Partitions, Role, Tls, TokenConfig};
pub use secret::{Secret, Secrets, secret, setting};
pub use span::Span;
pub use strict::{Error, Layer, read};
pub use workspace::read_workspace;

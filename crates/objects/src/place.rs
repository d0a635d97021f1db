//! What a folder and a bucket have in common, and how long each call may take.

use std::{fmt, future::Future, path::Path, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::Object;

pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// For a call that moves next to nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that move in a second at least, where all is well.
const PACE: u64 = 1 << 20;

/// Names are relative, with `/` between folders. Every call ends within its time, with [`TooLate`] if need be.
#[async_trait]
pub(crate) trait Place: fmt::Debug + Send + Sync {
    async fn put(&self, name: &str, content: Bytes) -> Result<(), Cause>;
    async fn put_file(&self, name: &str, from: &Path) -> Result<(), Cause>;
    async fn get(&self, name: &str) -> Result<Option<Bytes>, Cause>;
    async fn get_start(&self, name: &str, most: usize) -> Result<Option<Bytes>, Cause>;
    async fn get_file(&self, name: &str, to: &Path) -> Result<bool, Cause>;
    async fn list(&self, folder: &str) -> Result<Vec<Object>, Cause>;
    async fn remove(&self, name: &str) -> Result<(), Cause>;
    async fn tidy(&self, before: i64) -> Result<u64, Cause>;
}

#[derive(Debug, thiserror::Error)]
#[error("there was no answer within {} s", .0.as_secs())]
pub(crate) struct TooLate(Duration);

/// How long moving so many bytes may take.
pub(crate) fn allowance(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / PACE)
}

pub(crate) async fn bounded<T>(
    allowed: Duration,
    call: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    tokio::time::timeout(allowed, call).await.unwrap_or_else(|_| Err(TooLate(allowed).into()))
}

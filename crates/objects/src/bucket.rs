//! A store that is a bucket of S3, or a part of one, reached by `object_store`.
//!
//! What is larger than a part is written in parts, and shows only once all of it is there. Parts of a writer that died
//! are removed by a rule of the bucket (`AbortIncompleteMultipartUpload`), which is the operator's.

use std::{io::SeekFrom, path::Path as FilePath, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use object_store::{
    BackoffConfig, ClientOptions, MultipartUpload, ObjectStore, ObjectStoreExt as _, RetryConfig,
    StaticCredentialProvider,
    aws::{AmazonS3Builder, AwsCredential},
    path::Path,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
};

use crate::{
    Object, S3,
    place::{Cause, Place, allowance, bounded},
};

/// Bytes written or read by one request at most. S3 wants five MiB at least of every part but the last, and takes ten
/// thousand parts.
const PART: usize = 16 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Bucket {
    pub(crate) fn open(bucket: &str, prefix: &str, s3: &S3) -> Result<Self, Cause> {
        let S3 { endpoint, region, credentials } = s3;
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries());
        let mut options = ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(5))
            .with_timeout(allowance(PART as u64));
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
            options = options.with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        if let Some(credentials) = credentials {
            // Without a session token that the environment may have for others.
            let (key_id, secret_key) = (credentials.key_id.clone(), credentials.secret.clone());
            let credential = AwsCredential { key_id, secret_key, token: None };
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
        }
        let store = builder.with_client_options(options).build()?;
        Ok(Bucket { store: Arc::new(store), prefix: Path::parse(prefix)? })
    }

    fn path(&self, name: &str) -> Path {
        let parts = name.split('/').filter(|part| !part.is_empty());
        self.prefix.parts().chain(parts.map(Into::into)).collect()
    }

    async fn put_parts(&self, name: &str, mut from: File) -> Result<(), Cause> {
        let path = self.path(name);
        let begun = bounded(allowance(0), async { Ok(self.store.put_multipart(&path).await?) });
        let mut upload = begun.await?;
        let done = write_parts(&mut *upload, &mut from).await;
        if done.is_err() {
            // What is left of it, the bucket's own rule removes.
            let _ = bounded(allowance(0), async { Ok(upload.abort().await?) }).await;
        }
        done
    }
}

async fn write_parts(upload: &mut dyn MultipartUpload, from: &mut File) -> Result<(), Cause> {
    loop {
        let part = read_part(from).await?;
        if part.is_empty() {
            break;
        }
        let allowed = allowance(part.len() as u64);
        let written = upload.put_part(part.into());
        bounded(allowed, async { Ok(written.await?) }).await?;
    }
    bounded(allowance(0), async { Ok(upload.complete().await.map(drop)?) }).await
}

/// The next part of a file, shorter at its end.
async fn read_part(from: &mut File) -> std::io::Result<Bytes> {
    let mut part = BytesMut::new();
    let mut rest = from.take(PART as u64);
    while rest.read_buf(&mut part).await? > 0 {}
    Ok(part.freeze())
}

/// Few and soon: every call has a bound of its own.
fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        ..BackoffConfig::default()
    };
    RetryConfig { backoff, max_retries: 3, retry_timeout: allowance(0) }
}

fn there<T>(found: object_store::Result<T>) -> Result<Option<T>, Cause> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl Place for Bucket {
    async fn put(&self, name: &str, content: Bytes) -> Result<(), Cause> {
        let path = self.path(name);
        let allowed = allowance(content.len() as u64);
        bounded(allowed, async { Ok(self.store.put(&path, content.into()).await.map(drop)?) }).await
    }

    async fn put_file(&self, name: &str, from: &FilePath) -> Result<(), Cause> {
        let mut file = File::open(from).await?;
        if file.metadata().await?.len() > PART as u64 {
            return self.put_parts(name, file).await;
        }
        file.seek(SeekFrom::Start(0)).await?;
        let content = read_part(&mut file).await?;
        self.put(name, content).await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Cause> {
        let path = self.path(name);
        let found = bounded(allowance(0), async { there(self.store.get(&path).await) }).await?;
        let Some(found) = found else { return Ok(None) };
        let allowed = allowance(found.meta.size);
        bounded(allowed, async { Ok(Some(found.bytes().await?)) }).await
    }

    async fn get_start(&self, name: &str, most: usize) -> Result<Option<Bytes>, Cause> {
        let path = self.path(name);
        let read = async { there(self.store.get_range(&path, 0..most as u64).await) };
        bounded(allowance(most as u64), read).await
    }

    async fn get_file(&self, name: &str, to: &FilePath) -> Result<bool, Cause> {
        let path = self.path(name);
        let found = bounded(allowance(0), async { there(self.store.head(&path).await) }).await?;
        let Some(found) = found else { return Ok(false) };
        let mut file = File::create(to).await?;
        let mut at = 0;
        while at < found.size {
            let end = found.size.min(at + PART as u64);
            let read = async { there(self.store.get_range(&path, at..end).await) };
            let Some(part) = bounded(allowance(end - at), read).await? else { return Ok(false) };
            file.write_all(&part).await?;
            at = end;
        }
        file.flush().await?;
        Ok(true)
    }

    async fn list(&self, folder: &str) -> Result<Vec<Object>, Cause> {
        let mut found = self.store.list(Some(&self.path(folder)));
        let mut objects = Vec::new();
        // Of a page of a thousand, all but the first are there at once.
        while let Some(meta) = bounded(allowance(0), async { Ok(found.try_next().await?) }).await? {
            let Some(parts) = meta.location.prefix_match(&self.prefix) else { continue };
            let name = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            let written_at = meta.last_modified.timestamp_millis();
            objects.push(Object { name, bytes: meta.size, written_at });
        }
        Ok(objects)
    }

    async fn remove(&self, name: &str) -> Result<(), Cause> {
        let path = self.path(name);
        bounded(allowance(0), async { there(self.store.delete(&path).await).map(drop) }).await
    }

    async fn tidy(&self, _: i64) -> Result<u64, Cause> {
        Ok(0)
    }
}

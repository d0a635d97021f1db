use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    Error,
    folder::Folder,
    place::{Cause, Place},
};

/// Where a store is: `s3://BUCKET/PREFIX` or `file:///FOLDER`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum At {
    Folder(PathBuf),
    /// The prefix is empty, or a path without a slash at its ends.
    Bucket {
        bucket: String,
        prefix: String,
    },
}

/// How buckets are reached. What is left out is looked for in the environment, as by other clients of S3
/// (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, a role of the machine or the container, …).
#[derive(Clone, Default, Debug)]
pub struct S3 {
    /// Of what is not Amazon's: `https://minio.example.com:9000`. With `http://` nothing is encrypted on the way.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub credentials: Option<Credentials>,
}

#[derive(Clone)]
pub struct Credentials {
    pub key_id: String,
    pub secret: String,
}

/// What a listing tells of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// With the folders before it, as it was given when it was written.
    pub name: String,
    pub bytes: u64,
    /// Milliseconds since the Unix epoch, by the store's own clock.
    pub written_at: i64,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    shown: Arc<str>,
    place: Arc<dyn Place>,
}

impl Store {
    /// A store in a folder that exists.
    pub fn folder(root: impl Into<PathBuf>) -> Store {
        let root = root.into();
        Store { shown: root.display().to_string().into(), place: Arc::new(Folder::new(root)) }
    }

    /// Sets up the way to a store. Of a bucket nothing is asked yet: see [`Store::probe`].
    pub fn open(at: &At, s3: &S3) -> Result<Store, Error> {
        match at {
            At::Folder(root) if root.is_dir() => Ok(Store::folder(root)),
            At::Folder(root) => Err(Error::NoFolder(root.clone())),
            #[cfg(feature = "s3")]
            At::Bucket { bucket, prefix } => {
                let shown = at.to_string();
                let opened = crate::bucket::Bucket::open(bucket, prefix, s3);
                let opened = opened.map_err(|source| Error::SetUp { store: shown.clone(), source })?;
                Ok(Store { shown: shown.into(), place: Arc::new(opened) })
            }
            #[cfg(not(feature = "s3"))]
            At::Bucket { .. } => {
                let S3 { .. } = s3;
                Err(Error::NotBuilt { store: at.to_string() })
            }
        }
    }

    /// Writes an object, in place of one of that name. Durable once this returns; after an error it may be there or not.
    pub async fn put(&self, name: &str, content: Bytes) -> Result<(), Error> {
        self.place.put(name, content).await.map_err(self.failed("write", name))
    }

    /// The same with the content of a file, of which only a part is in memory at a time.
    pub async fn put_file(&self, name: &str, from: &Path) -> Result<(), Error> {
        self.place.put_file(name, from).await.map_err(self.failed("write", name))
    }

    /// None where there is no such object.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.place.get(name).await.map_err(self.failed("read", name))
    }

    /// Its first bytes, `most` at most.
    pub async fn get_start(&self, name: &str, most: usize) -> Result<Option<Bytes>, Error> {
        self.place.get_start(name, most).await.map_err(self.failed("read", name))
    }

    /// Writes the object's content to a file; false where there is no such object. The file is not synced, and is left
    /// incomplete after an error.
    pub async fn get_file(&self, name: &str, to: &Path) -> Result<bool, Error> {
        self.place.get_file(name, to).await.map_err(self.failed("read", name))
    }

    /// Every object in this folder and those below it, in no order; in the whole store if the name is empty.
    pub async fn list(&self, folder: &str) -> Result<Vec<Object>, Error> {
        self.place.list(folder).await.map_err(self.failed("list", folder))
    }

    /// That there is no such object is no failure.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        self.place.remove(name).await.map_err(self.failed("remove", name))
    }

    /// Removes what writers that died left unfinished, if it was last written before `before` (milliseconds since the
    /// Unix epoch). Yields how many files that were: none in a bucket, which shows nobody what is unfinished, and removes
    /// it by a rule of its own.
    pub async fn tidy(&self, before: i64) -> Result<u64, Error> {
        self.place.tidy(before).await.map_err(self.failed("tidy", "what is unfinished"))
    }

    /// Writes an object of this name, reads it, lists it and removes it again.
    pub async fn probe(&self, name: &str) -> Result<(), Error> {
        let content = Bytes::from_static(b"may I?");
        self.put(name, content.clone()).await?;
        let differs = |operation| {
            let source = Cause::from("it is not there as it was written");
            Err(self.failed(operation, name)(source))
        };
        if self.get(name).await? != Some(content) {
            return differs("read");
        }
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !self.list(folder).await?.iter().any(|object| object.name == name) {
            return differs("list");
        }
        self.remove(name).await
    }

    fn failed(&self, operation: &'static str, name: &str) -> impl FnOnce(Cause) -> Error {
        let (name, store) = (name.to_owned(), self.shown.to_string());
        move |source| Error::Failed { operation, name, store, source }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl FromStr for At {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::NotAStore { text: text.to_owned() };
        let of_bucket = |rest: &str| {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_end_matches('/');
            let is_path = prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | ".."));
            let is_right = !bucket.is_empty() && is_path && !text.contains(['?', '#', '@']);
            is_right.then(|| At::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };
        let found = match text.split_once("://") {
            Some(("s3", rest)) => of_bucket(rest),
            Some(("file", path)) if path.starts_with('/') => Some(At::Folder(path.into())),
            _ => None,
        };
        found.ok_or_else(wrong)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Folder(path) => write!(f, "file://{}", path.display()),
            At::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            At::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_a_url() {
        for text in ["s3://bucket", "s3://bucket/a/b", "file:///srv/shared"] {
            assert_eq!(text.parse::<At>().unwrap().to_string(), text);
        }
        assert_eq!("s3://bucket/a/".parse::<At>().unwrap().to_string(), "s3://bucket/a");
        let wrong =
            ["", "bucket", "s3://", "s3:///a", "s3://b/a//b", "s3://b/../c", "file://here/it/is", "/srv"];
        for text in wrong.into_iter().chain(["http://b/a", "s3://key:secret@b"]) {
            assert!(text.parse::<At>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let at = At::Folder(dir.path().join("mount"));
        let refused = Store::open(&at, &S3::default()).unwrap_err().to_string();
        assert!(refused.contains("mount it"), "{refused}");
        assert!(!dir.path().join("mount").exists());
    }
}

//! Where snapshots are mirrored and where blobs lie, and how buckets are reached.

use std::fmt;

use objects::At;
use serde::Deserialize;

use super::Secret;

/// A place for objects; left out, they are in the data directory alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objects {
    pub store: Option<StoreAt>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct StoreAt(pub At);

impl fmt::Display for StoreAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for StoreAt {
    type Error = objects::Error;

    fn try_from(text: String) -> Result<Self, objects::Error> {
        text.parse().map(StoreAt)
    }
}

/// What is left out is looked for in the environment, as by other clients of S3.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Of what is not Amazon's.
    pub endpoint: Option<Endpoint>,
    pub region: Option<String>,
    /// Both, or neither.
    pub access_key_id: Option<Secret>,
    pub secret_access_key: Option<Secret>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint(pub String);

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match host.is_some_and(|host| !host.is_empty() && !host.contains(['@', '?', '#'])) {
            true => Ok(Endpoint(text)),
            // It may hold a password.
            false => Err("that is not an endpoint: `https://HOST:PORT`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_and_endpoints_are_urls() {
        let read = |text: &str| toml::from_str::<Objects>(text).map(|objects| objects.store);
        assert_eq!(read("").unwrap(), None);
        let bucket = At::Bucket { bucket: "b".into(), prefix: "a/c".into() };
        assert_eq!(read("store = \"s3://b/a/c\"").unwrap(), Some(StoreAt(bucket)));
        let refused = read("store = \"b/a\"").unwrap_err().to_string();
        assert!(refused.contains("s3://BUCKET/PREFIX") && refused.contains("file:///FOLDER"), "{refused}");
        for right in ["https://minio.example:9000", "http://127.0.0.1:1"] {
            assert_eq!(Endpoint::try_from(right.to_owned()), Ok(Endpoint(right.into())));
        }
        for wrong in ["minio.example:9000", "https://", "https://key:hunter2@minio.example"] {
            let refused = Endpoint::try_from(wrong.to_owned()).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}

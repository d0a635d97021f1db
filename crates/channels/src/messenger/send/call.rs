//! Calls to Graph in one account's name, each with the proof that we are its app.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::Outcome;
use crate::outbound::{self, Outbound, Reply};

/// Parts of a form cannot contain this.
const BOUNDARY: &str = "tributary-1f0c9b8e7d6a5f4e3d2c1b0a";

pub(super) struct Graph {
    base: String,
    sender: String,
    token: String,
    /// `?appsecret_proof=…`, or nothing.
    proof: String,
    outbound: Outbound,
}

/// A file on its way up.
pub(super) struct File<'a> {
    pub(super) field: &'a str,
    pub(super) name: &'a str,
    pub(super) content_type: &'a str,
    pub(super) data: &'a Bytes,
}

impl Graph {
    pub(super) fn new(
        base_url: &str,
        version: &str,
        sender: String,
        token: String,
        app_secret: Option<&str>,
        outbound: Outbound,
    ) -> Self {
        let base = format!("{}/{version}", base_url.trim_end_matches('/'));
        let proof = app_secret
            .map(|secret| format!("?appsecret_proof={}", proof(secret, &token)))
            .unwrap_or_default();
        Graph { base, sender, token, proof, outbound }
    }

    fn url(&self, what: &str) -> String {
        format!("{}/{}/{what}{}", self.base, self.sender, self.proof)
    }

    pub(super) async fn post(&self, what: &str, body: &Value) -> Result<Reply, Outcome> {
        outbound::call(self.outbound.post(&self.url(what)).bearer_auth(&self.token).json(body)).await
    }

    pub(super) async fn get(&self, what: &str) -> Result<Reply, Outcome> {
        let request = self.outbound.request(http::Method::GET, &self.url(what));
        outbound::call(request.bearer_auth(&self.token)).await
    }

    /// Fields of text and one file (RFC 7578).
    pub(super) async fn upload(
        &self,
        what: &str,
        fields: &[(&str, &str)],
        file: File<'_>,
    ) -> Result<Reply, Outcome> {
        let mut body = Vec::with_capacity(file.data.len() + 1024);
        for (name, value) in fields {
            let part =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let plain = |text: &str| text.replace(['"', '\\', '\r', '\n'], "_");
        let (name, content_type) = (plain(file.name), plain(file.content_type));
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n",
            file.field
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(file.data);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let request = self.outbound.post(&self.url(what)).bearer_auth(&self.token);
        let form = format!("multipart/form-data; boundary={BOUNDARY}");
        outbound::call(request.header(http::header::CONTENT_TYPE, form).body(body)).await
    }
}

/// Source: *Securing Graph API calls*: the HMAC-SHA256 of the token under the app's secret.
fn proof(app_secret: &str, token: &str) -> String {
    // An HMAC takes a key of any length.
    match Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()) {
        Ok(mac) => HEXLOWER.encode(&mac.chain_update(token.as_bytes()).finalize().into_bytes()),
        Err(_) => String::new(),
    }
}

//! Where a mailbox is, as an inbox's settings say it. Secrets are resolved elsewhere.

use std::collections::BTreeMap;

use domain::Timestamp;

/// The part of an account that is no secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub user: String,
    pub folder: String,
    pub start: Start,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tls {
    /// From the first byte (port 993).
    Implicit,
    /// By STARTTLS, or nothing is read (port 143).
    StartTls,
    /// Not at all; for a server on the same machine.
    None,
}

/// Which of the messages that are there when the inbox is set up are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// None: what comes from now on.
    New,
    All,
    /// Those that arrived from then on.
    From(Timestamp),
}

/// A setting that cannot be, by its key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the setting `{key}`: {what}")]
pub struct BadSetting {
    pub key: &'static str,
    pub what: String,
}

/// The settings of an inbox that say where its mailbox is, and how to get in.
pub const SETTINGS: [&str; 12] = [
    "imap",
    "imap_client_id",
    "imap_client_secret",
    "imap_folder",
    "imap_password",
    "imap_refresh_token",
    "imap_scope",
    "imap_start",
    "imap_tls",
    "imap_token",
    "imap_token_url",
    "imap_user",
];

impl Place {
    /// None where the inbox does not say `imap`: its mail is handed to us.
    ///
    /// # Errors
    /// For a setting that cannot be, or is missing beside `imap`.
    pub fn read(settings: &BTreeMap<String, String>) -> Result<Option<Place>, BadSetting> {
        let bad = |key, what: &str| BadSetting { key, what: what.to_owned() };
        let get = |key: &str| settings.get(key).map(String::as_str);
        let Some(server) = get("imap") else { return Ok(None) };
        let tls = match get("imap_tls") {
            None | Some("tls") => Tls::Implicit,
            Some("starttls") => Tls::StartTls,
            Some("none") => Tls::None,
            Some(_) => return Err(bad("imap_tls", "it is `tls`, `starttls` or `none`")),
        };
        let default = if tls == Tls::Implicit { 993 } else { 143 };
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad("imap", "it is HOST:PORT"))?),
            None => (server, default),
        };
        if host.is_empty() {
            return Err(bad("imap", "it is HOST:PORT"));
        }
        let user = get("imap_user").ok_or_else(|| bad("imap_user", "it is missing"))?;
        let folder = get("imap_folder").unwrap_or("INBOX");
        if [("imap_user", user), ("imap_folder", folder)]
            .iter()
            .any(|(_, text)| text.contains(char::is_control))
        {
            return Err(bad("imap_folder", "user and folder hold no control characters"));
        }
        let has = |key: &str| settings.contains_key(key);
        if !has("imap_password") && !has("imap_token") && !has("imap_token_url") {
            let what =
                "beside `imap` there must be `imap_password`, `imap_token`, or `imap_token_url` for OAuth2";
            return Err(bad("imap_password", what));
        }
        if has("imap_token_url") && !has("imap_client_id") {
            return Err(bad("imap_client_id", "it is missing beside `imap_token_url`"));
        }
        let start = match get("imap_start") {
            None | Some("new") => Start::New,
            Some("all") => Start::All,
            Some(day) => {
                let day: Option<jiff::civil::Date> = day.parse().ok();
                let at = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
                let at =
                    at.ok_or_else(|| bad("imap_start", "it is `new`, `all` or a day such as 2026-11-22"))?;
                Start::From(Timestamp(at.timestamp().as_millisecond()))
            }
        };
        let (host, user, folder) = (host.to_owned(), user.to_owned(), folder.to_owned());
        Ok(Some(Place { host, port, tls, user, folder, start }))
    }

    /// What its UIDs belong to. The server is not part of it: one that moved tells so by another UIDVALIDITY.
    pub(super) fn mailbox(&self) -> String {
        format!("{}/{}", self.user, self.folder)
    }
}

/// A folder's name as the protocol has it: beyond ASCII in a variant of UTF-7 (RFC 3501 section 5.1.3).
pub(super) fn folder_on_the_wire(name: &str) -> String {
    let mut wire = String::new();
    let mut beyond: Vec<u16> = Vec::new();
    let close = |beyond: &mut Vec<u16>, wire: &mut String| {
        if !beyond.is_empty() {
            let bytes: Vec<u8> = beyond.drain(..).flat_map(u16::to_be_bytes).collect();
            let text = data_encoding::BASE64_NOPAD.encode(&bytes).replace('/', ",");
            wire.push('&');
            wire.push_str(&text);
            wire.push('-');
        }
    };
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            close(&mut beyond, &mut wire);
            wire.push(c);
            if c == '&' {
                wire.push('-');
            }
        } else {
            beyond.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    close(&mut beyond, &mut wire);
    wire
}

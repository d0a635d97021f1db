//! The master key: the one secret an operator keeps. It wraps what the key store holds and nothing else, so
//! a key service could take its place behind [`MasterKey::wrap`] and [`MasterKey::unwrap`].

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::{
    Error,
    cipher::{Cipher, Secret},
};

/// Wraps and unwraps the keys at rest. Wiped from memory on drop, never printed.
#[derive(Clone)]
pub struct MasterKey(Secret);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// Reads the key from a file, which must exist: 64 hexadecimal digits or base64 of 32 bytes.
    pub fn read(path: &Path) -> Result<MasterKey, Error> {
        let failed = |source| file_error("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "others may read the master key");
        }
        let text = Zeroizing::new(io::read_to_string(file).map_err(failed)?);
        parse(&text).ok_or_else(|| Error::MasterKeyText { place: path.display().to_string() })
    }

    /// Reads the key from a file, or first creates it (mode 0600, random, durable) when there is none. Of two
    /// processes that create it at the same time one wins and both get its key.
    pub fn create_or_read(path: &Path) -> Result<MasterKey, Error> {
        if !path.try_exists().map_err(|source| file_error("look for", path, source))? {
            create(path).map_err(|source| file_error("create", path, source))?;
        }
        MasterKey::read(path)
    }

    /// Reads the key from an environment variable, written as in a file.
    pub fn from_env(name: &str) -> Result<MasterKey, Error> {
        let text = std::env::var(name).map_err(|_| Error::MasterKeyVariable { name: name.to_owned() })?;
        let text = Zeroizing::new(text);
        parse(&text).ok_or_else(|| Error::MasterKeyText { place: format!("the environment variable {name}") })
    }

    pub fn from_bytes(bytes: [u8; 32]) -> MasterKey {
        MasterKey(Zeroizing::new(bytes))
    }

    pub(crate) fn wrap(&self, context: &[u8], secret: &Secret) -> Result<Vec<u8>, Error> {
        let mut wrapped = Vec::new();
        self.cipher().seal(context, &secret[..], &mut wrapped)?;
        Ok(wrapped)
    }

    /// `None` when this key did not wrap these bytes in this context.
    pub(crate) fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Option<Secret> {
        let plain = Zeroizing::new(self.cipher().open(context, wrapped)?);
        Some(Zeroizing::new(plain.as_slice().try_into().ok()?))
    }

    fn cipher(&self) -> Cipher {
        Cipher::new(Zeroizing::new(blake3::derive_key("tributary vault v1: wrapping keys", &self.0[..])))
    }
}

fn parse(text: &str) -> Option<MasterKey> {
    let text = text.trim();
    let base64 = text.trim_end_matches('=').as_bytes();
    let bytes = HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .or_else(|_| BASE64_NOPAD.decode(base64))
        .or_else(|_| BASE64URL_NOPAD.decode(base64));
    let bytes = Zeroizing::new(bytes.ok()?);
    Some(MasterKey::from_bytes(bytes.as_slice().try_into().ok()?))
}

/// The key appears under its name whole or not at all, and never replaces another: it is written aside and
/// hard-linked into place.
fn create(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut secret = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut secret[..])?;
    let text = Zeroizing::new(HEXLOWER.encode(&secret[..]) + "\n");

    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    match linked {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
        Ok(()) => File::open(folder)?.sync_all(),
    }
}

fn file_error(operation: &'static str, path: &Path, source: io::Error) -> Error {
    Error::MasterKeyFile { operation, path: path.to_owned(), source: Arc::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_hex_or_base64_and_nothing_else() {
        let hex = "00".repeat(31) + "fF";
        let base64 = data_encoding::BASE64.encode(&HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap());
        let url = base64.trim_end_matches('=').replace('/', "_");
        for text in [hex.clone(), format!("  {hex}\n"), base64, url] {
            assert_eq!(parse(&text).unwrap().0[31], 0xff, "{text}");
        }
        for text in ["", "secret", &hex[2..], &(hex.clone() + "00")] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_created_key_is_private_and_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/master.key");
        let first = MasterKey::create_or_read(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
        assert_eq!(*first.0, *MasterKey::create_or_read(&path).unwrap().0);
        assert_eq!(*first.0, *MasterKey::read(&path).unwrap().0);
        assert_eq!(format!("{first:?}"), "MasterKey(…)");
    }

    #[test]
    fn of_rivals_creating_the_key_all_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        // Whoever creates after another has won must leave the winner's key in place.
        create(&path).unwrap();
        let winner = MasterKey::read(&path).unwrap();
        create(&path).unwrap();
        assert_eq!(*winner.0, *MasterKey::read(&path).unwrap().0);
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(matches!(MasterKey::read(&path), Err(Error::MasterKeyFile { operation: "read", .. })));
        fs::write(&path, "hunter2").unwrap();
        let message = MasterKey::create_or_read(&path).unwrap_err().to_string();
        assert!(message.contains("master.key") && !message.contains("hunter2"), "{message}");
        assert!(matches!(
            MasterKey::from_env("TRIBUTARY_NO_SUCH_VARIABLE"),
            Err(Error::MasterKeyVariable { .. })
        ));
    }

    #[test]
    fn unwrapping_needs_the_same_key_and_context() {
        let (master, secret) = (MasterKey::from_bytes([1; 32]), Zeroizing::new([7; 32]));
        let wrapped = master.wrap(b"here", &secret).unwrap();
        assert_eq!(master.unwrap(b"here", &wrapped), Some(secret));
        assert_eq!(master.unwrap(b"there", &wrapped), None);
        assert_eq!(MasterKey::from_bytes([2; 32]).unwrap(b"here", &wrapped), None);
        assert_eq!(master.unwrap(b"here", &wrapped[..10]), None);
    }
}

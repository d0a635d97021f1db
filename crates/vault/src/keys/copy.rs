//! Copying a key store into another database, so that a small installation can grow: all rows as they stand, in one
//! transaction on either side, and the result held against what was copied.

use crate::{Error, MasterKey};

use super::store::KeyStore;

/// Copies every row of `from` to `to`, which must hold no key store, or an empty one with the same root secret. Yields
/// how many there are. Nobody writes to `from` meanwhile: who tries is told to come back. After an error `to` is as it
/// was, unless it is [`Error::BadCopy`]. `progress` is told how many rows of how many are copied. Blocks.
pub fn copy_keys(
    from: &KeyStore,
    to: &KeyStore,
    master: &MasterKey,
    progress: &dyn Fn(u64, u64),
) -> Result<u64, Error> {
    let mut source = from.begin(false)?;
    let root = from.root(&mut *source, master)?;
    let root = root.ok_or_else(|| Error::NoStore { place: from.to_string() })?;
    source.hold_still()?;
    let total = source.count()?;

    let made = matches!(to, KeyStore::Sqlite(path) if !path.exists());
    let filled = (|| {
        let mut target = to.begin(true)?;
        match to.root(&mut *target, master)? {
            None => target.create(&root.wrapped)?,
            Some(other) if *other.secret != *root.secret => {
                return Err(Error::OtherRoot { place: to.to_string() });
            }
            Some(_) => {}
        }
        match target.count()? {
            0 => {}
            parties => return Err(Error::NotEmpty { place: to.to_string(), parties }),
        }
        target.hold_still()?;
        let (mut done, mut last) = (0, None);
        loop {
            let rows = source.page(last.as_ref())?;
            let Some((subject, _)) = rows.last() else { break };
            last = Some(subject.clone());
            target.put(&rows)?;
            done += rows.len() as u64;
            progress(done, total);
        }
        target.commit().map(drop)
    })();
    if let (Err(_), true, KeyStore::Sqlite(path)) = (&filled, made, to) {
        // Empty, and in the way of whoever looks whether there is a key store.
        _ = std::fs::remove_file(path);
    }
    filled?;

    let mut copy = to.begin(false)?;
    let copied = to.root(&mut *copy, master)?.is_some_and(|copied| *copied.secret == *root.secret);
    match copy.count()? {
        parties if copied && parties == total => Ok(total),
        found => Err(Error::BadCopy { place: to.to_string(), found, wanted: total }),
    }
}

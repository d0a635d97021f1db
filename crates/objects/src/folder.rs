//! A store that is a folder: on this machine, or on a file system that many machines share.
//!
//! A file has its name only once its content is on disk; while it is written it has a name of its own, which ends in
//! `.part`. The folder itself is never made here: where a mount is missing, nothing must be written into its place.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use data_encoding::HEXLOWER;

use crate::{
    Object,
    place::{Cause, Place, allowance, bounded},
};

const PART: &str = "part";

#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Folder { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// None where there is no such file. A missing root is a fault.
    fn open(&self, name: &str) -> io::Result<Option<File>> {
        let opened = there(File::open(self.path(name)))?;
        if opened.is_none() {
            fs::metadata(&self.root)?;
        }
        Ok(opened)
    }

    /// Durable once this returns.
    fn write(&self, name: &str, fill: impl Fn(&mut File) -> io::Result<()>) -> io::Result<()> {
        let path = self.path(name);
        let part = PathBuf::from(format!("{}.{}.{PART}", path.display(), random()?));
        let mut file = match File::create_new(&part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folders(name)?;
                File::create_new(&part)?
            }
            created => created?,
        };
        let written = fill(&mut file)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&part, &path))
            .and_then(|()| path.parent().map_or(Ok(()), sync));
        if written.is_err() {
            // On a full disk the space is wanted back; what cannot be removed now is swept later.
            _ = fs::remove_file(&part);
        }
        written
    }

    /// Those between the root and a file.
    fn create_folders(&self, name: &str) -> io::Result<()> {
        let mut folder = self.root.clone();
        for part in Path::new(name).parent().into_iter().flatten() {
            let above = folder.clone();
            folder.push(part);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => sync(&above)?,
            }
        }
        Ok(())
    }

    fn visit(
        &self,
        folder: &str,
        seen: &mut dyn FnMut(&Path, &fs::Metadata) -> io::Result<()>,
    ) -> io::Result<()> {
        // A missing root is a fault; a folder that nobody wrote into yet is not.
        fs::metadata(&self.root)?;
        let mut folders = vec![self.path(folder)];
        while let Some(folder) = folders.pop() {
            let Some(entries) = there(fs::read_dir(folder))? else { continue };
            for entry in entries {
                let path = entry?.path();
                match there(fs::metadata(&path))? {
                    Some(found) if found.is_dir() => folders.push(path),
                    Some(found) => seen(&path, &found)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Object>> {
        let mut objects = Vec::new();
        self.visit(folder, &mut |path, found| {
            let name = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
            if let (Some(name), false) = (name, is_part(path)) {
                let written_at = in_millis(found.modified()?);
                objects.push(Object { name: name.to_owned(), bytes: found.len(), written_at });
            }
            Ok(())
        })?;
        Ok(objects)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        fs::metadata(&self.root)?;
        match there(fs::remove_file(&path))? {
            Some(()) => path.parent().map_or(Ok(()), sync),
            None => Ok(()),
        }
    }

    fn tidy(&self, before: i64) -> io::Result<u64> {
        let mut removed = 0;
        self.visit("", &mut |path, found| {
            if is_part(path) && in_millis(found.modified()?) < before {
                removed += u64::from(there(fs::remove_file(path))?.is_some());
            }
            Ok(())
        })?;
        Ok(removed)
    }

    async fn do_off_thread<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Cause> {
        let folder = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&folder));
        bounded(allowance(bytes), async { Ok(done.await??) }).await
    }
}

#[async_trait]
impl Place for Folder {
    async fn put(&self, name: &str, content: Bytes) -> Result<(), Cause> {
        let name = name.to_owned();
        self.do_off_thread(content.len() as u64, move |folder| {
            folder.write(&name, |file| file.write_all(&content))
        })
        .await
    }

    async fn put_file(&self, name: &str, from: &Path) -> Result<(), Cause> {
        let (name, from) = (name.to_owned(), from.to_owned());
        let bytes = tokio::fs::metadata(&from).await?.len();
        self.do_off_thread(bytes, move |folder| {
            folder.write(&name, |file| io::copy(&mut File::open(&from)?, file).map(drop))
        })
        .await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Cause> {
        let name = name.to_owned();
        self.do_off_thread(0, move |folder| {
            let Some(mut file) = folder.open(&name)? else { return Ok(None) };
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            Ok(Some(content.into()))
        })
        .await
    }

    async fn get_start(&self, name: &str, most: usize) -> Result<Option<Bytes>, Cause> {
        let name = name.to_owned();
        self.do_off_thread(most as u64, move |folder| {
            let Some(file) = folder.open(&name)? else { return Ok(None) };
            let mut start = Vec::new();
            file.take(most as u64).read_to_end(&mut start)?;
            Ok(Some(start.into()))
        })
        .await
    }

    async fn get_file(&self, name: &str, to: &Path) -> Result<bool, Cause> {
        let found = there(tokio::fs::metadata(self.path(name)).await)?;
        let (name, to) = (name.to_owned(), to.to_owned());
        self.do_off_thread(found.map_or(0, |found| found.len()), move |folder| {
            let Some(mut from) = folder.open(&name)? else { return Ok(false) };
            io::copy(&mut from, &mut File::create(to)?)?;
            Ok(true)
        })
        .await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Object>, Cause> {
        let folder = folder.to_owned();
        self.do_off_thread(LISTED, move |root| root.list(&folder)).await
    }

    async fn remove(&self, name: &str) -> Result<(), Cause> {
        let name = name.to_owned();
        self.do_off_thread(0, move |folder| folder.remove(&name)).await
    }

    async fn tidy(&self, before: i64) -> Result<u64, Cause> {
        self.do_off_thread(LISTED, move |folder| folder.tidy(before)).await
    }
}

/// Looking through a large folder may take as long as reading so many bytes: some minutes.
const LISTED: u64 = 200 << 20;

/// What is not there is no failure: another may have removed it.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == PART)
}

fn in_millis(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// So that nobody else, on whatever machine, writes under the same name.
fn random() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(HEXLOWER.encode(&bytes))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

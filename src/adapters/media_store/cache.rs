//! The files of a bucket that are on this machine. What is not used for longest makes room for others; what is in use stays.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};
use tokio::task::spawn_blocking;

use super::error::error;
use super::objects::Objects;
use crate::domain::clip::ClipId;
use crate::ports::{LocalFile, MediaError, MediaResult};

/// How much of the disk is left to everything else.
const RESERVE: u64 = 256 * 1024 * 1024;
/// How exactly it is known when a file was used last. That survives a restart.
const USED: Duration = Duration::from_secs(600);
/// What was being fetched for longer belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3_600);

/// The files below `clips` in the folder `root`.
#[derive(Debug)]
pub(super) struct Cache {
    root: PathBuf,
    max_bytes: u64,
    in_use: Mutex<HashMap<PathBuf, Weak<Path>>>,
    /// How many bytes are being fetched.
    coming: AtomicU64,
}

/// A file, and what was made of it: the files whose names differ in the ending only.
#[derive(Default)]
struct Cached {
    files: Vec<PathBuf>,
    /// The name of the file that is in the bucket too, and its size.
    original: Option<(String, u64)>,
    bytes: u64,
    used: Option<SystemTime>,
}

impl Cache {
    /// Keeps `max_bytes`, and more only if more are in use at once.
    pub(super) fn new(root: PathBuf, max_bytes: u64) -> Self {
        Self { root, max_bytes, in_use: Mutex::default(), coming: AtomicU64::new(0) }
    }

    fn in_use(&self) -> MutexGuard<'_, HashMap<PathBuf, Weak<Path>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file at `path`, if it is there and has this size. It is in use as long as what is returned.
    pub(super) fn hold(&self, path: &Path, size: Option<u64>) -> Option<LocalFile> {
        let mut in_use = self.in_use();
        let found = fs::metadata(path).ok()?;
        if size.is_some_and(|size| size != found.len()) {
            return None;
        }
        if found.modified().ok()?.elapsed().unwrap_or_default() > USED {
            touch(path);
        }
        if let Some(file) = in_use.get(path).and_then(Weak::upgrade) {
            return Some(file);
        }
        in_use.retain(|_, file| file.strong_count() > 0);
        let file = LocalFile::from(path);
        in_use.insert(path.to_owned(), LocalFile::downgrade(&file));
        Some(file)
    }

    /// Announces that so many bytes come.
    pub(super) fn expect(&self, bytes: u64) -> Coming<'_> {
        self.coming.fetch_add(bytes, Ordering::Relaxed);
        Coming { cache: self, bytes }
    }

    /// Makes room for what comes. Removes nothing that is in use, or that the bucket does not have.
    pub(super) async fn make_room(&self, objects: &Objects, free: u64) -> MediaResult<()> {
        let (root, coming) = (self.root.clone(), self.coming.load(Ordering::Relaxed));
        let listed = spawn_blocking(move || list(&root)).await;
        let mut all = listed.map_err(|failed| MediaError::Io(failed.to_string()))?.map_err(error)?;
        all.sort_by_key(|(_, one)| one.used);
        let taken: u64 = all.iter().map(|(_, one)| one.bytes).sum();
        let over = (taken + coming).saturating_sub(self.max_bytes);
        let lacking = coming.saturating_add(RESERVE).saturating_sub(free);
        let mut removed = 0;
        for (clip, one) in &all {
            if removed >= over.max(lacking) {
                break;
            }
            let Some((name, size)) = &one.original else { continue };
            if !self.is_in_use(one)
                && objects.size(*clip, name).await? == Some(*size)
                && self.remove(one).map_err(error)?
            {
                tracing::debug!(%clip, name, "a file that was not used for long is removed from this machine");
                removed += one.bytes;
            }
        }
        if removed < lacking {
            return Err(MediaError::Full(format!(
                "{} MiB more are needed on the disk of media.dir, beside what is in use",
                (lacking - removed).div_ceil(1024 * 1024)
            )));
        }
        if removed < over {
            let more = (over - removed).div_ceil(1024 * 1024);
            tracing::debug!("the files in use take {more} MiB more than media.cache_bytes");
        }
        Ok(())
    }

    fn is_in_use(&self, one: &Cached) -> bool {
        let in_use = self.in_use();
        one.files.iter().any(|file| in_use.get(file).is_some_and(|file| file.strong_count() > 0))
    }

    /// Removes it, unless it came into use. Returns whether it did.
    fn remove(&self, one: &Cached) -> io::Result<bool> {
        let in_use = self.in_use();
        if one.files.iter().any(|file| in_use.get(file).is_some_and(|file| file.strong_count() > 0)) {
            return Ok(false);
        }
        for file in &one.files {
            match fs::remove_file(file) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(true)
    }
}

/// Bytes that are being fetched, until it is dropped.
pub(super) struct Coming<'a> {
    cache: &'a Cache,
    bytes: u64,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.cache.coming.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Notes that a file is used now, in the time of its last change: its content does not change. If that fails, it only
/// seems older than it is.
fn touch(path: &Path) {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
    };
    if let Err(error) = utimensat(CWD, path, &times, AtFlags::empty()) {
        tracing::debug!(%error, "the use of a file is not noted");
    }
}

/// All files, each with what was made of it. Removes what a killed process fetched.
fn list(root: &Path) -> io::Result<Vec<(ClipId, Cached)>> {
    for part in entries(&root.join("fetching"))? {
        let age = part.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(part.path());
        }
    }
    let mut all = Vec::new();
    for folder in entries(&root.join("clips"))? {
        let Some(clip) = folder.file_name().to_str().and_then(|name| name.parse::<ClipId>().ok()) else {
            continue;
        };
        let mut by_content: BTreeMap<String, Cached> = BTreeMap::new();
        for file in entries(&folder.path())? {
            let (Ok(name), Ok(found)) = (file.file_name().into_string(), file.metadata()) else { continue };
            let (content, ending) = name.split_once('.').unwrap_or((&name, ""));
            let one = by_content.entry(content.to_owned()).or_default();
            one.files.push(file.path());
            one.bytes += found.len();
            one.used = one.used.max(found.modified().ok());
            if matches!(ending, "" | "flv") {
                one.original = Some((name, found.len()));
            }
        }
        all.extend(by_content.into_values().map(|one| (clip, one)));
    }
    Ok(all)
}

fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

//! The data directory: ordinary files, owner-only modes, and locks that keep a second process out.
use bytes::Bytes;
use detcd_driver::{Disk, File};
use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

pub struct DataDir {
    root: PathBuf,
    /// Holds the lock of the directory itself.
    _lock: fs::File,
    /// Locks of log segments by name: etcd takes the same ones, so neither opens what the other has open.
    segments: Mutex<BTreeMap<String, fs::File>>,
}

impl DataDir {
    /// Makes the directory if it is not there and locks it for this process.
    ///
    /// Errors: `WouldBlock` if another process has it; whatever the file system says.
    pub fn open(root: &Path) -> io::Result<DataDir> {
        make_folder(root)?;
        // A directory that others may read is closed to them, as etcd does.
        fs::set_permissions(root, fs::Permissions::from_mode(0o700))?;
        let lock = fs::File::open(root)?;
        take(&lock, root)?;
        Ok(DataDir { root: root.to_path_buf(), _lock: lock, segments: Mutex::default() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn lock_segment(&self, name: &str, path: &Path) -> io::Result<()> {
        let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        if !segments.contains_key(name) {
            let file = fs::File::open(path)?;
            take(&file, path)?;
            segments.insert(name.to_string(), file);
        }
        Ok(())
    }
}

fn take(file: &fs::File, path: &Path) -> io::Result<()> {
    file.try_lock().map_err(|trouble| match trouble {
        fs::TryLockError::WouldBlock => io::Error::new(
            io::ErrorKind::WouldBlock,
            format!("{}: file already locked; does another process use this data directory?", path.display()),
        ),
        fs::TryLockError::Error(error) => about(path)(error),
    })
}

/// A system's error names no file.
fn about(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Makes a folder and those above it, each of them durable in its parent.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(parent)?;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(about(folder)(error)),
        _ => {}
    }
    fs::File::open(parent)?.sync_all()
}

impl Disk for DataDir {
    type File = DataFile;

    async fn open(&self, name: &str) -> io::Result<DataFile> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        let file =
            options.create(true).read(true).append(true).mode(0o600).open(&path).map_err(about(&path))?;
        if name.ends_with(".wal") {
            self.lock_segment(name, &path)?;
        }
        Ok(DataFile { file, path })
    }

    async fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let path = self.path(folder);
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(about(&path))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(about(&path))?;
            // A name that is no text is nobody's of ours.
            if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to)).map_err(about(&self.path(from)))?;
        let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = segments.remove(from) {
            segments.insert(to.to_string(), lock);
        }
        Ok(())
    }

    async fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name)).map_err(about(&self.path(name)))?;
        self.segments.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    async fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let path = self.path(folder);
        fs::File::open(&path).and_then(|dir| dir.sync_all()).map_err(about(&path))
    }
}

pub struct DataFile {
    file: fs::File,
    path: PathBuf,
}

impl File for DataFile {
    async fn len(&mut self) -> io::Result<u64> {
        self.file.metadata().map(|facts| facts.len()).map_err(about(&self.path))
    }

    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        // What is asked for may be far more than what is there.
        let there = self.len().await?.saturating_sub(offset);
        let mut bytes = vec![0; len.min(usize::try_from(there).unwrap_or(usize::MAX))];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(about(&self.path)(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes.into())
    }

    async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        self.file.write_all(&bytes).map_err(about(&self.path))
    }

    async fn truncate(&mut self, len: u64) -> io::Result<()> {
        // The system would fill a longer file with zeros.
        if len >= self.len().await? {
            return Ok(());
        }
        self.file.set_len(len).map_err(about(&self.path))
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data().map_err(about(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn what_is_appended_is_read_and_truncation_cuts_the_end() {
        let folder = Folder::new("disk");
        let disk = DataDir::open(&folder.path().join("a/b")).unwrap();
        now(async {
            let mut file = disk.open("member/wal/0.wal").await.unwrap();
            file.append(Bytes::from_static(b"hello ")).await.unwrap();
            file.append(Bytes::from_static(b"world")).await.unwrap();
            file.sync().await.unwrap();
            disk.sync_dir("member/wal").await.unwrap();
            assert_eq!(file.len().await.unwrap(), 11);
            assert_eq!(&file.read_at(6, 1 << 40).await.unwrap()[..], b"world");
            assert_eq!(&file.read_at(11, 5).await.unwrap()[..], b"");
            assert_eq!(&file.read_at(99, 5).await.unwrap()[..], b"");
            file.truncate(7).await.unwrap();
            file.append(Bytes::from_static(b"!")).await.unwrap();
            drop(file);
            let mut again = disk.open("member/wal/0.wal").await.unwrap();
            assert_eq!(&again.read_at(0, 100).await.unwrap()[..], b"hello w!");
            let mode = fs::metadata(folder.path().join("a/b/member/wal/0.wal")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let mode = fs::metadata(folder.path().join("a/b/member/wal")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        });
    }

    #[test]
    fn folders_are_listed_in_order_and_names_move_and_go() {
        let folder = Folder::new("disk");
        let disk = DataDir::open(folder.path()).unwrap();
        now(async {
            assert!(disk.list("member/wal").await.unwrap().is_empty());
            for name in ["member/wal/b.wal", "member/wal/a.wal", "member/wal/c.tmp"] {
                disk.open(name).await.unwrap();
            }
            disk.open("member/wal/deeper/d").await.unwrap();
            assert_eq!(disk.list("member/wal").await.unwrap(), ["a.wal", "b.wal", "c.tmp"]);
            disk.rename("member/wal/a.wal", "member/wal/b.wal").await.unwrap();
            disk.remove("member/wal/c.tmp").await.unwrap();
            assert_eq!(disk.list("member/wal").await.unwrap(), ["b.wal"]);
            assert_eq!(disk.remove("nothing").await.unwrap_err().kind(), io::ErrorKind::NotFound);
        });
    }

    #[test]
    fn a_second_owner_is_kept_out_until_the_first_is_gone() {
        let folder = Folder::new("disk");
        let first = DataDir::open(folder.path()).unwrap();
        let refused = DataDir::open(folder.path()).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(refused.to_string().contains("another process"), "{refused}");
        drop(first);
        DataDir::open(folder.path()).unwrap();
    }

    /// etcd locks the segments and not the directory.
    #[test]
    fn a_segment_that_somebody_else_holds_is_not_opened() {
        let folder = Folder::new("disk");
        let disk = DataDir::open(folder.path()).unwrap();
        let theirs = fs::File::create(folder.path().join("0.wal")).unwrap();
        theirs.lock().unwrap();
        assert_eq!(now(disk.open("0.wal")).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(theirs);
        now(disk.open("0.wal")).unwrap();
        let theirs = fs::File::open(folder.path().join("0.wal")).unwrap();
        assert!(theirs.try_lock().is_err(), "we hold it now");
    }
}

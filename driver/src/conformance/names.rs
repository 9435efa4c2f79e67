//! Names: which files there are, and what they are called.
//!
//! - `list` gives the files that lie in a folder itself, ascending by bytes and without the folder's name. Folders are no
//!   files. A folder that is not there is empty.
//! - `rename` replaces its target, keeps the content, and needs the target's folder to be there.
//! - `rename` and `remove` of a name that is not there fail with `NotFound` and change nothing.
//! - `sync_dir` works for every folder in which a file was ever opened, for those above it and for the data directory
//!   itself (`""`), and fails with `NotFound` for any other: to have synced nothing must not pass for durability.
use crate::{Disk, File as _, Runtime};
use bytes::Bytes;
use std::io::{self, ErrorKind};

/// Leaves its files in the folder `conformance/names` and one beside it.
pub async fn names<R: Runtime>(rt: &R) {
    let disk = rt.disk();
    missing_folders(disk).await;
    lists(disk).await;
    renames(disk).await;
    removals(disk).await;
}

async fn make(disk: &impl Disk, name: &str, content: &'static [u8]) {
    let mut file = disk.open(name).await.expect("a file can be made");
    file.append(Bytes::from_static(content)).await.expect("a file can be appended to");
}

async fn content(disk: &impl Disk, name: &str) -> Bytes {
    let mut file = disk.open(name).await.expect("a file can be opened");
    file.read_at(0, usize::MAX).await.expect("a file can be read")
}

async fn list(disk: &impl Disk, folder: &str) -> Vec<String> {
    disk.list(folder).await.expect("a folder can be listed")
}

fn is_not_found<T>(what: &str, result: io::Result<T>) {
    match result {
        Ok(_) => panic!("{what} succeeds"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{what}: {error}"),
    }
}

async fn missing_folders(disk: &impl Disk) {
    for folder in ["conformance/names", "conformance/names/deeper", "no-such-folder"] {
        assert!(list(disk, folder).await.is_empty(), "a folder that is not there is empty");
        is_not_found("syncing a folder that is not there", disk.sync_dir(folder).await);
    }
    assert!(list(disk, "no-such-folder").await.is_empty(), "and neither listing nor syncing makes it");
    disk.sync_dir("").await.expect("the data directory itself is always there");
}

async fn lists(disk: &impl Disk) {
    for name in ["b", "a", "a-longer", "B", "0.tmp", "deeper/x", "deeper/still/y"] {
        make(disk, &format!("conformance/names/{name}"), b"").await;
    }
    make(disk, "conformance/names-beside", b"").await;
    let wanted = ["0.tmp", "B", "a", "a-longer", "b"];
    assert_eq!(
        list(disk, "conformance/names").await,
        wanted,
        "files of the folder itself, ascending by bytes"
    );
    assert_eq!(list(disk, "conformance/names/deeper").await, ["x"]);
    assert_eq!(list(disk, "conformance/names/deeper/still").await, ["y"]);
    let above = list(disk, "conformance").await;
    assert!(above.contains(&"names-beside".to_string()), "{above:?}");
    assert!(!above.contains(&"names".to_string()), "a folder is no file: {above:?}");
    for folder in
        ["conformance/names/deeper/still", "conformance/names/deeper", "conformance/names", "conformance", ""]
    {
        disk.sync_dir(folder).await.expect("every folder on the way can be synced");
    }
}

async fn renames(disk: &impl Disk) {
    let name = |name: &str| format!("conformance/names/move/{name}");
    make(disk, &name("from"), b"new").await;
    make(disk, &name("to"), b"old").await;
    disk.rename(&name("from"), &name("to")).await.expect("a rename replaces its target");
    assert_eq!(list(disk, "conformance/names/move").await, ["to"]);
    assert_eq!(&content(disk, &name("to")).await[..], b"new");

    disk.rename(&name("to"), &name("to")).await.expect("a rename to the same name");
    assert_eq!(&content(disk, &name("to")).await[..], b"new", "a rename to the same name changes nothing");

    is_not_found("renaming what is not there", disk.rename(&name("nothing"), &name("to")).await);
    assert_eq!(&content(disk, &name("to")).await[..], b"new", "and its target stays as it was");
    is_not_found(
        "renaming into a folder that is not there",
        disk.rename(&name("to"), &name("none/to")).await,
    );
    assert_eq!(list(disk, "conformance/names/move").await, ["to"]);

    disk.rename(&name("to"), "conformance/names/deeper/z").await.expect("a rename to another folder");
    assert!(list(disk, "conformance/names/move").await.is_empty());
    assert_eq!(list(disk, "conformance/names/deeper").await, ["x", "z"]);
    disk.sync_dir("conformance/names/move").await.expect("a folder that was emptied is still there");
}

async fn removals(disk: &impl Disk) {
    let name = "conformance/names/gone";
    is_not_found("removing what is not there", disk.remove(name).await);
    make(disk, name, b"x").await;
    disk.remove(name).await.expect("a removal");
    is_not_found("removing what was removed", disk.remove(name).await);
    assert!(!list(disk, "conformance/names").await.contains(&"gone".to_string()));
    assert!(content(disk, name).await.is_empty(), "a name that is used again is a new file");
}

//! Files: bytes that are appended, read anywhere, cut off at the end.
//!
//! - `open` makes an empty file and the folders above it, or opens what is there and changes nothing.
//! - `append` writes behind the last byte, wherever the file ends by then; what is appended can be read at once,
//!   through every handle.
//! - `read_at` gives up to `len` bytes, fewer only at the end of the file, none at the end and beyond it; to ask for far
//!   more than is there costs nothing.
//! - `truncate` makes a file shorter and never longer: a length at its end or beyond changes nothing.
//! - `sync` can be called at any time, also when there is nothing to be synced.
//! - A handle is a file and not a name: it goes on when the name is changed or removed.
use crate::{Disk as _, File, Runtime};
use bytes::Bytes;

/// Leaves its files in the folder `conformance/files`.
pub async fn files<R: Runtime>(rt: &R) {
    opening_creates(rt).await;
    reading_ends_at_the_end(rt).await;
    truncation_only_shortens(rt).await;
    handles_share_one_file(rt).await;
    handles_outlive_names(rt).await;
}

async fn open<R: Runtime>(rt: &R, name: &str) -> impl File {
    rt.disk().open(&format!("conformance/files/{name}")).await.expect("a file can be opened")
}

async fn whole(file: &mut impl File) -> Bytes {
    file.read_at(0, usize::MAX).await.expect("a file can be read")
}

async fn append(file: &mut impl File, bytes: &'static [u8]) {
    file.append(Bytes::from_static(bytes)).await.expect("a file can be appended to");
}

async fn opening_creates<R: Runtime>(rt: &R) {
    let mut file = open(rt, "a/b/c").await;
    assert_eq!(file.len().await.expect("a length"), 0, "a new file is empty");
    assert!(whole(&mut file).await.is_empty(), "a new file is empty");
    file.sync().await.expect("an empty file can be synced");
    append(&mut file, b"one").await;
    append(&mut file, b"").await;
    append(&mut file, b" two").await;
    assert_eq!(file.len().await.expect("a length"), 7);
    file.sync().await.expect("a file can be synced");
    file.sync().await.expect("and again");
    drop(file);
    let mut again = open(rt, "a/b/c").await;
    assert_eq!(&whole(&mut again).await[..], b"one two", "opening changes nothing");
    append(&mut again, b"!").await;
    assert_eq!(&whole(&mut again).await[..], b"one two!", "a file opened again is appended to at its end");
}

async fn reading_ends_at_the_end<R: Runtime>(rt: &R) {
    let mut file = open(rt, "read").await;
    // More than one page, sector and buffer, and a size that divides by none of them.
    let pattern: Vec<u8> = (0..300_007_u32).map(|i| (i % 251) as u8).collect();
    for part in pattern.chunks(77_777) {
        file.append(Bytes::copy_from_slice(part)).await.expect("an append");
    }
    let end = pattern.len();
    assert_eq!(file.len().await.expect("a length"), end as u64);
    for (offset, len) in [
        (0, 0),
        (0, 1),
        (0, end),
        (0, end + 1),
        (1, 65_536),
        (77_776, 2),
        (end - 1, 1),
        (end - 1, 2),
        (end - 3, usize::MAX),
        (end, 0),
        (end, 5),
        (end + 1, 5),
        (usize::MAX / 2, 5),
    ] {
        let read = file.read_at(offset as u64, len).await.expect("a read");
        let wanted = &pattern[offset.min(end)..offset.saturating_add(len).min(end)];
        assert!(read == wanted, "read_at({offset}, {len}) of {end} bytes gives {} bytes", read.len());
    }
    let beyond = file.read_at(u64::MAX, usize::MAX).await.expect("a read");
    assert!(beyond.is_empty(), "nothing is beyond the end");
}

async fn truncation_only_shortens<R: Runtime>(rt: &R) {
    let mut file = open(rt, "truncate").await;
    append(&mut file, b"0123456789").await;
    file.sync().await.expect("a sync");
    for (len, left) in [(10, 10), (11, 10), (1 << 40, 10), (7, 7), (7, 7), (9, 7)] {
        file.truncate(len).await.expect("a truncation");
        assert_eq!(file.len().await.expect("a length"), left, "truncate({len}) never makes a file longer");
        let wanted = b"0123456789".get(..left as usize);
        assert_eq!(Some(&whole(&mut file).await[..]), wanted);
    }
    append(&mut file, b"abc").await;
    assert_eq!(&whole(&mut file).await[..], b"0123456abc", "an append goes where the file ends now");
    file.truncate(0).await.expect("a truncation to nothing");
    assert!(whole(&mut file).await.is_empty());
    append(&mut file, b"x").await;
    file.sync().await.expect("a sync");
    assert_eq!(&whole(&mut file).await[..], b"x");
}

async fn handles_share_one_file<R: Runtime>(rt: &R) {
    let (mut one, mut two) = (open(rt, "shared").await, open(rt, "shared").await);
    append(&mut one, b"one ").await;
    append(&mut two, b"two ").await;
    append(&mut one, b"three").await;
    assert_eq!(&whole(&mut two).await[..], b"one two three", "appends of two handles follow each other");
    two.truncate(4).await.expect("a truncation");
    append(&mut one, b"four").await;
    assert_eq!(&whole(&mut one).await[..], b"one four", "what one handle cuts off is gone for the other");
}

async fn handles_outlive_names<R: Runtime>(rt: &R) {
    let mut file = open(rt, "before").await;
    append(&mut file, b"still ").await;
    let (before, after) = ("conformance/files/before", "conformance/files/after");
    rt.disk().rename(before, after).await.expect("a rename");
    append(&mut file, b"here").await;
    assert_eq!(
        &whole(&mut open(rt, "after").await).await[..],
        b"still here",
        "the handle went with its file"
    );
    rt.disk().remove(after).await.expect("a removal");
    append(&mut file, b" and there").await;
    file.sync().await.expect("a file without a name can be synced");
    assert_eq!(&whole(&mut file).await[..], b"still here and there", "a handle outlives the name");
    assert!(whole(&mut open(rt, "after").await).await.is_empty(), "whoever opens the name gets a new file");
}

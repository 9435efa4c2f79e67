//! Takes ready-made records to the disk and says when they are safe.
use crate::{Disk, Fault, File, Runtime, mailbox::Mailbox, meters::Meters, shutdown::Latch};
use bytes::Bytes;
use detcd_core::{Input, Plant, Plants, wal::SegmentName};
use std::sync::Arc;

/// Where the log lies, relative to the data directory. Source: contract-semantics 17.1.
pub const FOLDER: &str = "member/wal";

pub struct Write {
    pub segment: SegmentName,
    pub upto: u64,
    pub bytes: Bytes,
}

/// The segment that is appended to.
pub struct Open<F> {
    pub segment: SegmentName,
    pub file: F,
}

pub fn path(segment: SegmentName) -> String {
    format!("{FOLDER}/{segment}")
}

pub async fn run<R: Runtime>(
    rt: R,
    mut open: Option<Open<<R::Disk as Disk>::File>>,
    work: Mailbox<Write>,
    inbox: Mailbox<Input>,
    ended: Latch,
    meters: Arc<Meters>,
    plants: Plants,
) {
    let mut batch = Vec::new();
    while work.recv_batch(&mut batch, 1).await {
        for write in batch.drain(..) {
            let upto = write.upto;
            match carry_out(&rt, &mut open, write, &meters, plants).await {
                Ok(()) => inbox.push_completion(Input::Persisted { upto }),
                // A failed write or sync says nothing about what is on the disk: stop, and recover by reading.
                Err(error) => return rt.halt(Fault(format!("writing the log up to {upto}: {error}"))).await,
            }
        }
    }
    ended.open();
}

async fn carry_out<R: Runtime>(
    rt: &R,
    open: &mut Option<Open<<R::Disk as Disk>::File>>,
    write: Write,
    meters: &Meters,
    plants: Plants,
) -> std::io::Result<()> {
    meters.wal_bytes.add(write.bytes.len() as u64);
    match open {
        Some(current) if current.segment == write.segment => {
            let begun = rt.now();
            current.file.append(write.bytes).await?;
            let written = rt.now();
            meters.wal_write.observe(written - begun);
            match current.file.sync().await {
                Err(_) if plants.has(Plant::FsyncErrorRetry) => current.file.sync().await?,
                synced => synced?,
            }
            meters.wal_fsync.observe(rt.now() - written);
            Ok(())
        }
        _ => {
            *open = Some(begin(rt, write, plants).await?);
            Ok(())
        }
    }
}

/// A segment gets its name only when its first bytes are safe, so that a named segment always has a whole head.
async fn begin<R: Runtime>(
    rt: &R,
    write: Write,
    plants: Plants,
) -> std::io::Result<Open<<R::Disk as Disk>::File>> {
    let (name, draft) = (path(write.segment), format!("{FOLDER}/{}.tmp", write.segment));
    let disk = rt.disk();
    let mut file = disk.open(&draft).await?;
    file.truncate(0).await?;
    file.append(write.bytes).await?;
    file.sync().await?;
    drop(file);
    disk.rename(&draft, &name).await?;
    if write.segment.seq == 0 || !plants.has(Plant::RenameNoDirsync) {
        disk.sync_dir(FOLDER).await?;
    }
    if write.segment.seq == 0 {
        // The folders are as new as the log.
        disk.sync_dir("member").await?;
        disk.sync_dir("").await?;
    }
    Ok(Open { segment: write.segment, file: disk.open(&name).await? })
}

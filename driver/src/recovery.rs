//! Reads back what a member left on its disk, and makes the end of its log fit to be written on.
use crate::{
    Disk, Fault, File, Level, Runtime,
    log_writer::{FOLDER, Open, path},
};
use detcd_core::{
    ClusterId, MemberId, Plant, Plants,
    wal::{self, Reader, Replayed, SegmentName, Start},
};
use std::io;

/// What a log came to, and its last segment, open at its end.
pub type Found<F> = (Replayed, Open<F>);

/// Nothing if there is no log yet.
pub async fn recover<R: Runtime>(
    rt: &R,
    plants: Plants,
) -> Result<Option<Found<<R::Disk as Disk>::File>>, Fault> {
    let disk = rt.disk();
    let names = disk.list(FOLDER).await.map_err(trouble("listing", FOLDER))?;
    let mut segments = Vec::new();
    for name in names {
        if let Some(segment) = SegmentName::parse(&name) {
            segments.push(segment);
        } else if name.ends_with(".tmp") {
            // A segment that was being made and never became part of the log.
            let name = format!("{FOLDER}/{name}");
            disk.remove(&name).await.map_err(trouble("removing", &name))?;
        }
    }
    segments.sort();
    let Some(last) = segments.last().copied() else { return Ok(None) };

    let mut reader = Reader::new(plants);
    let mut open = None;
    for segment in segments {
        let name = path(segment);
        let mut file = disk.open(&name).await.map_err(trouble("opening", &name))?;
        let length = file.len().await.map_err(trouble("reading", &name))?;
        let length = usize::try_from(length).map_err(|_| Fault(format!("{name} is too long to be read")))?;
        let bytes = file.read_at(0, length).await.map_err(trouble("reading", &name))?;
        reader.segment(segment, &bytes, segment == last).map_err(|damage| Fault(damage.to_string()))?;
        open = Some(Open { segment, file });
    }
    let replayed = reader.finish().map_err(|damage| Fault(damage.to_string()))?;
    replayed.check(Start::default()).map_err(|damage| Fault(damage.to_string()))?;
    let mut open = open.expect("there is a last segment");

    let (tail, name) = (replayed.tail, path(last));
    if tail.extra_bytes > 0 && !plants.has(Plant::WalTailNotZeroed) {
        // Else the next record lands behind the torn one, out of sight.
        if tail.torn {
            rt.log(Level::Warn, format_args!("repairing path={name} good-bytes={}", tail.good_bytes));
        }
        open.file.truncate(tail.good_bytes).await.map_err(trouble("cutting", &name))?;
        if tail.torn {
            rt.log(Level::Info, format_args!("repaired path={name}"));
        }
    }
    // What was read may never have been synced: a process can die and leave the power on. It counts from now on, so
    // it must be safe before anybody hears of it.
    open.file.sync().await.map_err(trouble("syncing", &name))?;
    for folder in [FOLDER, "member", ""] {
        disk.sync_dir(folder).await.map_err(trouble("syncing", folder))?;
    }
    Ok(Some((replayed, open)))
}

/// How much of a segment is read to learn whose it is, in bytes; its head is far shorter.
const HEAD_BYTES: usize = 4096;

/// The member and cluster that the log on this disk belongs to, before anything else of it is read. Nothing if there
/// is no log yet.
pub async fn owner(disk: &impl Disk) -> Result<Option<(MemberId, ClusterId)>, Fault> {
    let names = disk.list(FOLDER).await.map_err(trouble("listing", FOLDER))?;
    let Some(first) = names.iter().filter_map(|name| SegmentName::parse(name)).min() else { return Ok(None) };
    let name = path(first);
    let mut file = disk.open(&name).await.map_err(trouble("opening", &name))?;
    let head = file.read_at(0, HEAD_BYTES).await.map_err(trouble("reading", &name))?;
    let owner = wal::owner(&head).ok_or_else(|| Fault(format!("{name} does not say whose log it is")))?;
    Ok(Some((MemberId(owner.node_id), ClusterId(owner.cluster_id))))
}

fn trouble<'a>(doing: &'a str, name: &'a str) -> impl Fn(io::Error) -> Fault + 'a {
    move |error| Fault(format!("{doing} {name}: {error}"))
}

//! Reads back what a member left on its disk, and makes the end of its log fit to be written on.
//!
//! The log says which checkpoints count. The newest that can be read is the start; if it is damaged, the one before; if
//! there is none, the beginning of the log, as long as that is there. What was wrong and what was used instead is told.
use crate::{
    Disk, Fault, File, Level, Runtime,
    checkpoint_files::{self as files, Named},
    log_writer::{FOLDER, Open, path},
};
use detcd_core::{
    ClusterId, MemberId, Plant, Plants,
    checkpoint::{Damage, Loaded, Loader, Sums, snap},
    replica::{Recovered, Restored},
    wal::{self, Reader, Replayed, SegmentName, Start, unbroken},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

/// What a disk came to, and the last segment of its log, open at its end.
pub type Found<F> = (Recovered, Open<F>);

/// Nothing if there is no log yet.
pub async fn recover<R: Runtime>(
    rt: &R,
    plants: Plants,
) -> Result<Option<Found<<R::Disk as Disk>::File>>, Fault> {
    let disk = rt.disk();
    let mut segments = Vec::new();
    for name in disk.list(FOLDER).await.map_err(trouble("listing", FOLDER))? {
        if let Some(segment) = SegmentName::parse(&name) {
            segments.push(segment);
        } else if name.ends_with(".tmp") {
            // A segment that was being made and never became part of the log.
            remove(rt, &format!("{FOLDER}/{name}")).await?;
        }
    }
    segments.sort();
    let kept = unbroken(&segments);
    let Some(last) = kept.last().copied() else { return Ok(None) };

    let mut reader = Reader::new(plants);
    let mut open = None;
    for segment in kept.iter().copied() {
        let name = path(segment);
        let mut file = disk.open(&name).await.map_err(trouble("opening", &name))?;
        let length = file.len().await.map_err(trouble("reading", &name))?;
        let length = usize::try_from(length).map_err(|_| Fault(format!("{name} is too long to be read")))?;
        let bytes = file.read_at(0, length).await.map_err(trouble("reading", &name))?;
        reader.segment(segment, &bytes, segment == last).map_err(|damage| Fault(damage.to_string()))?;
        open = Some(Open { segment, file });
    }
    let log = reader.finish().map_err(|damage| Fault(damage.to_string()))?;
    let mut open = open.expect("there is a last segment");
    let checkpoint = choose(rt, &log, plants).await?;

    let (tail, name) = (log.tail, path(last));
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
    // Only now is it known that nobody needs them.
    for segment in segments.iter().take(segments.len() - kept.len()) {
        remove(rt, &path(*segment)).await?;
    }
    Ok(Some((Recovered { checkpoint, log }, open)))
}

/// The checkpoint to start from: none if the log tells everything from its beginning on.
async fn choose<R: Runtime>(rt: &R, log: &Replayed, plants: Plants) -> Result<Option<Restored>, Fault> {
    let names = rt.disk().list(files::FOLDER).await.map_err(trouble("listing", files::FOLDER))?;
    let mut parts: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let has_backend = names.iter().any(|name| name == snap::BACKEND);
    for name in names {
        let path = format!("{}/{name}", files::FOLDER);
        match Named::parse(&name) {
            Some(Named::Part(index)) => parts.entry(index).or_default().push(path),
            Some(Named::Draft) => remove(rt, &path).await?,
            None => {}
        }
    }
    let starts: BTreeMap<u64, Start> =
        log.starts().filter(|start| start.index > 0).map(|start| (start.index, start)).collect();
    let mut reasons = Vec::new();
    let mut bad = BTreeSet::new();
    let mut chosen = None;
    for start in starts.values().rev().filter(|start| parts.contains_key(&start.index)) {
        let image = files::image(start.index);
        let has_image = parts.get(&start.index).is_some_and(|paths| paths.contains(&image));
        let is_foreign = has_backend && !has_image;
        let path = if is_foreign { files::backend() } else { image };
        let loaded = async {
            if is_foreign {
                load_backend(rt, log, *start, plants).await
            } else {
                load(rt, *start, &parts, plants).await
            }
        };
        let why = match log.check(*start) {
            Err(damage) => damage.to_string(),
            Ok(()) => match loaded.await {
                Ok(restored) => {
                    chosen = Some(restored);
                    break;
                }
                Err(Unusable::Unreadable(error)) => format!("{path}: {error}"),
                Err(Unusable::Damaged(why)) => {
                    // What is not ours stays as it is.
                    if !is_foreign {
                        bad.insert(start.index);
                    }
                    format!("{path}: {why}")
                }
            },
        };
        rt.log(Level::Warn, format_args!("failed to read a snap file path={path} error=\"{why}\""));
        reasons.push(why);
    }
    match &chosen {
        Some(Restored { stand, bytes, .. }) => {
            let instead = if reasons.is_empty() { "" } else { " instead" };
            rt.log(
                Level::Info,
                format_args!(
                    "recovered store from snapshot{instead} snapshot-index={} snapshot-size={bytes}",
                    stand.index
                ),
            );
        }
        None => {
            if let Err(damage) = log.check(Start::default()) {
                reasons.push(damage.to_string());
                return Err(Fault(format!("no snapshot to start from: {}", reasons.join("; "))));
            }
            if !reasons.is_empty() {
                rt.log(Level::Info, format_args!("reading the log from its beginning instead"));
            }
        }
    }
    // What is damaged is kept for whoever wants to look at it. What no mark speaks of was on its way to count, or to go.
    for (index, paths) in parts {
        for path in paths {
            if bad.contains(&index) {
                let aside = files::broken(&path);
                rt.disk().rename(&path, &aside).await.map_err(trouble("renaming", &path))?;
                rt.log(Level::Warn, format_args!("renamed corrupted snapshot file path={aside}"));
            } else if !starts.contains_key(&index) {
                remove(rt, &path).await?;
            }
        }
    }
    Ok(chosen)
}

/// Why a checkpoint cannot be used.
enum Unusable {
    /// This time.
    Unreadable(io::Error),
    /// Ever.
    Damaged(String),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Unusable {
        Unusable::Unreadable(error)
    }
}

async fn load<R: Runtime>(
    rt: &R,
    start: Start,
    parts: &BTreeMap<u64, Vec<String>>,
    plants: Plants,
) -> Result<Restored, Unusable> {
    let damaged = |why: &str| Unusable::Damaged(why.to_string());
    let open = async |path: String| {
        // What is not there would be made.
        let is_there = parts.get(&start.index).is_some_and(|paths| paths.contains(&path));
        if is_there { Ok(rt.disk().open(&path).await?) } else { Err(damaged(&format!("{path} is missing"))) }
    };
    let mut file = open(files::sums(start.index)).await?;
    let length = usize::try_from(file.len().await?).map_err(|_| damaged("its sums are too long"))?;
    let sums = Sums::decode(&file.read_at(0, length).await?);
    let sums = sums.ok_or_else(|| damaged("its sums are damaged"))?;
    let mut image = open(files::image(start.index)).await?;
    let bytes = image.len().await?;
    if bytes != sums.image_len() {
        return Err(damaged(&format!("it has {bytes} bytes of {}", sums.image_len())));
    }
    for block in 0..sums.blocks() {
        let (offset, length) = sums.place(block);
        let is_sound = sums.is_sound(block, &image.read_at(offset, length).await?);
        if !is_sound && !plants.has(Plant::ImageSumsIgnored) {
            return Err(damaged(&format!("wrong checksum of the block at byte {offset}")));
        }
    }
    restored(&mut image, bytes, start, plants).await
}

/// A file in the place of a real etcd's backend, as a restored snapshot has it: it has no sums, and is taken if it is of
/// just this index. A real etcd's own is ahead of it, and has to be imported.
async fn load_backend<R: Runtime>(
    rt: &R,
    log: &Replayed,
    start: Start,
    plants: Plants,
) -> Result<Restored, Unusable> {
    let mut image = rt.disk().open(&files::backend()).await?;
    let bytes = image.len().await?;
    let mut restored = restored(&mut image, bytes, start, plants).await?;
    // etcd's own restore leaves the voters of the old cluster in the file; the log's mark has the new ones.
    let mark = log.snapshots.iter().rev().find(|mark| (mark.index, mark.term) == (start.index, start.term));
    if let Some(conf_state) = mark.and_then(|mark| mark.conf_state.clone()) {
        restored.stand.conf_state = conf_state;
    }
    Ok(restored)
}

async fn restored(
    image: &mut impl File,
    bytes: u64,
    start: Start,
    plants: Plants,
) -> Result<Restored, Unusable> {
    let damaged = |damage: Damage| Unusable::Damaged(damage.to_string());
    let mut loader = Loader::new(bytes, plants);
    while let Some((offset, length)) = loader.wants() {
        let bytes = image.read_at(offset, length).await?;
        loader.give(&bytes).map_err(damaged)?;
    }
    let Loaded { view, stand, .. } = loader.finish().map_err(damaged)?;
    if (stand.index, stand.term) != (start.index, start.term) {
        let why = format!("it is of index {} and term {}", stand.index, stand.term);
        return Err(Unusable::Damaged(why));
    }
    Ok(Restored { view, stand, bytes })
}

async fn remove<R: Runtime>(rt: &R, name: &str) -> Result<(), Fault> {
    rt.disk().remove(name).await.map_err(trouble("removing", name))
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

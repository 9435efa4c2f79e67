//! Writes checkpoints beside the loop, from a frozen view, and removes what they make needless.
//!
//! No trouble here ends the member: its log is whole, and the core tries again later. What matters is that a name is given
//! only to what is safe, and that the core is told only when all names are.
use crate::{
    Disk, File, Level, Runtime,
    checkpoint_files::{self as files, Named},
    log_writer::{self, path},
    mailbox::Mailbox,
    meters::Meters,
    shutdown::Latch,
};
use bytes::Bytes;
use detcd_core::{
    Input, Plant, Plants, Span, View,
    checkpoint::{Image, Stand, Summing, snap},
    wal::{SegmentName, needless},
};
use std::{io, sync::Arc};

/// An image is laid out and written in pieces of about so many bytes.
const PIECE_BYTES: usize = 1 << 20;
/// After so many pieces what was written is synced: a sync of the log never waits for all of an image.
const PIECES_SYNCED: usize = 8;

pub enum Order {
    Write { view: Box<View>, stand: Box<Stand> },
    Forget { checkpoints_below: u64, log_upto: u64 },
}

pub struct CheckpointWriter<R: Runtime> {
    pub rt: R,
    pub work: Mailbox<Order>,
    pub inbox: Mailbox<Input>,
    pub stopping: Latch,
    pub meters: Arc<Meters>,
    pub plants: Plants,
}

pub async fn run<R: Runtime>(writer: CheckpointWriter<R>) {
    let mut batch = Vec::new();
    while writer.work.recv_batch(&mut batch, 1).await {
        for order in batch.drain(..) {
            match order {
                Order::Write { view, stand } => writer.take(*view, &stand).await,
                Order::Forget { checkpoints_below, log_upto } => {
                    writer.forget_checkpoints(checkpoints_below).await;
                    writer.forget_log(log_upto).await;
                }
            }
        }
    }
}

impl<R: Runtime> CheckpointWriter<R> {
    /// One that gets its orders elsewhere.
    pub fn with_work(&self, work: Mailbox<Order>) -> CheckpointWriter<R> {
        CheckpointWriter {
            rt: self.rt.clone(),
            work,
            inbox: self.inbox.clone(),
            stopping: self.stopping.clone(),
            meters: self.meters.clone(),
            plants: self.plants,
        }
    }

    async fn take(&self, view: View, stand: &Stand) {
        let index = stand.index;
        match self.write(view, stand).await {
            Ok(Some(_)) if self.plants.has(Plant::SnapWalOrder) => {}
            Ok(Some(bytes)) => self.inbox.push_completion(Input::CheckpointDone { index, bytes }),
            // The member ends; a draft that is left is removed by the next start.
            Ok(None) => {}
            Err(error) => {
                if self.plants.has(Plant::SnapWalOrder) {
                    return;
                }
                self.rt.log(
                    Level::Warn,
                    format_args!("failed to save snapshot snapshot-index={index} error=\"{error}\""),
                );
                for name in [files::snap(stand.term, index), files::sums(index), files::image(index)] {
                    self.remove(&files::draft(&name)).await;
                    self.remove(&name).await;
                }
                self.inbox.push_completion(Input::CheckpointFailed { index });
            }
        }
    }

    /// The size of the image; nothing if the member ended before it was written.
    pub async fn write(&self, view: View, stand: &Stand) -> io::Result<Option<u64>> {
        let begun = self.rt.now();
        // The small file says who the members are; the image is laid out from the rest of the view.
        let message = snap::message(&view, stand);
        let mut image = Image::new(view, stand);
        let name = files::image(stand.index);
        let mut file = self.draft(&name).await?;
        let (mut sums, mut bytes, mut pieces) = (Summing::default(), 0, 0);
        loop {
            let mut piece =
                Vec::with_capacity(PIECE_BYTES.min(usize::try_from(image.len()).unwrap_or(PIECE_BYTES)));
            if self.stopping.is_open() {
                return Ok(None);
            }
            if !image.next(PIECE_BYTES, &mut piece) {
                break;
            }
            sums.feed(&piece);
            bytes += piece.len() as u64;
            file.append(Bytes::from(piece)).await?;
            pieces += 1;
            if pieces % PIECES_SYNCED == 0 {
                file.sync().await?;
            }
        }
        if self.plants.has(Plant::SnapWalOrder) {
            self.inbox.push_completion(Input::CheckpointDone { index: stand.index, bytes });
        }
        let written = self.rt.now();
        file.sync().await?;
        self.meters.snap_db_fsync.observe(self.rt.now() - written);
        drop(file);
        let disk = self.rt.disk();
        disk.rename(&files::draft(&name), &name).await?;
        self.save(&files::sums(stand.index), Bytes::from(sums.finish().encode())).await?;
        self.meters.snap_db_save.observe(self.rt.now() - begun);

        let begun = self.rt.now();
        let snap = snap::encode(&message);
        self.meters.snap_marshalling.observe(self.rt.now() - begun);
        let synced = self.save(&files::snap(stand.term, stand.index), Bytes::from(snap)).await?;
        self.meters.snap_fsync.observe(synced);
        if !self.plants.has(Plant::SnapRenameNoDirsync) {
            disk.sync_dir(files::FOLDER).await?;
        }
        self.meters.snap_save.observe(self.rt.now() - begun);
        Ok(Some(bytes))
    }

    /// A new, empty draft.
    async fn draft(&self, name: &str) -> io::Result<<R::Disk as Disk>::File> {
        let mut file = self.rt.disk().open(&files::draft(name)).await?;
        if file.len().await? > 0 {
            file.truncate(0).await?;
        }
        Ok(file)
    }

    /// Gives a file its name once it is safe; how long that took.
    pub async fn save(&self, name: &str, bytes: Bytes) -> io::Result<Span> {
        let mut file = self.draft(name).await?;
        file.append(bytes).await?;
        let begun = self.rt.now();
        file.sync().await?;
        let took = self.rt.now() - begun;
        drop(file);
        self.rt.disk().rename(&files::draft(name), name).await?;
        Ok(took)
    }

    async fn forget_checkpoints(&self, below: u64) {
        for name in self.list(files::FOLDER).await {
            if let Some(Named::Part(index)) = Named::parse(&name)
                && index < below
            {
                self.remove(&format!("{}/{name}", files::FOLDER)).await;
            }
        }
    }

    /// The oldest first: if the power fails in between, what is left is the end of the log.
    async fn forget_log(&self, upto: u64) {
        let names = self.list(log_writer::FOLDER).await;
        let mut segments: Vec<SegmentName> =
            names.iter().filter_map(|name| SegmentName::parse(name)).collect();
        segments.sort();
        for segment in needless(&segments, upto) {
            let name = path(*segment);
            if self.remove(&name).await {
                self.rt.log(Level::Info, format_args!("purged path={name}"));
            }
        }
    }

    async fn list(&self, folder: &str) -> Vec<String> {
        self.rt.disk().list(folder).await.unwrap_or_else(|error| {
            self.rt.log(Level::Warn, format_args!("listing {folder}: {error}"));
            Vec::new()
        })
    }

    /// Whether it was there and is gone. What stays is tried again after the next checkpoint, or at the next start.
    async fn remove(&self, name: &str) -> bool {
        match self.rt.disk().remove(name).await {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                self.rt.log(Level::Warn, format_args!("removing {name}: {error}"));
                false
            }
        }
    }
}

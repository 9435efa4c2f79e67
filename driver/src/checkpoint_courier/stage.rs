//! Makes a draft that is wanted a checkpoint of this member's: read to its last page, under its names, and safe. Only then
//! is the core told, whose mark in the log makes it count.
use super::{Draft, Drafts, draft_path};
use crate::{
    Disk, File, Level, Runtime, checkpoint_files as files, checkpoint_writer::CheckpointWriter,
    mailbox::Mailbox,
};
use bytes::Bytes;
use detcd_core::{
    Input, Plants, View,
    checkpoint::{Loaded, Loader, Stand, snap},
    replica::Restored,
};
use detcd_proto::raftpb::SnapshotMetadata;
use std::io;

/// What the core says of a draft.
pub enum Call {
    Stage { draft: u64, snapshot: Box<SnapshotMetadata> },
    Drop { draft: u64 },
}

pub struct Stager<R: Runtime> {
    pub rt: R,
    pub work: Mailbox<Call>,
    pub inbox: Mailbox<Input>,
    pub drafts: Drafts,
    /// Gives files their names.
    pub writer: CheckpointWriter<R>,
    pub plants: Plants,
}

impl<R: Runtime> Stager<R> {
    pub async fn run(self) {
        let mut batch = Vec::new();
        while self.work.recv_batch(&mut batch, 1).await {
            for call in batch.drain(..) {
                match call {
                    Call::Stage { draft, snapshot } => self.stage(draft, *snapshot).await,
                    Call::Drop { draft } => self.drop(draft).await,
                }
            }
        }
    }

    async fn stage(&self, number: u64, snapshot: SnapshotMetadata) {
        let Some(draft) = self.drafts.take(number) else {
            return self.inbox.push_completion(Input::CheckpointStaged { draft: number, restored: None });
        };
        let index = snapshot.index;
        self.writer.meters.snapshots_applying.add(1);
        let staged = self.place(number, &draft, snapshot).await;
        self.writer.meters.snapshots_applying.sub(1);
        let word = match &staged {
            // The member ends: a start removes what does not count.
            Ok(None) => return,
            Ok(Some(_)) => Ok(()),
            Err(why) => {
                self.rt.log(
                    Level::Warn,
                    format_args!("failed to apply snapshot incoming-snapshot-index={index} error=\"{why}\""),
                );
                Err(format!("failed to process raft message ({why})"))
            }
        };
        self.remove(number).await;
        let restored = staged.ok().flatten().map(Box::new);
        // First this: what the peer sends when it hears of it finds the log behind the snapshot.
        self.inbox.push_completion(Input::CheckpointStaged { draft: number, restored });
        draft.verdict.tell(word).await;
    }

    /// What it holds; nothing if the member ended meanwhile.
    async fn place(
        &self,
        number: u64,
        draft: &Draft,
        snapshot: SnapshotMetadata,
    ) -> Result<Option<Restored>, String> {
        let (view, stand) = self.load(number, draft).await?;
        if (stand.index, stand.term) > (snapshot.index, snapshot.term) {
            return Err(format!("it holds what led to index {} and more", snapshot.index));
        }
        let SnapshotMetadata { conf_state, index, term } = snapshot;
        let wanted = Stand { index, term, conf_state };
        let said = |error: io::Error| error.to_string();
        if stand == wanted {
            self.adopt(number, draft, &view, &stand).await.map_err(said)?;
            return Ok(Some(Restored { view, stand, bytes: draft.bytes }));
        }
        // A real etcd's file may not say where it stands, or who was in the cluster then: laid out anew, it does.
        let bytes = self.writer.write(view.clone(), &wanted).await.map_err(said)?;
        Ok(bytes.map(|bytes| Restored { view, stand: wanted, bytes }))
    }

    async fn load(&self, number: u64, draft: &Draft) -> Result<(View, Stand), String> {
        let said = |error: io::Error| error.to_string();
        let mut image = self.rt.disk().open(&draft_path(number)).await.map_err(said)?;
        let mut loader = Loader::new(draft.bytes, self.plants);
        while let Some((offset, length)) = loader.wants() {
            let bytes = image.read_at(offset, length).await.map_err(said)?;
            loader.give(&bytes).map_err(|damage| damage.to_string())?;
        }
        let Loaded { view, stand, .. } = loader.finish().map_err(|damage| damage.to_string())?;
        Ok((view, stand))
    }

    /// The draft is synced; the small files beside it follow, and the names.
    async fn adopt(&self, number: u64, draft: &Draft, view: &View, stand: &Stand) -> io::Result<()> {
        let disk = self.rt.disk();
        disk.rename(&draft_path(number), &files::image(stand.index)).await?;
        self.writer.save(&files::sums(stand.index), Bytes::from(draft.sums.encode())).await?;
        let small = snap::encode(&snap::message(view, stand));
        self.writer.save(&files::snap(stand.term, stand.index), Bytes::from(small)).await?;
        disk.sync_dir(files::FOLDER).await
    }

    /// To the peer that is as good as if it had been needed.
    async fn drop(&self, number: u64) {
        if let Some(draft) = self.drafts.take(number) {
            self.remove(number).await;
            draft.verdict.tell(Ok(())).await;
        }
    }

    async fn remove(&self, number: u64) {
        // It has its name by now, or is removed by the next start.
        self.rt.disk().remove(&draft_path(number)).await.ok();
    }
}

//! Receives what peers send into drafts, one at a time: a later one takes the place of the one before, unless that comes
//! from a newer term.
use super::{Draft, Drafts, PIECE_PATIENCE, SYNC_BYTES, draft_path, within};
use crate::{
    Disk, File, Inbound, Level, Net, Runtime,
    mailbox::Mailbox,
    meters::{Direction, Meters},
    pipe::{Broken, PipeOut},
    shutdown::Latch,
};
use detcd_core::{
    Input, MemberId,
    checkpoint::{Summing, Sums},
};
use detcd_proto::raftpb::Message;
use std::{
    io,
    sync::{Arc, Mutex},
};

#[derive(Clone)]
pub struct Receiver<R: Runtime> {
    pub rt: R,
    pub inbox: Mailbox<Input>,
    pub stopping: Latch,
    pub meters: Arc<Meters>,
    pub drafts: Drafts,
    pub me: MemberId,
    /// No image is longer.
    pub bytes_max: u64,
    pub newest: Newest,
}

/// Number and term of the stream that began last.
#[derive(Clone, Default)]
pub struct Newest(Arc<Mutex<(u64, u64)>>);

impl Newest {
    /// The number of a stream of this term, if it may begin.
    fn begin(&self, term: u64) -> Option<u64> {
        let mut newest = self.0.lock().expect("nothing panics while it holds this lock");
        if term < newest.1 {
            return None;
        }
        *newest = (newest.0 + 1, term);
        Some(newest.0)
    }

    fn is(&self, number: u64) -> bool {
        self.0.lock().expect("nothing panics while it holds this lock").0 == number
    }
}

impl<R: Runtime> Receiver<R> {
    pub async fn run(self) {
        while let Some(inbound) = self.stopping.or_open(self.rt.net().next_stream()).await {
            let receiver = self.clone();
            self.rt.spawn_pinned("checkpoint-receiver", async move { receiver.receive(inbound).await });
        }
    }

    async fn receive(&self, inbound: Inbound) {
        let Inbound { message, mut body, verdict } = inbound;
        let Some(snapshot) = &message.snapshot else {
            return verdict.tell(Err("the message speaks of no snapshot".to_string())).await;
        };
        let (from, index, begun) = (MemberId(message.from), snapshot.metadata.index, self.rt.now());
        let Some(number) = self.newest.begin(message.term) else {
            return verdict.tell(Err("a snapshot of a newer term came before".to_string())).await;
        };
        self.log(Level::Info, "receiving database snapshot", &message, "");
        let meter = self.meters.snapshots(Direction::From, from);
        meter.inflight.add(1);
        let saved = self.stopping.or_open(self.save(number, &mut body)).await;
        meter.inflight.sub(1);
        match saved {
            // A start removes the draft.
            None => {}
            Some(Ok((bytes, sums))) => {
                meter.succeeded.add(1);
                meter.durations.observe(self.rt.now() - begun);
                let size = format!(" incoming-snapshot-size-bytes={bytes}");
                self.log(Level::Info, "received and saved database snapshot", &message, &size);
                self.drafts.put(number, Draft { bytes, sums, verdict });
                let message = Box::new(message);
                self.inbox.push_completion(Input::CheckpointArrived { from, message, draft: number });
            }
            Some(Err(why)) => {
                meter.failed.add(1);
                let error = format!(" incoming-snapshot-index={index} error=\"{why}\"");
                self.log(Level::Warn, "failed to save incoming database snapshot", &message, &error);
                self.remove(number).await;
                verdict.tell(Err(format!("failed to save KV snapshot ({why})"))).await;
            }
        }
    }

    /// Its size and its sums, once it is on the disk.
    async fn save(&self, number: u64, body: &mut PipeOut) -> Result<(u64, Sums), String> {
        let said = |error: io::Error| error.to_string();
        let mut file = self.rt.disk().open(&draft_path(number)).await.map_err(said)?;
        file.truncate(0).await.map_err(said)?;
        let (mut summing, mut bytes, mut synced) = (Summing::default(), 0, 0);
        loop {
            let piece = within(&self.rt, PIECE_PATIENCE, body.pull()).await.ok_or("i/o timeout")?;
            let Some(piece) = piece.map_err(|Broken| "unexpected EOF")? else { break };
            bytes += piece.len() as u64;
            if bytes > self.bytes_max {
                return Err(format!("it is longer than {} bytes", self.bytes_max));
            }
            if !self.newest.is(number) {
                return Err("another snapshot came after".to_string());
            }
            summing.feed(&piece);
            file.append(piece).await.map_err(said)?;
            if bytes - synced >= SYNC_BYTES {
                file.sync().await.map_err(said)?;
                synced = bytes;
            }
        }
        file.sync().await.map_err(said)?;
        Ok((bytes, summing.finish()))
    }

    async fn remove(&self, number: u64) {
        // It may never have been made; what stays is removed by the next start.
        self.rt.disk().remove(&draft_path(number)).await.ok();
    }

    fn log(&self, level: Level, what: &str, message: &Message, more: &str) {
        let index = message.snapshot.as_ref().map_or(0, |snapshot| snapshot.metadata.index);
        self.rt.log(
            level,
            format_args!(
                "{what} local-member-id={} remote-snapshot-sender-id={:x} incoming-snapshot-index={index}{more}",
                self.me, message.from
            ),
        );
    }
}

//! Sends a checkpoint from this member's disk to a peer.
use super::{PIECE_PATIENCE, within};
use crate::{
    Disk, File, Level, Net, Runtime, StreamFailed, checkpoint_files as files,
    mailbox::Mailbox,
    meters::{Direction, Meters},
    pipe::{PipeIn, pipe},
    shutdown::Latch,
};
use detcd_core::{
    Input, MemberId, Shipment, Span,
    checkpoint::{Sums, snap},
};
use detcd_proto::raftpb::{Message, Snapshot};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
};

/// So many go at once; who comes later waits.
const UNDER_WAY_MAX: usize = 2;
/// Pieces between the disk and the link.
const PIECES_MAX: usize = 2;
/// How long the peer may take to put it in its place once it has it all.
const VERDICT_PATIENCE: Span = Span::secs(300);
/// Longest pause between two pieces.
const PAUSE_MAX: Span = Span::millis(20);

pub enum Parcel {
    Send {
        to: MemberId,
        message: Box<Message>,
    },
    /// One is through.
    Done,
}

#[derive(Clone)]
pub struct Sender<R: Runtime> {
    pub rt: R,
    pub work: Mailbox<Parcel>,
    pub inbox: Mailbox<Input>,
    pub stopping: Latch,
    pub meters: Arc<Meters>,
}

/// Why a checkpoint did not get there.
enum Failed {
    /// The fault is with the file.
    Unreadable(String),
    Broken(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::Unreadable(error.to_string())
    }
}

impl<R: Runtime> Sender<R> {
    pub async fn run(self) {
        let (mut batch, mut waiting, mut under_way) = (Vec::new(), VecDeque::new(), 0);
        while self.work.recv_batch(&mut batch, 1).await {
            for parcel in batch.drain(..) {
                match parcel {
                    Parcel::Send { to, message } => waiting.push_back((to, message)),
                    Parcel::Done => under_way -= 1,
                }
            }
            while under_way < UNDER_WAY_MAX
                && let Some((to, message)) = waiting.pop_front()
            {
                under_way += 1;
                let sender = self.clone();
                self.rt.spawn_pinned("checkpoint-sender", async move {
                    sender.send(to, *message).await;
                    sender.work.push_completion(Parcel::Done);
                });
            }
        }
    }

    async fn send(&self, to: MemberId, message: Message) {
        let Some(Snapshot { metadata, .. }) = &message.snapshot else { return };
        let (index, begun) = (metadata.index, self.rt.now());
        let meter = self.meters.snapshots(Direction::To, to);
        meter.inflight.add(1);
        let sent = self.stopping.or_open(self.ship(to, message)).await;
        meter.inflight.sub(1);
        let shipment = match sent {
            // The member ends, and nobody waits.
            None => return,
            Some(Ok(bytes)) => {
                meter.succeeded.add(1);
                meter.durations.observe(self.rt.now() - begun);
                self.rt.log(
                    Level::Info,
                    format_args!(
                        "sent database snapshot snapshot-index={index} remote-peer-id={to} bytes={bytes}"
                    ),
                );
                Shipment::Complete
            }
            Some(Err(failed)) => {
                meter.failed.add(1);
                let (why, shipment) = match failed {
                    Failed::Unreadable(why) => (why, Shipment::Unreadable),
                    Failed::Broken(why) => (why, Shipment::Failed),
                };
                self.rt.log(
                    Level::Warn,
                    format_args!(
                        "failed to send database snapshot snapshot-index={index} remote-peer-id={to} error=\"{why}\""
                    ),
                );
                shipment
            }
        };
        self.inbox.push_completion(Input::CheckpointSent { to, index, shipment });
    }

    /// Its size.
    async fn ship(&self, to: MemberId, mut message: Message) -> Result<u64, Failed> {
        let asked = message.snapshot.take().map(|snapshot| snapshot.metadata).unwrap_or_default();
        let (index, term) = (asked.index, asked.term);
        let snapshot = snap::decode(&self.read(&files::snap(term, index)).await?)
            .map_err(|damage| Failed::Unreadable(damage.to_string()))?;
        if (snapshot.metadata.index, snapshot.metadata.term) != (index, term) {
            return Err(Failed::Unreadable("it stands at another place in the log".to_string()));
        }
        let sums = Sums::decode(&self.read(&files::sums(index)).await?)
            .ok_or_else(|| Failed::Unreadable("its sums are damaged".to_string()))?;
        let image = self.open(&files::image(index)).await?;
        let bytes = sums.image_len();
        self.rt.log(
            Level::Info,
            format_args!(
                "sending database snapshot snapshot-index={index} remote-peer-id={to} bytes={bytes}"
            ),
        );
        message.snapshot = Some(Snapshot { metadata: asked, ..snapshot });

        let (tell, body) = pipe(PIECES_MAX);
        let mut stream = pin!(self.rt.net().stream_to(message, body));
        let mut feed = pin!(self.feed(image, &sums, tell));
        poll_fn(|cx| {
            // The disk's trouble first: it is the reason if both fail.
            if let Poll::Ready(failed) = feed.as_mut().poll(cx) {
                return Poll::Ready(Err(failed));
            }
            stream.as_mut().poll(cx).map(|word| match word {
                Ok(()) => Ok(bytes),
                Err(StreamFailed::Refused(why)) => Err(Failed::Broken(why)),
                Err(StreamFailed::Broken) => Err(Failed::Broken("the connection broke".to_string())),
            })
        })
        .await
    }

    /// Never ends well: the peer's word does.
    async fn feed(&self, mut image: <R::Disk as Disk>::File, sums: &Sums, tell: PipeIn) -> Failed {
        for block in 0..sums.blocks() {
            let (offset, length) = sums.place(block);
            let bytes = match image.read_at(offset, length).await {
                Ok(bytes) => bytes,
                Err(error) => return error.into(),
            };
            if !sums.is_sound(block, &bytes) {
                return Failed::Unreadable(format!("wrong checksum of the block at byte {offset}"));
            }
            let begun = self.rt.now();
            match within(&self.rt, PIECE_PATIENCE, tell.push(bytes)).await {
                Some(Ok(())) => {}
                // The stream knows why.
                Some(Err(_)) => return std::future::pending().await,
                None => return Failed::Broken("the peer takes nothing".to_string()),
            }
            // At most half of the time is the link full of this: heartbeats go beside it.
            let now = self.rt.now();
            self.rt.sleep_until(now + (now - begun).min(PAUSE_MAX)).await;
        }
        tell.end();
        self.rt.sleep_until(self.rt.now() + VERDICT_PATIENCE).await;
        Failed::Broken("the peer does not say what it made of it".to_string())
    }

    async fn open(&self, path: &str) -> Result<<R::Disk as Disk>::File, Failed> {
        let (disk, name) = (self.rt.disk(), path.rsplit('/').next().unwrap_or(path));
        // What is not there would be made.
        if !disk.list(files::FOLDER).await?.iter().any(|known| known == name) {
            return Err(Failed::Unreadable(format!("{path} is missing")));
        }
        Ok(disk.open(path).await?)
    }

    async fn read(&self, path: &str) -> Result<bytes::Bytes, Failed> {
        let mut file = self.open(path).await?;
        let length = usize::try_from(file.len().await?)
            .map_err(|_| Failed::Unreadable(format!("{path} is too long to be read")))?;
        Ok(file.read_at(0, length).await?)
    }
}

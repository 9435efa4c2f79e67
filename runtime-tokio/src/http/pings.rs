//! Ends HTTP/2 connections whose client pings more often than it may, as Go's gRPC server does. Source: contract-api 2.
//!
//! The HTTP/2 library answers pings and tells nobody. So the bytes of a connection are looked at on their way: only the
//! heads of frames, nine bytes each. A connection that does not begin with HTTP/2's preface is let through unseen.
use std::{
    collections::BTreeSet,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// What every HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_BYTES: usize = 9;
/// So many pings in a row may come too early.
const STRIKES_MAX: u32 = 2;
/// A client without calls has no reason to ping at all; gRPC lets one pass in this time.
const IDLE_MIN: Duration = Duration::from_secs(2 * 60 * 60);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Finds the heads of frames in a stream of bytes.
#[derive(Debug, Default)]
struct Scan {
    head: [u8; HEAD_BYTES],
    seen: usize,
    /// Bytes of the frame that are still to come.
    rest: usize,
}

impl Scan {
    fn is_between_frames(&self) -> bool {
        self.seen == 0 && self.rest == 0
    }

    fn look(&mut self, mut bytes: &[u8], mut found: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let wanted = (HEAD_BYTES - self.seen).min(bytes.len());
            let (part, behind) = bytes.split_at(wanted);
            for (place, byte) in self.head.iter_mut().skip(self.seen).zip(part) {
                *place = *byte;
            }
            self.seen += part.len();
            bytes = behind;
            if self.seen == HEAD_BYTES {
                self.seen = 0;
                let [a, b, c, kind, flags, s0, s1, s2, s3] = self.head;
                self.rest = u32::from_be_bytes([0, a, b, c]) as usize;
                found(Frame { kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff });
            }
        }
    }
}

/// What the policy has to know of one connection.
#[derive(Debug)]
struct Policy {
    /// Pings of a client with calls come no closer together.
    between_min: Duration,
    open: BTreeSet<u32>,
    last_stream: u32,
    last_ping: Option<Instant>,
    strikes: u32,
    /// Something was sent since the last ping: a client may ask whether it arrived.
    sent: bool,
    broken: bool,
}

impl Policy {
    fn received(&mut self, frame: Frame, now: impl FnOnce() -> Instant) {
        match frame.kind {
            HEADERS if frame.stream > self.last_stream => {
                self.last_stream = frame.stream;
                self.open.insert(frame.stream);
            }
            RST_STREAM => {
                self.open.remove(&frame.stream);
            }
            PING if frame.flags & ACK == 0 => self.pinged(now()),
            _ => {}
        }
    }

    fn pinged(&mut self, now: Instant) {
        let least = if self.open.is_empty() { IDLE_MIN } else { self.between_min };
        if std::mem::take(&mut self.sent) {
            self.strikes = 0;
        } else if self.last_ping.is_some_and(|last| now < last + least) {
            self.strikes += 1;
        }
        self.last_ping = Some(now);
        self.broken |= self.strikes > STRIKES_MAX;
    }

    fn sent(&mut self, frame: Frame) {
        match frame.kind {
            DATA | HEADERS => {
                self.sent = true;
                if frame.flags & END_STREAM != 0 {
                    self.open.remove(&frame.stream);
                }
            }
            RST_STREAM => {
                self.open.remove(&frame.stream);
            }
            _ => {}
        }
    }

    /// The last frame such a client gets.
    fn farewell(&self) -> Vec<u8> {
        const WHY: &[u8] = b"too_many_pings";
        let mut bytes = vec![0, 0, 8 + WHY.len() as u8, GOAWAY, 0, 0, 0, 0, 0];
        bytes.extend(self.last_stream.to_be_bytes());
        bytes.extend(ENHANCE_YOUR_CALM.to_be_bytes());
        bytes.extend(WHY);
        bytes
    }
}

/// How far the preface was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Preface(usize),
    Frames,
    /// It is not HTTP/2.
    Unseen,
}

/// A client's connection under this policy.
#[derive(Debug)]
pub struct Policed<C> {
    connection: C,
    stage: Stage,
    incoming: Scan,
    outgoing: Scan,
    policy: Policy,
    /// What is left to say before the end.
    farewell: Vec<u8>,
}

impl<C> Policed<C> {
    /// `between_min`: the least time between two pings of a client with calls.
    pub fn new(connection: C, between_min: Duration) -> Policed<C> {
        let policy = Policy {
            between_min,
            open: BTreeSet::new(),
            last_stream: 0,
            last_ping: None,
            strikes: 0,
            sent: false,
            broken: false,
        };
        let (incoming, outgoing) = (Scan::default(), Scan::default());
        let farewell = Vec::new();
        Policed { connection, stage: Stage::Preface(0), incoming, outgoing, policy, farewell }
    }

    fn look_in(&mut self, mut bytes: &[u8]) {
        while let Stage::Preface(seen) = self.stage
            && let Some((byte, behind)) = bytes.split_first()
        {
            bytes = behind;
            self.stage = match PREFACE.get(seen) {
                Some(expected) if expected == byte && seen + 1 == PREFACE.len() => Stage::Frames,
                Some(expected) if expected == byte => Stage::Preface(seen + 1),
                _ => Stage::Unseen,
            };
        }
        if self.stage == Stage::Frames {
            let (scan, policy) = (&mut self.incoming, &mut self.policy);
            scan.look(bytes, |frame| policy.received(frame, Instant::now));
            if policy.broken && self.farewell.is_empty() {
                self.farewell = policy.farewell();
            }
        }
    }

    fn look_out(&mut self, bytes: &[u8]) {
        if self.stage == Stage::Frames {
            let (scan, policy) = (&mut self.outgoing, &mut self.policy);
            scan.look(bytes, |frame| policy.sent(frame));
        }
    }

    /// The client has broken the rule, and no frame is cut in two by telling it now.
    fn ends(&self) -> bool {
        self.policy.broken && self.outgoing.is_between_frames()
    }
}

impl<C: AsyncWrite + Unpin> Policed<C> {
    /// Ready once the client was told.
    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.farewell.is_empty() {
            let written = ready!(Pin::new(&mut self.connection).poll_write(context, &self.farewell))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.farewell.drain(..written);
        }
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> AsyncRead for Policed<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ends() {
            // To whoever reads here, the client has left.
            return this.poll_farewell(context);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.connection).poll_read(context, buffer))?;
        this.look_in(buffer.filled().get(before..).unwrap_or_default());
        if this.ends() {
            buffer.set_filled(before);
            return this.poll_farewell(context);
        }
        Poll::Ready(Ok(()))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Policed<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.as_mut().poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.ends() {
            ready!(this.poll_farewell(context))?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = ready!(Pin::new(&mut this.connection).poll_write_vectored(context, slices))?;
        let mut left = written;
        for slice in slices {
            let (taken, _) = slice.split_at(left.min(slice.len()));
            this.look_out(taken);
            left -= taken.len();
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

#[cfg(test)]
#[path = "pings_tests.rs"]
mod tests;

//! Refuses a message that is longer than is taken as soon as its length is known, in the words of Go's gRPC library,
//! which clients have seen. Source: contract-api 2.
use super::measure::Call;
use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tonic::Status;

/// A request body whose messages are at most this long.
pub struct Limited<B> {
    body: B,
    max: usize,
    scan: Scan,
    /// Where what passes is counted.
    call: Option<Call>,
}

/// Follows the frames of gRPC: a flag byte, four bytes of length, the message.
#[derive(Default)]
pub struct Scan {
    /// What has been seen of the head of the next frame.
    head: [u8; 5],
    head_len: usize,
    /// Bytes of the message that are still to come.
    rest: usize,
    /// Heads seen since they were last asked for.
    heads: u64,
}

impl Scan {
    /// Looks at the next bytes of the stream; the length of the first message that is longer than `max`.
    fn longer_than(&mut self, max: usize, mut bytes: &[u8]) -> Option<usize> {
        while !bytes.is_empty() {
            let skip = self.rest.min(bytes.len());
            self.rest -= skip;
            bytes.advance(skip);
            while let Some((byte, after)) = bytes.split_first().filter(|_| self.rest == 0) {
                let place = self.head.get_mut(self.head_len).expect("five bytes are counted below");
                *place = *byte;
                self.head_len += 1;
                bytes = after;
                if self.head_len == self.head.len() {
                    let [_, length @ ..] = self.head;
                    self.rest = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                    self.head_len = 0;
                    self.heads += 1;
                    if self.rest > max {
                        return Some(self.rest);
                    }
                }
            }
        }
        None
    }

    /// How many messages begin in the next bytes of the stream, and how many bytes of messages there are, heads not
    /// counted.
    pub fn count(&mut self, bytes: &[u8]) -> (u64, u64) {
        self.longer_than(usize::MAX, bytes);
        self.counted(bytes)
    }

    /// As [`Scan::count`], for bytes that have been looked at.
    fn counted(&mut self, bytes: &[u8]) -> (u64, u64) {
        let heads = std::mem::take(&mut self.heads);
        (heads, (bytes.len() as u64).saturating_sub(heads * self.head.len() as u64))
    }
}

impl<B> Limited<B> {
    pub fn new(body: B, max: usize, call: Option<Call>) -> Limited<B> {
        Limited { body, max, scan: Scan::default(), call }
    }
}

impl<B> Body for Limited<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = frame.map_err(Into::into)?;
        if let Some(data) = frame.data_ref() {
            if let Some(length) = this.scan.longer_than(this.max, data) {
                let max = this.max;
                let text = format!("grpc: received message larger than max ({length} vs. {max})");
                return Poll::Ready(Some(Err(Box::new(Status::resource_exhausted(text)))));
            }
            let (messages, bytes) = this.scan.counted(data);
            if let Some(call) = &this.call {
                call.received(messages, bytes);
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lengths: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for length in lengths {
            bytes.push(0);
            bytes.extend((*length as u32).to_be_bytes());
            bytes.extend(vec![0xff; *length]);
        }
        bytes
    }

    #[test]
    fn the_first_message_that_is_too_long_is_found_in_any_pieces() {
        for (lengths, found) in
            [(&[0, 10, 0, 0, 9][..], None), (&[11], Some(11)), (&[10, 0, 3, 255, 12], Some(255))]
        {
            let bytes = frames(lengths);
            for piece in 1..20 {
                let mut scan = Scan::default();
                let said = bytes.chunks(piece).find_map(|part| scan.longer_than(10, part));
                assert_eq!(said, found, "{lengths:?} in pieces of {piece}");
            }
        }
    }
}

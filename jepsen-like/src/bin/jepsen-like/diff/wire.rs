//! gRPC with messages as bytes: what a server really sent is looked at before anything is read into it.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use tokio::sync::mpsc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::Stream;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// Whoever has not answered after this long is taken for hanging.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A message as it came, or the end of a stream.
#[derive(Debug)]
pub enum Received {
    Message(Bytes),
    /// `None`: it ended well.
    End(Option<Status>),
}

/// Metadata of a call.
pub type Metadata = Vec<(&'static str, String)>;

/// A connection to one server.
#[derive(Clone)]
pub struct Wire {
    channel: Channel,
}

impl Wire {
    /// Connects to `address`, like `127.0.0.1:2379`.
    pub async fn connect(address: &str) -> Result<Wire, String> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| format!("{address}: {error}"))?
            .initial_stream_window_size(1 << 24)
            .initial_connection_window_size(1 << 26);
        let channel = endpoint.connect().await.map_err(|error| format!("{address}: {error}"))?;
        Ok(Wire { channel })
    }

    /// One request, one answer.
    pub async fn unary(
        &self,
        path: &'static str,
        metadata: &Metadata,
        bytes: Bytes,
    ) -> Result<Bytes, Status> {
        let call = async {
            let mut grpc = self.ready().await?;
            let request = with_metadata(Request::new(bytes), metadata)?;
            grpc.unary(request, PathAndQuery::from_static(path), Raw).await
        };
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(hangs()),
        }
    }

    /// Opens a stream. What comes back arrives at the receiver, its end last.
    pub fn stream(&self, path: &'static str, metadata: Metadata) -> Talk {
        let (requests, outgoing) = mpsc::unbounded_channel();
        let (incoming, received) = mpsc::unbounded_channel();
        let wire = self.clone();
        // A server may send nothing, not even headers, before it has something to say: opening must not wait for it.
        let task = tokio::spawn(async move {
            let end = wire.converse(path, &metadata, outgoing, &incoming).await;
            // Whoever asked may have left already.
            let _ = incoming.send(Received::End(end.err()));
        });
        Talk { requests: Some(requests), received, task }
    }

    async fn converse(
        &self,
        path: &'static str,
        metadata: &Metadata,
        outgoing: mpsc::UnboundedReceiver<Bytes>,
        incoming: &mpsc::UnboundedSender<Received>,
    ) -> Result<(), Status> {
        let mut grpc = self.ready().await?;
        let request = with_metadata(Request::new(Outgoing(outgoing)), metadata)?;
        let response = grpc.streaming(request, PathAndQuery::from_static(path), Raw).await?;
        let mut messages = response.into_inner();
        while let Some(bytes) = messages.message().await? {
            if incoming.send(Received::Message(bytes)).is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn ready(&self) -> Result<tonic::client::Grpc<Channel>, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
        grpc.ready().await.map_err(|error| Status::unavailable(format!("no connection: {error}")))?;
        Ok(grpc)
    }
}

pub fn hangs() -> Status {
    Status::deadline_exceeded(format!("no answer within {} s", PATIENCE.as_secs()))
}

/// An open stream.
pub struct Talk {
    requests: Option<mpsc::UnboundedSender<Bytes>>,
    received: mpsc::UnboundedReceiver<Received>,
    task: tokio::task::JoinHandle<()>,
}

impl Talk {
    pub fn say(&self, bytes: Bytes) {
        if let Some(requests) = &self.requests {
            // If the server has ended the stream, its end is in `received`.
            requests.send(bytes).ok();
        }
    }

    pub fn half_close(&mut self) {
        self.requests = None;
    }

    /// The next message, or the end; a stream that says nothing for too long has ended, too.
    pub async fn hear(&mut self) -> Received {
        match tokio::time::timeout(PATIENCE, self.received.recv()).await {
            Ok(Some(received)) => received,
            Ok(None) => Received::End(None),
            Err(_) => Received::End(Some(hangs())),
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn with_metadata<T>(mut request: Request<T>, metadata: &Metadata) -> Result<Request<T>, Status> {
    for (key, value) in metadata {
        let bad = |error: String| Status::internal(format!("metadata {key}: {error}"));
        let key: MetadataKey<Ascii> = key.parse().map_err(|error| bad(format!("{error}")))?;
        // Not text at all is allowed here: the server is to judge it.
        let value = MetadataValue::try_from(value.as_bytes()).map_err(|error| bad(format!("{error}")))?;
        request.metadata_mut().append(key, value);
    }
    Ok(request)
}

struct Outgoing(mpsc::UnboundedReceiver<Bytes>);

impl Stream for Outgoing {
    type Item = Bytes;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Bytes>> {
        self.0.poll_recv(context)
    }
}

/// A codec that leaves bytes alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

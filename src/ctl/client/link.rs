//! One connection and the services behind it.

use std::pin::Pin;
use std::task::{Context, Poll};

use detcd_runtime_tokio::generated::etcdserverpb::auth_client::AuthClient;
use detcd_runtime_tokio::generated::etcdserverpb::cluster_client::ClusterClient;
use detcd_runtime_tokio::generated::etcdserverpb::kv_client::KvClient;
use detcd_runtime_tokio::generated::etcdserverpb::lease_client::LeaseClient;
use detcd_runtime_tokio::generated::etcdserverpb::maintenance_client::MaintenanceClient;
use detcd_runtime_tokio::generated::etcdserverpb::watch_client::WatchClient;
use detcd_runtime_tokio::generated::v3electionpb::election_client::ElectionClient;
use detcd_runtime_tokio::generated::v3lockpb::lock_client::LockClient;
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::Channel;

/// A connection with the size limit of its answers, in bytes. The size of requests is checked before they are sent.
pub struct Link {
    channel: Channel,
    response_limit: usize,
}

impl Link {
    pub fn new(channel: Channel, response_limit: usize) -> Link {
        Link { channel, response_limit }
    }

    pub fn kv(self) -> KvClient<Channel> {
        KvClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }

    pub fn lease(self) -> LeaseClient<Channel> {
        LeaseClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }

    pub fn watch(self) -> WatchClient<Channel> {
        WatchClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }

    pub fn cluster(self) -> ClusterClient<Channel> {
        ClusterClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }

    pub fn maintenance(self) -> MaintenanceClient<Channel> {
        MaintenanceClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }

    pub fn lock(self) -> LockClient<Channel> {
        LockClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }

    pub fn election(self) -> ElectionClient<Channel> {
        ElectionClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }

    pub fn auth(self) -> AuthClient<Channel> {
        AuthClient::new(self.channel).max_decoding_message_size(self.response_limit)
    }
}

/// What goes out on a stream: the messages of a channel, as long as somebody holds its other end.
pub struct Outgoing<T>(UnboundedReceiver<T>);

impl<T> Outgoing<T> {
    pub fn new(messages: UnboundedReceiver<T>) -> Outgoing<T> {
        Outgoing(messages)
    }
}

impl<T> Stream for Outgoing<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}

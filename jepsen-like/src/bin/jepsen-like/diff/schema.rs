//! etcd's messages and services as data: a judge that works by description compares every field of every message,
//! those that nobody thought of too.

use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use protox::Compiler;
use protox::file::{File, FileResolver};

macro_rules! proto_files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../../../proto/proto/", $name)))),*]
    };
}

/// The .proto files that describe what a client can say, by the names they import each other with.
const FILES: &[(&str, &str)] = proto_files![
    "authpb/auth.proto"
    "mvccpb/kv.proto"
    "etcdserverpb/rpc.proto"
    "v3lockpb/v3lock.proto"
    "v3electionpb/v3election.proto"
    "grpc/health/v1/health.proto"
];

struct Embedded;

impl FileResolver for Embedded {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let found = FILES.iter().find(|(file, _)| *file == name);
        let (name, source) = found.ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, source)
    }
}

/// Everything a client of etcd can say and hear.
#[derive(Clone)]
pub struct Schema {
    pool: DescriptorPool,
}

impl Schema {
    pub fn new() -> Schema {
        let mut compiler = Compiler::with_file_resolver(Embedded);
        compiler.include_imports(true);
        for (name, _) in FILES {
            compiler.open_file(name).expect("the project's own .proto files compile");
        }
        Schema { pool: compiler.descriptor_pool() }
    }

    /// The method behind a path like `/etcdserverpb.KV/Range`, if there is one.
    pub fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        self.pool.get_service_by_name(service)?.methods().find(|candidate| candidate.name() == method)
    }

    /// Every path of every service.
    #[cfg(test)]
    pub fn paths(&self) -> Vec<String> {
        let methods = self.pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        methods.map(|m| format!("/{}/{}", m.parent_service().full_name(), m.name())).collect()
    }

    /// Reads a message; bytes that are none are a fault of whoever sent them.
    pub fn decode(&self, kind: MessageDescriptor, bytes: Bytes) -> Result<DynamicMessage, String> {
        DynamicMessage::decode(kind, bytes).map_err(|error| error.to_string())
    }
}

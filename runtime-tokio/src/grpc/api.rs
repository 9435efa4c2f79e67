//! The client API as data: what is done alike with every call and every message reads it here.
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::sync::LazyLock;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(include_bytes!("../generated/client_api.bin").as_slice())
        .expect("what codegen wrote from files that compile can be read")
});

/// Every call of every service of the client port.
pub fn methods() -> impl Iterator<Item = MethodDescriptor> {
    POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// One call by its names, the service's with its package.
pub fn method(service: &str, method: &str) -> Option<MethodDescriptor> {
    POOL.get_service_by_name(service)?.methods().find(|found| found.name() == method)
}

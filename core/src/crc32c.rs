//! CRC-32C (Castagnoli), which everything that etcd checks is checked by: log records, files, hashes.
use crc::{CRC_32_ISCSI, Crc, Table};

static CASTAGNOLI: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Carries the running checksum `sum` on over `data`; 0 begins one.
pub fn chain(sum: u32, data: &[u8]) -> u32 {
    // The library takes the shift register's start value unreflected and without the final inversion.
    let mut digest = CASTAGNOLI.digest_with_initial((!sum).reverse_bits());
    digest.update(data);
    digest.finalize()
}

pub fn of(data: &[u8]) -> u32 {
    chain(0, data)
}
